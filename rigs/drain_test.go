package rigs

// SIGTERM: readiness goes first, what is in flight finishes, and what the server had claimed it gives
// back.

import (
	"bufio"
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
		conn, answers := beginSignIn(t, n, body[:10], len(body))

		n.Signal(syscall.SIGTERM)
		awaitStatus(t, n, n.Admin+"/readyz", http.StatusServiceUnavailable)
		if got := n.Status(n.Admin + "/healthz"); got != http.StatusOK {
			t.Errorf("healthz while draining: %d", got)
		}
		await(t, "no new connection is accepted while draining", func() bool {
			another, err := net.DialTimeout("tcp", conn.RemoteAddr().String(), time.Second)
			if err == nil {
				_ = another.Close()
			}
			return err != nil
		})
		time.Sleep(300 * time.Millisecond)
		if !n.Running() {
			t.Fatal("the server did not wait for the request in flight")
		}

		if _, err := conn.Write(body[10:]); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(answers, nil)
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

// beginSignIn sends a sign-in but for the end of its body, and returns when the server is reading that: then it is in
// flight. The server says so to a client that expects it (RFC 9110 §10.1.1).
func beginSignIn(t *testing.T, n *stage.Node, begun []byte, length int) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(n.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(seenWithin)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /auth/signin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", length)
	answers := bufio.NewReader(conn)
	res, err := http.ReadResponse(answers, nil)
	if err != nil || res.StatusCode != http.StatusContinue {
		t.Fatalf("the server does not ask for the body: %v, %v", res, err)
	}
	if _, err := conn.Write(begun); err != nil {
		t.Fatal(err)
	}
	return conn, answers
}

func awaitStatus(t *testing.T, n *stage.Node, url string, want int) {
	t.Helper()
	await(t, fmt.Sprintf("%s answers %d", url, want), func() bool { return n.Status(url) == want })
}

// A server that is stopped in the middle of an SMTP dialogue, at whichever step it is held up, gives the mail
// back: the next one does not wait for the lease to run out.
func TestDrainReturnsMail(t *testing.T) {
	t.Parallel()
	for name, mood := range map[string]stage.Mood{"mute": stage.Mute, "silent": stage.Silent, "tarpit": stage.Tarpit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := stage.NewPost(t)
			p.Be(mood)
			n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
			const mailbox = "ada@example.com"
			id := askForMail(t, n, mailbox)
			awaitMail(t, n, id, "under way", func(m outgoing) bool { return m.Tries == 1 })
			began := time.Now()
			if code := n.Stop(); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("the mail server held the stop up for %v", took)
			}
			p.Be(stage.Cheerful)
			n.Start()
			if _, ok := p.Await(mailbox, 5*time.Second, func(l []stage.Mail) bool { return len(l) == 1 }); !ok {
				t.Error("the mail did not go out within 5 s of the restart")
			}
		})
	}
}

// A request that outlasts the drain is cut off, and the server says so.
func TestDrainEnds(t *testing.T) {
	if stage.Lane(t, true, false, false) {
		t.Skip("takes the full ten seconds of a drain: in the long lane")
	}
	t.Parallel()
	n := stage.StartNode(t, nil)
	beginSignIn(t, n, []byte("{"), 100)
	n.Signal(syscall.SIGTERM)
	if code := n.AwaitExit(14 * time.Second); code == 0 {
		t.Error("exit code 0 although a request was cut off")
	}
}
