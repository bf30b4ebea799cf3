package rigs

// A flood of wrong sign-ins, at the full cost of a hash: others are served meanwhile, memory stays
// within what the permits may use, and nothing is left over afterwards (I15).

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/rigs/stage"
)

const (
	attackers     = 64
	floodPermits  = 2
	hashMemoryKiB = 19456
	hashTime      = 2
	// headroom is what memory may grow by besides the permits': a garbage collector that lets as much
	// again lie about, the buffers and stacks of the connections, the database's caches.
	headroomKiB = floodPermits*hashMemoryKiB + 48<<10
)

func TestFlood(t *testing.T) { onFlooded(t, flood) }

// onFlooded runs a test of a flood on both engines, with the throttle on and off.
func onFlooded(t *testing.T, test func(t *testing.T, flooded stage.Settings)) {
	for _, c := range []struct {
		name     string
		url      func(testing.TB) string
		throttle string
		long     bool
	}{
		{"sqlite, throttle on", func(testing.TB) string { return "" }, "on", false},
		{"postgres, throttle off", postgres, "off", false},
		{"sqlite, throttle off", func(testing.TB) string { return "" }, "off", true},
		{"postgres, throttle on", postgres, "on", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.long && !stage.Lane(t, false, true, true) {
				t.Skip("in the long and soak lanes")
			}
			test(t, stage.Settings{
				"DATABASE_URL": c.url(t), "THROTTLE": c.throttle,
				"HASH_MEMORY_KIB": fmt.Sprint(hashMemoryKiB), "HASH_TIME": fmt.Sprint(hashTime), "HASH_WORKERS": fmt.Sprint(floodPermits),
			})
		})
	}
}

// flood measures a server before, during and after.
func flood(t *testing.T, flooded stage.Settings) {
	p := stage.NewPost(t)
	flooded["SMTP_URL"] = p.URL()
	n := stage.StartNode(t, flooded)
	const email, password = "ada@example.com", "correct horse battery staple"
	member(t, n.Client(), p, email, password)
	known := caller{address: "198.51.100.1"}.signIn(t, n, email, password)
	if known.status != http.StatusOK {
		t.Fatalf("sign in: %+v", known)
	}
	watched, w := watch(n)
	users := newBystanders(t, p, n.Client(), watched, 4)
	before := rest(t, n)
	for range 4 { // on a loaded machine a start is not over at the first look
		before.goroutines = max(before.goroutines, rest(t, n).goroutines)
	}

	ctx, stop := context.WithTimeout(t.Context(), stage.Lane(t, 5*time.Second, 5*time.Second, 60*time.Second))
	defer stop()
	var all sync.WaitGroup
	statuses := make(chan int, 1<<20)
	for i := range attackers {
		all.Go(func() { attack(ctx, t, n, fromEverywhere(email, i), func(status int) { statuses <- status }) })
	}
	for _, u := range users {
		all.Go(func() { goOn(ctx, t, u) })
	}
	all.Go(func() { askHealth(ctx, t, n, w) })
	all.Go(func() { comeHome(ctx, t, n, email, password, known.device) })
	all.Wait()

	served(t, w, "refresh", "/auth/refresh-token")
	served(t, w, "healthz", "/healthz")
	close(statuses)
	count := map[int]int{}
	for s := range statuses {
		count[s]++
	}
	t.Logf("the attackers were answered %v", count)
	if peak, most := memory(t, n, "VmHWM"), before.memory+floodPermits*hashMemoryKiB+headroomKiB; peak > most {
		t.Errorf("memory peaked at %d KiB, from %d; want at most %d", peak, before.memory, most)
	} else {
		t.Logf("memory: %d KiB before, %d at its peak, %d allowed", before.memory, peak, most)
	}
	backToRest(t, n, before)
}

// fromEverywhere is every other attacker on one account, the others on accounts that they make up. Each guess comes
// from another address.
func fromEverywhere(victim string, nth int) func() (address, email string) {
	return func() (address, email string) {
		address, email = fmt.Sprintf("192.0.%d.%d", rand.IntN(256), rand.IntN(256)), victim
		if nth%2 == 0 {
			email = madeUp()
		}
		return address, email
	}
}

func madeUp() string { return fmt.Sprintf("user%d@example.org", rand.Uint32()) }

// attack tries wrong passwords until the flood is over, and tells what each was answered.
func attack(ctx context.Context, t *testing.T, n *stage.Node, guess func() (address, email string), told func(status int)) {
	for ctx.Err() == nil {
		address, email := guess()
		a := caller{address: address}.signIn(t, n, email, "not the password")
		told(a.status)
		switch a.status {
		case http.StatusUnauthorized:
		case http.StatusTooManyRequests, http.StatusServiceUnavailable:
			time.Sleep(10 * time.Millisecond) // or the rig, on the same machine, is what is measured
		default:
			t.Errorf("a wrong password was answered %+v", a)
			return
		}
	}
}

