package auth

// What the rules need from outside, given once at the start. The environment is read by cmd alone.

import (
	"log/slog"
	"time"

	"latchkey/internal/clients"
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
	Clients *clients.Set // at the start; later Service.ClientsNow

	Sender        mail.Sender
	MailFrom      string          // RFC 5322 mailbox
	MailTemplates *mail.Templates // nil: the ones Latchkey brings along

	Issuer     string // the public URL, without a trailing slash
	Audience   string
	SigningAlg string // ES256, EdDSA or RS256
	AccessTyp  string // typ of access tokens: at+jwt or JWT; empty: at+jwt

	AccessTTL         time.Duration // by default 10 minutes
	RefreshIdle       time.Duration // inactivity limit, by default 14 days
	RefreshOverall    time.Duration // overall limit, by default 30 days
	RefreshGrace      time.Duration // docs/adr/0003-refresh-tokens.md, rules 3 and 5: by default 30 s
	RefreshRecoveries int           // rule 4 there: the late use in a row that is reuse, by default the third
	ResetTTL          time.Duration
	VerifyTTL         time.Duration
	SessionsPerUser   int

	SignupOpen   bool
	Throttle     bool
	TransportKey string // empty: passwords are taken as sent
	AuditDays    int

	Now       func() time.Time     // nil: time.Now
	Log       *slog.Logger         // nil: discards
	OnRefresh func(outcome string) // nil: nobody counts; called once per refresh with one of RefreshOutcomes
	OnSignIn  func(outcome string) // likewise, of SignInOutcomes
	OnMail    func(outcome string) // likewise, once per try to deliver, of outbox.Outcomes
	OnLogout  func(outcome string) // likewise, once per try to tell an app of an end, of logouts.Outcomes
}
