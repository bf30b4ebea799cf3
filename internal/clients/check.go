package clients

// What may be wrong with the operator's file, each told in a sentence that says what to write instead.

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/internal/address"
	"latchkey/internal/brand"
	"latchkey/internal/ids"
	"latchkey/internal/mail"
)

// Fault is a mistake in the clients file: a sentence for whoever wrote it, and where it stands.
type Fault struct {
	Client int    // the place of the [[client]] in the file, from 0
	Key    string // the key that is wrong
	err    error
}

func (f *Fault) Error() string { return f.err.Error() }

func (f *Fault) Unwrap() error { return f.err }

// wrong is a fault of a key whose client is not said yet: at does that.
func wrong(key, format string, args ...any) error {
	return &Fault{Key: key, err: fmt.Errorf(format, args...)}
}

// at is err as a fault of the i-th client.
func at(i int, err error) *Fault {
	f := &Fault{Client: i, err: err}
	if inner, ok := errors.AsType[*Fault](err); ok {
		f.Key = inner.Key
	}
	return f
}

// FitsServer says whether the set can be served under publicURL with audience as that of access tokens. The error is a
// *Fault. An application with a nextauth_secret is refused on the origin of our own pages: script in it could use them
// in the name of whoever is signed in there.
func (c *Set) FitsServer(publicURL, audience string) error {
	if c == nil {
		return nil
	}
	own, ok := address.ParseOrigin(publicURL)
	for i, client := range c.list {
		if client.Alias == audience {
			return at(i, wrong("alias", "client %q: its alias is LATCHKEY_AUDIENCE, the audience of access tokens, and would be that of its ID tokens: give one of them another name", client.Alias))
		}
		if client.NextAuthSecret != "" && ok && slices.Contains(c.origins[client.Alias], own) {
			return at(i, wrong("nextauth_secret", "client %q has a nextauth_secret and is on the origin of LATCHKEY_PUBLIC_URL, %s: serve Latchkey's pages from another host, and only /auth/ and /v1/auth/ from the application's", client.Alias, own))
		}
	}
	return nil
}

// apartFromAudiences refuses an alias that is an audience: what is made for a client has its alias as aud, and must not
// pass for an access token of an API (RFC 9068 §5).
func (c *Set) apartFromAudiences() error {
	for i, client := range c.list {
		for _, other := range c.list {
			if slices.Contains(other.Audiences, client.Alias) {
				return at(i, wrong("alias", "client %q: its alias is among the audiences of client %q: give one of them another name", client.Alias, other.Alias))
			}
		}
	}
	return nil
}

// checkAlias: an alias is a word of URLs, token claims and HTTP Basic (no colon). It is no UUID, since those are the sub
// of users and a client may be the sub of a token of its own.
func checkAlias(alias string) error {
	if alias == "" {
		return wrong("alias", "alias is missing: write a short name such as \"web\"")
	}
	if len(alias) > 64 || strings.ContainsFunc(alias, address.NotUnreserved) {
		return wrong("alias", "alias %q: use at most 64 letters, digits and - . _ ~", alias)
	}
	if _, is := ids.Parse(alias); is {
		return wrong("alias", "alias %q is a UUID, as the ids of users are: write a name such as \"web\"", alias)
	}
	return nil
}

// checkClient returns client with its URLs in their one spelling and its secrets in one list, and its origins.
func checkClient(client Client) (Client, []string, error) {
	if client.Name != "" && !isShownName(client.Name) {
		return client, nil, wrong("name", "name must be at most %d printable characters", maxPlatformName)
	}
	if err := checkSecrets(client); err != nil {
		return client, nil, err
	}
	client.Secrets, client.Secret = client.secrets(), ""
	client, origins, err := checkURLs(client)
	if err != nil {
		return client, nil, err
	}
	if err := checkApp(client); err != nil {
		return client, nil, err
	}
	if client.Brand, err = lookOf(client); err != nil {
		return client, nil, err
	}
	if client.From != "" {
		if err := mail.ParseMailbox(client.From); err != nil {
			return client, nil, wrong("from", "from %q: %w", client.From, err)
		}
	}
	return client, origins, nil
}

// minClientSecret is the least number of characters of a client's secret: what is shorter could be guessed. maxSecrets
// are enough for a secret to be replaced while the one before is still in use.
const (
	minClientSecret = 32
	maxSecrets      = 2
)

func checkSecrets(c Client) error {
	short := func(secret string) bool { return utf8.RuneCountInString(secret) < minClientSecret }
	if c.Secret != "" && short(c.Secret) {
		return wrong("secret", "secret must have at least %d characters (openssl rand -hex 32)", minClientSecret)
	}
	if i := slices.IndexFunc(c.Secrets, short); i >= 0 {
		return wrong("secrets", "secrets[%d] must have at least %d characters (openssl rand -hex 32)", i, minClientSecret)
	}
	if n := len(c.secrets()); n > maxSecrets {
		return wrong("secrets", "there are %d secrets, secret and secrets together: keep the newest and the one before it", n)
	}
	return nil
}

