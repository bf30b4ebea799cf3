package rigs

// Forty wrong passwords at once from forty addresses, on two nodes: the limit holds for both together,
// a kill lowers nothing, and the owner is neither locked out nor kept from a reset (I8).

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/rigs/stage"
)

const (
	freeGuesses    = 5 // wrong passwords in a row before the first wait
	permitsPerNode = 1
)

// burst sends wrong passwords from as many addresses, on all nodes in turn, and returns how many were
// evaluated.
func burst(t *testing.T, nodes []*stage.Node, email string, guesses int) (evaluated int) {
	t.Helper()
	began := time.Now()
	answers := make([]answer, guesses)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			who := caller{address: fmt.Sprintf("192.0.2.%d", 1+i)}
			answers[i] = who.signIn(t, nodes[i%len(nodes)], email, fmt.Sprintf("wrong password %d", i))
		})
	}
	all.Wait()
	took := time.Since(began)
	for _, a := range answers {
		switch {
		case a.status == http.StatusUnauthorized && a.code == "invalid_credentials":
			evaluated++
		case a.status != http.StatusTooManyRequests || a.retryAfter < time.Second:
			t.Errorf("a wrong password was answered %+v; want 401, or 429 with Retry-After", a)
		}
	}
	// A burst that takes longer than a wait meets the next window.
	windows, wait := 1, time.Second
	for left := took; left >= wait; left, wait = left-wait, 2*wait {
		windows++
	}
	most := freeGuesses + windows*permitsPerNode*len(nodes)
	t.Logf("%d guesses on %s in %v: %d evaluated, at most %d may be", guesses, email, took.Round(time.Millisecond), evaluated, most)
	if evaluated > most {
		t.Errorf("%d guesses were evaluated, want at most %d", evaluated, most)
	}
	return evaluated
}

// besiege sends bursts until one leaves time to look before the wait is over, which doubles from burst to burst, and
// returns how many guesses were evaluated in all. look says whether the right password was kept out.
func besiege(t *testing.T, nodes []*stage.Node, email string, look func() (keptOut bool)) (evaluated int) {
	t.Helper()
	for range 5 {
		began := time.Now()
		evaluated += burst(t, nodes, email, 40)
		if evaluated <= freeGuesses {
			t.Errorf("%d guesses were evaluated, want more than the %d that are free", evaluated, freeGuesses)
		}
		if look() {
			return evaluated
		}
		if time.Since(began) < time.Second {
			t.Fatal("the right password was let in before the first wait can have been over")
		}
	}
	t.Fatal("this machine is too busy to look within a second")
	return 0
}

func TestGuessesAtOnce(t *testing.T) {
	t.Parallel()
	p, url := stage.NewPost(t), postgres(t)
	nodes := make([]*stage.Node, 2)
	for i := range nodes {
		nodes[i] = stage.StartNode(t, stage.Settings{
			"DATABASE_URL": url, "SMTP_URL": p.URL(), "PUBLIC_URL": "http://localhost:8080", "HASH_WORKERS": fmt.Sprint(permitsPerNode),
		})
	}
	const password = "correct horse battery staple"
	const owner, loser = "ada@example.com", "grace@example.com"
	home := caller{address: "198.51.100.1"}
	for _, email := range []string{owner, loser} {
		member(t, nodes[0].Client(), p, email, password)
	}
	known := home.signIn(t, nodes[0], owner, password)
	if known.status != http.StatusOK || known.device == "" {
		t.Fatalf("sign in: %+v", known)
	}

	t.Run("the owner", func(t *testing.T) { theOwner(t, nodes, owner, password, known.device) })
	t.Run("a reset", func(t *testing.T) { theReset(t, nodes, p, loser, password) })
}

