package clients

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

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
