package rigs

// SIGTERM: readiness goes first, what is in flight finishes, and what the server had claimed it gives
// back.

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"latchkey/api"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, databaseURL string) {
		p := newPost(t)
		n := startNode(t, settings{"DATABASE_URL": databaseURL, "SMTP_URL": p.URL()})
		const email, password = "ada@example.com", "correct horse battery staple"
		member(t, n.client(), p, email, password)

		// Half a sign-in is under way.
		body, err := json.Marshal(api.SignInRequest{Email: email, Password: password})
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", strings.TrimPrefix(n.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST /auth/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:10])
		time.Sleep(100 * time.Millisecond) // until the server has seen it

		n.signal(syscall.SIGTERM)
		awaitStatus(t, n, n.Admin+"/readyz", http.StatusServiceUnavailable)
		if got := n.status(n.Admin + "/healthz"); got != http.StatusOK {
			t.Errorf("healthz while draining: %d", got)
		}
		time.Sleep(300 * time.Millisecond)
		if !n.running() {
			t.Fatal("the server did not wait for the request in flight")
		}
		if _, err := net.DialTimeout("tcp", conn.RemoteAddr().String(), time.Second); err == nil {
			t.Error("a new connection was accepted while draining")
		}

		if _, err := conn.Write(body[10:]); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("the request in flight was not answered: %v", err)
		}
		defer res.Body.Close()
		var answer api.Response[api.Tokens]
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK || !res.Close {
			t.Errorf("the request in flight: status %d, close %t, %v", res.StatusCode, res.Close, err)
		}
		if code := n.awaitExit(10 * time.Second); code != 0 {
			t.Errorf("exit code %d after a drain", code)
		}
		if said := errorsIn(t, n.log()); len(said) > 0 {
			t.Errorf("a drain is nothing to complain of: %q", said)
		}
		n.start()
		if !alive(t, n.client(), answer.Data.AccessToken) {
			t.Error("the session made while draining is dead after the restart")
		}
	})
}

func awaitStatus(t *testing.T, n *node, url string, want int) {
	t.Helper()
	got := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = n.status(url); got == want {
			return
		}
	}
	t.Fatalf("%s: status %d, want %d", url, got, want)
}

// A server that is stopped in the middle of an SMTP dialogue gives the mail back: the next one does not
// wait for the lease to run out.
func TestDrainReturnsMail(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.be(mute)
	n := startNode(t, settings{"SMTP_URL": p.URL()})
	const mailbox = "ada@example.com"
	if err := n.client().RequestVerification(context.Background(), api.VerificationMailRequest{Email: mailbox}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // the dialogue has begun
	began := time.Now()
	if code := n.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the mute mail server held the stop up for %v", took)
	}
	p.be(cheerful)
	n.start()
	if _, ok := p.await(mailbox, 5*time.Second, func(l []envelope) bool { return len(l) == 1 }); !ok {
		t.Error("the mail did not go out within 5 s of the restart")
	}
}

// A request that outlasts the drain is cut off, and the server says so.
func TestDrainEnds(t *testing.T) {
	if lane(t, true, false, false) {
		t.Skip("takes the full ten seconds of a drain: in the long lane")
	}
	t.Parallel()
	n := startNode(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /auth/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	time.Sleep(100 * time.Millisecond)
	n.signal(syscall.SIGTERM)
	if code := n.awaitExit(14 * time.Second); code == 0 {
		t.Error("exit code 0 although a request was cut off")
	}
}
