// Package auth holds the rules of Latchkey: who may sign in, what keeps a session alive and what
// ends it, what a mailed link may do. It knows neither HTTP nor SQL; internal/server, internal/worker
// and the commands are its callers.
//
// It keeps these invariants; tests quote the numbers.
//
//	I1   An acknowledged sign-out, session end, disable, delete or password change is never undone.
//	I2   A session has one current refresh generation; it only grows; its predecessor yields only
//	     that same successor.
//	I3   Reuse outside the windows of internal/rotation ends the session, restart or not.
//	I4   A reset or verification token is spent at most once; as many live as the mail budget sent, each
//	     for its whole life, and spending one ends all of its kind; password, ended sessions, spent
//	     token and notice are all or nothing.
//	I5   After an acknowledged password change no older session is accepted (but the one that made
//	     the change), and none is created with the old password.
//	I6   The stored hash verifies exactly one password: the last acknowledged.
//	I7   No token of one kind, user, client or purpose is accepted as another.
//	I8   No more passwords are evaluated for an account in a window than limit + permits of all nodes.
//	I9   Without the right password, unknown, known, unverified, disabled and password-less accounts
//	     answer alike, in bytes and in time.
//	I10  No success without a durable commit of what it claims. A refusal may commit a whole fact, such as
//	     reuse, a failure or a verified address, and never part of one.
//	I11  Fail closed: without store or keys nobody is let in.
//	I12  One account per canonical email, the same answer on both engines.
//	I13  Mail goes only to the stored address; a link's origin is always from the configuration; no
//	     mail for a rolled-back transaction; every committed request row reaches one of its ends. An app
//	     is told of each of its sessions that ended, once it is committed, at the configured address alone.
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
	"sync/atomic"
	"time"

	"latchkey/internal/burst"
	"latchkey/internal/clients"
	"latchkey/internal/events"
	"latchkey/internal/hashcosts"
	"latchkey/internal/keyring"
	"latchkey/internal/links"
	"latchkey/internal/logouts"
	"latchkey/internal/mail"
	"latchkey/internal/node"
	"latchkey/internal/outbox"
	"latchkey/internal/password"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
	"latchkey/internal/upkeep"
)

// Service carries out the rules. Any number of goroutines may use it.
type Service struct {
	o       Options
	outbox  *outbox.Outbox
	links   *links.Links
	keys    *keyring.Keys
	feed    *events.Feed
	costs   *hashcosts.Costs // what evaluating a password takes
	upkeep  *upkeep.Upkeep
	node    *node.Node
	logouts *logouts.Logouts

	clients  atomic.Pointer[clients.Set] // nil: none
	throttle *throttle.Throttle
	notes    *burst.Log // what clients that are set up otherwise can cause at will
}

