package client_test

// What a session does when it refreshes, and what ends it. The rules have the numbers of the package for browsers, which
// keeps to the same ones.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
)

// R1: what is sent is the newest of file and memory.
func TestR1TheNewestTokenIsSent(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, one := n.signedIn(t)
	two := beside(t, app, "two")
	first := readFile(t, app.File)

	n.pass(n.until(t, app.File, time.Minute))
	token := mustToken(t, two)
	if got := mustToken(t, one); got != token || len(n.refreshes("one")) != 0 {
		t.Errorf("what another process has refreshed is not used; %d requests", len(n.refreshes("one")))
	}
	second := readFile(t, app.File)

	writeFile(t, app.File, first) // as by a process that was held up before its last step
	if got := mustToken(t, one); got != token || readFile(t, app.File) != second {
		t.Error("a file that has fallen behind is not written again")
	}
	writeFile(t, app.File, first)
	n.pass(n.until(t, app.File, time.Minute) + 10*time.Minute)
	mustToken(t, one)
	if sent := n.refreshes("one"); len(sent) != 1 || sent[0].form.Get("refresh_token") != second.RefreshToken {
		t.Errorf("sent was %v", sent)
	}
	if mustToken(t, two) != mustToken(t, one) {
		t.Error("the two have different tokens")
	}
}

// R2: the file is read again before each further attempt; a newer token there is used, and nothing is asked.
func TestR2TheFileIsReadBeforeARetry(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]answer{
		"a lost answer":          lost,
		"R6 a 503 of no code":    always(503, "<h1>Service Unavailable</h1>"),
		"R6 a 503 superseded":    always(503, "Use its answer.\n", "X-Latchkey-Code", api.CodeRefreshSuperseded),
		"R6 a 409 superseded":    always(409, `{"code":"refresh_superseded","message":"x"}`),
		"E1 another token there": always(400, `{"error":"invalid_grant"}`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			app, one := n.signedIn(t)
			two := beside(t, app, "two")
			n.pass(n.until(t, app.File, time.Minute))
			var token atomic.Value // written by the server, whose answer may be lost
			n.answers(func(a asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				if a.by == "two" {
					return server()
				}
				got, err := two.Token(soon(t))
				if err != nil {
					t.Error(err)
				}
				token.Store(got)
				return how(a, server)
			})
			if got := mustToken(t, one); got != token.Load() || len(n.refreshes("one")) != 1 {
				t.Errorf("it is not used; %d requests", len(n.refreshes("one")))
			}
		})
	}
}

// R4: one refresh at a time, and each refresh token is answered once at most.
func TestR4OneRefreshForAll(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	for round := range 3 {
		n.pass(n.until(t, app.File, time.Second))
		var all sync.WaitGroup
		tokens := make(chan string, 50)
		for range cap(tokens) {
			all.Go(func() {
				token, err := s.Token(soon(t))
				if err != nil {
					t.Error(err)
				}
				tokens <- token
			})
		}
		all.Wait()
		close(tokens)
		for token := range tokens {
			if token != readFile(t, app.File).AccessToken {
				t.Error("not all are given the new one")
			}
		}
		if got := len(n.refreshes("")); got != round+1 {
			t.Errorf("after round %d: %d requests", round+1, got)
		}
	}
	answeredOnce(t, n)
}

// answeredOnce is R4 for all that a server has seen.
func answeredOnce(t *testing.T, n *node) {
	t.Helper()
	answered := map[[2]string]int{}
	for _, a := range n.refreshes("") {
		if a.status == http.StatusOK {
			answered[[2]string{a.by, a.form.Get("refresh_token")}]++
		}
	}
	for of, times := range answered {
		if times > 1 {
			t.Errorf("%s was answered %d times of one token", of[0], times)
		}
	}
}

