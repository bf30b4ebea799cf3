package auth_test

// N-th failure (I10, I11): a whole story is told again and again; in each telling every step meets
// trouble at the database, one moment later than in the telling before: the call fails before its effect,
// in its middle, before its commit, or after it with the answer lost; or its time runs out just then; or
// PostgreSQL cannot order it among others; or the caller hangs up; or all that it does is done twice and taken back
// the first time. It ends when no step lasts so long. Each
// time: no success without its effect, no refusal with a part of it, 503 and nothing else when the database
// fails, and the step works when repeated.
//
// The story is faults_story_test.go, and what there is of apps in it faults_apps_test.go.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/password"
	"latchkey/internal/store"
)

func TestEveryMomentOfTheDatabase(t *testing.T) {
	for i, kind := range []string{databaseFails, timeRunsOut, cannotBeOrdered, callerHangsUp, runsTwice} { // each begins a moment later
		t.Run(kind, func(t *testing.T) {
			authtest.Engines(t, func(t *testing.T, db authtest.Database) {
				if kind == cannotBeOrdered && db.Engine == "sqlite" {
					return // one writer at a time needs no ordering
				}
				t.Parallel() // each has a database and a server of its own
				stride, enough := 1, 400
				if kind == cannotBeOrdered {
					enough = 150 // moments within transactions alone
				}
				if !longRigs() {
					stride = map[string]int{"sqlite": 5, "postgres": 9}[db.Engine] // the rest is for the long lane
				}
				if kind == runsTwice {
					enough = 40 // steps: it is no matter of moments
				}
				f := newFaultRig(t, db)
				for _, story := range []func() []storyStep{f.lifeOfAnAccount, f.houseKeeping} {
					f.tell(t, story(), trouble{})
					last := slices.Max(slices.Collect(maps.Values(f.moments)))
					if kind == runsTwice {
						last = 1
					}
					for moment := min(last, 1+i%stride); moment <= last; moment += stride {
						f.forget(t)
						f.tell(t, story(), trouble{kind, moment})
					}
				}
				t.Logf("%d steps met trouble at %d moments", len(f.whole), f.met)
				if f.met*stride < enough {
					t.Error("the rig meets too little")
				}
			})
		})
	}
}

// The kinds of trouble.
const (
	databaseFails   = "the database fails"
	timeRunsOut     = "time runs out"
	cannotBeOrdered = "it cannot be ordered" // in the middle of a transaction, which is run again
	callerHangsUp   = "the caller hangs up"
	runsTwice       = "it runs twice" // every function given to the store, undone the first time
)

// trouble comes at one moment of each step, counted from 1.
type trouble struct {
	kind   string
	moment int
}

// storyStep is one request, or one thing an operator or a worker does.
type storyStep struct {
	name   string
	do     func(context.Context) error
	want   string        // the code it is answered with; "": success
	again  string        // what a repeat hears when the effect is there already, if not want
	pieces bool          // several transactions, each whole; the repeat does the rest
	pause  time.Duration // before the repeat: what a lost lease takes
	calm   bool          // meets no trouble: others like it do
}

// effect is what a step changes in the database: each line's direction, since a story in trouble has
// more of some things than the untroubled one.
type effect map[string]string

type faultRig struct {
	*authtest.Rig
	api     *client.Client
	stories int
	whole   map[string]effect // by step, as the untroubled story showed it
	moments map[string]int    // by step, likewise
	met     int

	trouble // being met
	armed   bool
	seen    int // moments of this attempt
	fired   bool
	writing bool // at that moment
	commits int  // of this attempt
	hangUp  context.CancelFunc
}

