package main

// The table of configuration keys. It alone drives the environment, the TOML file, `latchkey serve
// --help` and docs/configuration.txt (TestConfigurationReference compares them).

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/pages"
	"latchkey/internal/password"
	"latchkey/internal/token"
)

// config is the configuration, parsed. Secrets are of types that redact themselves, or are never
// printed.
type config struct {
	Addr, AdminAddr             string
	TLSCert, TLSKey             string
	DataDir                     string
	DatabaseURL                 string
	PublicURL                   string
	Master                      *token.MasterKeys // nil: in MasterFile
	MasterFile                  string            // empty: in the data folder
	SMTP                        *mail.SMTP        // nil: none
	MailFrom                    string
	Clients                     *clients.Set
	clientsFile                 clientsFile
	TrustedProxies              []netip.Prefix
	IdleTimeout, DrainDelay     time.Duration
	CORSOrigins                 []string // nil: the clients'
	ThemeDir                    string
	Pages                       *pages.Set
	MailTemplates               *mail.Templates
	AccessTTL                   time.Duration
	RefreshIdle, RefreshOverall time.Duration
	ResetTTL, VerifyTTL         time.Duration
	RefreshGrace                time.Duration
	RefreshRecoveries           int
	SigningAlg, AccessTyp       string
	Audience                    string
	PasswordMin                 int
	Blocklist                   string // a file; empty: the embedded filter
	HashMemoryKiB, HashTime     int
	HashWorkers, HashQueue      int
	SessionsPerUser             int
	Throttle, Signup            string
	Log                         string                  // json, text; empty: by where it goes
	again                       func() (*config, error) // reads the configuration anew; nil outside serve
	LogsToTerminal              bool                    // no key: a person at a terminal reads the log, and nobody keeps it
	Terminal                    bool                    // no key: a person at a terminal started the process
	AuditDays                   int
	TransportKey                string
	remarks                     []string // warnings about the files that were read
}

// key is one line of the table. set parses a value that is not empty into the config; its error
// says what to write instead.
type key struct {
	name, fallback string
	shown          string // how the default reads, where it is no fixed text
	help           string
	set            func(value string) error
	secret         bool // the value is never echoed
	takesEmpty     bool // an empty value is a value, not "unset"
}

// The Argon2id cost that OWASP's Password Storage Cheat Sheet asks at least; lower ones start with a
// warning.
const (
	hashMemoryFloor = 19456
	hashTimeFloor   = 2
)

