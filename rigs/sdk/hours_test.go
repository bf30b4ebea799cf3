package sdk

// What many tabs meet in two hours, and two people in one browser.

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"testing"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// Two hours of twenty tabs, and whatever they meet in them, sign nobody out.
func TestTwoHours(t *testing.T) {
	if !stage.Lane(t, false, false, true) {
		t.Skip("run at length: make test-soak")
	}
	t.Parallel() // with what waits for real time
	for name, skew := range map[string]time.Duration{"ahead": 5 * time.Minute, "behind": -5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twoHours(t, skew)
		})
	}
}

const (
	sharing   = 14 // tabs with localStorage
	forgetful = 6  // tabs with memory, in another profile

	asleepAt        = 40 // minutes
	setRightAt      = 60
	fullAt, emptyAt = 80, 90
	overAt          = 120
)

func twoHours(t *testing.T, skew time.Duration) {
	began := time.Now()
	w := newWorld(t, func(o *auth.Options) { o.AccessTTL = 3 * time.Minute })
	w.skew = skew
	chance := rand.New(rand.NewPCG(1, uint64(skew)))
	w.fate = losses(chance, map[bool]loss{true: closed, false: cut}[skew > 0])
	w.rig.AddUser(t, email)

	local, private := w.newProfile("local"), w.newProfile("memory")
	w.signUpByMail(local, "grace@example.com")
	one := private.newTab()
	one.openApp()
	one.signIn(email)
	private.expects = email
	for _, p := range []*profile{local, private} {
		for len(p.tabs()) < map[*profile]int{local: sharing, private: forgetful}[p] {
			p.newTab().openApp()
			w.run(time.Duration(chance.IntN(8000)) * time.Millisecond)
		}
	}
	t.Logf("all are there after %v", time.Since(began))

	asleep := time.Duration(0)
	for minute := 5; minute <= overAt; minute++ {
		w.runTo(milliseconds(time.Duration(minute)*time.Minute + asleep))
		p := []*profile{local, private}[chance.IntN(2)]
		switch {
		case minute == asleepAt:
			asleep = w.sleep(time.Hour, skew > 0) // as one system's timers do, and as the others'
		case minute == setRightAt:
			w.setClock(0)
		case minute == fullAt:
			local.fill()
		case minute == emptyAt:
			local.empty()
		case p == local && !local.keeps(): // until the next refresh nothing tells a page that begins what storage could not keep
		case minute%10 == 5:
			p.any(chance).close()
			p.newTab().openApp()
		case minute%3 == 0:
			p.any(chance).openApp()
		}
	}
	took := time.Since(began)
	w.fate = nil
	for _, p := range []*profile{local, private} {
		w.signsOutEverywhere(p)
	}
	w.counts(took)
}

// losses loses one in twenty answers, and the first exchange of each profile in a way of its own, and lets one in four
// refreshes take seconds.
func losses(chance *rand.Rand, exchange loss) func(*call) fate {
	first := map[*profile]bool{}
	return func(c *call) fate {
		f := fate{}
		switch {
		case c.path == "/settings.json":
		case c.exchange() != "":
			if !first[c.tab.profile] {
				first[c.tab.profile] = true
				f.lost = exchange
			}
		case chance.IntN(20) == 0:
			f = []fate{{lost: closed}, {lost: cut}, {after: forEver}}[chance.IntN(3)]
			if c.path == "/api" {
				f.after = 0 // nothing gives up on it
			}
		case c.refresh() != "" && chance.IntN(4) == 0:
			f.after = time.Duration(chance.IntN(9000)) * time.Millisecond
		}
		return f
	}
}

// tabs are those of the profile that are open.
func (p *profile) tabs() []*tab {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.w.tabs), func(one *tab) bool { return one.profile != p })
}

func (p *profile) any(chance *rand.Rand) *tab {
	all := p.tabs()
	return all[chance.IntN(len(all))]
}

// signIn signs somebody in, from the app and back to it.
func (one *tab) signIn(email string) {
	one.w.t.Helper()
	one.leaves()
	evaluate[any](one, "void auth.signIn(auth.session ? { prompt: 'login' } : {})")
	one.fill("email", email, "password", authtest.Password)
	one.arrive("shop.email")
}

