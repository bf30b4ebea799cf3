package auth

// What the rules need from outside, given once at the start. The environment is read by cmd alone.

import (
	"log/slog"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/password"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// Options are the parts and figures a Service works with. Every field without a default named here
// must be set.
type Options struct {
	Store   *store.Store
	Master  *token.MasterKeys
	Hash    password.Params
	Pool    *password.Pool
	Policy  password.Policy
	Clients *Clients

	Sender   mail.Sender
	MailFrom string          // RFC 5322 mailbox
	Letters  *mail.Templates // nil: the ones Latchkey brings along

	Issuer     string // the public URL, without a trailing slash
	Audience   string
	SigningAlg string // ES256, EdDSA or RS256

	AccessTTL         time.Duration // spec 2.3: 10 minutes
	RefreshIdle       time.Duration // spec 2.4: inactivity limit, 14 days
	RefreshOverall    time.Duration // spec 2.4: overall limit, 30 days
	RefreshGrace      time.Duration // spec 2.4: rules 3 and 5, 30 s
	RefreshRecoveries int           // spec 2.4: rule 4, the late use in a row that is reuse, 3
	ResetTTL          time.Duration
	VerifyTTL         time.Duration
	SessionsPerUser   int

	SignupOpen   bool
	Throttle     bool
	TransportKey string // empty: passwords are taken as sent
	AuditDays    int

	Now       func() time.Time     // nil: time.Now
	Log       *slog.Logger         // nil: discards
	OnRefresh func(outcome string) // nil: nobody counts; called once per refresh with its verdict's name
}