// R5: a refresh comes 90 seconds before the end, or a third of the life, less a fifth at most; by the server's clock, which
// its answers tell, or else the token.
func TestR5WhenARefreshComes(t *testing.T) {
	t.Parallel()
	for _, life := range []time.Duration{10 * time.Minute, time.Minute} {
		for _, off := range []time.Duration{-5 * time.Minute, 0, 5 * time.Minute} {
			for dated, tell := range map[string]func(*node){
				"dated":         func(*node) {},
				"undated":       func(n *node) { n.undated = true },
				"dated too far": func(n *node) { n.ahead = 15 * time.Minute }, // by a proxy whose clock is wrong
				"dated too old": func(n *node) { n.ahead = -15 * time.Minute },
			} {
				t.Run(fmt.Sprint(life, " off ", off, " ", dated), func(t *testing.T) {
					t.Parallel()
					n := newNode(t, func(o *auth.Options) { o.AccessTTL = life })
					tell(n)
					n.Clock.Stop()
					n.Clock.Advance(off)
					app, s := n.signedIn(t)
					lead := min(90*time.Second, life/3)
					step := func(before time.Duration, want int) {
						t.Helper()
						n.pass(n.until(t, app.File, before))
						if mustToken(t, s); len(n.refreshes("")) != want {
							t.Errorf("%v before the end it has refreshed %d times, want %d", before, len(n.refreshes("")), want)
						}
					}
					step(lead+3*time.Second, 0)
					step(lead*4/5-4*time.Second, 1)
					step(lead+3*time.Second, 1)
					step(-time.Second, 2) // after it, as when the machine has slept
				})
			}
		}
	}
}

// R5: an answer is waited for 8 seconds; the first retry comes within 5 seconds, and not at once. Meanwhile callers have
// the old token, while it lives.
func TestR5HowLongARefreshMayTake(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first    answer        // nil: there is none
		min, max time.Duration // between the two requests; max has some time for a busy machine
	}{
		"no answer":     {nil, 9 * time.Second, 18 * time.Second},
		"a lost answer": {lost, time.Second, 10 * time.Second},
		"Retry-After":   {always(503, "Later.\n", "Retry-After", "6", "X-Latchkey-Code", "unavailable"), 6 * time.Second, 11 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			app, s := n.signedIn(t)
			first := mustToken(t, s)
			n.pass(n.until(t, app.File, 50*time.Second))
			over := make(chan struct{})
			t.Cleanup(func() { close(over) })
			n.answers(func(a asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				switch {
				case len(n.refreshes("")) > 1:
					return server()
				case tt.first == nil:
					<-over
					return nil
				default:
					return tt.first(a, server)
				}
			})
			hurried, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if got, err := s.Token(hurried); got != first || err != nil {
				t.Errorf("who cannot wait is given %v", err)
			}
			if mustToken(t, s) == first {
				t.Error("who waits is given the old token")
			}
			sent := n.refreshes("")
			if len(sent) != 2 {
				t.Fatalf("%d requests", len(sent))
			}
			if between := sent[1].at.Sub(sent[0].at); between < tt.min || between > tt.max {
				t.Errorf("the second request came %v after the first", between)
			}
			answeredOnce(t, n)
		})
	}
}

// R5: when two attempts have failed callers are answered, and what follows comes after longer and longer pauses.
func TestR5AServerThatIsAway(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	first := mustToken(t, s)
	n.pass(n.until(t, app.File, 20*time.Second))
	n.answers(always(503, "<h1>Service Unavailable</h1>"))
	if got := mustToken(t, s); got != first || len(n.refreshes("")) != 2 {
		t.Errorf("while the old token lives: %d requests", len(n.refreshes("")))
	}
	n.pass(30 * time.Second)
	for range 20 {
		if _, err := s.Token(soon(t)); errors.Is(err, client.ErrSignedOut) || client.CodeOf(err) != "unknown" {
			t.Fatalf("when it has run out: %v", err)
		}
	}
	if got := len(n.refreshes("")); got > 3 {
		t.Errorf("20 calls at once: %d requests", got)
	}
	n.answers(nil)
	for end := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		if _, err := s.Token(soon(t)); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it never tries again")
		}
	}
}