var linked = regexp.MustCompile(`https?://\S+`)

// signUpByMail makes an account. The mail's link opens a tab beside the one that asked for it.
func (w *world) signUpByMail(p *profile, email string) {
	w.t.Helper()
	asks := p.newTab()
	asks.openApp()
	asks.leaves()
	evaluate[any](asks, "void auth.signUp()")
	asks.fill("email", email)
	asks.await("document.querySelector('.address')")
	opens := p.newTab()
	opens.visit(linked.FindString(w.rig.Mail(w.t, email).Text))
	opens.fill("firstName", "Grace", "lastName", "Hopper", "password", authtest.Password)
	opens.arrive("shop.email")
	p.expects = email
	asks.openApp()
}

// setClock sets the machine's clock, so far off the server's.
func (w *world) setClock(skew time.Duration) {
	w.t.Helper()
	w.skew = skew
	w.moveTo(w.mono)
}

// fill takes all room of the profile's localStorage, that of the session as well.
func (p *profile) fill() {
	p.w.t.Helper()
	evaluate[any](p.tabs()[0], `(() => {
		localStorage.removeItem("latchkey:`+p.w.issuer+`:shop");
		for (let size = 4 << 20, i = 0; size >= 1; )
			try {
				localStorage.setItem("filling " + i++, "x".repeat(size));
			} catch {
				size >>= 1;
			}
	})()`)
	p.w.settle()
}

func (p *profile) empty() {
	p.w.t.Helper()
	if p.keeps() {
		p.w.t.Error("localStorage was not full")
	}
	evaluate[any](p.tabs()[0], `Object.keys(localStorage).filter((key) => key.startsWith("filling")).forEach((key) => localStorage.removeItem(key))`)
	p.w.settle()
}

// keeps says whether the profile's localStorage has the session.
func (p *profile) keeps() bool {
	p.w.t.Helper()
	return evaluate[bool](p.tabs()[0], `"latchkey:`+p.w.issuer+`:shop" in localStorage`)
}

// signsOutEverywhere asserts that a sign-out in one tab reaches all others of the profile within a second, and that no
// reload brings one back.
func (w *world) signsOutEverywhere(p *profile) {
	w.t.Helper()
	p.expects = ""
	tabs := p.tabs()
	for _, one := range tabs {
		if got := evaluate[string](one, "auth.session?.user.email ?? ''"); got == "" {
			w.t.Errorf("tab %d has nobody to sign out", one.n)
		}
		one.leaves()
	}
	evaluate[any](tabs[0], `globalThis.leaving = true, held.tell({ reason: "asked" }), void auth.signOut()`)
	asked := tabs[0].hears("asked").at
	for _, one := range tabs {
		if late := one.hears("signed_out").at.Sub(asked); late > time.Second {
			w.t.Errorf("tab %d hears of the sign-out %v after it", one.n, late)
		}
	}
	tabs[0].await("location.href === " + fmt.Sprintf("%q", w.url+"/") + " && globalThis.auth && !globalThis.leaving") // back from the server
	w.each(tabs, func(one *tab) error { return one.asks("held.state()") })                                            // whatever they have to say, before others hear it
	for _, one := range tabs {
		one.openApp()
		if evaluate[bool](one, "auth.session !== null") {
			w.t.Errorf("tab %d is signed in again", one.n)
		}
	}
}

// hears waits until the tab tells of a reason, and returns what it says of the last time.
func (one *tab) hears(reason string) said {
	one.w.t.Helper()
	for end := time.Now().Add(stage.Patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		one.w.mu.Lock()
		for _, told := range slices.Backward(one.heard) {
			if told.Reason == reason {
				one.w.mu.Unlock()
				return told
			}
		}
		one.w.mu.Unlock()
	}
	one.w.t.Fatalf("tab %d never said %s", one.n, reason)
	return said{}
}

