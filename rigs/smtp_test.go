package rigs

// The mail server is away, mute or forgetful: no request notices, and no mail is lost.

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/api"
)

// asked is what one phase of an outage measured and asked for.
type asked struct {
	took      map[string][]time.Duration // by request
	mailboxes []string
}

func TestSMTPOutage(t *testing.T) {
	p := newPost(t)
	n := startNode(t, settings{"SMTP_URL": p.URL()})
	cl, ctx := n.client(), context.Background()
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

	samples := lane(t, 40, 400, 2000)
	phase(10) // the first requests of a process are not like the others
	normal := phase(samples)
	var outages []asked
	for _, mood := range []mood{away, mute, forgetful} {
		p.be(mood)
		outages = append(outages, phase(samples))
		time.Sleep(lane(t, 500*time.Millisecond, 20*time.Second, time.Minute))
	}
	p.be(cheerful)
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

// allArrive: every mail asked for arrives once the post is back; a repeat is the very same letter.
func allArrive(t *testing.T, p *post, phases []asked) {
	t.Helper()
	back, repeats, count := time.Now(), 0, 0
	patience := lane(t, 30*time.Second, 3*time.Minute, 20*time.Minute)
	for _, phase := range phases {
		for _, mailbox := range phase.mailboxes {
			letters, ok := p.await(mailbox, patience, func(l []envelope) bool { return len(l) > 0 })
			if !ok {
				t.Errorf("no mail to %s although the post is back", mailbox)
				continue
			}
			count++
			repeats += len(letters) - 1
			for _, again := range letters[1:] {
				if again.MessageID != letters[0].MessageID || again.code(verifyPage) != letters[0].code(verifyPage) {
					t.Errorf("the repeat to %s has another Message-ID or link: %s, %s", mailbox, letters[0].MessageID, again.MessageID)
				}
			}
		}
	}
	t.Logf("%d mails arrived, the last %.1f s after the post was back; %d repeats with the same Message-ID", count, time.Since(back).Seconds(), repeats)
}

// A letter whose acceptance was never heard of is sent again, and its repeat is the same letter.
func TestSMTPForgets(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	n := startNode(t, settings{"SMTP_URL": p.URL()})
	p.be(forgetful)
	const mailbox = "ada@example.com"
	if err := n.client().RequestVerification(context.Background(), api.VerificationMailRequest{Email: mailbox}); err != nil {
		t.Fatal(err)
	}
	if _, ok := p.await(mailbox, 10*time.Second, func(l []envelope) bool { return len(l) == 1 }); !ok {
		t.Fatal("no first try")
	}
	p.be(cheerful)
	letters, ok := p.await(mailbox, 15*time.Second, func(l []envelope) bool { return len(l) > 1 })
	if !ok {
		t.Fatal("no second try")
	}
	if bodyOf(letters[0]) != bodyOf(letters[1]) {
		t.Errorf("the second try is another letter:\n%s\n%s", letters[0].Raw, letters[1].Raw)
	}
	if err := n.client().VerifyEmail(context.Background(), mailbox, letters[0].code(verifyPage)); err != nil {
		t.Errorf("the link of the letter that was sent twice: %v", err)
	}
}

func median(of []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