// Who waits for a further attempt learns at once that another process has signed out, or refreshed.
func TestAPauseEndsWithTheNeed(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(t *testing.T, two *client.Session){
		"signed out": func(t *testing.T, two *client.Session) {
			if err := two.SignOut(soon(t)); err != nil {
				t.Error(err)
			}
		},
		"refreshed": func(t *testing.T, two *client.Session) { mustToken(t, two) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNode(t)
			app, one := n.signedIn(t)
			two := beside(t, app, "two")
			n.pass(n.until(t, app.File, 0))
			asked := make(chan struct{}, 1)
			n.answers(func(a asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				if a.by == "two" {
					return server()
				}
				asked <- struct{}{}
				return instead(503, "Later.\n", "Retry-After", "60", "X-Latchkey-Code", "unavailable")
			})
			var other sync.WaitGroup
			defer other.Wait() // what it is about to say is this test's
			other.Go(func() {
				select {
				case <-asked:
					meanwhile(t, two)
				case <-soon(t).Done():
					t.Error("nobody asks")
				}
			})
			began := time.Now()
			token, err := one.Token(context.Background())
			if took := time.Since(began); took > 40*time.Second {
				t.Errorf("it takes %v", took)
			}
			if name == "refreshed" && (err != nil || token != mustToken(t, two)) || name == "signed out" && !errors.Is(err, client.ErrSignedOut) {
				t.Errorf("%v", err)
			}
		})
	}
}

// A clock that is set back does not keep a token that has run out.
func TestAClockThatIsSetBack(t *testing.T) {
	t.Parallel()
	n := newNode(t, func(o *auth.Options) { o.AccessTTL = 3 * time.Second })
	_, s := n.signedIn(t)
	first := mustToken(t, s)
	n.jump(-5 * time.Minute)
	for end := time.Now().Add(30 * time.Second); mustToken(t, s) == first; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the old token is still given")
		}
	}
}

// R6: a token that the server has called superseded is never sent again. It is no sign-out: callers have the old access
// token, and then an error, until another process has written what it was given.
func TestR6ASupersededTokenIsNeverSentAgain(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	old := readFile(t, app.File)
	var newest api.AppTokens
	for sent := old.RefreshToken; len(n.refreshes("")) < 2; sent = newest.RefreshToken {
		var err error
		if newest, err = client.New(n.issuer, calledBy(t, "two")).RefreshApp(t.Context(), api.RefreshTokenRequest{ClientID: "cli", RefreshToken: sent}); err != nil {
			t.Fatal(err)
		}
	}
	n.jump(n.until(t, app.File, 20*time.Second))
	if got := mustToken(t, s); got != old.AccessToken {
		t.Error("while the old token lives it is not given")
	}
	n.jump(time.Minute)
	for end := time.Now().Add(12 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // longer than the pauses
		if _, err := s.Token(soon(t)); client.CodeOf(err) != api.CodeRefreshSuperseded {
			t.Fatalf("when it has run out: %v", err)
		}
	}
	if got := n.refreshes("one"); len(got) != 1 || got[0].status != http.StatusServiceUnavailable {
		t.Errorf("it was sent %d times", len(got))
	}
	given := old
	given.RefreshToken, given.AccessToken, given.EndsAt = newest.RefreshToken, newest.AccessToken, old.EndsAt+time.Hour.Milliseconds()
	writeFile(t, app.File, given)
	if got := mustToken(t, s); got != newest.AccessToken {
		t.Error("what another process was given is not used")
	}
}

// R9: an absent file is no sign-out, and is there again after the next refresh.
func TestR9AnAbsentFileIsNoSignOut(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	if err := os.Remove(app.File); err != nil {
		t.Fatal(err)
	}
	mustToken(t, s)
	n.pass(9 * time.Minute)
	if token := mustToken(t, s); readFile(t, app.File).AccessToken != token {
		t.Error("the file has another token")
	}
}