func (c *config) keys() []key {
	second, day := time.Second, 24*time.Hour
	return []key{
		{name: "LATCHKEY_ADDR", fallback: "127.0.0.1:8080", help: "public listener", set: listenAddress(&c.Addr)},
		{name: "LATCHKEY_TLS_CERT", help: "certificate file (PEM); read again when it changes", set: text(&c.TLSCert)},
		{name: "LATCHKEY_TLS_KEY", help: "its private key file", set: text(&c.TLSKey)},
		{name: "LATCHKEY_ADMIN_ADDR", fallback: "127.0.0.1:9090", takesEmpty: true, help: "/metrics, /healthz, /readyz, pprof; never public. Empty: off", set: listenAddress(&c.AdminAddr)},
		{name: "LATCHKEY_DATA_DIR", fallback: "./data", help: "SQLite file and master key; folder 0700, every file in it 0600", set: text(&c.DataDir)},
		{name: "LATCHKEY_DATABASE_URL", shown: "SQLite file in the data folder", secret: true, help: "or `postgres://user:password@host/database`", set: databaseURL(&c.DatabaseURL)},
		{name: "LATCHKEY_PUBLIC_URL", fallback: "http://localhost:8080", help: "issuer and base of links; never taken from a request", set: origin(&c.PublicURL)},
		{name: "LATCHKEY_MASTER_KEY", shown: "made on first start in the data folder", secret: true, help: "32 bytes in base64; for a rotation two, separated by a comma: the first makes, both open. Required on PostgreSQL", set: c.setMaster},
		{name: "LATCHKEY_MASTER_KEY_FILE", help: "a file (0600) with the same, instead", set: text(&c.MasterFile)},
		{name: "LATCHKEY_SMTP_URL", shown: "none: mails are shown at /dev/inbox, on loopback only", secret: true, help: "`smtp://user:password@host:587` or `smtps://…`; TLS is required unless on loopback or with `?tls=none`", set: c.setSMTP},
		{name: "LATCHKEY_MAIL_FROM", fallback: "Latchkey <no-reply@localhost>", help: "sender of mails", set: c.setMailFrom},
		{name: "LATCHKEY_CLIENTS_FILE", help: "TOML with the registered clients, see examples/clients.toml", set: path(c.setClients)},
		{name: "LATCHKEY_THEME_DIR", shown: "none: pages and mails as they come", help: "a folder of your own templates, stylesheet and icon, see docs/theme.md", set: text(&c.ThemeDir)},
		{name: "LATCHKEY_TRUSTED_PROXIES", help: "CIDRs, separated by commas, whose X-Forwarded-For is believed", set: c.setProxies},
		{name: "LATCHKEY_CORS_ORIGINS", shown: "the registered clients' origins", help: "origins, separated by commas, that browsers may call from", set: c.setOrigins},
		{name: "LATCHKEY_IDLE_TIMEOUT", fallback: "120s", help: "a connection is closed after this long without a request; set it above your load balancer's own timeout", set: span(&c.IdleTimeout, second, day)},
		{name: "LATCHKEY_DRAIN_DELAY", fallback: "0s", help: "on SIGTERM, time between failing readiness and closing the listener: what a load balancer takes to notice", set: span(&c.DrainDelay, 0, 10*time.Minute)},
		{name: "LATCHKEY_ACCESS_TTL", fallback: "10m", help: "life of an access token", set: span(&c.AccessTTL, second, day)},
		{name: "LATCHKEY_REFRESH_IDLE", fallback: "336h", help: "a session unused for this long ends", set: span(&c.RefreshIdle, second, 3650*day)},
		{name: "LATCHKEY_REFRESH_OVERALL", fallback: "720h", help: "a session ends this long after its sign-in", set: span(&c.RefreshOverall, second, 3650*day)},
		{name: "LATCHKEY_RESET_TTL", fallback: "1h", help: "life of a password reset link", set: span(&c.ResetTTL, second, 7*day)},
		{name: "LATCHKEY_VERIFY_TTL", fallback: "24h", help: "life of a verification link", set: span(&c.VerifyTTL, second, 30*day)},
		{name: "LATCHKEY_REFRESH_GRACE", fallback: "30s", help: "how long a replaced refresh token yields its successor without counting as late", set: span(&c.RefreshGrace, second, time.Hour)},
		{name: "LATCHKEY_REFRESH_RECOVERIES", fallback: "3", help: "which late use in a row counts as reuse", set: number(&c.RefreshRecoveries, 1, 1000)},
		{name: "LATCHKEY_SIGNING_ALG", fallback: "ES256", help: "ES256, EdDSA or RS256", set: choice(&c.SigningAlg, "ES256", "EdDSA", "RS256")},
		{name: "LATCHKEY_ACCESS_TYP", fallback: "at+jwt", help: "typ of access tokens: at+jwt, or JWT, see /docs/verifier-recipes", set: choice(&c.AccessTyp, "at+jwt", "JWT")},
		{name: "LATCHKEY_AUDIENCE", shown: "the public URL", help: "aud of access tokens", set: audience(&c.Audience)},
		{name: "LATCHKEY_PASSWORD_MIN", fallback: "8", help: "code points, at least 8; NIST SP 800-63B-4 asks for 15", set: number(&c.PasswordMin, 8, 256)},
		{name: "LATCHKEY_BLOCKLIST_FILE", shown: "197,546 common passwords, built in", help: "a filter made by `latchkey blocklist build`", set: text(&c.Blocklist)},
		{name: "LATCHKEY_HASH_MEMORY_KIB", fallback: strconv.Itoa(hashMemoryFloor), help: "Argon2id memory; lower starts with a warning", set: number(&c.HashMemoryKiB, 8, 1<<20)},
		{name: "LATCHKEY_HASH_TIME", fallback: strconv.Itoa(hashTimeFloor), help: "Argon2id passes; lower starts with a warning", set: number(&c.HashTime, 1, 64)},
		{name: "LATCHKEY_HASH_WORKERS", fallback: strconv.Itoa(runtime.GOMAXPROCS(0)), shown: "number of CPUs, or a container's share", help: "passwords hashed at once, each in its own memory", set: number(&c.HashWorkers, 1, 1024)},
		{name: "LATCHKEY_HASH_QUEUE", fallback: "256", help: "sign-ins that may wait for a worker; more are answered 503", set: number(&c.HashQueue, 0, 1<<20)},
		{name: "LATCHKEY_SESSIONS_PER_USER", fallback: "50", help: "browsers and clients that an account is signed in on; one more ends the least recently used", set: number(&c.SessionsPerUser, 1, 10000)},
		{name: "LATCHKEY_THROTTLE", fallback: "on", help: "off only for load tests", set: choice(&c.Throttle, "on", "off")},
		{name: "LATCHKEY_SIGNUP", fallback: "open", help: "open, or closed (only `latchkey user add` makes accounts)", set: choice(&c.Signup, "open", "closed")},
		{name: "LATCHKEY_LOG", shown: "json to a pipe, text to a terminal", help: "json (one object a line) or text", set: choice(&c.Log, "json", "text")},
		{name: "LATCHKEY_AUDIT_DAYS", fallback: "400", help: "how long audit events are kept", set: number(&c.AuditDays, 1, 36500)},
		{name: "LATCHKEY_TRANSPORT_KEY", secret: true, help: "the key under which CREDEBL Studio encrypts passwords", set: text(&c.TransportKey)},
	}
}