// counts prints what has happened, and asserts what must not have.
func (w *world) counts(took time.Duration) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, out := range w.out {
		w.t.Errorf("signed out: %s", out)
	}
	type once struct {
		tab   *tab
		token string
	}
	answered := map[once]int{}
	signIns, sent, lost, again := 0, 0, 0, 0
	for _, c := range w.calls {
		if c.lost {
			lost++
		}
		if c.again {
			again++
		}
		switch {
		case c.exchange() != "" && c.status == 200 && !c.lost:
			signIns++
		case c.refresh() != "":
			sent++
			if c.status != 200 {
				w.t.Errorf("tab %d: a refresh was answered %d", c.tab.n, c.status)
			} else if !c.lost {
				answered[once{c.tab, c.refresh()}]++
			}
		}
	}
	for each, times := range answered {
		if times > 1 {
			w.t.Errorf("tab %d was answered %d times to one refresh token", each.tab.n, times)
		}
	}
	calls := map[string]int{}
	for _, one := range w.ever {
		for _, told := range one.heard {
			if told.Called != nil {
				calls[cmp.Or(told.Error, fmt.Sprint(*told.Called))]++
			}
			if told.Refused != "" {
				w.t.Errorf("tab %d: a sign-in failed: %s", one.n, told.Refused)
			}
		}
	}
	events, err := w.rig.Service.AuditEvents(context.Background(), audit.Query{Limit: 1000, Kinds: []string{
		audit.RefreshReuse, audit.RefreshMisused, audit.CodeReused, audit.RefreshLate, audit.RefreshAhead,
	}})
	if err != nil {
		w.t.Fatal(err)
	}
	kinds := map[string]int{}
	for _, e := range events {
		kinds[e.Kind]++
	}
	w.t.Logf("%d sign-ins, %d refreshes sent and %d answered, %d tabs, %d answers lost (%d sent again by the browser), %d sign-outs; calls %v, audited %v; %d steps in %v",
		signIns, sent, len(answered), len(w.ever), lost, again, len(w.out), calls, kinds, w.steps, took)
}

// Two people in two tabs of one browser: while calls of the one hang at the API, the other signs in.
func TestTwoUsersTwoTabs(t *testing.T) {
	w := newWorld(t)
	const grace = "grace@example.com"
	w.rig.AddUser(t, email)
	w.rig.AddUser(t, grace)
	p := w.newProfile("local")
	one, other := p.newTab(), p.newTab()
	one.openApp()
	one.signIn(email)
	other.openApp()
	for _, turn := range []struct {
		calls, signsIn *tab
		was, is        string
	}{{one, other, email, grace}, {other, one, grace, email}} {
		w.run(time.Minute) // a token that is younger is not refreshed after a 401
		began := len(w.calls)
		w.fate = func(c *call) (f fate) {
			if c.query.Has("waits") {
				f.after = 20 * time.Second
			}
			return f
		}
		evaluate[any](turn.calls, `void (globalThis.became = [
			auth.fetch("/api?waits"),
			auth.fetch("/api?waits&refuse"),
			auth.fetch("/api?waits&refuse", { method: "POST", body: "x" }),
		].map((call) => call.then((answer) => answer.text(), (error) => error.code)))`)
		w.settle()
		turn.signsIn.signIn(turn.is)
		w.run(30 * time.Second)
		want := []string{turn.was, "session_changed", "session_changed"}
		if got := evaluate[[]string](turn.calls, "Promise.all(became)"); !slices.Equal(got, want) {
			t.Errorf("%s's calls became %q, want %q", turn.was, got, want)
		}
		w.fate = nil
		for _, c := range w.calls[began:] {
			if c.query.Has("waits") && c.whose != turn.was {
				t.Errorf("a call of %s's went out with the token of %q", turn.was, c.whose)
			}
		}
		for _, tab := range p.tabs() {
			if got := evaluate[string](tab, `auth.fetch("/api").then(async (answer) => [auth.session.user.email, await answer.text()].join())`); got != turn.is+","+turn.is {
				t.Errorf("afterwards tab %d has %s", tab.n, got)
			}
		}
	}
	for _, one := range w.ever {
		for _, told := range one.heard {
			if told.Called != nil && *told.Called == 200 && told.Answer != told.Email {
				t.Errorf("tab %d: a call of %s's was answered as %s's", one.n, told.Email, told.Answer)
			}
		}
	}
}
