package auth

// Asking for mail. A request for a link writes one row and looks no account up: whether there is one
// is found out by whoever delivers (deliver.go). A notice's row is written with the change it tells.

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/mail"
	"latchkey/internal/store"
)

// The purposes of a mailed link; also the kinds of their outbox rows.
const (
	purposeReset  = string(mail.Reset)
	purposeVerify = string(mail.Verify)
)

var purposes = [...]string{purposeReset, purposeVerify}

const (
	mailGap    = time.Minute // one asked-for mail a minute,
	mailWindow = time.Hour   // and five an hour, for a mailbox and purpose

	noticeTTL = 72 * time.Hour // a notice that could not be delivered by then is given up
)

// Labels of what is derived from, or sealed under, a master key (HKDF info).
const (
	labelBudget  = "mail budget v1"
	labelAddress = "mail address v1"
	labelPayload = "mail payload v1"
)

// letter is what an outbox row has to remember, sealed. No token, body or link is among it.
type letter struct {
	To       string `json:"to"`
	Client   string `json:"client,omitempty"`   // alias
	Base     string `json:"base,omitempty"`     // where the link leads
	Alias    string `json:"alias,omitempty"`    // the alias the request named, repeated in the link
	Hosted   bool   `json:"hosted,omitempty"`   // the link leads to our own pages
	Platform string `json:"platform,omitempty"` // as asked for, checked
	Logo     string `json:"logo,omitempty"`
	NewEmail string `json:"newEmail,omitempty"`
	Lang     string `json:"lang,omitempty"`    // which whoever asked for the mail reads
	User     string `json:"user,omitempty"`    // a notice: whose account
	Session  string `json:"session,omitempty"` // and which session its link ends; empty: all until then
	Browser  string `json:"browser,omitempty"`
	OS       string `json:"os,omitempty"`
	Addr     string `json:"addr,omitempty"`
}

// ForgotPassword asks for a reset link. The answer and the work are the same for every address (I9);
// repeats are coalesced silently, so that the link already mailed stays good.
func (s *Service) ForgotPassword(ctx context.Context, in ForgotPassword, peer Peer) (Requested, error) {
	var f form
	email := f.email("email", in.Email)
	l, err := s.linkLetter(&f, email, in.BrandLogoURL, in.PlatformName, in.ClientAlias, peer)
	if err != nil {
		return Requested{}, err
	}
	if in.Endpoint != "" {
		base, ok := s.o.Clients.Endpoint(in.ClientAlias, in.Endpoint)
		if !ok {
			return Requested{}, &Error{Code: CodeEndpointNotAllowed, Fields: []Field{{
				"endpoint", "not_allowed", "Use the origin of a URL registered for this client."}}}
		}
		l.Base = base
	}
	if in.Hosted {
		l.host(s.o.Issuer)
	}
	if err := s.request(ctx, mail.Reset, l, s.o.ResetTTL, peer); err != nil {
		return Requested{}, err
	}
	return Requested{ID: uuid.NewString(), Email: in.Email}, nil
}

// RequestVerification asks for a verification link, or for the news that there is an account.
func (s *Service) RequestVerification(ctx context.Context, in VerificationMail, peer Peer) error {
	var f form
	email := f.email("email", in.Email)
	l, err := s.linkLetter(&f, email, in.BrandLogoURL, in.PlatformName, in.ClientAlias, peer)
	if err != nil {
		return err
	}
	if in.Hosted {
		l.host(s.o.Issuer)
	}
	return s.request(ctx, mail.Verify, l, s.o.VerifyTTL, peer)
}

// host leads the link to our own pages.
func (l *letter) host(issuer string) { l.Base, l.Hosted = issuer, true }

