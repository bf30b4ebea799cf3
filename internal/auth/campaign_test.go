package auth_test

// I4, seen by a person: a stranger who asks for mails to somebody's address, for hours and however they like,
// takes no link from that person. On both engines.

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/peer"
)

// stand is a clock that stands still between a test's steps, so that the last microsecond of a life can be told
// from the first after it.
type stand struct{ at time.Time }

func (s *stand) Now() time.Time { return s.at }

// campaign is what happens to one address.
type campaign struct {
	*testing.T
	r     *authtest.Rig
	clock *stand
	dice  *rand.Rand
	kind  mail.Kind
	email string
	ask   func(peer peer.Peer) error // the stranger's way
	life  time.Duration
	peers *int

	seen  int // mails in the mailbox that were looked at
	mails []mailed
}

type mailed struct {
	code  string
	asked time.Time
	over  bool // its life has ended, as it should
}

func (c *campaign) peer() peer.Peer {
	*c.peers++
	return peer.Peer{Addr: netip.AddrFrom4([4]byte{10, byte(*c.peers >> 16), byte(*c.peers >> 8), byte(*c.peers)})}
}

// request asks and takes in what is mailed.
func (c *campaign) request(ask func(peer.Peer) error) {
	c.Helper()
	if err := ask(c.peer()); err != nil {
		c.Fatal(err)
	}
	c.r.Deliver(c)
	all := c.r.Mailbox.Messages() // newest first
	for i := len(all) - c.seen - 1; i >= 0; i-- {
		if all[i].To == c.email {
			c.mails = append(c.mails, mailed{code: c.links(all[i]), asked: c.clock.at})
		}
	}
	c.seen = len(all)
}

// links holds a mail to two places of one token: a registered URL, unless the mail was asked for on our own pages,
// and our own page.
func (c *campaign) links(m mail.Message) string {
	c.Helper()
	codes, bases := map[string]bool{}, []string{}
	for line := range strings.Lines(m.Text) {
		if u, err := url.Parse(strings.TrimSpace(line)); err == nil && u.Query().Get("verificationCode") != "" {
			codes[u.Query().Get("verificationCode")] = true
			bases = append(bases, strings.TrimSuffix(strings.TrimSuffix(u.Scheme+"://"+u.Host+u.Path, "/reset-password"), "/verify-email-success"))
			if u.Query().Get("email") != c.email || strings.Count(m.HTML, strings.ReplaceAll(u.String(), "&", "&amp;")) == 0 {
				c.Errorf("%s is not in the HTML part, or for somebody else", u)
			}
		}
	}
	own := "http://localhost:8080"
	if got := strings.Join(bases, " "); len(codes) != 1 || got != own && got != "https://web.example.com/app "+own && got != "https://mobile.example.com "+own {
		c.Errorf("%d tokens, which lead to %s:\n%s", len(codes), got, m.Text)
	}
	for code := range codes {
		return code
	}
	return ""
}

// until lets time pass: each link works in the last microsecond of its life, and no longer.
func (c *campaign) until(then time.Time) {
	c.Helper()
	for i := range c.mails {
		m := &c.mails[i]
		if end := m.asked.Add(c.life); !m.over && !end.After(then) {
			c.clock.at = end.Add(-time.Microsecond)
			c.works(*m, true)
			c.clock.at = end
			c.works(*m, false)
			m.over = true
		}
	}
	c.clock.at = then
}

func (c *campaign) works(m mailed, want bool) {
	c.Helper()
	_, err := c.r.Service.LinkAlive(c.Context(), c.kind, c.email, m.code, c.peer())
	if (err == nil) != want {
		c.Fatalf("%s after it was asked for, the link works: %t, want %t (%v)", c.clock.at.Sub(m.asked), err == nil, want, err)
	}
}

func (c *campaign) alive() (list []mailed) {
	for _, m := range c.mails {
		if !m.over {
			list = append(list, m)
		}
	}
	return list
}

// run is the campaign: the stranger asks at every step from the first moment to the last, the person once, at
// moment. Then the person uses one of the links they got, and it is the last.
func (c *campaign) run(length, step, moment time.Duration, person func(peer.Peer) error) {
	c.Helper()
	begin, asked := c.clock.at, false
	for at := time.Duration(0); at <= length; at += step {
		if !asked && moment <= at {
			asked = true
			c.until(begin.Add(moment))
			c.request(person)
			if len(c.alive()) == 0 {
				c.Fatalf("the person has asked at %s and has no link that works", moment)
			}
		}
		c.until(begin.Add(at))
		c.request(c.ask)
		for _, m := range c.alive() {
			if c.dice.IntN(len(c.alive())) < 2 {
				c.works(m, true)
			}
		}
	}
	if !asked {
		c.request(person)
	}
	c.use()
}

