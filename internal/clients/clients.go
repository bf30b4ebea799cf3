// Package clients owns the operator's file of registered clients, the applications people sign in to. A set is checked
// as a whole, at the start and when the file is read again, and never changes. Everything a request says about where
// a link should lead or an app is answered, and each secret that a client shows, is compared with the set that was there
// when the request came. It never decides who may sign in.
package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"latchkey/internal/address"
	"latchkey/internal/brand"
	"latchkey/internal/studio"
)

// Client is one [[client]] of the clients file.
type Client struct {
	Alias             string   `toml:"alias"`
	Name              string   `toml:"name"`     // of the platform, in mails
	URL               string   `toml:"url"`      // where links lead
	URLs              []string `toml:"urls"`     // further places links may lead, and CORS origins
	LogoURL           string   `toml:"logo_url"` // in mails
	From              string   `toml:"from"`     // RFC 5322 mailbox; empty: LATCHKEY_MAIL_FROM
	Secret            string   `toml:"secret"`   // New moves it to the front of Secrets
	Default           bool     `toml:"default"`
	SignupWithoutCode bool     `toml:"signup_without_code"`
	NextAuthSecret    string   `toml:"nextauth_secret"` // of the existing web client's own server: see cookies.go

	RedirectURIs           []string `toml:"redirect_uris"`             // where authorization requests are answered: see redirects.go
	PostLogoutRedirectURIs []string `toml:"post_logout_redirect_uris"` // where a browser goes on after a sign-out
	BackchannelLogoutURI   string   `toml:"backchannel_logout_uri"`    // told of each end of a session; empty: nobody is
	Secrets                []string `toml:"secrets"`                   // after New all of them, at most two; none: a public client
	Scopes                 []string `toml:"scopes"`                    // what client_credentials may ask for
	Consent                bool     `toml:"consent"`                   // a third party: the user is asked
	Account                bool     `toml:"account"`                   // may be given the scope account
	Feed                   bool     `toml:"feed"`                      // may read the revocation feed
	Audiences              []string `toml:"audiences"`                 // what resource may name (RFC 8707)

	Colour   string      `toml:"colour"`    // #rrggbb, of buttons and links
	LogoFile string      `toml:"logo_file"` // on pages; whoever reads the clients file puts what is in it into Brand.Logo
	Support  string      `toml:"support"`   // email address or https URL
	Texts    brand.Texts `toml:"texts"`     // language -> message -> the client's own words

	Brand brand.Brand `toml:"-"` // all of this as pages and mails show it: set by New
}

// String keeps the secret out of logs.
func (c Client) String() string { return c.Alias }

// GoString keeps the secret out of %#v.
func (c Client) GoString() string { return c.Alias }

// LogValue keeps the secret out of slog's JSON.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.Alias) }

// Confidential says whether the client has a secret (RFC 6749 §2.1).
func (c Client) Confidential() bool { return len(c.secrets()) > 0 }

// secrets are all of them, also before New.
func (c Client) secrets() []string {
	if c.Secret == "" {
		return c.Secrets
	}
	return append([]string{c.Secret}, c.Secrets...)
}

// HasSecret says whether the secret that was sent is one of those registered, either as it is or form-encoded: RFC
// 6749 §2.3.1 asks for the encoding, and what most clients send is the secret itself. Each is compared in constant
// time, whichever of them is right.
func (c Client) HasSecret(sent string) bool {
	given := [][sha256.Size]byte{sha256.Sum256([]byte(sent))}
	if decoded, err := url.QueryUnescape(sent); err == nil {
		given = append(given, sha256.Sum256([]byte(decoded)))
	}
	proven := 0
	for _, secret := range c.secrets() {
		want := sha256.Sum256([]byte(secret))
		for _, sum := range given {
			proven |= subtle.ConstantTimeCompare(sum[:], want[:])
		}
	}
	return proven == 1
}

// Settings are all that the clients file says of a client: of secrets only how many there are, and of a logo
// what is in the file, which every node may keep elsewhere.
func (c Client) Settings() string {
	c.Secret, c.Secrets, c.NextAuthSecret = "", make([]string, len(c.secrets())), isSet(c.NextAuthSecret)
	logo := c.Brand.Logo
	c.LogoFile, c.Brand = "", brand.Brand{}
	type plain Client // without the methods that keep it out of logs
	return fmt.Sprintf("%#v %x", plain(c), logo.Content)
}

func isSet(secret string) string {
	if secret == "" {
		return ""
	}
	return "set"
}

// Set is the closed set of them.
type Set struct {
	list    []Client
	origins map[string][]string   // alias -> unique origins of url and urls
	all     []string              // the same, of every client
	apps    []string              // the same, and those of redirect_uris
	cookies map[string]studio.Key // alias -> what opens the cookies of that application, where it has a nextauth_secret
}

// New checks list. The error is a *Fault: a sentence for whoever wrote the file, and where it is wrong.
func New(list []Client) (*Set, error) {
	c := &Set{origins: make(map[string][]string, len(list)), cookies: map[string]studio.Key{}}
	for i, client := range list {
		if err := checkAlias(client.Alias); err != nil {
			return nil, at(i, fmt.Errorf("client %d: %w", i+1, err))
		}
		if err := c.add(client); err != nil {
			return nil, at(i, err)
		}
	}
	if err := c.apartFromAudiences(); err != nil {
		return nil, err
	}
	return c, nil
}

