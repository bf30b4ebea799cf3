package auth

// Registration: a proven mailbox becomes an account with a password.

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/fields"
	"latchkey/internal/ids"
	"latchkey/internal/links"
	"latchkey/internal/locale"
	"latchkey/internal/mail"
	"latchkey/internal/peer"
	"latchkey/internal/store"
)

// withoutCodeFor is how long after `verify` a client registered with signup_without_code may sign
// somebody up from the same network.
const withoutCodeFor = time.Hour

// VerifyEmail marks an address verified. It is idempotent while the code lives, so that a mail
// scanner's visit harms nothing. CodeInvalidVerificationCode otherwise.
func (s *Service) VerifyEmail(ctx context.Context, email, code string, peer peer.Peer) error {
	var f fields.Validator
	address := f.Email("email", email)
	f.Required("verificationCode", code, "Use the link as it was mailed to you.")
	if err := f.Err(); err != nil {
		return err
	}
	proof, err := s.links.Find(ctx, mail.Verify, address, code) // so that a wrong code costs the writer nothing
	if err != nil {
		return s.refuseLink(ctx, err, CodeInvalidVerificationCode, peer)
	}
	return s.proveAddress(ctx, address, proof.Hash, CodeInvalidVerificationCode, peer)
}

// proveAddress notes that a code was shown and marks an account that has the address verified: a whole fact,
// whatever else the caller is told (I10). The code given is the answer where the link was dropped meanwhile.
func (s *Service) proveAddress(ctx context.Context, address string, hash []byte, dropped Code, peer peer.Peer) error {
	now := s.now()
	err := s.o.Store.Write(ctx, func(tx *store.Tx) error {
		user, err := tx.HoldUserByEmail(address)
		known := err == nil
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err := tx.NoteVerified(string(mail.Verify), address, hash, peer.Subnet(), now); err != nil {
			return err
		}
		if !known || !user.VerifiedAt.IsZero() {
			return nil
		}
		tx.MarkVerified(user.ID, now)
		audit.Write(tx, now, audit.Event{Kind: audit.EmailVerified, UserID: user.ID}, peer)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		return s.refuseLink(ctx, links.ErrDead, dropped, peer)
	}
	return err
}

// SignupOpen says whether people may make accounts for themselves.
func (s *Service) SignupOpen() bool { return s.o.SignupOpen }

// SignUp makes an account for a proven address, or gives one without a password its first. The mailbox
// must be proven before the account is looked at, so that a stranger learns nothing about the address.
func (s *Service) SignUp(ctx context.Context, in SignUp, peer peer.Peer) (made SignedUp, err error) {
	if !s.o.SignupOpen {
		return SignedUp{}, refuse(CodeSignupClosed)
	}
	var f fields.Validator
	email, pw := f.Email("email", in.Email), s.password(&f, "password", in.Password)
	in.FirstName, in.LastName = f.PersonName("firstName", in.FirstName), f.PersonName("lastName", in.LastName)
	if err := f.Err(); err != nil {
		return SignedUp{}, err
	}
	if _, err := s.client(peer, in.ClientAlias); err != nil {
		return SignedUp{}, err
	}
	proof, err := s.provenMailbox(ctx, email, in.VerificationCode, peer)
	if err != nil {
		return SignedUp{}, err
	}
	user, err := s.findUser(ctx, email)
	if err != nil {
		return SignedUp{}, err
	}
	if !proof.UsedAt.IsZero() || user.PasswordHash != "" {
		return SignedUp{}, s.refuseRegistered(ctx, user, proof, peer)
	}
	if user.ID != "" && !proof.RequestedAt.After(user.ChangedAt) { // from before the account's last change
		return SignedUp{}, s.refuseLink(ctx, links.ErrDead, CodeEmailNotVerified, peer)
	}
	user.Email, user.FirstName, user.LastName = email, in.FirstName, in.LastName
	if locale.Known(peer.Language) {
		user.Language = peer.Language
	}
	phc, err := s.newPasswordUnless(ctx, email, "password", pw, aboutUser(s.clientsOf(peer), user), func() error { return s.stillWithout(ctx, email) })
	if err != nil {
		return SignedUp{}, err
	}
	return s.register(ctx, user, phc, proof, peer)
}

// refuseRegistered is CodeAlreadyRegistered. Whoever shows the code of a mail reads the mailbox, so the
// address of an account that was never verified is proven by it, although no account is made.
func (s *Service) refuseRegistered(ctx context.Context, user store.User, proof store.OneTimeToken, peer peer.Peer) error {
	if user.ID != "" && user.VerifiedAt.IsZero() {
		if err := s.proveAddress(ctx, user.Email, proof.Hash, CodeEmailNotVerified, peer); err != nil {
			return err
		}
	}
	return refuse(CodeAlreadyRegistered)
}

// stillWithout is CodeAlreadyRegistered once the address has an account with a password: of many sign-ups at
// once those who waited are answered in the time of a look-up, and not of a hash each. Who wins is decided
// when the account is made.
func (s *Service) stillWithout(ctx context.Context, email string) error {
	user, err := s.findUser(ctx, email)
	if err == nil && user.PasswordHash != "" {
		err = refuse(CodeAlreadyRegistered)
	}
	return err
}

// provenMailbox returns the verification link that proves the caller reads the address's mail, spent
// or not. CodeEmailNotVerified for everything else, whatever the address.
func (s *Service) provenMailbox(ctx context.Context, email, code string, peer peer.Peer) (proof store.OneTimeToken, err error) {
	if code != "" {
		proof, err = s.links.Find(ctx, mail.Verify, email, code)
	} else {
		proof, err = s.shownLately(ctx, email, peer)
	}
	if err != nil {
		err = s.refuseLink(ctx, err, CodeEmailNotVerified, peer)
	}
	return proof, err
}

// shownLately finds the link that stands for a code which was left out: links.ErrDead where none does.
func (s *Service) shownLately(ctx context.Context, email string, peer peer.Peer) (latest store.OneTimeToken, err error) {
	shown, err := s.o.Store.ShownOneTimes(ctx, string(mail.Verify), email)
	if err != nil {
		return store.OneTimeToken{}, err
	}
	var refused store.OneTimeToken
	now := s.now()
	for _, link := range shown {
		of := &refused
		if s.mayOmitCode(link, peer) {
			of = &latest
		}
		if shownJustNow(link, now) && link.VerifiedAt.After(of.VerifiedAt) {
			*of = link
		}
	}
	if latest.Hash != nil {
		return latest, nil
	}
	if refused.Hash != nil {
		s.noteLeftOut(refused, peer)
	}
	return store.OneTimeToken{}, links.ErrDead
}

// shownJustNow: the code of a live link came by `verify` a short while ago.
func shownJustNow(link store.OneTimeToken, now time.Time) bool {
	return now.Before(link.ExpiresAt) && !link.VerifiedAt.IsZero() && now.Sub(link.VerifiedAt).Abs() <= withoutCodeFor
}

// mayOmitCode: existing clients of this API sign up without the code. A client registered for that
// may, from the network that the code's own `verify` came from.
func (s *Service) mayOmitCode(link store.OneTimeToken, peer peer.Peer) bool {
	return s.signsUpWithoutCode(link.Client, peer) && peer.Addr.IsValid() && link.VerifiedFrom == peer.Subnet()
}

func (s *Service) signsUpWithoutCode(alias string, peer peer.Peer) bool {
	client, ok := s.clientsOf(peer).Lookup(alias)
	return ok && client.SignupWithoutCode
}

// noteLeftOut tells the operator what to set where a sign-up without its code is refused although the code was
// shown a moment before: to the person it is a dead end.
func (s *Service) noteLeftOut(link store.OneTimeToken, peer peer.Peer) {
	client := slog.String("client_alias", link.Client)
	if !s.signsUpWithoutCode(link.Client, peer) {
		s.notes.Warn("code left out", "a sign-up without verificationCode was refused just after its code was verified: let the client send the code along, or set signup_without_code for it in the clients file", client)
		return
	}
	s.notes.Warn("code left out, elsewhere", "a sign-up without verificationCode was refused, since its code was verified from another network: where the client's own server or a proxy stands between, name its address in LATCHKEY_TRUSTED_PROXIES", client)
}

// register spends the proof and makes or completes the account, all or nothing (I4, I12). An account
// that had no password may have been mailed a reset link: it ends, as at every change of a password. The
// proof and every other sign-up link of the address stay, spent, and tell who shows one again that there is
// an account. Of several sign-ups at once one wins; the others find the account there. No counter of the throttle
// is cleared, which would tell of the account; the device that signed up is known instead, so that guesses from
// before hold nobody up who shows it.
func (s *Service) register(ctx context.Context, user store.User, phc string, proof store.OneTimeToken, peer peer.Peer) (SignedUp, error) {
	now := s.now()
	id, deviceID := user.ID, ""
	err := s.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
		if id = user.ID; id == "" {
			id = ids.New()
		}
		if err := makeOrTake(tx, id, user, phc, now); err != nil {
			return err
		}
		made := id
		if user.ID != "" {
			made = ""
		}
		if err := tx.SpendOneTime(string(mail.Verify), user.Email, proof.Hash, made, now); err != nil {
			return err
		}
		tx.SpendOneTimes(string(mail.Verify), user.Email, now)
		if err := complete(tx, user, phc, now); err != nil {
			return err
		}
		if err := s.outbox.ClearBudget(tx, mail.Verify, user.Email); err != nil {
			return err
		}
		if err := s.links.Drop(tx, user.Email, mail.Reset); err != nil {
			return err
		}
		if deviceID, err = s.throttle.KeepDevice(tx, id, "", peer.Describe(), now); err != nil {
			return err
		}
		audit.Write(tx, now, audit.Event{Kind: audit.SignUp, UserID: id}, peer)
		return nil
	})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return SignedUp{}, refuse(CodeAlreadyRegistered)
	}
	if err != nil {
		return SignedUp{}, err
	}
	device, err := s.throttle.SignDevice(id, deviceID, user.Epoch+1, now)
	return SignedUp{UserID: id, Device: device}, err
}

// makeOrTake makes the account, or takes the one that has no password yet: the lock of whatever follows.
func makeOrTake(tx *store.Tx, id string, user store.User, phc string, now time.Time) error {
	if user.ID != "" {
		_, err := tx.TakeUser(user.ID, user.Epoch)
		return err
	}
	return tx.InsertUser(store.User{
		ID: id, Email: user.Email, FirstName: user.FirstName, LastName: user.LastName,
		PasswordHash: phc, Epoch: 1, ChangedAt: now, CreatedAt: now, VerifiedAt: now, Language: user.Language,
	})
}

// complete gives an account that was taken its password and its owner's names. It comes after the proof is
// spent: to the password it makes, every link is from before.
func complete(tx *store.Tx, user store.User, phc string, now time.Time) error {
	if user.ID == "" {
		return nil
	}
	if err := tx.SetPassword(user.ID, phc, now); err != nil {
		return err
	}
	if err := tx.SetNames(user.ID, user.FirstName, user.LastName); err != nil {
		return err
	}
	if err := tx.SetLanguage(user.ID, user.Language); err != nil {
		return err
	}
	tx.MarkVerified(user.ID, now)
	return nil
}
