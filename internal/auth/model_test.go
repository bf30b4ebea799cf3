package auth_test

// The model test: random lives of a few accounts and the apps that they use, on a real store, against the reference. After
// every step every token and code that was ever issued is offered to the server as what it is, and one as everything it
// is not; what the server says, or would have said, has to be what the reference says (I1 to I7, I16,
// I17). Offering a token changes things, so the rig rehearses: the store undoes the call.
//
// The steps are model_steps_test.go. Time stands still but for what the steps add.

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/mail"
	"latchkey/internal/password"
	"latchkey/internal/peer"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

func TestModel(t *testing.T) {
	lives, length := map[string]int{"sqlite": 60, "postgres": 8}, 20
	if longRigs() {
		lives, length = map[string]int{"sqlite": 300, "postgres": 30}, 50
	}
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		set(t, "rapid.checks", strconv.Itoa(lives[db.Engine]))
		w := newWorld(t, db)
		rapid.Check(t, func(rt *rapid.T) {
			m := w.born(rt)
			steps := m.steps()
			for range length {
				m.step(rt, steps)
				m.check(rt)
			}
			m.everything = true
			m.check(rt)
			m.checkPasswords(rt)
			m.checkDatabase(rt)
		})
	})
}

// longRigs says whether this is the long lane, or one that is longer still.
func longRigs() bool { return os.Getenv("LATCHKEY_RIG") != "" }

func TestNoLaneIsShorterThanTheLongOne(t *testing.T) {
	for lane, want := range map[string]bool{"": false, "long": true, "soak": true} {
		t.Setenv("LATCHKEY_RIG", lane)
		if got := longRigs(); got != want {
			t.Errorf("LATCHKEY_RIG=%s: long: %t, want %t", lane, got, want)
		}
	}
}

// set gives one of rapid's own flags a value for the length of a test.
func set(t *testing.T, name, value string) {
	t.Helper()
	old := flag.Lookup(name).Value.String()
	t.Cleanup(func() { _ = flag.Set(name, old) })
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
}

// world is one server; every life in it has accounts of its own.
type world struct {
	store    *store.Store
	options  auth.Options
	svc      *auth.Service
	now      atomic.Int64 // Unix microseconds
	rehearse atomic.Bool
	verdict  string // of the last refresh
	posted   []mail.Message
	lives    int
}

