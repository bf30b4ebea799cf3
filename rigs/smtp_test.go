package rigs

// The mail server is away, mute, busy, strict or forgetful: no request notices, no mail is lost, and no
// address holds up another's mail.

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/rigs/stage"
)

// asked is what one phase of an outage measured and asked for.
type asked struct {
	took      map[string][]time.Duration // by request
	mailboxes []string
}

func TestSMTPOutage(t *testing.T) {
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
	cl, ctx := n.Client(), context.Background()
	const email, password = "ada@example.com", "correct horse battery staple"
	member(t, cl, p, email, password)
	session := signIn(t, cl, email, password)

	round := 0
	phase := func(samples int) asked {
		a := asked{took: map[string][]time.Duration{}}
		timed := func(name string, do func() error) {
			began := time.Now()
			if err := do(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			a.took[name] = append(a.took[name], time.Since(began))
		}
		for range samples {
			round++
			mailbox := fmt.Sprintf("user%d@example.com", round)
			a.mailboxes = append(a.mailboxes, mailbox)
			timed("forgot-password", func() error {
				_, err := cl.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: email})
				return err
			})
			timed("verification-mail", func() error {
				return cl.RequestVerification(ctx, api.VerificationMailRequest{Email: mailbox})
			})
			timed("sign-in", func() error {
				_, err := cl.SignIn(ctx, api.SignInRequest{Email: email, Password: password})
				return err
			})
			timed("refresh", func() (err error) {
				session, err = cl.Refresh(ctx, session.RefreshToken)
				return err
			})
		}
		return a
	}

	samples := stage.Lane(t, 40, 200, 2000)
	phase(10) // the first requests of a process are not like the others
	normal := phase(samples)
	var outages []asked
	for _, mood := range []stage.Mood{stage.Away, stage.Mute, stage.Forgetful} {
		p.Be(mood)
		outages = append(outages, phase(samples))
		time.Sleep(stage.Lane(t, 500*time.Millisecond, 8*time.Second, time.Minute))
	}
	p.Be(stage.Cheerful)
	for _, name := range []string{"forgot-password", "verification-mail", "sign-in", "refresh"} {
		usual := median(normal.took[name])
		t.Logf("%-18s median %v while mail flows; %v away, %v mute, %v forgetful", name, usual,
			median(outages[0].took[name]), median(outages[1].took[name]), median(outages[2].took[name]))
		for _, o := range outages {
			if got := median(o.took[name]); got > 3*usual+20*time.Millisecond {
				t.Errorf("%s: median %v during an outage, %v before", name, got, usual)
			}
		}
	}
	allArrive(t, p, append(outages, normal))
}

// allArrive: every mail asked for arrives once the post is back; a repeat is the very same mail.
func allArrive(t *testing.T, p *stage.Post, phases []asked) {
	t.Helper()
	back, repeats, count := time.Now(), 0, 0
	patience := stage.Lane(t, 30*time.Second, 3*time.Minute, 20*time.Minute)
	for _, phase := range phases {
		for _, mailbox := range phase.mailboxes {
			mails, ok := p.Await(mailbox, patience, func(l []stage.Mail) bool { return len(l) > 0 })
			if !ok {
				t.Errorf("no mail to %s although the post is back", mailbox)
				continue
			}
			count++
			repeats += len(mails) - 1
			for _, again := range mails[1:] {
				if again.MessageID != mails[0].MessageID || again.Code(verifyPage) != mails[0].Code(verifyPage) {
					t.Errorf("the repeat to %s has another Message-ID or link: %s, %s", mailbox, mails[0].MessageID, again.MessageID)
				}
			}
		}
	}
	t.Logf("%d mails arrived, the last %.1f s after the post was back; %d repeats with the same Message-ID", count, time.Since(back).Seconds(), repeats)
}

// A mail whose acceptance was never heard of is sent again, and its repeat is the same mail.
func TestSMTPForgets(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
	p.Be(stage.Forgetful)
	const mailbox = "ada@example.com"
	if err := n.Client().RequestVerification(context.Background(), api.VerificationMailRequest{Email: mailbox}); err != nil {
		t.Fatal(err)
	}
	if _, ok := p.Await(mailbox, 10*time.Second, func(l []stage.Mail) bool { return len(l) == 1 }); !ok {
		t.Fatal("no first try")
	}
	p.Be(stage.Cheerful)
	mails, ok := p.Await(mailbox, 15*time.Second, func(l []stage.Mail) bool { return len(l) > 1 })
	if !ok {
		t.Fatal("no second try")
	}
	if bodyOf(mails[0]) != bodyOf(mails[1]) {
		t.Errorf("the second try is another mail:\n%s\n%s", mails[0].Raw, mails[1].Raw)
	}
	if err := n.Client().VerifyEmail(context.Background(), mailbox, mails[0].Code(verifyPage)); err != nil {
		t.Errorf("the link of the mail that was sent twice: %v", err)
	}
}

