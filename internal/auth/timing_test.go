package auth_test

// I9 in time: nobody without the right password can tell a known account from an unknown one by how
// long an answer takes.

import (
	"context"
	"fmt"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

// samples is how many of each kind are taken: 400 in the long lane.
func samples() int {
	if longRigs() {
		return 400
	}
	return 60
}

// The kinds of account there are to be told from none, by the first word of their addresses.
const (
	known        = "known"
	aged         = "agedd" // with a hash of the cost before
	disabled     = "ended"
	unverified   = "fresh"
	passwordless = "plain"
	unknown      = "other" // no account
)

func TestTimingKnownAgainstUnknown(t *testing.T) {
	n := samples()
	db := authtest.SQLite(t)
	before := authtest.New(t, db)
	r := authtest.New(t, db, func(o *auth.Options) {
		o.Throttle = false
		o.Hash.MemoryKiB *= 6 // the cost was raised since
	})
	ctx := context.Background()
	for i := range n {
		pw := authtest.Password
		if _, err := before.Service.AddUser(ctx, auth.NewUser{Email: email(aged, i), FirstName: "Ada", LastName: "Lovelace", Password: &pw}); err != nil {
			t.Fatal(err)
		}
		addEveryKind(t, r, i)
	}
	sweepAll(t, r.Service) // counts the costs
	wrongToken := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	byPassword := []string{known, aged, disabled, unverified, passwordless} // these endpoints look at the account
	for _, endpoint := range []struct {
		name  string
		kinds []string
		ask   func(email string) error
	}{
		{"signin", byPassword, func(email string) error {
			_, err := r.SignIn(ctx, api.SignInRequest{Email: email, Password: "wrong password"})
			return wanted(err, "invalid_credentials")
		}},
		{"reset-password", byPassword, func(email string) error {
			err := r.ChangePassword(ctx, "", api.ChangePasswordRequest{Email: email, OldPassword: "wrong password", NewPassword: "another fine passphrase"})
			return wanted(err, "invalid_credentials")
		}},
		{"forgot-password", []string{known}, func(email string) error {
			_, err := r.ForgotPassword(ctx, api.ForgotPasswordRequest{Email: email})
			return err
		}},
		{"verification-mail", []string{known}, func(email string) error {
			return r.RequestVerification(ctx, api.VerificationMailRequest{Email: email})
		}},
		{"password-reset", []string{known}, func(email string) error {
			err := r.ResetPassword(ctx, email, api.PasswordResetRequest{Password: "another fine passphrase", Token: wrongToken})
			return wanted(err, "invalid_reset_token")
		}},
	} {
		for _, kind := range endpoint.kinds {
			t.Run(endpoint.name+"/"+kind, func(t *testing.T) {
				authtest.Alike(t, n, [2]string{kind, unknown}, [2]func(int) error{
					func(i int) error { return endpoint.ask(email(kind, i)) },
					func(i int) error { return endpoint.ask(email(unknown, i)) },
				})
			})
		}
	}
}

func email(kind string, i int) string { return fmt.Sprintf("%s%04d@example.com", kind, i) }

func addEveryKind(t *testing.T, r *authtest.Rig, i int) {
	t.Helper()
	pw := authtest.Password
	for _, u := range []auth.NewUser{
		{Email: email(known, i), Password: &pw}, {Email: email(disabled, i), Password: &pw},
		{Email: email(unverified, i), Password: &pw, Unverified: true}, {Email: email(passwordless, i)},
	} {
		u.FirstName, u.LastName = "Ada", "Lovelace"
		if _, err := r.Service.AddUser(context.Background(), u); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Service.DisableUser(context.Background(), email(disabled, i)); err != nil {
		t.Fatal(err)
	}
}

// wanted is nil when err is the refusal that was asked for.
func wanted(err error, code string) error {
	if client.CodeOf(err) != code {
		return fmt.Errorf("got %w, want %s", err, code)
	}
	return nil
}

// The rank test itself tells a difference from none.
func TestRankSum(t *testing.T) {
	var same, later []time.Duration
	for i := range 100 {
		same = append(same, time.Duration(2*i))
		later = append(later, time.Duration(2*i+1))
	}
	if p := authtest.RankSum(same, later); p < 0.5 {
		t.Errorf("alike: p = %g", p)
	}
	for i := range later {
		later[i] += 60
	}
	if p := authtest.RankSum(same, later); p > 0.001 {
		t.Errorf("different: p = %g", p)
	}
}