// checkURLs returns client with the URLs that links lead to in their one spelling, and their origins.
func checkURLs(client Client) (Client, []string, error) {
	var origins, urls []string
	for i, raw := range append([]string{client.URL}, client.URLs...) {
		parse := address.ParsePageURL
		if i == 0 {
			parse = address.ParseWebURL // where mailed links lead: any mail reader must open it
		}
		origin, base, ok := address.ParseBase(raw, parse)
		if !ok {
			return client, nil, badURL(i, raw)
		}
		origins = appendNew(origins, origin)
		urls = append(urls, base)
	}
	client.URL, client.URLs = urls[0], urls[1:]
	if client.LogoURL != "" {
		logo, ok := address.ParseWebURL(client.LogoURL)
		if !ok {
			return client, nil, wrong("logo_url", "logo_url %q: write an absolute URL such as https://app.example.com/logo.png", client.LogoURL)
		}
		client.LogoURL = logo.String()
	}
	return client, origins, nil
}

// badURL says what to write instead of url (0) or the i-th of urls.
func badURL(i int, raw string) error {
	key, name := "url", "url"
	if i > 0 {
		key, name = "urls", fmt.Sprintf("urls[%d]", i-1)
	}
	switch {
	case raw == "":
		return wrong(key, "%s is missing: write the address of the application, such as https://app.example.com", name)
	case raw == "null" || strings.Contains(raw, "*"):
		return wrong(key, "%s %q would let any site in: list each origin in full, such as https://app.example.com", name, raw)
	}
	if u, err := url.Parse(raw); err == nil && strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return wrong(key, "%s %q: write the host in its xn-- form", name, raw)
	}
	return wrong(key, "%s %q: write an absolute URL such as https://app.example.com or http://localhost:3000/app, without user, query or fragment", name, raw)
}

// checkApp checks what a client says of the app that signs people in and of its server.
func checkApp(c Client) error {
	for _, list := range []struct {
		key   string
		texts []string
		check func(string) error
	}{
		{"redirect_uris", c.RedirectURIs, checkRedirect},
		{"post_logout_redirect_uris", c.PostLogoutRedirectURIs, checkRedirect},
		{"scopes", c.Scopes, checkScope},
		{"audiences", c.Audiences, checkAudience},
	} {
		for i, text := range list.texts {
			if err := list.check(text); err != nil {
				return wrong(list.key, "%s[%d] %q: %w", list.key, i, text, err)
			}
		}
	}
	if c.BackchannelLogoutURI != "" {
		if err := checkBackchannel(c.BackchannelLogoutURI); err != nil {
			return wrong("backchannel_logout_uri", "backchannel_logout_uri %q: %w", c.BackchannelLogoutURI, err)
		}
	}
	switch {
	case len(c.Scopes) > 0 && !c.Confidential():
		return wrong("scopes", "scopes are what the client may ask for in its own name (client_credentials), which takes a secret: write secrets too, or take scopes out")
	case c.Feed && !c.Confidential():
		return wrong("feed", "feed = true is for a client that has a secret: write secrets too, or take feed out")
	case c.Account && c.Consent:
		return wrong("account", "account = true and consent = true exclude each other, since a third party never gets the whole account: take one of them out")
	}
	return nil
}

// checkScope: RFC 6749 §3.3.
func checkScope(text string) error {
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' || r == '\\' }) {
		return errors.New(`write one scope without space, " and \, such as orders:read, and each in quotes of its own`)
	}
	return nil
}

// checkAudience: RFC 8707 §2 has no fragment in what a request names as resource.
func checkAudience(text string) error {
	if !address.IsURIText(text) || strings.Contains(text, "#") {
		return errors.New("write what the API looks for in aud, such as https://api.example.com, without # and space")
	}
	return nil
}

// checkBackchannel: OpenID Connect Back-Channel Logout §2.2 has no fragment in it.
func checkBackchannel(raw string) error {
	u, ok := address.ParseWebURL(raw)
	switch {
	case !ok || strings.Contains(raw, "#"):
		return errors.New("write an absolute URL such as https://app.example.com/backchannel-logout, without user or fragment")
	case u.Scheme != "https" && !address.IsLoopback(u.Hostname()):
		return errors.New("write https: http is for a server on this machine alone")
	}
	return nil
}

// lookOf checks what a client's pages and mails look like.
func lookOf(c Client) (look brand.Brand, err error) {
	look = brand.Brand{
		Alias: c.Alias, Name: cmp.Or(c.Name, brand.Plain.Name), Home: c.URL, LogoURL: c.LogoURL, Logo: c.Brand.Logo, Texts: c.Texts,
	}
	if look.Colour, err = brand.ParseColour(c.Colour); err != nil {
		return look, wrong("colour", "%w", err)
	}
	if look.Support, err = brand.ParseSupport(c.Support); err != nil {
		return look, wrong("support", "%w", err)
	}
	if err := c.Texts.Check(); err != nil {
		return look, wrong("texts", "%w", err)
	}
	return look, nil
}

const maxPlatformName = 64

// isShownName judges the operator's own name for the platform, which may well be "acme.example".
func isShownName(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxPlatformName &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
