// Package auth holds the rules of Latchkey: who may sign in, what keeps a session alive and what
// ends it, what a mailed link may do. It knows neither HTTP nor SQL; internal/server, internal/worker
// and the commands are its callers.
//
// It keeps these invariants; tests quote the numbers.
//
//	I1   An acknowledged sign-out, session end, disable, delete or password change is never undone.
//	I2   A session has one current refresh generation; it only grows; its predecessor yields only
//	     that same successor.
//	I3   Reuse outside the windows of refresh.go ends the session, restart or not.
//	I4   A reset or verification token is spent at most once, at most one lives per user; password,
//	     ended sessions, spent token and notice are all or nothing.
//	I5   After an acknowledged password change no older session is accepted (but the one that made
//	     the change), and none is created with the old password.
//	I6   The stored hash verifies exactly one password: the last acknowledged.
//	I7   No token of one kind, user, client or purpose is accepted as another.
//	I8   No more passwords are evaluated for an account in a window than limit + permits of all nodes.
//	I9   Without the right password, unknown, known, unverified, disabled and password-less accounts
//	     answer alike, in bytes and in time.
//	I10  No success without a durable commit of what it claims; no partial state behind a refusal.
//	I11  Fail closed: without store or keys nobody is let in.
//	I12  One account per canonical e-mail, the same verdict on both engines.
//	I13  Mail goes only to the stored address; a link's origin is always from the configuration; no
//	     mail for a rolled-back transaction; every committed request row reaches one of its ends.
//	I14  No raw secret in database, log, metric or error.
//	I15  Memory stays within base + permits x hash memory + a bound.
//	I16  A session's overall limit is written once and no statement updates it.
//	I17  An unverified account never holds a session.
//	I18  One user's actions never change another's sessions, password or tokens.
//	I19  Every security event is in the audit log once per acknowledged operation, in its transaction.
//	I20  Key rotation and restart neither end valid sessions nor revive dead ones.
package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"latchkey/internal/mail"
	"latchkey/internal/password"
	"latchkey/internal/store"
)

// Service carries out the rules. Any number of goroutines may use it.
type Service struct {
	o     Options
	keys  keyCache
	clock clock
	decoy string        // a hash no password is known to match, of the usual cost
	woken chan struct{} // holds a token when mail was put into the outbox here
	swept sweepMark

	refused  refusals // the throttle's local memory
	verified verified // access tokens found right
}

// New checks the master keys against the database, makes the first signing keys where there are
// none, and measures the clock. It writes nothing before it knows that it can open what is there.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Letters == nil {
		o.Letters = mail.Must(mail.NewTemplates(nil))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.OnRefresh == nil {
		o.OnRefresh = func(string) {}
	}
	s := &Service{o: o, decoy: o.Hash.Decoy(), woken: make(chan struct{}, 1)}
	if err := s.MeasureClock(ctx); err != nil {
		return nil, err
	}
	if err := s.openKeys(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Ready is nil when the database answers with a schema this binary can work with, the keys are
// loaded and the clock is right.
func (s *Service) Ready(ctx context.Context) error {
	if _, have, want, err := s.o.Store.Plan(ctx); err != nil && !errors.Is(err, store.ErrNewerSchema) {
		return unavailable(err)
	} else if have < want {
		return unavailable(fmt.Errorf("the schema is at %d, this binary needs %d", have, want))
	}
	if !s.keys.usable(s.now()) {
		return unavailable(errors.New("no signing key"))
	}
	if !s.clock.trusted() {
		return unavailable(errors.New("the clock is off"))
	}
	return nil
}

// Checkpoint lets the database do what commits leave to later: see store.Checkpoint.
func (s *Service) Checkpoint() error { return fault(s.o.Store.Checkpoint()) }

// Stats count what the metrics show.
func (s *Service) Stats(ctx context.Context) (Stats, error) {
	var out Stats
	err := s.read(ctx, func(tx *store.Tx) error {
		depth, oldest, err := tx.WaitingMail()
		out = Stats{OutboxDepth: depth}
		if !oldest.IsZero() {
			out.OutboxOldestAge = max(0, s.now().Sub(oldest))
		}
		return err
	})
	return out, err
}

// HashLoad says what the hashing of passwords is doing.
func (s *Service) HashLoad() password.Load { return s.o.Pool.Load() }

// read, lookup, write, single and joint run fn against the store and give its errors their Code. See store.Write
// for what fn must keep to.
func (s *Service) read(ctx context.Context, fn func(*store.Tx) error) error {
	return fault(s.o.Store.Read(ctx, fn))
}

func (s *Service) lookup(ctx context.Context, fn func(*store.Tx) error) error {
	return fault(s.o.Store.Lookup(ctx, fn))
}

func (s *Service) write(ctx context.Context, fn func(*store.Tx) error) error {
	return fault(s.o.Store.Write(ctx, fn))
}

func (s *Service) single(ctx context.Context, fn func(*store.Tx) error) error {
	return fault(s.o.Store.Single(ctx, fn))
}

func (s *Service) joint(ctx context.Context, fn func(*store.Tx) error) error {
	return fault(s.o.Store.Joint(ctx, fn))
}

// fault turns a store's trouble into CodeUnavailable; ErrNotFound and refusals pass.
func fault(err error) error {
	if errors.Is(err, store.ErrUnavailable) {
		return unavailable(err)
	}
	return err
}

// newID makes an id whose order is the order of making (RFC 9562 §5.7).
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// isID accepts one spelling of a UUID: lower case, with hyphens.
func isID(s string) bool {
	id, err := uuid.Parse(s)
	return err == nil && id.String() == s
}
