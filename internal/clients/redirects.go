package clients

// Where an app is answered: the URIs that its developer registered, which of those a request may name, and which of
// them another program could answer at.

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/address"
)

// MayRedirect says whether an authorization request of this client may name uri as its redirect_uri: one that is
// registered, byte for byte (RFC 9700 §4.1.3), or one that differs from a registered http URI of 127.0.0.1 or [::1] in
// its port alone, which a native app learns only when it listens (RFC 8252 §7.3).
func (c Client) MayRedirect(uri string) bool {
	asked, anyPort := address.WithoutLoopbackPort(uri)
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		if anyPort {
			known, ok := address.WithoutLoopbackPort(registered)
			return ok && known == asked
		}
		return uri == registered
	})
}

// MayReturnAfterLogout says whether uri is one of the client's post_logout_redirect_uris, byte for byte (OpenID Connect
// RP-Initiated Logout §3).
func (c Client) MayReturnAfterLogout(uri string) bool {
	return slices.Contains(c.PostLogoutRedirectURIs, uri)
}

// Claimable says whether any program on a person's own machine could take what is sent to a redirect URI (RFC 8252
// §8.6): it can register a scheme, and listen on a port of loopback. Localhost does not count where publicURL is on
// loopback itself, since that is one developer's machine.
func Claimable(redirectURI, publicURL string) bool {
	u, ok := address.ParseWebURL(redirectURI)
	if !ok {
		return true
	}
	if own, ok := address.ParseWebURL(publicURL); ok && u.Hostname() == "localhost" {
		return !address.IsLoopback(own.Hostname())
	}
	return address.IsLoopback(u.Hostname())
}

// neverSchemes lead to what the URI itself says, or to a file, and never to an app.
var neverSchemes = []string{"javascript", "data", "file", "blob"}

// checkRedirect says what to write instead of a URI at which no app may be answered.
func checkRedirect(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Scheme == "" || !address.IsURIText(raw):
		return errors.New("write an absolute URI such as https://app.example.com/callback, with an international host in its xn-- form")
	case strings.Contains(raw, "#"):
		return errors.New("write it without # and what follows (RFC 6749 §3.1.2)")
	case strings.Contains(raw, "*"):
		return errors.New("write each URI in full: they are compared byte for byte, and * stands for nothing else")
	case u.User != nil:
		return errors.New("write it without a user name and @")
	case saysAnswer(u.Query()):
		return errors.New("write it without code, state, iss and error in its query: an answer adds its own")
	case slices.Contains(neverSchemes, u.Scheme):
		return fmt.Errorf("no app is answered at %s: write an https URL, or a scheme of the app's own such as com.example.app:/callback", u.Scheme)
	case u.Scheme == "http" || u.Scheme == "https":
		return checkWebRedirect(raw)
	case address.IsAppScheme(u.Scheme):
		if _, ok := address.ParsePageURL(raw); !ok {
			return fmt.Errorf("write two slashes and a host without a port, such as %s://localhost/callback", u.Scheme)
		}
	case !strings.Contains(u.Scheme, "."):
		return fmt.Errorf("the scheme %s could be any app's: write the name of a domain of yours backwards, such as com.example.app:/callback", u.Scheme)
	}
	return nil
}

// saysAnswer says whether a registered query has a name that an authorization response adds: an app would read two.
func saysAnswer(query url.Values) bool {
	return slices.ContainsFunc([]string{"code", "state", "iss", "error", "error_description"}, query.Has)
}

// checkWebRedirect: over http an answer could be read on its way, but for what stays on one machine.
func checkWebRedirect(raw string) error {
	u, ok := address.ParseWebURL(raw)
	switch {
	case !ok:
		return errors.New("write scheme, host and port as browsers do, such as https://app.example.com/callback or http://127.0.0.1/callback")
	case u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		return errors.New("write https: http is for 127.0.0.1, [::1] and localhost alone")
	}
	return nil
}
