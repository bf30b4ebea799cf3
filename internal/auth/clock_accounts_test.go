package auth_test

// A clock that was ahead and is put right: the mails and links of an account that was changed while it was wrong.

import (
	"bytes"
	"context"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/mail"
)

// resets is how a test of one account asks for reset links and uses them.
type resets struct {
	t     *testing.T
	r     *authtest.Rig
	email string
}

func (a resets) ask() {
	a.t.Helper()
	if _, err := a.r.ForgotPassword(context.Background(), api.ForgotPasswordRequest{Email: a.email}); err != nil {
		a.t.Fatal(err)
	}
}

func (a resets) change() {
	a.t.Helper()
	if err := a.r.Service.SetPassword(context.Background(), a.email, "another fine passphrase"); err != nil {
		a.t.Fatal(err)
	}
}

func (a resets) works(code string) bool {
	a.t.Helper()
	_, err := a.r.Service.LinkAlive(context.Background(), mail.Reset, a.email, code, from("203.0.113.1"))
	return err == nil
}

func TestClockStepAndChangedAccounts(t *testing.T) {
	for _, tt := range []struct {
		name string
		// Six hours ahead; what it returns is looked at after the clock was put right and settled.
		ahead func(a resets) (code string)
		after func(a resets)
		live  bool // whether the code, or that of the mail delivered then, opens anything
	}{
		{
			name:  "asked for with the clock right again",
			ahead: func(a resets) string { a.change(); return "" },
			after: resets.ask,
			live:  true,
		},
		{
			name:  "asked for after the change, and delivered with the clock right again",
			ahead: func(a resets) string { a.change(); a.r.Clock.Advance(time.Second); a.ask(); return "" },
			live:  true,
		},
		{
			name: "asked for and delivered after the change",
			ahead: func(a resets) string {
				a.change()
				a.r.Clock.Advance(time.Second)
				return a.r.ForgotCode(a.t, a.email)
			},
			live: true,
		},
		{
			name:  "asked for before the change",
			ahead: func(a resets) string { a.ask(); a.r.Clock.Advance(time.Second); a.change(); return "" },
		},
		{
			name:  "asked for before a change with the clock right again",
			ahead: func(a resets) string { a.ask(); return "" },
			after: func(a resets) { a.r.Clock.Advance(time.Second); a.change() },
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			authtest.Engines(t, func(t *testing.T, db authtest.Database) {
				var log bytes.Buffer
				var code string
				r := steppedBack(t, db, &log, func(r *authtest.Rig) { code = tt.ahead(resets{t, r, "ada@example.com"}) })
				ada := resets{t, r, "ada@example.com"}
				settle(t, r)
				if tt.after != nil {
					tt.after(ada)
				}
				r.Clock.Advance(20 * time.Minute) // the longest that a mail is put off
				if code == "" {
					r.Deliver(t)
					if code = lastCode(r, "ada@example.com"); (code != "") != tt.live {
						t.Fatalf("a link was mailed: %t, want %t\n%s", code != "", tt.live, &log)
					}
				}
				if code != "" && ada.works(code) != tt.live {
					t.Errorf("the link opens something: %t, want %t\n%s", !tt.live, tt.live, &log)
				}
				r.Clock.Advance(time.Hour)
				if code != "" && ada.works(code) {
					t.Error("the link lives longer than links do")
				}
				log.Reset()
				settle(t, r)
				if log.Len() > 0 {
					t.Errorf("a second time there was something to set right: %s", &log)
				}
			})
		})
	}
}

// lastCode is the token in the newest mail with a link that was sent to an address; empty where there is none.
func lastCode(r *authtest.Rig, to string) string {
	for _, m := range r.Mailbox.Messages() {
		if found := linkInMail.FindStringSubmatch(m.Text); m.To == to && found != nil {
			return found[2]
		}
	}
	return ""
}

// A code that was shown in the future was not shown lately: it has to be sent.
func TestClockStepAndSignUpWithoutCode(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		clients, err := clients.New([]clients.Client{{Alias: "app", Name: "App", URL: "https://app.example.com", Default: true, SignupWithoutCode: true}})
		if err != nil {
			t.Fatal(err)
		}
		const email = "eve@example.com"
		home := from("203.0.113.1")
		var code string
		show := func(r *authtest.Rig) {
			t.Helper()
			if err := r.Service.VerifyEmail(ctx, email, code, home); err != nil {
				t.Fatal(err)
			}
		}
		var log bytes.Buffer
		r := steppedBack(t, db, &log, func(r *authtest.Rig) {
			if err := r.Service.RequestVerification(ctx, auth.VerificationMail{Email: email}, home); err != nil {
				t.Fatal(err)
			}
			code = r.Code(t, email)
			show(r)
		}, func(o *auth.Options) { o.Clients = clients })
		signUp := func() error {
			_, err := r.Service.SignUp(ctx, auth.SignUp{Email: email, Password: auth.Password{Value: authtest.Password}, FirstName: "Eve", LastName: "Doe"}, home)
			return err
		}
		wantCode(t, signUp(), auth.CodeEmailNotVerified)
		settle(t, r)
		wantCode(t, signUp(), auth.CodeEmailNotVerified)
		show(r)
		if err := signUp(); err != nil {
			t.Errorf("after the code was shown again: %v", err)
		}
	})
}

// What a clock ahead has signed in ends with all others.
func TestClockStepAndEndingMany(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var log bytes.Buffer
		r := steppedBack(t, db, &log, func(r *authtest.Rig) { r.In(t, "ada@example.com") })
		r.In(t, "bob@example.com")
		if n, err := r.Service.EndMany(context.Background(), auth.EndSelection{}); n != 2 || err != nil {
			t.Errorf("ended %d of 2 sessions, %v", n, err)
		}
	})
}