// checkTogether refuses keys that contradict each other, and fills what one key takes from another.
func (c *config) checkTogether() (err error) {
	if err := c.hashParams().Validate(); err != nil {
		return fmt.Errorf("LATCHKEY_HASH_MEMORY_KIB and LATCHKEY_HASH_TIME: %w; the defaults are %d and %d", err, hashMemoryFloor, hashTimeFloor)
	}
	switch {
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("LATCHKEY_TLS_CERT and LATCHKEY_TLS_KEY belong together: give both, or neither")
	case c.Master != nil && c.MasterFile != "":
		return errors.New("LATCHKEY_MASTER_KEY and LATCHKEY_MASTER_KEY_FILE are both given: keep one")
	case c.DatabaseURL != "" && c.Master == nil && c.MasterFile == "":
		return errors.New("on PostgreSQL the master key must be given: put 32 random bytes in base64 (`openssl rand -base64 32`) into LATCHKEY_MASTER_KEY, the same on every node")
	}
	if c.Audience == "" {
		c.Audience = c.PublicURL
	}
	if c.Clients == nil {
		if c.Clients, err = clients.New(nil); err != nil {
			return err
		}
	}
	if err := c.clientsFile.explain(c.Clients.FitsServer(c.PublicURL, c.Audience)); err != nil {
		return fmt.Errorf("LATCHKEY_CLIENTS_FILE: %w", err)
	}
	return c.setTheme()
}

// defaultText is the default as the tables show it.
func (k key) defaultText() string {
	switch {
	case k.shown != "":
		return k.shown
	case k.fallback != "":
		return k.fallback
	}
	return "none"
}

// keyTable is the table for a terminal.
func keyTable() string {
	var b strings.Builder
	for _, k := range new(config).keys() {
		fmt.Fprintf(&b, "  %-29s %s\n  %-29s default: %s\n", k.name, strings.ReplaceAll(k.help, "`", ""), "", k.defaultText())
	}
	return b.String()
}

func choice(into *string, options ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(options, value) {
			return fmt.Errorf("write %s or %s", strings.Join(options[:len(options)-1], ", "), options[len(options)-1])
		}
		*into = value
		return nil
	}
}

func number(into *int, least, most int) func(string) error {
	return func(value string) error {
		n, err := strconv.Atoi(value)
		if err != nil || n < least || n > most {
			return fmt.Errorf("write a whole number from %d to %d", least, most)
		}
		*into = n
		return nil
	}
}

func span(into *time.Duration, least, most time.Duration) func(string) error {
	return func(value string) error {
		d, err := time.ParseDuration(value)
		if err != nil || d < least || d > most || d%time.Second != 0 {
			return fmt.Errorf("write whole seconds, minutes or hours from %s to %s, such as 90s, 10m or 24h", shortSpan(least), shortSpan(most))
		}
		*into = d
		return nil
	}
}

// shortSpan is d without the zero parts that Duration.String keeps.
func shortSpan(d time.Duration) string {
	s := strings.TrimSuffix(d.String(), "m0s")
	if s != d.String() {
		s += "m"
	}
	if cut := strings.TrimSuffix(s, "h0m"); cut != s {
		s = cut + "h"
	}
	return s
}

func (c *config) setMaster(value string) (err error) {
	c.Master, err = token.ParseMasterKeys(value)
	return err
}

func (c *config) setSMTP(value string) (err error) {
	c.SMTP, err = mail.NewSMTP(value)
	return err
}

func (c *config) setMailFrom(value string) error {
	if err := mail.ParseMailbox(value); err != nil {
		return fmt.Errorf("write one mailbox, such as Latchkey <no-reply@example.com> (%w)", err)
	}
	c.MailFrom = value
	return nil
}

// hashParams are the Argon2id figures.
func (c *config) hashParams() password.Params {
	return password.Params{MemoryKiB: uint32(c.HashMemoryKiB), Time: uint32(c.HashTime)}
}