// linkLetter checks what both requests take.
func (s *Service) linkLetter(f *form, email, logo, platform, alias string, peer Peer) (letter, error) {
	l := letter{To: email, Platform: platform, Alias: alias, Lang: peer.Language}
	if logo != "" {
		shown, ok := s.o.Clients.Logo(logo)
		if !ok {
			f.add("brandLogoUrl", "invalid_format", "Use an absolute http or https URL of a public host.")
		}
		l.Logo = shown
	}
	if platform != "" && !validPlatformName(platform) {
		f.add("platformName", "invalid_format", "Use at most 64 letters, digits, spaces and .-&'(), and no domain name.")
	}
	if err := f.err(); err != nil {
		return letter{}, err
	}
	client, err := s.client(alias)
	if err != nil {
		return letter{}, err
	}
	l.Client, l.Base = client.Alias, client.URL
	return l, nil
}

// request counts the mail against the mailbox's budget and, if that allows it, puts it into the
// outbox. The budget is kept by the address alone: no account is looked up.
func (s *Service) request(ctx context.Context, kind mail.Kind, l letter, ttl time.Duration, peer Peer) error {
	key, err := s.budgetKey(string(kind), l.To)
	if err != nil {
		return err
	}
	now := s.now()
	row, err := s.seal(kind, l, now, now.Add(ttl))
	if err != nil {
		return err
	}
	err = s.withinRate(ctx, mailersLimit, peer, now, func(tx *store.Tx) error {
		return insertAsked(tx, key, row)
	})
	if err == nil {
		s.wake()
	}
	return err
}

// insertAsked puts an asked-for mail into the outbox, unless the mailbox's budget is used up.
func insertAsked(tx *store.Tx, budget []byte, row store.Mail) error {
	due, err := tx.TakeMailBudget(budget, mailGap, mailWindow, row.CreatedAt)
	if err != nil || !due {
		return err
	}
	return tx.InsertMail(row)
}

// notify puts a notice into the outbox, in the transaction of what it tells. Notices are neither
// counted nor coalesced.
func (s *Service) notify(tx *store.Tx, kind mail.Kind, l letter, now time.Time) error {
	row, err := s.seal(kind, l, now, now.Add(noticeTTL))
	if err != nil {
		return err
	}
	if err := tx.InsertMail(row); err != nil {
		return err
	}
	s.wake()
	return nil
}

func (s *Service) seal(kind mail.Kind, l letter, now, expires time.Time) (store.Mail, error) {
	id := newID()
	text, err := json.Marshal(l)
	if err != nil {
		return store.Mail{}, fmt.Errorf("encode letter: %w", err)
	}
	kid, sealed, err := s.o.Master.Seal(labelPayload, text, []byte(id))
	if err != nil {
		return store.Mail{}, unavailable(err)
	}
	mac, err := s.o.Master.MAC(kid, labelAddress, []byte(l.To))
	if err != nil {
		return store.Mail{}, unavailable(err)
	}
	return store.Mail{
		ID:         id,
		Kind:       string(kind),
		KeyID:      kid,
		AddressMAC: mac,
		Payload:    sealed,
		CreatedAt:  now,
		ExpiresAt:  expires,
	}, nil
}

func (s *Service) unseal(m store.Mail) (letter, error) {
	text, err := s.o.Master.Open(m.KeyID, labelPayload, m.Payload, []byte(m.ID))
	if err != nil {
		return letter{}, fmt.Errorf("open payload: %w", err)
	}
	var l letter
	if err := json.Unmarshal(text, &l); err != nil {
		return letter{}, fmt.Errorf("decode letter: %w", err)
	}
	return l, nil
}

// budgetKey names a mailbox and purpose without naming the mailbox.
func (s *Service) budgetKey(purpose, email string) ([]byte, error) {
	key, err := s.o.Master.MAC(s.o.Master.Current(), labelBudget, []byte(purpose), []byte(email))
	if err != nil {
		return nil, unavailable(err)
	}
	return key, nil
}

// wake tells a delivering worker of this process that there is mail; others poll.
func (s *Service) wake() {
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// MailWaiting receives when mail was put into the outbox by this process.
func (s *Service) MailWaiting() <-chan struct{} { return s.woken }
