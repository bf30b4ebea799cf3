package auth_test

// What lowers a counter of wrong passwords, and what does not.

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/peer"
	"latchkey/internal/throttle"
)

// fails makes so many attempts with a wrong password, and says what was told.
func fails(r *authtest.Rig, email string, times int, addr string) (told []auth.Code) {
	for range times {
		_, err := attempt(r, email, "wrong password", from(addr))
		told = append(told, auth.CodeOf(err))
	}
	return told
}

// I9: a stranger's guesses add up alike whether there is an account whose owner signs in between or none.
func TestASuccessDoesNotTellOfAnAccount(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.Clock.Stop() // no wait is over before it is asked for
		for i, tt := range []struct{ stranger, owner string }{
			{"198.51.100.7", "203.0.113.1"},
			{"203.0.112.255", "203.0.113.1"}, // the next /24
			{"2001:db8:1:1::1", "2001:db8:2:1::1"},
			{"2001:db8:1:ff::ff", "203.0.113.1"},
		} {
			ada := fmt.Sprintf("ada%d@example.com", i)
			r.AddUser(t, ada)
			for _, email := range []string{ada, fmt.Sprintf("nobody%d@example.com", i)} {
				fails(r, email, 5, tt.stranger)
				if email == ada {
					if _, err := attempt(r, email, authtest.Password, from(tt.owner)); err != nil {
						t.Fatal(err)
					}
				}
				told := fmt.Sprint(fails(r, email, 2, tt.stranger))
				if want := fmt.Sprint([]auth.Code{auth.CodeInvalidCredentials, auth.CodeTooManyRequests}); told != want {
					t.Errorf("%s from %s: told %s, want %s", email, tt.stranger, told, want)
				}
			}
		}
	})
}

// Guesses from before a sign-up hold nobody up who signed up on this device; they are counted all the same, or a
// stranger could tell that there is an account now.
func TestGuessesBeforeASignUp(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.Clock.Stop() // no wait is over before it is asked for
		ctx := context.Background()
		if err := r.Service.RequestVerification(ctx, auth.VerificationMail{Email: "ada@example.com"}, from("203.0.113.1")); err != nil {
			t.Fatal(err)
		}
		code := r.Code(t, "ada@example.com")
		fails(r, "ada@example.com", 6, "198.51.100.1")
		made, err := r.Service.SignUp(ctx, auth.SignUp{
			Email: "ada@example.com", Password: auth.Password{Value: authtest.Password}, FirstName: "Ada", LastName: "L", VerificationCode: code,
		}, from("203.0.113.1"))
		if err != nil || made.UserID == "" || throttle.DeviceOwner(made.Device) != made.UserID {
			t.Fatalf("signed up as %+v, %v", made, err)
		}
		if _, err := attempt(r, "ada@example.com", authtest.Password, from("203.0.113.1", made.Device)); err != nil {
			t.Errorf("from the device that signed up: %v", err)
		}
		_, err = attempt(r, "ada@example.com", authtest.Password, from("203.0.113.1"))
		wantCode(t, err, auth.CodeTooManyRequests)
	})
}