func newFaultRig(t *testing.T, db authtest.Database) *faultRig {
	t.Helper()
	f := &faultRig{whole: map[string]effect{}, moments: map[string]int{}}
	clients, err := clients.New([]clients.Client{
		{Alias: "shop", Name: "Shop", URL: "https://shop.example.com", Secret: shopSecret, RedirectURIs: []string{shopURI}},
		{Alias: "third", Name: "Third", URL: "https://third.example.com", Secret: shopSecret, RedirectURIs: []string{shopURI}, Consent: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Rig = authtest.New(t, db, func(o *auth.Options) {
		o.Store = authtest.Faults{Fail: f.meet, Twice: f.twice, Clock: o.Now}.On(o.Store)
		o.Hash = password.Params{MemoryKiB: 64, Time: 1}
		o.Clients = clients
	})
	f.api = client.New("http://localhost:8080", &http.Client{Transport: f}).On(nil)
	return f
}

// RoundTrip answers a request where it was made: the rig sees the answer to a caller who hung up.
func (f *faultRig) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.RemoteAddr = fmt.Sprintf("198.18.%d.%d:4711", f.stories/250, f.stories%250)
	w := httptest.NewRecorder()
	f.HTTP.Config.Handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// meet is asked by the store at every moment.
func (f *faultRig) meet(m authtest.Moment) error {
	if !f.armed {
		return nil
	}
	if m.At == authtest.Answering && m.Call != "read" {
		f.commits++
	}
	f.seen++
	if f.seen != f.moment || f.kind == cannotBeOrdered && (m.Call != "write" || m.At != authtest.Running && m.At != authtest.Committing) {
		return nil
	}
	f.fired, f.writing = true, m.Call == "write" || m.Call == "single" || m.Call == "joint"
	switch {
	case f.kind == runsTwice:
		return nil
	case f.kind == callerHangsUp:
		f.hangUp()
		return nil
	case f.kind == cannotBeOrdered:
		return authtest.ErrUnordered
	case f.kind == timeRunsOut && m.Call != "clock":
		return authtest.ErrLate
	}
	return fmt.Errorf("%w: %s while %s", store.ErrUnavailable, m.Call, m.At)
}

func (f *faultRig) twice() bool { return f.armed && f.kind == runsTwice }

// attempt does a step in trouble.
func (f *faultRig) attempt(s storyStep, tr trouble) error {
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	f.trouble, f.armed, f.seen, f.fired, f.commits, f.hangUp = tr, true, 0, false, 0, hangUp
	defer func() { f.armed = false }()
	return s.do(ctx)
}

// tell tells a story, and every step meets the trouble; none, when its moment is 0.
func (f *faultRig) tell(t *testing.T, story []storyStep, tr trouble) {
	t.Helper()
	for _, s := range story {
		if n, known := f.moments[s.name]; s.calm || known && n < tr.moment {
			if err := s.do(context.Background()); outcome(t, err) != s.want {
				t.Fatalf("%s (moment %d): %v, want %q", s.name, tr.moment, err, s.want)
			}
			continue
		}
		before := f.Tally(t)
		err := f.attempt(s, tr)
		got, change := outcome(t, err), changed(before, f.Tally(t))
		what := fmt.Sprintf("%s (%s at moment %d)", s.name, tr.kind, tr.moment)
		if !f.fired {
			if got != s.want {
				t.Fatalf("%s: %v, want %q", what, err, s.want)
			}
			if tr.moment == 0 {
				f.whole[s.name], f.moments[s.name] = change, f.seen
			}
			continue
		}
		f.met++
		f.judgeTrouble(t, what, s, got, change)
		if t.Failed() {
			t.Fatalf("%s was answered with: %v", what, err)
		}
		if got == s.want && !s.pieces {
			continue
		}
		f.Clock.Advance(s.pause)
		want := s.want
		if len(change) > 0 && s.again != "" {
			want = s.again
		}
		if err := s.do(context.Background()); outcome(t, err) != want {
			t.Fatalf("%s, repeated: %v, want %q", what, err, want)
		}
	}
}

// judgeTrouble holds an attempt that met trouble to what is promised.
func (f *faultRig) judgeTrouble(t *testing.T, what string, s storyStep, got string, change effect) {
	t.Helper()
	answered := got == s.want
	switch whole := f.whole[s.name]; {
	case s.pieces:
		for line, direction := range change {
			if direction == "more" && whole[line] != "more" {
				t.Errorf("%s: %s is more, which it never is without trouble", what, line)
			}
		}
		if !answered && got != "unavailable" {
			t.Errorf("%s: answered %q", what, got)
		}
		return
	case f.commits > 0:
		if diff := cmp.Diff(whole, change); diff != "" {
			t.Errorf("%s: after its commit the effect is not whole (-whole +found):\n%s", what, diff)
		}
	case len(change) > 0:
		t.Errorf("%s: nothing was committed, and yet: %v", what, change)
	case f.kind == callerHangsUp && f.writing && len(whole) > 0:
		t.Errorf("%s: what had begun was cut off", what)
	case answered && len(whole) > 0:
		t.Errorf("%s: it was answered %q without its effect", what, got)
	}
	// A database that fails is no answer; one that cannot order a transaction is none of the caller's
	// business; who hangs up, or comes late when it is under way, may hear either.
	switch {
	case f.kind == databaseFails && got != "unavailable", (f.kind == cannotBeOrdered || f.kind == runsTwice) && !answered, !answered && got != "unavailable":
		t.Errorf("%s: answered %q, want unavailable or what is usual", what, got)
	}
}

// outcome is the code of an answer; every 503 counts as unavailable, and has to say when to come back.
func outcome(t *testing.T, err error) string {
	t.Helper()
	answer, ok := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		return ""
	case ok && answer.Status == http.StatusServiceUnavailable && answer.RetryAfter > 0:
		return "unavailable"
	case ok:
		return answer.Code
	case errors.Is(err, auth.ErrNoUser):
		return "no user"
	case errors.Is(err, auth.ErrEmailTaken):
		return "taken"
	}
	return string(auth.CodeOf(err))
}

// forget sweeps what earlier tellings left, so that the tables stay small.
func (f *faultRig) forget(t *testing.T) {
	t.Helper()
	f.Clock.Advance(401 * 24 * time.Hour)
	s, err := auth.New(context.Background(), f.Options)
	if err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		if more, err = s.Upkeep().Sweep(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func changed(before, after map[string]int64) effect {
	e := effect{}
	for _, counts := range []map[string]int64{before, after} {
		for line := range counts {
			switch n := after[line] - before[line]; {
			case n > 0:
				e[line] = "more"
			case n < 0:
				e[line] = "fewer"
			}
		}
	}
	return e
}