// R10: of one session the higher generation wins, and of one generation the token that lives longer. R12: nothing newer
// or other is overwritten after an answer.
func TestR10R12NothingNewerIsOverwritten(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	for name, meanwhile := range map[string]func(own kept) kept{
		"a higher generation": func(k kept) kept { k.RefreshToken = altered(t, k.RefreshToken, "gen", 99); return k },
		"a longer life": func(k kept) kept {
			k.RefreshToken = altered(t, k.RefreshToken, "gen", 2)
			k.EndsAt += time.Hour.Milliseconds()
			return k
		},
		"another session of hers": func(kept) kept {
			app, _ := n.signedIn(t)
			return readFile(t, app.File)
		},
	} {
		t.Run(name, func(t *testing.T) {
			n.answers(nil)
			app, s := n.signedIn(t)
			theirs := meanwhile(readFile(t, app.File))
			theirs.EndsAt += time.Hour.Milliseconds() // it is not to be refreshed
			n.answers(func(_ asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
				writeFile(t, app.File, theirs)
				return server()
			})
			n.jump(n.until(t, app.File, time.Minute))
			if got := mustToken(t, s); got != theirs.AccessToken || readFile(t, app.File) != theirs {
				t.Error("it is overwritten")
			}
		})
	}
}

// R10: of two tokens of one generation, as two processes are given that ask together, the one that lives longer.
func TestR10OfOneGenerationTheLongerLife(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	own := readFile(t, app.File)
	other := own
	other.AccessToken, other.EndsAt = altered(t, own.AccessToken, "jti", "another"), own.EndsAt-1
	writeFile(t, app.File, other)
	if mustToken(t, s) != own.AccessToken || readFile(t, app.File) != own {
		t.Error("the one that lives shorter is taken")
	}
	other.EndsAt = own.EndsAt + 1
	writeFile(t, app.File, other)
	if mustToken(t, s) != other.AccessToken || readFile(t, app.File) != other {
		t.Error("the one that lives longer is not taken")
	}
}

// Another person's sign-in with the same file ends the session of the first, who never gets the other's token, and whose
// answer under way overwrites nothing. The other's session is not signed out by the first.
func TestR3AnotherPersonSignsIn(t *testing.T) {
	t.Parallel()
	for _, underWay := range []bool{false, true} {
		t.Run(fmt.Sprint("a refresh is under way: ", underWay), func(t *testing.T) {
			n := newNode(t)
			app, s := n.signedIn(t)
			other := n.app(t, newPerson(t, grace))
			mustStart(t, other)
			theirs := readFile(t, other.File)
			if underWay {
				n.pass(n.until(t, app.File, time.Minute))
				n.answers(func(_ asking, server func() *httptest.ResponseRecorder) *httptest.ResponseRecorder {
					writeFile(t, app.File, theirs)
					return server()
				})
			} else {
				writeFile(t, app.File, theirs)
			}
			if token, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) || token != "" {
				t.Errorf("%v", err)
			}
			if err := s.SignOut(soon(t)); err != nil {
				t.Error(err)
			}
			if readFile(t, app.File) != theirs {
				t.Error("the other's session is gone")
			}
		})
	}
}

// Another client writes to the file of a session: that goes on in memory, and neither a refresh nor a sign-out touches what
// is there.
func TestAnotherClientTakesTheFile(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	theirs := readFile(t, app.File)
	theirs.ClientID = "other"
	writeFile(t, app.File, theirs)
	n.pass(9 * time.Minute)
	if n.whose(t, mustToken(t, s)) != ada || len(n.refreshes("")) != 1 {
		t.Error("it does not go on")
	}
	if err := s.SignOut(soon(t)); err != nil {
		t.Errorf("the sign-out: %v", err)
	}
	if readFile(t, app.File) != theirs {
		t.Error("their session is overwritten")
	}
}

// The same person's next sign-in is followed.
func TestTheSamePersonSignsInAgain(t *testing.T) {
	t.Parallel()
	n := newNode(t)
	app, s := n.signedIn(t)
	if err := beside(t, app, "two").SignOut(soon(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Token(soon(t)); !errors.Is(err, client.ErrSignedOut) {
		t.Fatalf("%v", err)
	}
	app.Open = newPerson(t, ada).open
	token := mustToken(t, mustStart(t, app))
	if mustToken(t, s) != token {
		t.Error("it has another token")
	}
}
