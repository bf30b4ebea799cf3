package auth

// Asking for a mailed link. A request looks no account up: whether there is one is found out when its mail is
// composed (compose.go).

import (
	"context"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/fields"
	"latchkey/internal/ids"
	"latchkey/internal/mail"
	"latchkey/internal/oidc"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// ForgotPassword asks for a reset link. The answer and the work are the same for every address (I9);
// repeats are coalesced silently. Whatever is mailed later, a link already mailed stays good.
func (s *Service) ForgotPassword(ctx context.Context, in ForgotPassword, peer peer.Peer) (Requested, error) {
	var f fields.Validator
	email := f.Email("email", in.Email)
	r, err := s.linkRequest(&f, email, in.BrandLogoURL, in.PlatformName, in.ClientAlias, peer)
	if err != nil {
		return Requested{}, err
	}
	if in.Endpoint != "" {
		base, ok := s.clientsOf(peer).Endpoint(in.ClientAlias, in.Endpoint)
		if !ok {
			return Requested{}, &Error{Code: CodeEndpointNotAllowed, Fields: []fields.Problem{{
				Name: "endpoint", Code: "not_allowed", Message: "Use the origin of a URL registered for this client."}}}
		}
		r.Base = base
	}
	if in.Hosted {
		r.Base, r.Hosted = s.o.Issuer, true
	}
	if err := s.request(ctx, mail.Reset, r, in.Flow, s.o.ResetTTL, peer); err != nil {
		return Requested{}, err
	}
	return Requested{ID: uuid.NewString(), Email: in.Email}, nil
}

// RequestVerification asks for a verification link, or for the news that there is an account.
func (s *Service) RequestVerification(ctx context.Context, in VerificationMail, peer peer.Peer) error {
	var f fields.Validator
	email := f.Email("email", in.Email)
	r, err := s.linkRequest(&f, email, in.BrandLogoURL, in.PlatformName, in.ClientAlias, peer)
	if err != nil {
		return err
	}
	if in.Hosted {
		r.Base, r.Hosted = s.o.Issuer, true
	}
	return s.request(ctx, mail.Verify, r, in.Flow, s.o.VerifyTTL, peer)
}

// linkRequest checks what both requests take.
func (s *Service) linkRequest(f *fields.Validator, email, logo, platform, alias string, peer peer.Peer) (outbox.Request, error) {
	r := outbox.Request{To: email, Platform: s.clientsOf(peer).Platform(platform), Alias: alias, Lang: peer.Language}
	if logo != "" {
		shown, ok := s.clientsOf(peer).Logo(logo)
		if !ok {
			f.Add("brandLogoUrl", "invalid_format", "Use an absolute http or https URL of a public host.")
		}
		r.Logo = shown
	}
	if err := f.Err(); err != nil {
		return outbox.Request{}, err
	}
	client, err := s.client(peer, alias)
	if err != nil {
		return outbox.Request{}, err
	}
	r.Client, r.Base = client.Alias, client.URL
	return r, nil
}

// request puts the mail into the outbox, if its address and the mailbox's budget allow it, and keeps the flow that its
// link leads back to. No account is looked up.
func (s *Service) request(ctx context.Context, kind mail.Kind, r outbox.Request, flow *oidc.Flow, ttl time.Duration, peer peer.Peer) error {
	now := s.now()
	sealed, handle, hash := "", "", []byte(nil)
	if flow != nil {
		var err error
		if sealed, err = s.SealFlow(*flow); err != nil {
			return err
		}
		handle, hash = newHandle()
	}
	r.Flow = handle
	err := s.throttle.WithinRate(ctx, throttle.MailLimit, peer, now, func(tx *store.Tx) error {
		if flow != nil {
			tx.InsertFlow(hash, sealed, now.Add(ttl))
		}
		return s.outbox.Ask(tx, kind, r, ttl, now)
	})
	if err == nil {
		s.outbox.Wake()
	}
	return err
}

// TestMail sends one mail now and returns what the server answered.
func (s *Service) TestMail(ctx context.Context, to string) (answer string, err error) {
	var f fields.Validator
	address := f.Email("to", to)
	if err := f.Err(); err != nil {
		return "", err
	}
	message, err := s.o.MailTemplates.Render(mail.Test, ids.New(), mail.Data{To: address, From: s.o.MailFrom, At: s.now()})
	if err != nil {
		return "", err
	}
	return s.o.Sender.Send(ctx, message)
}