// Whatever gives the owner a fresh start clears the counter, and the process that did it repeats no older "no".
func TestWhatClearsACounter(t *testing.T) {
	const email, another, pass = "ada@example.com", "countess@example.com", "another fine passphrase"
	ctx := context.Background()
	add := func(r *authtest.Rig, email string) error {
		pw := pass
		_, err := r.Service.AddUser(ctx, auth.NewUser{Email: email, FirstName: "Ada", LastName: "L", Password: &pw})
		return err
	}
	for name, tt := range map[string]struct {
		as  string
		act func(t *testing.T, r *authtest.Rig) error
		pw  string
	}{
		"a reset": {email, func(t *testing.T, r *authtest.Rig) error {
			_, err := r.Service.ResetPassword(ctx, auth.ResetPassword{Email: email, Token: r.ForgotCode(t, email), Password: auth.Password{Value: pass}}, from("203.0.113.1"))
			return err
		}, pass},
		"user set-password": {email, func(t *testing.T, r *authtest.Rig) error { return r.Service.SetPassword(ctx, email, pass) }, pass},
		"user unlock":       {email, func(t *testing.T, r *authtest.Rig) error { return r.Service.UnlockUser(ctx, email) }, authtest.Password},
		"user set-email":    {another, func(t *testing.T, r *authtest.Rig) error { return r.Service.SetEmail(ctx, email, another) }, authtest.Password},
		"user delete and add": {email, func(t *testing.T, r *authtest.Rig) error {
			if err := r.Service.DeleteUser(ctx, email); err != nil {
				return err
			}
			return add(r, email)
		}, pass},
		"user add": {another, func(t *testing.T, r *authtest.Rig) error { return add(r, another) }, pass},
	} {
		t.Run(name, func(t *testing.T) {
			authtest.Engines(t, func(t *testing.T, db authtest.Database) {
				r := authtest.New(t, db)
				r.AddUser(t, email)
				for _, address := range []string{email, another} {
					fails(r, address, 30, "198.51.100.1")
					_, err := attempt(r, address, tt.pw, from("203.0.113.1"))
					wantCode(t, err, auth.CodeTooManyRequests)
				}
				if err := tt.act(t, r); err != nil {
					t.Fatal(err)
				}
				if _, err := attempt(r, tt.as, tt.pw, from("203.0.113.1")); err != nil {
					t.Errorf("right after it: %v", err)
				}
			})
		})
	}
}

// A user may be right 120 times in ten minutes from one network, and as often from each known device. Only who has
// the password learns of it (I9), and a refusal is audited, a row a minute.
func TestRightPasswordsHaveARate(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		then := time.Now().Truncate(time.Minute)
		r := authtest.New(t, db, func(o *auth.Options) { o.Now = func() time.Time { return then } })
		ctx := context.Background()
		ada := r.AddUser(t, "ada@example.com")
		in := func(peer peer.Peer) (device string, err error) {
			tokens, err := attempt(r, "ada@example.com", authtest.Password, peer)
			return tokens.Device, err
		}
		var device string
		for i := range 120 {
			made, err := in(from(fmt.Sprintf("203.0.113.%d", i)))
			if err != nil {
				t.Fatalf("sign-in %d: %v", i, err)
			}
			if made != "" {
				device = made
			}
		}
		for i := range 3 {
			_, err := in(from(fmt.Sprintf("203.0.113.%d", 200+i)))
			wantCode(t, err, auth.CodeTooManyRequests)
			_, err = r.Service.ChangePassword(ctx, nil, auth.ChangePassword{
				Email: "ada@example.com", OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: "another fine passphrase"},
			}, from("203.0.113.1"))
			wantCode(t, err, auth.CodeTooManyRequests)
			_, err = attempt(r, "ada@example.com", "wrong password", from("203.0.113.1")) // never from memory
			wantCode(t, err, auth.CodeInvalidCredentials)
		}
		for i, peer := range []peer.Peer{from("203.0.112.1"), from("2001:db8::1"), from("203.0.113.1", device)} {
			if _, err := in(peer); err != nil {
				t.Errorf("elsewhere, or known (%d): %v", i, err)
			}
		}
		for range 119 {
			if _, err := in(from("203.0.113.1", device)); err != nil {
				t.Fatalf("from the device: %v", err)
			}
		}
		_, err := in(from("203.0.113.1", device))
		wantCode(t, err, auth.CodeTooManyRequests)
		events, err := r.Service.AuditEvents(ctx, audit.Query{Limit: 1000, User: ada.ID})
		if err != nil {
			t.Fatal(err)
		}
		var rows []int64
		for _, e := range events {
			if e.Kind == "throttled" {
				rows = append(rows, e.Times)
			}
		}
		slices.Sort(rows)
		if fmt.Sprint(rows) != "[1 6]" {
			t.Errorf("refusals are audited %v, want 6 of the network and 1 of the device", rows)
		}
		then = then.Add(5 * time.Second)
		if _, err := in(from("203.0.113.1")); err != nil {
			t.Errorf("when one has aged: %v", err)
		}
	})
}