// outgoing is an outbox row, as `latchkey mail show --json` prints it.
type outgoing struct {
	ID, State, LastError string
	Tries                int
	NextTryAt            time.Time
}

// askForMail asks for a verification mail and returns its row's id.
func askForMail(t *testing.T, n *stage.Node, mailbox string) (id string) {
	t.Helper()
	if err := n.Client().RequestVerification(context.Background(), api.VerificationMailRequest{Email: mailbox}); err != nil {
		t.Fatal(err)
	}
	var newest []outgoing
	if err := json.Unmarshal([]byte(n.Must("", "mail", "list", "--limit", "1", "--json")), &newest); err != nil || len(newest) != 1 {
		t.Fatalf("the outbox has %v: %v", newest, err)
	}
	return newest[0].ID
}

// awaitMail waits until a row of the outbox is as it should be.
func awaitMail(t *testing.T, n *stage.Node, id, what string, done func(outgoing) bool) (m outgoing) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err := json.Unmarshal([]byte(n.Must("", "mail", "show", "--id", id, "--json")), &m); err != nil {
			t.Fatal(err)
		}
		if done(m) {
			return m
		}
	}
	t.Fatalf("want a mail that is %s, not %+v", what, m)
	return m
}

func isIn(state string) func(outgoing) bool { return func(m outgoing) bool { return m.State == state } }

// A 4xx is tried again and arrives, and so is a 5xx that speaks of us; one that speaks of the recipient is final,
// says why, and can be taken back by an operator.
func TestSMTPRefuses(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
	p.Be(stage.Busy)
	asked := time.Now()
	id := askForMail(t, n, "ada@example.com")
	m := awaitMail(t, n, id, "tried", func(m outgoing) bool { return m.LastError != "" })
	if m.State != "waiting" || m.Tries != 1 || !strings.Contains(m.LastError, "451") || m.NextTryAt.Sub(asked) < 3*time.Second {
		t.Errorf("after a 451: %+v", m)
	}
	p.Be(stage.Cheerful)
	if m := awaitMail(t, n, id, "sent", isIn("sent")); m.Tries != 2 || len(p.To("ada@example.com")) != 1 {
		t.Errorf("after a 451 and a 250: %+v, %d mails", m, len(p.To("ada@example.com")))
	}

	p.Treat("nobody@example.com", stage.Strict)
	id = askForMail(t, n, "nobody@example.com")
	m = awaitMail(t, n, id, "refused", isIn("refused"))
	if m.Tries != 1 || !strings.Contains(m.LastError, "550") || len(p.To("nobody@example.com")) != 0 {
		t.Errorf("after a 550: %+v", m)
	}
	p.Treat("nobody@example.com", stage.Cheerful)
	n.Must("", "mail", "retry", "--id", id)
	if m = awaitMail(t, n, id, "sent", isIn("sent")); m.Tries != 2 || len(p.To("nobody@example.com")) != 1 {
		t.Errorf("revived: %+v", m)
	}

	p.Be(stage.Averse)
	id = askForMail(t, n, "cyd@example.com")
	m = awaitMail(t, n, id, "tried", func(m outgoing) bool { return m.LastError != "" })
	if m.State != "waiting" || !strings.Contains(m.LastError, "MAIL: 553") {
		t.Errorf("after a 553 to MAIL: %+v", m)
	}
	p.Be(stage.Cheerful)
	awaitMail(t, n, id, "sent", isIn("sent"))
}

// One address that the mail server always refuses, one it always puts off and one that hangs: everybody
// else's mail flows as if they were not there.
func TestSMTPPoison(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
	poison := map[stage.Mood]string{stage.Strict: "strict@example.com", stage.Busy: "busy@example.com", stage.Mute: "mute@example.com"}
	rows := map[stage.Mood]string{}
	for mood, mailbox := range poison {
		p.Treat(mailbox, mood)
		rows[mood] = askForMail(t, n, mailbox)
	}
	for i := range stage.Lane(t, 20, 100, 400) {
		mailbox := fmt.Sprintf("user%d@example.com", i)
		asked := time.Now()
		if err := n.Client().RequestVerification(context.Background(), api.VerificationMailRequest{Email: mailbox}); err != nil {
			t.Fatal(err)
		}
		if _, ok := p.Await(mailbox, 4*time.Second, func(l []stage.Mail) bool { return len(l) > 0 }); !ok {
			t.Fatalf("no mail to %s within %v", mailbox, time.Since(asked))
		}
	}
	awaitMail(t, n, rows[stage.Strict], "refused", isIn("refused"))
	for _, mood := range []stage.Mood{stage.Busy, stage.Mute} {
		awaitMail(t, n, rows[mood], "waiting", isIn("waiting"))
		p.Treat(poison[mood], stage.Cheerful)
	}
	p.Be(stage.Cheerful) // whoever hangs is cut off
	for _, mood := range []stage.Mood{stage.Busy, stage.Mute} {
		n.Command("", "mail", "retry", "--id", rows[mood]) // it may be under way
		awaitMail(t, n, rows[mood], "sent", isIn("sent"))
	}
}