// New checks the master keys against the database, makes the first signing keys where there are
// none, and measures the clock. It writes nothing before it knows that it can open what is there.
func New(ctx context.Context, o Options) (*Service, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MailTemplates == nil {
		o.MailTemplates = mail.Must(mail.NewTemplates(nil))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	for _, count := range []*func(string){&o.OnRefresh, &o.OnSignIn, &o.OnMail, &o.OnLogout} {
		if *count == nil {
			*count = func(string) {}
		}
	}
	s := &Service{o: o}
	s.node = node.New(node.Options{Store: o.Store, Settings: s.settings, Now: o.Now, Log: o.Log})
	s.outbox = outbox.New(outbox.Options{
		Store: o.Store, Master: o.Master, Sender: o.Sender, Now: s.now, Log: o.Log, OnMail: o.OnMail,
		Compose: func(ctx context.Context, row store.Mail, r outbox.Request) (outbox.Composed, error) {
			return s.links.Compose(ctx, row, r)
		},
	})
	s.links = links.New(links.Options{
		Store: o.Store, Master: o.Master, Outbox: s.outbox, Templates: o.MailTemplates, Clients: s.ClientsNow,
		Issuer: o.Issuer, MailFrom: o.MailFrom, SignupOpen: o.SignupOpen, Now: s.now, Log: o.Log,
	})
	s.notes = burst.New(o.Log, s.now)
	if err := s.SetClients(o.Clients); err != nil {
		return nil, err
	}
	if err := s.node.MeasureClock(ctx); err != nil {
		return nil, err
	}
	var err error
	if s.keys, err = keyring.Open(ctx, keyring.Options{
		Store: o.Store, Master: o.Master, Issuer: o.Issuer, Audience: o.Audience,
		SigningAlg: o.SigningAlg, AccessTyp: o.AccessTyp, AccessTTL: o.AccessTTL, Now: s.now, Log: o.Log,
	}); err != nil {
		return nil, err
	}
	s.feed = events.NewFeed(events.Options{Store: o.Store, Keys: s.keys, Window: o.AccessTTL + upkeep.TrimAfter, Now: s.now})
	s.logouts = logouts.New(logouts.Options{
		Store: o.Store, Keys: s.keys, Clients: s.ClientsNow, Now: s.now, Log: o.Log, OnLogout: o.OnLogout,
	})
	s.throttle = throttle.New(throttle.Options{Store: o.Store, Master: o.Master, Counters: s.keys.CounterKey(), On: o.Throttle, Now: s.now})
	s.costs = hashcosts.New(o.Store, o.Hash)
	if _, err := s.costs.Load(ctx); err != nil {
		return nil, err
	}
	s.upkeep = upkeep.New(upkeep.Options{
		Store: o.Store, Node: s.node, Outbox: s.outbox, Costs: s.costs, AccessTTL: o.AccessTTL, KeepKeys: o.RefreshOverall,
		AuditDays: o.AuditDays, Log: o.Log,
	})
	return s, nil
}

// Ready is nil when the database answers with a schema this binary can work with and takes writes, the keys
// are loaded and the clock is right.
func (s *Service) Ready(ctx context.Context) error {
	if _, have, want, err := s.o.Store.Plan(ctx); err != nil && !errors.Is(err, store.ErrNewerSchema) {
		return unavailable(err)
	} else if have < want {
		return unavailable(fmt.Errorf("the schema is at %d, this binary needs %d", have, want))
	}
	if !s.keys.Usable() {
		return unavailable(errors.New("no signing key"))
	}
	if !s.node.ClockTrusted() {
		return unavailable(errors.New("the clock is off"))
	}
	return s.node.Writing(ctx)
}

// Checkpoint lets the database do what commits leave to later: see store.Checkpoint.
func (s *Service) Checkpoint() error { return s.o.Store.Checkpoint() }

// Node is this server among those that share the database.
func (s *Service) Node() *node.Node { return s.node }

// Keys are the keys of the database.
func (s *Service) Keys() *keyring.Keys { return s.keys }

// Feed tells resource servers which sessions have ended.
func (s *Service) Feed() *events.Feed { return s.feed }

// now is the time of an operation.
func (s *Service) now() time.Time { return s.node.Now() }

// Upkeep is what no request waits for.
func (s *Service) Upkeep() *upkeep.Upkeep { return s.upkeep }

// Outbox is where the mail of this Service waits: whoever delivers it, and the operator, ask there.
func (s *Service) Outbox() *outbox.Outbox { return s.outbox }

// Logouts is where apps wait to be told of the ends of their sessions: whoever tells them, and the operator, ask there.
func (s *Service) Logouts() *logouts.Logouts { return s.logouts }

// FlushRefusals adds what the throttle refused from memory to the audit log.
func (s *Service) FlushRefusals(ctx context.Context) error { return s.throttle.Flush(ctx) }

// DatabaseLoad says how many connections to the database are in use, and how many may be.
func (s *Service) DatabaseLoad() (inUse, most int) { return s.o.Store.Load() }

// HashLoad says what the hashing of passwords is doing.
func (s *Service) HashLoad() password.Load { return s.o.Pool.Load() }