// theOwner: the right password has to wait like any other, on both nodes and after a kill of both; from a
// device that the account knows it works at once.
func theOwner(t *testing.T, nodes []*stage.Node, email, password, device string) {
	stranger, atHome := caller{address: "203.0.113.7"}, caller{address: "203.0.113.7", device: device}
	var wait time.Duration
	evaluated := besiege(t, nodes, email, func() bool {
		for _, n := range nodes {
			var keptOut bool
			if wait, keptOut = knock(t, n, stranger, email, password); !keptOut {
				return false
			}
			if a := atHome.signIn(t, n, email, password); a.status != http.StatusOK {
				t.Errorf("from a known device: %+v", a)
			}
		}
		_, keptOut := knock(t, nodes[0], stranger, email, password) // the device's success is the device's alone
		return keptOut
	})
	db := openDatabase(t, nodes[0])
	mustCount := func(when string) {
		if got := db.number(`SELECT coalesce(max(failures), 0) FROM attempts`); got != int64(evaluated) {
			t.Errorf("%s %d passwords are counted, and %d were evaluated", when, got, evaluated)
		}
	}
	mustCount("before the kill")
	for _, n := range nodes {
		n.Kill()
	}
	for _, n := range nodes {
		n.Start()
	}
	mustCount("after the kill")
	if a := atHome.signIn(t, nodes[0], email, password); a.status != http.StatusOK {
		t.Errorf("from a known device, after the kill: %+v", a)
	}
	if a := patiently(t, nodes[0], stranger, email, "wrong once more"); a.status != http.StatusUnauthorized {
		t.Fatalf("a wrong password after the wait: %+v", a)
	}
	// Had the kill lowered the count, that one would have been free.
	longer, keptOut := knock(t, nodes[1], stranger, email, password)
	if !keptOut {
		t.Fatal("after a kill and one more wrong password the right one is let in at once")
	}
	t.Logf("the right password had to wait %v, and %v after one more wrong one", wait, longer)
	if a := patiently(t, nodes[0], stranger, email, password); a.status != http.StatusOK {
		t.Errorf("the right password after the wait: %+v", a)
	}
}

// knock tries the right password: it is kept out with 429 and told for how long, or it is let in.
func knock(t *testing.T, on *stage.Node, who caller, email, password string) (wait time.Duration, keptOut bool) {
	t.Helper()
	a := who.signIn(t, on, email, password)
	if a.status != http.StatusOK && (a.status != http.StatusTooManyRequests || a.retryAfter < time.Second) {
		t.Fatalf("the right password before the wait was over: %+v; want 429 with Retry-After", a)
	}
	return a.retryAfter, a.status != http.StatusOK
}

// patiently signs in as a client does that comes back when it is told to. Nodes agree on the time only as
// well as they could measure it, so the end of a wait may be a moment off.
func patiently(t *testing.T, on *stage.Node, who caller, email, password string) (a answer) {
	t.Helper()
	for range 3 {
		if a = who.signIn(t, on, email, password); a.status != http.StatusTooManyRequests {
			break
		}
		time.Sleep(a.retryAfter)
	}
	return a
}

// theReset: whoever has the mailbox gets in, whatever strangers do meanwhile.
func theReset(t *testing.T, nodes []*stage.Node, p *stage.Post, email, password string) {
	stranger := caller{address: "203.0.113.7"}
	besiege(t, nodes, email, func() bool {
		_, keptOut := knock(t, nodes[1], stranger, email, password)
		return keptOut
	})
	if _, err := nodes[1].Client().ForgotPassword(context.Background(), api.ForgotPasswordRequest{Email: email}); err != nil {
		t.Fatalf("ask for a reset while strangers guess: %v", err)
	}
	code := p.AwaitCode(email, resetPage, "", 20*time.Second)
	burst(t, nodes, email, 40)
	const fresh = "a staple of correct batteries"
	reset := stranger.post(t, nodes[1], "/auth/password-reset/"+email, api.PasswordResetRequest{Password: fresh, Token: code})
	if reset.status != http.StatusOK {
		t.Fatalf("reset while strangers guess: %+v", reset)
	}
	stranger.device = reset.device // a browser keeps it
	for _, n := range nodes {
		if a := stranger.signIn(t, n, email, fresh); a.status != http.StatusOK {
			t.Errorf("the new password, from where the reset was made: %+v", a)
		}
	}
	time.Sleep(time.Second) // for so long a node may repeat a "no" from memory
	if a := (caller{address: "203.0.113.9"}).signIn(t, nodes[0], email, fresh); a.status != http.StatusOK {
		t.Errorf("the new password, from elsewhere: %+v", a)
	}
}
