package client

// An HTTP client that shows the access token, and to whom it does not.

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// HTTPClient returns a client that adds the access token to each request, refreshed as by Token. Hosts are the origins that
// it may be used for, such as "https://api.example"; a request to another one is an error. Without hosts it adds the
// token to whatever request the program makes.
//
// The token is never sent in the clear, but on loopback, and it does not go along when an answer redirects to another
// origin: that is followed without it. A request that brings an Authorization header of its own is an error. Where nobody
// is signed in the error is ErrSignedOut. All else is as App.HTTP has it.
func (s *Session) HTTPClient(hosts ...string) *http.Client {
	own := *s.app.HTTP
	b := &bearer{session: s, next: own.Transport}
	if b.next == nil {
		b.next = http.DefaultTransport
	}
	for _, host := range hosts {
		at, err := url.Parse(host)
		if err != nil || at.Hostname() == "" || at.User != nil || strings.TrimSuffix(at.Path, "/") != "" || at.RawQuery != "" || at.Fragment != "" {
			b.wrong = fmt.Errorf("client: HTTPClient: %q is not an origin, such as https://api.example", host)
			continue
		}
		b.origins = append(b.origins, originOf(at))
	}
	own.Transport = b
	return &own
}

// bearer adds the token of a session to requests.
type bearer struct {
	session *Session
	next    http.RoundTripper
	origins []string // none: any
	wrong   error    // what was given as an origin is none
}

// RoundTrip is http.RoundTripper's.
func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	send := r
	if !leftHome(r) {
		token, err := b.tokenFor(r)
		if err != nil {
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, err
		}
		send = r.Clone(r.Context())
		send.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := b.next.RoundTrip(send)
	if err == nil {
		res.Request = r
	}
	return res, err
}

// CloseIdleConnections is looked for by http.Client.
func (b *bearer) CloseIdleConnections() {
	if closer, ok := b.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

func (b *bearer) tokenFor(r *http.Request) (string, error) {
	switch to := originOf(r.URL); {
	case b.wrong != nil:
		return "", b.wrong
	case b.origins != nil && !slices.Contains(b.origins, to):
		return "", fmt.Errorf("client: the token is not for %s: name it in HTTPClient, or use another client", to)
	case !private(r.URL):
		return "", fmt.Errorf("client: the token is not sent to %s in the clear: use https", to)
	case r.Header.Get("Authorization") != "":
		return "", errors.New("client: the request has an Authorization header, which HTTPClient sets")
	}
	return b.session.Token(r.Context())
}

// leftHome says whether a request comes of redirects that led to another origin, were it only on the way.
func leftHome(r *http.Request) bool {
	here := originOf(r.URL)
	for before := r.Response; before != nil; before = before.Request.Response {
		if before.Request == nil || originOf(before.Request.URL) != here {
			return true
		}
	}
	return false
}

// originOf is scheme, host and port (RFC 6454 §4).
func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