// use spends one of the links: whatever is left is dead from then on.
func (c *campaign) use() {
	c.Helper()
	list := c.alive()
	one := list[c.dice.IntN(len(list))]
	pw := auth.Password{Value: authtest.Password}
	if c.kind == mail.Reset {
		_, err := c.r.Service.ResetPassword(c.Context(), auth.ResetPassword{Email: c.email, Token: one.code, Password: pw}, c.peer())
		agreeCode(c.T, "reset", err, "")
		for _, m := range list {
			c.works(m, false)
			_, err := c.r.Service.ResetPassword(c.Context(), auth.ResetPassword{Email: c.email, Token: m.code, Password: pw}, c.peer())
			agreeCode(c.T, "reset again", err, auth.CodeInvalidResetToken)
		}
		return
	}
	signUp := func(code string) error {
		_, err := c.r.Service.SignUp(c.Context(), auth.SignUp{Email: c.email, Password: pw, FirstName: "A", LastName: "L", VerificationCode: code}, c.peer())
		return err
	}
	agreeCode(c.T, "verify", c.r.Service.VerifyEmail(c.Context(), c.email, list[0].code, c.peer()), "")
	agreeCode(c.T, "sign up", signUp(one.code), "")
	for _, m := range list {
		c.works(m, false)
		agreeCode(c.T, "sign up again", signUp(m.code), auth.CodeAlreadyRegistered)
		agreeCode(c.T, "verify again", c.r.Service.VerifyEmail(c.Context(), c.email, m.code, c.peer()), "")
	}
}

func TestStrangersCampaign(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		clock := &stand{time.Now().UTC().Truncate(time.Second)}
		r := authtest.New(t, db, func(o *auth.Options) {
			o.Now = clock.Now
			var err error
			o.Clients, err = clients.New([]clients.Client{
				{Alias: "web", URL: "https://web.example.com/app", Default: true}, {Alias: "mobile", URL: "https://mobile.example.com"},
			})
			if err != nil {
				t.Fatal(err)
			}
		})
		peers := 0
		forgot := func(email string, in auth.ForgotPassword) func(peer.Peer) error {
			in.Email = email
			return func(p peer.Peer) error { _, err := r.Service.ForgotPassword(t.Context(), in, p); return err }
		}
		verify := func(email string, in auth.VerificationMail) func(peer.Peer) error {
			in.Email = email
			return func(p peer.Peer) error { return r.Service.RequestVerification(t.Context(), in, p) }
		}
		seed := uint64(time.Now().UnixNano())
		dice := rand.New(rand.NewPCG(seed, 0))
		for i, tt := range []struct {
			name   string
			moment float64 // of the whole; below 0: any
			forgot auth.ForgotPassword
			verify auth.VerificationMail
		}{
			{"a dead path", -1, auth.ForgotPassword{Endpoint: "https://web.example.com/app/nothing/here"}, auth.VerificationMail{PlatformName: "call 1-800-555-0199"}},
			{"another client", -1, auth.ForgotPassword{ClientAlias: "mobile"}, auth.VerificationMail{ClientAlias: "mobile"}},
			{"hosted pages", -1, auth.ForgotPassword{Hosted: true}, auth.VerificationMail{Hosted: true}},
			{"before it begins", 0, auth.ForgotPassword{Endpoint: "https://mobile.example.com/dead"}, auth.VerificationMail{}},
			{"when it is over", 1, auth.ForgotPassword{Endpoint: "https://web.example.com"}, auth.VerificationMail{}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				if tt.moment < 0 {
					tt.moment = dice.Float64()
				}
				t.Logf("seed %d, moment %f", seed, tt.moment)
				email := fmt.Sprintf("p%d@example.com", i)
				c := campaign{T: t, r: r, clock: clock, dice: dice, peers: &peers, seen: len(r.Mailbox.Messages()), email: email}
				after := func(length time.Duration) time.Duration { return time.Duration(tt.moment * float64(length)) }

				c.kind, c.ask, c.life = mail.Verify, verify(email, tt.verify), r.Options.VerifyTTL
				step := 47 * time.Minute
				if i == 0 {
					step = 12*time.Minute + time.Second // five an hour: all that the mailbox may be asked for
				}
				c.run(26*time.Hour, step, after(26*time.Hour), verify(email, auth.VerificationMail{}))

				c.mails, clock.at = nil, clock.at.Add(time.Minute) // the account is there now
				c.kind, c.ask, c.life = mail.Reset, forgot(email, tt.forgot), r.Options.ResetTTL
				step = 61 * time.Second
				if i > 0 && !longRigs() {
					step *= 5 // still more than the mailbox may be asked for
				}
				c.run(2*time.Hour, step, after(2*time.Hour), forgot(email, auth.ForgotPassword{}))
			})
		}
	})
}