// add checks a client beside those that are there.
func (c *Set) add(client Client) error {
	if _, taken := c.origins[client.Alias]; taken {
		return wrong("alias", "client %q is there twice: give each client its own alias", client.Alias)
	}
	if other, taken := c.Default(); taken && client.Default {
		return wrong("default", "clients %q and %q are both the default: keep default = true on one", other.Alias, client.Alias)
	}
	client, origins, err := checkClient(client)
	if err != nil {
		return fmt.Errorf("client %q: %w", client.Alias, err)
	}
	if client.NextAuthSecret != "" {
		if c.cookies[client.Alias], err = cookieKey(client.NextAuthSecret); err != nil {
			return wrong("nextauth_secret", "client %q: %w", client.Alias, err)
		}
	}
	c.list = append(c.list, client)
	c.origins[client.Alias] = origins
	for _, origin := range origins {
		c.all, c.apps = appendNew(c.all, origin), appendNew(c.apps, origin)
	}
	for _, uri := range client.RedirectURIs {
		if origin, ok := address.ParsePageOrigin(uri); ok {
			c.apps = appendNew(c.apps, origin)
		}
	}
	return nil
}

// Aliases are those that a request may name.
func (c *Set) Aliases() []string {
	list := make([]string, 0, len(c.list))
	for _, client := range c.list {
		list = append(list, client.Alias)
	}
	return list
}

// List returns the clients in the order of the file.
func (c *Set) List() []Client { return slices.Clone(c.list) }

// Lookup returns the client of that alias; case matters.
func (c *Set) Lookup(alias string) (Client, bool) {
	return c.first(func(client Client) bool { return client.Alias == alias })
}

// Default returns the client marked default = true.
func (c *Set) Default() (Client, bool) {
	return c.first(func(client Client) bool { return client.Default })
}

// DefaultOr returns the default client, or Latchkey itself under its public URL: the client of tokens and mails where none
// is registered.
func (c *Set) DefaultOr(publicURL string) Client {
	if client, ok := c.Default(); ok {
		return client
	}
	return Client{Alias: "latchkey", Name: "Latchkey", URL: publicURL}
}

// Origins returns the origins of every client's url and urls, each once.
func (c *Set) Origins() []string { return slices.Clone(c.all) }

// AppOrigins returns the origins of every client's url, urls and redirect_uris, each once: what may call from a browser
// for tokens. A redirect URI of a scheme with a dot has none.
func (c *Set) AppOrigins() []string { return slices.Clone(c.apps) }

// Endpoint answers forgot-password's endpoint: it must have the origin of a URL registered for that client,
// or for any when alias is empty, and stands for the registered URL of that origin. Its own path counts only
// where it is the one of several that is meant: what a link is appended to is always a registered URL, since
// on an honest origin any other may be dead, or a redirect to somewhere else.
func (c *Set) Endpoint(alias, endpoint string) (base string, ok bool) {
	u, ok := address.ParseWebURL(endpoint)
	if !ok {
		return "", false
	}
	origin := address.OriginOf(u)
	asked := origin + strings.TrimSuffix(u.EscapedPath(), "/")
	for _, registered := range c.bases(alias) {
		if registered == asked {
			return asked, true
		}
		if base == "" && (registered == origin || strings.HasPrefix(registered, origin+"/")) {
			base = registered
		}
	}
	return base, base != ""
}

// bases lists the registered URLs of a client, or of all when alias is empty: the default client's first.
func (c *Set) bases(alias string) (urls []string) {
	if byDefault, ok := c.Default(); ok && alias == "" {
		urls = append(append(urls, byDefault.URL), byDefault.URLs...)
	}
	for _, client := range c.list {
		if alias == "" || client.Alias == alias {
			urls = append(append(urls, client.URL), client.URLs...)
		}
	}
	return urls
}

// Platform answers platformName: the name of a registered client, and nothing else that whoever asks for a
// mail to somebody might want it to say.
func (c *Set) Platform(name string) string {
	client, _ := c.first(func(client Client) bool { return client.Name == name })
	return client.Name
}

// ReturnTo answers return_to, where a person goes on after a page of ours: an absolute URL, its origin
// registered for that client, or for any when alias is empty. Nothing is appended to it, so a query and a
// fragment may be in it. The answer is what was parsed, never what was sent.
func (c *Set) ReturnTo(alias, raw string) (url string, ok bool) {
	u, ok := address.ParsePageURL(raw)
	if !ok || !c.registered(alias, address.OriginOf(u)) {
		return "", false
	}
	return u.String(), true
}

// Logo answers brandLogoUrl. It is not ok unless raw is an absolute URL of a public-looking host;
// url is empty unless its origin is registered, since a mail that shows a stranger's picture
// is the stranger's mail.
func (c *Set) Logo(raw string) (url string, ok bool) {
	u, ok := address.ParseWebURL(raw)
	if !ok || !isPublicName(u.Hostname()) {
		return "", false
	}
	if !c.registered("", address.OriginOf(u)) {
		return "", true
	}
	return u.String(), true
}

func (c *Set) first(match func(Client) bool) (Client, bool) {
	for _, client := range c.list {
		if match(client) {
			return client, true
		}
	}
	return Client{}, false
}

func (c *Set) registered(alias, origin string) bool {
	among := c.all
	if alias != "" {
		among = c.origins[alias]
	}
	return slices.Contains(among, origin)
}

// isPublicName says whether a mail reader anywhere could load a logo from the host: an IP address, or a name that
// only one network knows, is refused.
func isPublicName(host string) bool {
	return strings.Contains(host, ".") && !address.IsIP(host) &&
		!strings.HasSuffix(host, ".local") && !strings.HasSuffix(host, ".internal")
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
