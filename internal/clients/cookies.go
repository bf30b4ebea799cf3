package clients

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/internal/address"
	"latchkey/internal/ids"
	"latchkey/internal/studio"
)

// The cookies of applications that have a nextauth_secret: whose opens here, and which session it names.

// TakeCookies says whether some client has a nextauth_secret.
func (c *Set) TakeCookies() bool { return len(c.cookies) > 0 }

// AnyCookie says whether a request brings a cookie that some client's secret could open.
func (c *Set) AnyCookie(sent func(string) string) bool {
	_, some := c.first(func(client Client) bool {
		_, has := c.cookies[client.Alias]
		return has && studio.Cookie(sent, client.secure()) != ""
	})
	return some
}

// OpenCookie tries every secret. It returns the session that the cookie names, and whose secret opened it.
func (c *Set) OpenCookie(sent func(string) string, now time.Time) (sessionID string, aliases []string) {
	for _, client := range c.list {
		key, has := c.cookies[client.Alias]
		if !has {
			continue
		}
		named, ok := key.Open(studio.Cookie(sent, client.secure()), now)
		if !ok {
			continue
		}
		id, ok := ids.Parse(named)
		if ok && (sessionID == "" || sessionID == id) {
			sessionID, aliases = id, append(aliases, client.Alias)
		}
	}
	return sessionID, aliases
}

func (c Client) secure() bool { return strings.HasPrefix(c.URL, "https://") }

func cookieKey(secret string) (studio.Key, error) {
	if n := utf8.RuneCountInString(secret); n < studio.MinSecret {
		return studio.Key{}, fmt.Errorf("nextauth_secret has %d characters: give that application one of at least %d, such as `openssl rand -hex 32` prints, and write the same here", n, studio.MinSecret)
	}
	return studio.NewKey(secret)
}

// ApartFrom refuses an application with a nextauth_secret on the origin of our own pages: script in it could
// use them in the name of whoever is signed in there.
func (c *Set) ApartFrom(publicURL string) error {
	if c == nil {
		return nil
	}
	own, ok := address.ParseOrigin(publicURL)
	for alias := range c.cookies {
		if ok && slices.Contains(c.origins[alias], own) {
			return fmt.Errorf("client %q has a nextauth_secret and is on the origin of LATCHKEY_PUBLIC_URL, %s: serve Latchkey's pages from another host, and only /auth/ and /v1/auth/ from the application's", alias, own)
		}
	}
	return nil
}