// Dead links are counted where sign-in never looks: a page elsewhere can make its visitors' browsers open them.
func TestDeadLinksLockNobodyOut(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		peer := from("203.0.113.1")
		code := auth.Code("")
		for range 130 {
			code = auth.CodeOf(r.Service.VerifyEmail(ctx, "ada@example.com", wrongToken, peer))
		}
		if code != auth.CodeTooManyRequests {
			t.Errorf("after 130 dead links: %s", code)
		}
		_, err := r.Service.ResetPassword(ctx, auth.ResetPassword{Email: "ada@example.com", Token: wrongToken, Password: auth.Password{Value: authtest.Password}}, peer)
		wantCode(t, err, auth.CodeTooManyRequests)
		if _, err := attempt(r, "ada@example.com", authtest.Password, peer); err != nil {
			t.Errorf("signing in from there: %v", err)
		}
		if _, err := r.Client.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: "ada@example.com"}); err != nil {
			t.Errorf("asking for a mail: %v", err)
		}
	})
}

// A right old password whose new one is refused for the account's own words is as good as a sign-in to whoever guesses:
// it is audited, counted among the right ones, and told to the owner when it came from where nobody ever signed in.
// What needs no account is said before anything is evaluated.
func TestARefusedChangeTellsOfNoPasswordInSilence(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		then := time.Now().Truncate(time.Minute)
		r := authtest.New(t, db, func(o *auth.Options) { o.Now = func() time.Time { return then } })
		ctx := context.Background()
		ada := r.AddUser(t, "ada@example.com")
		if _, err := attempt(r, "ada@example.com", authtest.Password, at("203.0.113.7", firefox)); err != nil {
			t.Fatal(err)
		}
		change := func(old, fresh string, peer peer.Peer) error {
			_, err := r.Service.ChangePassword(ctx, nil, auth.ChangePassword{
				Email: "ada@example.com", OldPassword: auth.Password{Value: old}, NewPassword: auth.Password{Value: fresh},
			}, peer)
			return err
		}
		told := func() (rows []string, mails int) {
			t.Helper()
			events, err := r.Service.AuditEvents(ctx, audit.Query{Limit: 1000, User: ada.ID})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range events {
				if e.Kind == "password_changed" {
					rows = append(rows, e.Outcome)
				}
			}
			r.Deliver(t)
			return rows, len(r.Mailbox.Messages())
		}
		stranger := at("198.51.100.7", "curl/8.5.0")
		for _, fresh := range []string{"seven77", "password", "ada@example.com", authtest.Password} {
			if err := change(authtest.Password, fresh, stranger); err == nil {
				t.Errorf("%q was taken", fresh)
			}
		}
		if rows, mails := told(); rows != nil || mails > 0 {
			t.Errorf("before anything is evaluated: audited %v, %d mails", rows, mails)
		}
		wantCode(t, change(authtest.Password, "lovelace1", stranger), auth.CodePasswordNotAccepted)
		if rows, mails := told(); fmt.Sprint(rows) != "[not_accepted]" || mails != 1 {
			t.Errorf("a stranger's right guess: audited %v, %d mails, want one each", rows, mails)
		}
		wantCode(t, change("wrong password", "lovelace1", stranger), auth.CodeInvalidCredentials)
		wantCode(t, change(authtest.Password, "lovelace1", at("203.0.113.8", safari)), auth.CodePasswordNotAccepted)
		if rows, mails := told(); fmt.Sprint(rows) != "[not_accepted refused not_accepted]" || mails != 1 {
			t.Errorf("and from home: audited %v, %d mails", rows, mails)
		}
		for i := range 119 {
			wantCode(t, change(authtest.Password, "lovelace1", stranger), auth.CodePasswordNotAccepted)
			if t.Failed() {
				t.Fatalf("refused change %d", i)
			}
		}
		wantCode(t, change(authtest.Password, "lovelace1", stranger), auth.CodeTooManyRequests)
	})
}
