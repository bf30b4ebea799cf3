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
	"latchkey/rigs/stage"
)

func TestDrain(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, databaseURL string) {
		p := stage.NewPost(t)
		n := stage.StartNode(t, stage.Settings{"DATABASE_URL": databaseURL, "SMTP_URL": p.URL()})
		const email, password = "ada@example.com", "correct horse battery staple"
		member(t, n.Client(), p, email, password)

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

		n.Signal(syscall.SIGTERM)
		awaitStatus(t, n, n.Admin+"/readyz", http.StatusServiceUnavailable)
		if got := n.Status(n.Admin + "/healthz"); got != http.StatusOK {
			t.Errorf("healthz while draining: %d", got)
		}
		time.Sleep(300 * time.Millisecond)
		if !n.Running() {
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
		if code := n.AwaitExit(10 * time.Second); code != 0 {
			t.Errorf("exit code %d after a drain", code)
		}
		if said := errorsIn(t, n.Log()); len(said) > 0 {
			t.Errorf("a drain is nothing to complain of: %q", said)
		}
		n.Start()
		if !alive(t, n.Client(), answer.Data.AccessToken) {
			t.Error("the session made while draining is dead after the restart")
		}
	})
}

func awaitStatus(t *testing.T, n *stage.Node, url string, want int) {
	t.Helper()
	got := 0
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = n.Status(url); got == want {
			return
		}
	}
	t.Fatalf("%s: status %d, want %d", url, got, want)
}

// A server that is stopped in the middle of an SMTP dialogue gives the mail back: the next one does not
// wait for the lease to run out.
func TestDrainReturnsMail(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	p.Be(stage.Mute)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
	const mailbox = "ada@example.com"
	if err := n.Client().RequestVerification(context.Background(), api.VerificationMailRequest{Email: mailbox}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // the dialogue has begun
	began := time.Now()
	if code := n.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the mute mail server held the stop up for %v", took)
	}
	p.Be(stage.Cheerful)
	n.Start()
	if _, ok := p.Await(mailbox, 5*time.Second, func(l []stage.Letter) bool { return len(l) == 1 }); !ok {
		t.Error("the mail did not go out within 5 s of the restart")
	}
}

// A request that outlasts the drain is cut off, and the server says so.
func TestDrainEnds(t *testing.T) {
	if lane(t, true, false, false) {
		t.Skip("takes the full ten seconds of a drain: in the long lane")
	}
	t.Parallel()
	n := stage.StartNode(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /auth/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")
	time.Sleep(100 * time.Millisecond)
	n.Signal(syscall.SIGTERM)
	if code := n.AwaitExit(14 * time.Second); code == 0 {
		t.Error("exit code 0 although a request was cut off")
	}
}