func newWorld(t *testing.T, db authtest.Database) *world {
	t.Helper()
	w := &world{}
	w.now.Store(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	// On PostgreSQL a starting node corrects its clock by the database's: the rig's is the database's.
	w.store = authtest.Faults{Rehearse: w.rehearse.Load, Clock: w.clock}.On(db.Open(t))
	w.options = authtest.DefaultOptions(t)
	w.options.Store, w.options.Now, w.options.Sender = w.store, w.clock, w
	w.options.Hash = password.Params{MemoryKiB: 64, Time: 1}
	w.options.SessionsPerUser = refLimit
	withApps(&w.options)
	w.options.OnRefresh = func(outcome string) { w.verdict = outcome }
	return w
}

func (w *world) clock() time.Time { return time.UnixMicro(w.now.Load()).UTC() }

// Send makes the world its own mailbox.
func (w *world) Send(_ context.Context, m mail.Message) (string, error) {
	w.posted = append(w.posted, m)
	return "", nil
}

// The two master keys of a world: either may be the one that makes, both open (I20).
const otherMaster = "bGF0Y2hrZXktdGVzdC1vdGhlci1rZXktMzItYnl0ZXM="

// start starts the server anew on the same store.
func (w *world) start(t rapid.TB, masters string) {
	t.Helper()
	keys, err := token.ParseMasterKeys(masters)
	if err != nil {
		t.Fatal(err)
	}
	w.options.Master = keys
	if w.svc, err = auth.New(context.Background(), w.options); err != nil {
		t.Fatalf("start the service: %v", err)
	}
}

// machine is one life: the reference, and what the server handed out in it.
type machine struct {
	*world
	*reference
	addresses  []string
	access     []*heldAccess
	ids        []*heldID
	flows      []*refFlow
	moves      []time.Time // when addresses were changed: a notice of that asks for no reset mail
	endings    []*heldEnding
	wrong      map[string]int                    // guesses not yet forgiven; the model stays below the throttle
	budgets    map[string]map[string][]time.Time // reference.asked under each master key
	checks     int
	everything bool // check what died long ago too
	last       map[string]string
}

type heldAccess struct {
	session *refSession
	raw     string
	expires time.Time
}

// heldEnding is the link of a notice: it ends one session, or all that were made by then.
type heldEnding struct {
	raw, user, session string
	made               time.Time
}

func (w *world) born(t *rapid.T) *machine {
	w.lives++
	w.rehearse.Store(false)
	m := &machine{
		world:     w,
		reference: &reference{now: w.clock(), accounts: map[string]*refAccount{}, asked: map[string][]time.Time{}},
		wrong:     map[string]int{},
		budgets:   map[string]map[string][]time.Time{},
		last:      map[string]string{},
	}
	for _, name := range []string{"ada", "bob", "eve"} {
		m.addresses = append(m.addresses, fmt.Sprintf("%s%d@example.com", name, w.lives))
	}
	m.restart(t)
	m.add(t, m.addresses[0], passwords[0], true)
	m.add(t, m.addresses[1], passwords[1], rapid.Bool().Draw(t, "verified"))
	m.signInAs(t, m.addresses[0], passwords[0])
	return m
}

// pass lets time go by.
func (m *machine) pass(d time.Duration) {
	m.world.now.Add(d.Microseconds())
	m.reference.now = m.clock()
}

// agree fails the life when the server's answer is not the reference's.
func agree(t *rapid.T, what string, err error, want auth.Code) {
	t.Helper()
	got := auth.Code("")
	if err != nil {
		got = auth.CodeOf(err)
	}
	if got != want {
		t.Fatalf("%s: the server says %q (%v), the reference %q", what, got, err, want)
	}
}

// check is the invariant of every step.
func (m *machine) check(t *rapid.T) {
	m.rehearse.Store(true)
	defer m.rehearse.Store(false)
	m.checks++
	for i, a := range m.access {
		want := m.opens(a)
		if m.looks("access "+a.raw, string(want), i) {
			_, err := m.svc.Authenticate(t.Context(), a.raw)
			agree(t, fmt.Sprintf("access token %d of session %s", i, a.session.id), err, want)
			_, err = m.svc.AuthenticateForClaims(t.Context(), a.raw)
			agree(t, fmt.Sprintf("access token %d of session %s, at userinfo", i, a.session.id), err, m.tells(a))
		}
	}
	for i, s := range m.sessions {
		if m.looks("page "+s.page, fmt.Sprint(m.live(s)), i) {
			m.checkPage(t, s)
		}
		for g, raw := range s.tokens {
			want := m.judge(s, g)
			if m.looks("refresh "+raw, want, i+int(g)) {
				tokens, err := m.refreshAt(t, s, raw)
				m.agreeRefresh(t, s, g, want, tokens, err)
			}
		}
	}
	for i, c := range m.codes {
		if good := m.goodCode(c); m.looks("code "+c.raw, fmt.Sprint(good), i) {
			_, err := m.exchangeOf(t, c.raw, c.app, verifier)
			agree(t, fmt.Sprintf("code %d, of %s", i, c.app.alias), err, map[bool]auth.Code{false: auth.CodeInvalidGrant}[good])
		}
	}
	for i, l := range m.links {
		if m.looks("link "+l.token, fmt.Sprint(m.good(l), l.used), i) {
			m.checkLink(t, fmt.Sprintf("%s link %d", l.kind, i), l)
		}
		if l.handle != "" && m.looks("handle "+l.handle, fmt.Sprint(!l.forgotten, m.goesOn(l.flow, l)), i) {
			m.checkHandle(t, l)
		}
	}
	m.checkFlow(t)
	m.checkConfusion(t)
	m.checkRows(t)
}

// checkPage offers a page's token, if the session has one.
func (m *machine) checkPage(t *rapid.T, s *refSession) {
	if s.page == "" {
		return
	}
	want := auth.CodeInvalidToken
	if m.live(s) {
		want = ""
	}
	caller, err := m.svc.PageCaller(t.Context(), s.page)
	agree(t, "page token of session "+s.id, err, want)
	if err == nil && (caller.SessionID != s.id || caller.UserID != s.owner.id) {
		t.Fatalf("the page token of session %s is taken for %+v", s.id, caller)
	}
}

func (m *machine) checkLink(t *rapid.T, what string, l *refLink) {
	var err error
	dead := auth.CodeInvalidResetToken
	if l.kind == "reset" {
		_, err = m.reset(t, l.address, l.token, passwords[0])
	} else {
		dead = auth.CodeInvalidVerificationCode
		err = m.svc.VerifyEmail(t.Context(), l.address, l.token, peer.Peer{})
	}
	if m.good(l) {
		dead = ""
	}
	agree(t, what, err, dead)
}

// looks says whether a token is to be offered now: whenever it is good for something or its worth has
// changed, and of those dead for longer some in each step; all at the end of a life.
func (m *machine) looks(token, want string, i int) bool {
	changed := m.last[token] != want
	m.last[token] = want
	dead := want == "dead" || want == "reuse" || want == string(auth.CodeInvalidToken) || strings.HasPrefix(want, "false")
	return changed || !dead || m.everything || longRigs() || (m.checks+i)%16 == 0
}

// agreeRefresh compares a refresh. I2: a generation's token is one and the same, whenever it is given.
func (m *machine) agreeRefresh(t *rapid.T, s *refSession, g int64, want string, tokens auth.Tokens, err error) {
	t.Helper()
	what := fmt.Sprintf("refresh token %d of session %s, which is at %d", g, s.id, s.current)
	code := auth.Code("")
	switch want {
	case "superseded":
		code = auth.CodeRefreshSuperseded
	case "reuse", "dead":
		code = auth.CodeInvalidRefreshToken
	}
	agree(t, what, err, code)
	if got := m.verdict; got != want && !(want == "dead" && strings.Contains("ended expired unknown", got)) {
		t.Fatalf("%s: the server's verdict is %q, the reference's %q", what, got, want)
	}
	if (want == "repeated" || want == "late") && tokens.RefreshToken != s.tokens[s.current] {
		t.Fatalf("%s: it got another successor", what)
	}
}

// checkRows looks at what the database holds.
func (m *machine) checkRows(t *rapid.T) {
	err := m.store.Read(t.Context(), func(tx *store.Tx) error {
		for _, address := range m.addresses {
			u, err := tx.UserByEmail(address)
			if a := m.accounts[address]; (err == nil) != (a != nil) {
				t.Fatalf("account %s: %v, the reference has %v", address, err, a)
			} else if a != nil && (u.ID != a.id || u.VerifiedAt.IsZero() == a.verified || u.DisabledAt.IsZero() == a.disabled) {
				t.Fatalf("account %s is %+v, the reference has %+v", address, u, *a)
			}
			rows, err := tx.LiveSessions(u.ID, m.reference.now)
			if err != nil {
				return err
			}
			for _, row := range rows {
				if m.session(row.ID) == nil || u.VerifiedAt.IsZero() { // I17
					t.Fatalf("session %s of %s should not be", row.ID, address)
				}
			}
		}
		for _, s := range m.sessions {
			row, err := tx.SessionByID(s.id)
			if err != nil && !m.live(s) { // swept
				continue
			}
			switch {
			case err != nil:
				return err
			case row.AliveAt(m.reference.now) != m.live(s):
				t.Fatalf("session %s is alive: %v, the reference says %v", s.id, row.AliveAt(m.reference.now), m.live(s))
			case row.Generation != s.current: // I2
				t.Fatalf("session %s is at generation %d, the reference at %d", s.id, row.Generation, s.current)
			case !row.OverallExpiresAt.Equal(s.overall), !row.AuthTime.Equal(s.proved): // I16
				t.Fatalf("session %s: its overall limit is %v, its proof of %v; the reference says %v and %v", s.id, row.OverallExpiresAt, row.AuthTime, s.overall, s.proved)
			case row.Parent != idOf(s.parent):
				t.Fatalf("session %s came from %q, the reference says %q", s.id, row.Parent, idOf(s.parent))
			case !row.IdleExpiresAt.Equal(s.used.Add(refIdle)):
				t.Fatalf("session %s: inactivity ends at %v, the reference says %v", s.id, row.IdleExpiresAt, s.used.Add(refIdle))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read rows: %v", err)
	}
}

// checkPasswords is I6: of all passwords, an account's own alone signs in.
func (m *machine) checkPasswords(t *rapid.T) {
	m.rehearse.Store(true)
	defer m.rehearse.Store(false)
	for _, address := range m.addresses {
		for _, pw := range passwords {
			if m.wrong["account "+address] > 0 {
				continue // what the throttle holds back says nothing
			}
			_, err := m.svc.SignIn(t.Context(), auth.SignIn{Email: address, Password: auth.Password{Value: pw}}, peer.Peer{})
			agree(t, "sign in to "+address+" with "+pw, err, m.reference.signIn(address, pw))
		}
	}
}

// checkDatabase is the auditor's word on what all lives so far have left behind.
func (m *machine) checkDatabase(t *rapid.T) {
	found, err := m.svc.Violations(t.Context())
	if err != nil {
		t.Fatalf("audit the database: %v", err)
	}
	for _, v := range found {
		t.Errorf("%s: %s: %s", v.Invariant, v.What, v.ID)
	}
}

func (m *machine) session(id string) *refSession {
	for _, s := range m.sessions {
		if s.id == id {
			return s
		}
	}
	return nil
}

var (
	linkInMail   = regexp.MustCompile(`/(reset|verify)[a-z-]*\?verificationCode=([\w-]+)(?:&email=[^\s&]*&flow=([\w-]+))?`)
	endingInMail = regexp.MustCompile(`/end-session\?token=(\S+)`)
)