// goOn refreshes as an application does, only oftener.
func goOn(ctx context.Context, t *testing.T, u *bystander) {
	for ctx.Err() == nil {
		tokens, err := u.cl.Refresh(context.Background(), u.tokens.RefreshToken)
		if err != nil {
			t.Errorf("refresh during the flood: %v", err)
			return
		}
		u.tokens = tokens
		time.Sleep(20 * time.Millisecond)
	}
}

// askHealth asks for health as a load balancer does.
func askHealth(ctx context.Context, t *testing.T, n *stage.Node, w *witness) {
	lb := http.Client{Timeout: 10 * time.Second, Transport: w}
	for ctx.Err() == nil {
		res, err := lb.Get(n.URL + "/healthz")
		if err != nil {
			t.Errorf("healthz during the flood: %v", err)
			return
		}
		_ = res.Body.Close()
		time.Sleep(20 * time.Millisecond)
	}
}

// patientFor is how long a user in the middle of a flood waits to be signed in.
const patientFor = 15 * time.Second

// comeHome signs in with the right password from a device that the account knows; a client that is told
// to come back later does.
func comeHome(ctx context.Context, t *testing.T, n *stage.Node, email, password, device string) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(time.Second):
	}
	who := caller{address: "198.51.100.2", device: device}
	began := time.Now()
	for {
		a := who.signIn(t, n, email, password)
		switch {
		case a.status == http.StatusOK:
			t.Logf("the right password, from a known device: signed in after %v", time.Since(began).Round(time.Millisecond))
			return
		case a.status != http.StatusServiceUnavailable:
			t.Errorf("the right password, from a known device: %+v", a)
			return
		case time.Since(began) > patientFor:
			t.Errorf("the right password, from a known device: not signed in within %v", patientFor)
			return
		}
		time.Sleep(a.retryAfter)
	}
}

// slowAt is what 99 of 100 requests must stay below on a machine that hashes, and tests, as fast as it can.
const slowAt = time.Second

func served(t *testing.T, w *witness, what, path string) {
	t.Helper()
	all := w.filter(func(sighting) bool { return true }).of(path)
	t.Logf("%s: %v", what, all)
	if len(all) < 20 || all.successes() != len(all) || all.quantile(0.99) > slowAt {
		t.Errorf("%s: want all served, and 99 of 100 within %v", what, slowAt)
	}
}

// resting is what a server holds when nobody calls.
type resting struct {
	memory                  int // KiB
	goroutines, descriptors int
	connections             int // to PostgreSQL
}

// maxConnections is the size of the pool where the URL does not say, and the lanes of joint changes and lookups.
const maxConnections = 16 + 2 + 2

// rest looks at a server without leaving connections of its own.
func rest(t *testing.T, n *stage.Node) (r resting) {
	t.Helper()
	n.HTTP.CloseIdleConnections()
	http.DefaultClient.CloseIdleConnections()
	time.Sleep(200 * time.Millisecond)
	raw := string(n.Body(n.Admin + "/metrics"))
	http.DefaultClient.CloseIdleConnections()
	r.goroutines, r.descriptors = metric(t, raw, "go_goroutines"), metric(t, raw, "process_open_fds")
	r.memory = memory(t, n, "VmRSS")
	if n.Settings["DATABASE_URL"] != "" {
		db := openDatabase(t, n)
		r.connections = int(db.number(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'latchkey'`))
		db.close()
	}
	return r
}

// backToRest waits until nothing is left of the flood. The pool of database connections may have grown to
// its size, and each has a descriptor and a goroutine at most.
func backToRest(t *testing.T, n *stage.Node, before resting) {
	t.Helper()
	var now resting
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); {
		now = rest(t, n)
		grown := now.connections - before.connections
		if now.connections <= maxConnections && now.goroutines <= before.goroutines+grown && now.descriptors <= before.descriptors+grown {
			t.Logf("before: %+v, afterwards: %+v", before, now)
			return
		}
	}
	t.Errorf("before: %+v, afterwards: %+v", before, now)
}

func metric(t *testing.T, text, name string) int {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + ` (\d+)$`).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("/metrics has no %s", name)
	}
	value, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// memory reads a line of /proc/PID/status, in KiB.
func memory(t *testing.T, n *stage.Node, name string) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(raw), name+":")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		t.Fatalf("/proc/PID/status has no %s", name)
	}
	value, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return value
}
