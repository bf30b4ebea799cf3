package sdk

// Takeovers of a sign-in: answers, codes and issuers that are not those of the request.

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// stolen begins a sign-in in a tab and answers with the address that the server sends its browser to, which never gets there.
// Whoever has signed in on the server's pages before is not asked again.
func (one *tab) stolen(email string) string {
	one.w.t.Helper()
	one.leaves()
	evaluate[any](one, fmt.Sprintf("void auth.signIn((auth.session?.user.email ?? %[1]q) === %[1]q ? {} : { prompt: 'login' })", email))
	return one.steals(func() {
		const asked = "document.querySelector('#password')"
		one.await("location.pathname === '/callback' || " + asked)
		if evaluate[bool](one, "Boolean("+asked+")") {
			one.fill("email", email, "password", authtest.Password)
		}
	})
}

// steals does what leads to an answer to a sign-in, and keeps it from the app.
func (one *tab) steals(leads func()) (address string) {
	one.w.t.Helper()
	one.w.mu.Lock()
	one.w.steal = true
	before := len(one.w.callbacks)
	one.w.mu.Unlock()
	leads()
	one.await("location.pathname === '/callback' && document.readyState === 'complete'")
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	one.w.steal = false
	return one.w.callbacks[before]
}

// with changes parameters of an address: name, value and so on; an empty value takes one away.
func with(t *testing.T, address string, changes ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	for i := 0; i < len(changes); i += 2 {
		query.Set(changes[i], changes[i+1])
		if changes[i+1] == "" {
			query.Del(changes[i])
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func parameter(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}

// refusedWith is why handleCallback has rejected in the page that the tab shows.
func (one *tab) refusedWith() string {
	one.w.mu.Lock()
	defer one.w.mu.Unlock()
	for _, told := range slices.Backward(one.heard) {
		if told.Refused != "" && one.shows != nil && told.page == one.shows.Page {
			return told.Refused
		}
	}
	return ""
}

func TestCallbackOfAnotherState(t *testing.T) {
	victim := newVictim(t)
	w := victim.w
	thief := w.newProfile("local").newTab()
	thief.openApp()
	before := len(w.exchanges())

	t.Run("another's answer, signed in", func(t *testing.T) {
		victim.visit(thief.stolen(mallory))
		victim.arrive("true")
		victim.remains()
	})
	nobody := w.newProfile("local").newTab()
	nobody.openApp()
	t.Run("another's answer, signed out", func(t *testing.T) {
		thief.openApp()
		nobody.isRefused("state_unknown", thief.stolen(mallory))
	})
	if sent := w.exchanges()[before:]; len(sent) > 0 {
		t.Errorf("codes of another's were exchanged: %d", len(sent))
	}
	// Whoever is at the browser is asked for another code, once, and so it is theirs.
	for name, test := range map[string]struct {
		plants, opens *tab
		planter, who  string
	}{
		"another's code, to a request of our own": {thief, nobody, mallory, email},
		"our code, to a request of another's":     {nobody, thief, email, mallory},
	} {
		t.Run(name, func(t *testing.T) {
			test.plants.openApp()
			code := parameter(t, test.plants.stolen(test.planter), "code")
			test.opens.openApp()
			test.opens.visit(with(t, test.opens.stolen(test.who), "code", code))
			test.opens.arrive("shop.email")
			if got := evaluate[string](test.opens, "auth.session.user.email"); got != test.who {
				t.Errorf("%s is signed in, want %s", got, test.who)
			}
			if refused := w.refused(code); refused != 1 {
				t.Errorf("the code was sent and refused %d times, want once", refused)
			}
		})
	}
}

// isRefused opens the answer to a sign-in in a tab where nobody is signed in, and asserts that so it stays.
func (one *tab) isRefused(want, answer string) {
	one.w.t.Helper()
	one.visit(answer)
	one.arrive("true")
	if why, in := one.refusedWith(), evaluate[bool](one, "auth.session !== null"); why != want || in {
		one.w.t.Errorf("refused with %q, signed in: %t, want refused with %q", why, in, want)
	}
}

// refused says how often pages have sent a code that the server refused.
func (w *world) refused(code string) (times int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.exchange() == code && c.status == http.StatusBadRequest {
			times++
		}
	}
	return times
}

func TestCodeReplayedByReload(t *testing.T) {
	one := newVictim(t)
	w := one.w
	came := w.callbacks[0]
	once := func(t *testing.T) {
		t.Helper()
		codes := w.exchanges()
		slices.Sort(codes)
		if repeated := len(codes) - len(slices.Compact(slices.Clone(codes))); repeated > 0 {
			t.Errorf("codes were sent again: %d of %d", repeated, len(codes))
		}
		w.run(11 * time.Second) // from 10 s on a code that is shown again ends the session that it made
		one.remains()
		w.run(10 * time.Minute) // which is refreshed meanwhile
		one.remains()
	}
	t.Run("the address is opened again", func(t *testing.T) {
		one.visit(came)
		one.arrive("shop.came")
		once(t)
	})
	t.Run("in another tab", func(t *testing.T) {
		other := one.profile.newTab()
		other.visit(came)
		other.arrive("shop.came")
		other.close()
		once(t)
	})
	t.Run("reloaded while the exchange is under way", func(t *testing.T) {
		w.fate = func(c *call) (f fate) {
			if c.exchange() != "" {
				f.after, w.fate = 2*time.Second, nil
			}
			return f
		}
		one.leaves()
		evaluate[any](one, "void auth.signIn()") // whose page session needs no password
		one.await("location.pathname === '/callback' && globalThis.auth")
		w.settle()
		address := w.callbacks[len(w.callbacks)-1]
		one.visit(address)
		one.arrive("shop.came")
		once(t)
	})
}

func TestAnotherIssuer(t *testing.T) {
	one := newVictim(t)
	w := one.w
	nobody := w.newProfile("local").newTab()
	before := len(w.exchanges())
	for name, iss := range map[string]string{
		"another":      "https://evil.example",
		"none":         "",
		"with a slash": w.issuer + "/",
		"longer":       w.issuer + "0",
	} {
		t.Run(name, func(t *testing.T) {
			nobody.openApp()
			nobody.isRefused("issuer_mismatch", with(t, nobody.stolen(email), "iss", iss))
		})
	}

	clients := filepath.Join(t.TempDir(), "clients.toml")
	if err := os.WriteFile(clients, fmt.Appendf(nil, clientsFile, w.url), 0o600); err != nil {
		t.Fatal(err)
	}
	node := stage.StartNode(t, stage.Settings{"CLIENTS_FILE": clients})
	node.Must(authtest.Password+"\n", "user", "add", "--email", email, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
	t.Run("the code of another server", func(t *testing.T) {
		nobody.isRefused("issuer_mismatch", nobody.elsewhere(node.Settings["PUBLIC_URL"]))
	})
	if sent := w.exchanges()[before:]; len(sent) > 0 {
		t.Errorf("codes of another issuer's that were sent: %d", len(sent))
	}
	t.Run("the code of another server in our name", func(t *testing.T) { // which only our server can tell
		answer := with(t, nobody.elsewhere(node.Settings["PUBLIC_URL"]), "iss", w.issuer)
		nobody.visit(answer)
		nobody.await("document.querySelector('#password')") // of the second try
		if refused := w.refused(parameter(t, answer, "code")); refused != 1 {
			t.Errorf("the code was sent and refused %d times, want once", refused)
		}
	})
}

// elsewhere begins a sign-in in a tab, signs in at another server with its request, and answers with the address that this
// sends the browser to.
func (one *tab) elsewhere(issuer string) string {
	one.w.t.Helper()
	one.openApp()
	one.leaves()
	evaluate[any](one, "void auth.signIn({ prompt: 'login' })") // where that ends, as nobody fills in the form
	one.await("location.origin !== " + fmt.Sprintf("%q", one.w.url))
	one.openApp()
	query := evaluate[string](one, `String(new URLSearchParams(Object.keys(localStorage)
		.filter((key) => key.includes(":request:")).map((key) => JSON.parse(localStorage[key]).query).find(Boolean)))`)
	return one.steals(func() {
		one.visit(issuer + "/oauth/authorize?" + query)
		one.await("location.pathname === '/callback' || document.querySelector('#password')")
		if evaluate[bool](one, "location.pathname !== '/callback'") {
			one.fill("email", email, "password", authtest.Password)
		}
	})
}