// The mail servers of some domains are slow, and many mails are asked for to each. Everybody else's mail
// arrives within seconds all the while, none is lost, and a domain that recovers is served again.
func TestSMTPSlowDomains(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		domains []string
		each    int
		settle  time.Duration // until it is known that they are slow
	}{
		{"one", []string{"slow.example"}, 16, 0},
		{"one, by many of its hosts", []string{"a.slow.example", "b.slow.example", "c.slow.example", "slow.example"}, 4, 0},
		{"several", []string{"slow1.example", "slow2.example", "slow3.example"}, 5, 22 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.settle > 0 && !stage.Lane(t, false, true, true) {
				t.Skip("takes as long as it takes to know that they are slow: in the long and soak lanes")
			}
			t.Parallel()
			p := stage.NewPost(t)
			n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
			var slow []string
			for _, domain := range tt.domains {
				p.Treat("@"+domain, stage.Slow)
				for i := range tt.each {
					slow = append(slow, fmt.Sprintf("user%d@%s", i, domain))
				}
			}
			for _, mailbox := range slow {
				ask(t, n, mailbox)
			}
			othersArrive(t, n, p, time.Now(), tt.settle)
			for _, domain := range tt.domains {
				p.Treat("@"+domain, stage.Cheerful)
			}
			p.Be(stage.Cheerful) // whoever is kept waiting is cut off
			for _, mailbox := range slow {
				if _, ok := p.Await(mailbox, 90*time.Second, func(l []stage.Mail) bool { return len(l) > 0 }); !ok {
					t.Errorf("no mail to %s although its domain has recovered", mailbox)
				}
			}
		})
	}
}

// A domain that puts every mail off at first costs nobody else anything, and gets its mails.
func TestSMTPGreylisting(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{"SMTP_URL": p.URL()})
	p.Treat("@grey.example", stage.Busy)
	var grey []string
	for i := range 16 {
		grey = append(grey, fmt.Sprintf("user%d@grey.example", i))
		ask(t, n, grey[i])
	}
	othersArrive(t, n, p, time.Now(), 0)
	p.Treat("@grey.example", stage.Cheerful)
	for _, mailbox := range grey {
		if _, ok := p.Await(mailbox, 60*time.Second, func(l []stage.Mail) bool { return len(l) > 0 }); !ok {
			t.Errorf("no mail to %s", mailbox)
		}
	}
}

// othersArrive asks for mail to other domains, for a while after the slow ones are known, and wants each mail within seconds.
func othersArrive(t *testing.T, n *stage.Node, p *stage.Post, began time.Time, settle time.Duration) {
	t.Helper()
	var longest time.Duration
	count := 0
	watched := settle + stage.Lane(t, 8*time.Second, 20*time.Second, time.Minute)
	for i := 0; time.Since(began) < watched; i++ {
		mailbox := fmt.Sprintf("user%d@other%d.example", i, i%3)
		asked := time.Now()
		ask(t, n, mailbox)
		patience := 5*time.Second + max(0, settle-asked.Sub(began))
		if _, ok := p.Await(mailbox, patience, func(l []stage.Mail) bool { return len(l) > 0 }); !ok {
			t.Fatalf("%v after the slow ones were asked for, a mail to %s did not arrive within %v", asked.Sub(began).Round(time.Second), mailbox, time.Since(asked))
		}
		took := time.Since(asked)
		if asked.Sub(began) > settle {
			longest = max(longest, took)
		}
		count++
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("%d mails of others, the longest %v under way", count, longest.Round(time.Millisecond))
}

func ask(t *testing.T, n *stage.Node, mailbox string) {
	t.Helper()
	if err := n.Client().RequestVerification(context.Background(), api.VerificationMailRequest{Email: mailbox}); err != nil {
		t.Fatal(err)
	}
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
