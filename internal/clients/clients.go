// Package clients owns the operator's file of registered clients, the applications people sign in to. A set is checked
// as a whole, at the start and when the file is read again, and never changes. Everything a request says about where
// a link should lead is looked up in the set that was there when the request came. It never decides who may sign in.
package clients

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/internal/address"
	"latchkey/internal/brand"
	"latchkey/internal/mail"
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
	Secret            string   `toml:"secret"`   // for introspection; empty: a public client
	Default           bool     `toml:"default"`
	SignupWithoutCode bool     `toml:"signup_without_code"`
	NextAuthSecret    string   `toml:"nextauth_secret"` // of the existing web client's own server: see cookies.go

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

// HasSecret says whether the secret that was sent is the one registered, either as it is or form-encoded: RFC
// 6749 §2.3.1 asks for the encoding, and what most clients send is the secret itself.
func (c Client) HasSecret(sent string) bool {
	want := sha256.Sum256([]byte(c.Secret))
	same := func(given string) int {
		sum := sha256.Sum256([]byte(given))
		return subtle.ConstantTimeCompare(sum[:], want[:])
	}
	proven := same(sent)
	if decoded, err := url.QueryUnescape(sent); err == nil {
		proven |= same(decoded)
	}
	return proven == 1 && c.Secret != ""
}

// Settings are all that the clients file says of a client: of a secret only that there is one, and of a logo
// what is in the file, which every node may keep elsewhere.
func (c Client) Settings() string {
	c.Secret, c.NextAuthSecret = isSet(c.Secret), isSet(c.NextAuthSecret)
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
	cookies map[string]studio.Key // alias -> what opens the cookies of that application, where it has a nextauth_secret
}

// New checks list. The error is a sentence for whoever wrote the file.
func New(list []Client) (*Set, error) {
	c := &Set{origins: make(map[string][]string, len(list)), cookies: map[string]studio.Key{}}
	for i, client := range list {
		if err := checkAlias(client.Alias); err != nil {
			return nil, fmt.Errorf("client %d: %w", i+1, err)
		}
		if _, taken := c.origins[client.Alias]; taken {
			return nil, fmt.Errorf("client %q is there twice: give each client its own alias", client.Alias)
		}
		if other, taken := c.Default(); taken && client.Default {
			return nil, fmt.Errorf("clients %q and %q are both the default: keep default = true on one", other.Alias, client.Alias)
		}
		client, origins, err := checkClient(client)
		if err != nil {
			return nil, fmt.Errorf("client %q: %w", client.Alias, err)
		}
		if client.NextAuthSecret != "" {
			if c.cookies[client.Alias], err = cookieKey(client.NextAuthSecret); err != nil {
				return nil, fmt.Errorf("client %q: %w", client.Alias, err)
			}
		}
		c.list = append(c.list, client)
		c.origins[client.Alias] = origins
		for _, origin := range origins {
			c.all = appendNew(c.all, origin)
		}
	}
	return c, nil
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

// minClientSecret is the least number of characters of a client's secret: what is shorter could be guessed.
const minClientSecret = 32

// checkClient returns client with its URLs in their one spelling, and its origins.
func checkClient(client Client) (Client, []string, error) {
	if client.Name != "" && !isShownName(client.Name) {
		return client, nil, fmt.Errorf("name must be at most %d printable characters", maxPlatformName)
	}
	if client.Secret != "" && utf8.RuneCountInString(client.Secret) < minClientSecret {
		return client, nil, fmt.Errorf("secret must have at least %d characters (openssl rand -hex 32)", minClientSecret)
	}
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
			return client, nil, fmt.Errorf("logo_url %q: write an absolute URL such as https://app.example.com/logo.png", client.LogoURL)
		}
		client.LogoURL = logo.String()
	}
	look, err := lookOf(client)
	if err != nil {
		return client, nil, err
	}
	client.Brand = look
	if client.From != "" {
		if err := mail.ParseMailbox(client.From); err != nil {
			return client, nil, fmt.Errorf("from %q: %w", client.From, err)
		}
	}
	return client, origins, nil
}

// lookOf checks what a client's pages and mails look like.
func lookOf(c Client) (look brand.Brand, err error) {
	look = brand.Brand{
		Alias: c.Alias, Name: cmp.Or(c.Name, brand.Plain.Name), Home: c.URL, LogoURL: c.LogoURL, Logo: c.Brand.Logo, Texts: c.Texts,
	}
	if look.Colour, err = brand.ParseColour(c.Colour); err != nil {
		return look, err
	}
	if look.Support, err = brand.ParseSupport(c.Support); err != nil {
		return look, err
	}
	return look, c.Texts.Check()
}

// badURL says what to write instead of url (0) or the i-th of urls.
func badURL(i int, raw string) error {
	key := "url"
	if i > 0 {
		key = fmt.Sprintf("urls[%d]", i-1)
	}
	switch {
	case raw == "":
		return fmt.Errorf("%s is missing: write the address of the application, such as https://app.example.com", key)
	case raw == "null" || strings.Contains(raw, "*"):
		return fmt.Errorf("%s %q would let any site in: list each origin in full, such as https://app.example.com", key, raw)
	}
	if u, err := url.Parse(raw); err == nil && strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return fmt.Errorf("%s %q: write the host in its xn-- form", key, raw)
	}
	return fmt.Errorf("%s %q: write an absolute URL such as https://app.example.com or http://localhost:3000/app, without user, query or fragment", key, raw)
}

// checkAlias: an alias is a word of URLs, token claims and HTTP Basic (no colon).
func checkAlias(alias string) error {
	if alias == "" {
		return fmt.Errorf("alias is missing: write a short name such as \"web\"")
	}
	if len(alias) > 64 || strings.ContainsFunc(alias, address.NotUnreserved) {
		return fmt.Errorf("alias %q: use at most 64 letters, digits and - . _ ~", alias)
	}
	return nil
}

const maxPlatformName = 64

// isShownName judges the operator's own name for the platform, which may well be "acme.example".
func isShownName(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxPlatformName &&
		!strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
