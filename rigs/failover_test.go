package rigs

// The primary dies under load and its standby is promoted. With synchronous replication nothing that
// was acknowledged is lost and nothing succeeds meanwhile, and the server recovers without a restart.
// With asynchronous replication the last moments are lost, as docs/operations.md warns.

import (
	"context"
	"fmt"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

const rigDatabase = "rig"

// servers are two PostgreSQL servers of which one follows the other.
type servers struct {
	primary, standby *authtest.Cluster
	synchronous      bool
}

func newServers(t *testing.T, synchronous bool) *servers {
	t.Helper()
	primary, err := authtest.StartCluster()
	if err != nil {
		t.Fatalf("PostgreSQL is part of the rigs: %v", err)
	}
	closeLater(t, primary)
	newDatabase(t, primary, rigDatabase) // before there is a standby that might not have it yet
	standby, err := authtest.StartStandby(primary)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, standby)
	if synchronous {
		try(t, primary.Synchronous)
	}
	return &servers{primary, standby, synchronous}
}

func closeLater(t *testing.T, c *authtest.Cluster) {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func try(t *testing.T, do func() error) {
	t.Helper()
	if err := do(); err != nil {
		t.Fatal(err)
	}
}

// rebuild gives the new primary a standby: the server that was killed.
func (s *servers) rebuild(t *testing.T) {
	t.Helper()
	s.primary, s.standby = s.standby, s.primary
	try(t, func() error { return s.standby.Follow(s.primary) })
	if s.synchronous {
		try(t, s.primary.Synchronous)
	}
}

// failover is a node on two database servers, and those who use it.
type failover struct {
	*servers
	node       *stage.Node
	ledger     *ledger
	accounts   []*account
	bystanders []*bystander
	latecomers []*bystander // come when the standby is cut off
	witness    *witness     // of the bystanders
	everybody  *witness     // of the accounts
}

func newFailover(t *testing.T, p *stage.Post, synchronous bool) *failover {
	f := &failover{servers: newServers(t, synchronous)}
	f.node = stage.StartNode(t, stage.Settings{
		"DATABASE_URL":      authtest.EitherURL(rigDatabase, f.standby, f.primary), // the right one must be found
		"SMTP_URL":          p.URL(),
		"ACCESS_TTL":        "12h", // an access token that is refused must not be refused for its age
		"SESSIONS_PER_USER": "10000",
	})
	f.ledger = newLedger(t)
	var of, by *client.Client
	of, f.everybody = watch(f.node)
	by, f.witness = watch(f.node)
	f.accounts = signUpAll(t, of, p, f.ledger)
	all := newBystanders(t, p, f.node.Client(), by, 8)
	f.bystanders, f.latecomers = all[:4], all[4:]
	return f
}

// moments of a failover.
type moments struct{ cut, killing, dead, promoting, promoted time.Time }

// survive lets everybody work, kills the primary and promotes the standby; if cut, the standby stops
// following a moment before.
func (f *failover) survive(t *testing.T, cut bool) (m moments) {
	t.Helper()
	f.ledger.nextCycle()
	began := time.Now()
	everybody := gather(t, f.accounts, f.bystanders)
	f.ledger.awaitMore(t, 2*users)
	f.witness.awaitEach(t, "before the failover", since(began, sighting.succeeded), everything...)
	if cut {
		try(t, f.standby.Unfollow)
		m.cut = time.Now()
		late := gather(t, nil, f.latecomers)
		defer late.dismiss()
		await(t, "somebody asks to write while the primary is alone", func() bool { return len(f.askedAlone(m)) > 0 })
		try(t, f.primary.AwaitHeldUp)
	}
	m.killing = time.Now()
	try(t, f.primary.Kill)
	m.dead = time.Now()
	time.Sleep(stage.Lane(t, 0, 3*time.Second, 10*time.Second))
	f.witness.awaitEach(t, "without a primary", since(m.dead, anyway), everything...)
	m.promoting = time.Now()
	try(t, f.standby.Promote)
	m.promoted = time.Now()
	f.node.AwaitReady()
	f.witness.awaitEach(t, "after the promotion", since(m.promoting, sighting.succeeded), everything...)
	everybody.dismiss()
	f.node.Settle()
	return m
}

// outage checks what was said between the death of one server and the promotion of the other.
func (f *failover) outage(t *testing.T, m moments) {
	t.Helper()
	f.witness.within(m.dead, m.promoting).allRefused(t, "without a primary")
	f.everybody.filter(func(s sighting) bool { return s.ended.After(m.killing) && s.ended.Before(m.promoting) }).
		onlyRefused(t, "while the primary died")
	first := time.Time{}
	for _, s := range f.witness.filter(func(s sighting) bool { return s.ended.After(m.promoting) }) {
		if s.succeeded() && (first.IsZero() || s.ended.Before(first)) {
			first = s.ended
		}
	}
	if first.IsZero() {
		t.Error("nothing succeeded after the promotion")
		return
	}
	t.Logf("promotion took %v; the first success came %v after it began", m.promoted.Sub(m.promoting).Round(time.Millisecond), first.Sub(m.promoting).Round(time.Millisecond))
}

// alone checks what was said while the primary had lost its standby: reading may go on, writing must
// wait, and the wait ends with the primary.
func (f *failover) alone(t *testing.T, m moments) {
	t.Helper()
	asked := f.askedAlone(m)
	t.Logf("asked to write while the primary was alone: %v", asked)
	if len(asked) == 0 {
		t.Error("nobody asked to write, so nothing is proven")
	}
	for _, s := range asked {
		if s.succeeded() && s.ended.Before(m.promoting) {
			t.Errorf("%s was acknowledged, and only one server had it", s.what)
		}
	}
}

// askedAlone are the requests to write that began while the primary had no standby, so far or until it was killed.
func (f *failover) askedAlone(m moments) sightings {
	return f.witness.all(func(s sighting) bool {
		return s.began.After(m.cut) && (m.killing.IsZero() || s.began.Before(m.killing))
	}).of(writes...)
}

func TestFailoverSynchronous(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	f := newFailover(t, p, true)
	cycles := stage.Lane(t, 2, 4, 20)
	for i := range cycles {
		cut := i%2 == 1
		m := f.survive(t, cut)
		f.outage(t, m)
		if cut {
			f.alone(t, m)
		}
		each(f.accounts, func(a *account) { a.verify(i == cycles-1) })
		if t.Failed() || i == cycles-1 {
			break
		}
		f.rebuild(t)
	}
	noneAhead(t, f.node)
	drain(t, f.node)
	verifyMail(t, p, f.accounts)
	verifyAudit(t, f.node, f.accounts)
	t.Log(f.ledger)
}

// The same with a standby that nobody waits for: what the primary had acknowledged after the standby
// fell behind is undone. Nothing in the server can prevent that.
func TestFailoverAsynchronous(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	f := newFailover(t, p, false)
	for _, a := range f.accounts {
		a.fail = func(string, ...any) {} // the ledger counts
	}
	const email, before, after = "ada@example.com", "the password before", "the password after"
	cl, ctx := f.node.Client(), context.Background()
	member(t, cl, p, email, before)
	left, stays := signIn(t, cl, email, before), signIn(t, cl, email, before)

	everybody := gather(t, f.accounts, nil)
	f.ledger.awaitMore(t, 2*users)
	try(t, f.standby.Unfollow)
	safe, _ := f.ledger.sums()
	try(t, func() error { return cl.SignOut(ctx, left.AccessToken, api.SignOutRequest{}) })
	try(t, func() error {
		return cl.ChangePassword(ctx, stays.AccessToken, api.ChangePasswordRequest{Email: email, OldPassword: before, NewPassword: after})
	})
	f.ledger.awaitMore(t, 2*users)
	try(t, f.primary.Kill)
	all, _ := f.ledger.sums()
	try(t, f.standby.Promote)
	everybody.dismiss()
	f.node.Settle()

	each(f.accounts, func(a *account) { a.verify(true) })
	_, lost := f.ledger.sums()
	revived := alive(t, cl, left.AccessToken)
	_, oldErr := cl.SignIn(ctx, api.SignInRequest{Email: email, Password: before})
	_, newErr := cl.SignIn(ctx, api.SignInRequest{Email: email, Password: after})
	t.Logf("%d operations were acknowledged after the standby fell behind; of the accounts' promises %d are broken", all-safe, lost)
	t.Logf("the session that was signed out lives: %t; the old password: %v; the new one: %v", revived, oldErr, newErr)
	if lost == 0 || !revived || oldErr != nil || newErr == nil {
		t.Error("nothing was lost: the rig does not see what it is made to see")
	}
}

// sums are how many operations were acknowledged so far, and how many promises broken.
func (l *ledger) sums() (acknowledged, lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acknowledged, l.lost
}

// awaitMore waits until so many operations are acknowledged beside those that are.
func (l *ledger) awaitMore(t *testing.T, more int) {
	t.Helper()
	before, _ := l.sums()
	await(t, fmt.Sprintf("%d more operations are acknowledged", more), func() bool {
		now, _ := l.sums()
		return now >= before+more
	})
}

// A server whose machine has lost its power refuses nothing: it is silent. Whoever is named after it in
// the URL is found all the same, by a server that runs and by one that starts.
func TestFailoverSilent(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	s := newServers(t, true)
	n := stage.StartNode(t, stage.Settings{"DATABASE_URL": authtest.EitherURL(rigDatabase, s.primary, s.standby), "SMTP_URL": p.URL()})
	const email, password = "ada@example.com", "correct horse battery staple"
	member(t, n.Client(), p, email, password)
	tokens := signIn(t, n.Client(), email, password)

	try(t, s.primary.Freeze)
	try(t, s.standby.Promote)
	cl, w := watch(n)
	began := time.Now()
	for {
		next, err := cl.Refresh(context.Background(), tokens.RefreshToken)
		if err == nil {
			tokens = next
			break
		}
		if time.Since(began) > stage.ReadyWithin {
			t.Fatalf("no refresh within %v after the promotion: %v", stage.ReadyWithin, err)
		}
	}
	w.within(began, time.Now()).onlyRefused(t, "until the other server was found")
	n.Kill()
	n.Start()
	refresh(t, n.Client(), tokens.RefreshToken)
}
