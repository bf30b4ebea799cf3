package auth_test

// Sign-up, as far as what it leaves behind cannot be seen over HTTP.

import (
	"context"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/password"
	"latchkey/internal/store"
)

// Signing up sets a password, and no link from before outlives that (I4); the code that was spent goes on
// telling its holder that there is an account.
func TestSignUpDropsResetLinks(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		const ada, next = "ada@example.com", "another fine passphrase"
		if _, err := r.Service.AddUser(ctx, auth.NewUser{Email: ada, FirstName: "Ada", LastName: "Lovelace"}); err != nil {
			t.Fatal(err)
		}
		reset := r.ForgotCode(t, ada)
		if err := r.RequestVerification(ctx, api.VerificationMailRequest{Email: ada}); err != nil {
			t.Fatal(err)
		}
		in := api.SignUpRequest{Email: ada, Password: authtest.Password, FirstName: "Ada", LastName: "Lovelace", VerificationCode: r.Code(t, ada)}
		if _, err := r.SignUp(ctx, in); err != nil {
			t.Fatal(err)
		}
		wantSound(t, r)
		err := r.ResetPassword(ctx, ada, api.PasswordResetRequest{Password: next, Token: reset})
		if client.CodeOf(err) != "invalid_reset_token" {
			t.Errorf("a reset link from before: got %v, want invalid_reset_token", err)
		}
		if _, err := r.SignUp(ctx, in); client.CodeOf(err) != "already_registered" {
			t.Errorf("sign up with the code again: got %v, want already_registered", err)
		}
		if err := r.VerifyEmail(ctx, ada, in.VerificationCode); err != nil {
			t.Errorf("verify with the code again: %v", err)
		}
		if again := r.ForgotCode(t, ada); again == reset {
			t.Error("within the minute no new reset link is mailed: its count was kept")
		}
	})
}

// Whoever waits for a permit while somebody else signs up with the same address is told so without a hash: the cost
// set here is none that can be computed.
func TestSignUpThatWaitedCostsNoHash(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		pool := password.NewPool(1, 8)
		r := authtest.New(t, db, func(o *auth.Options) { o.Pool, o.Hash = pool, password.Params{} })
		const ada = "ada@example.com"
		if err := r.RequestVerification(t.Context(), api.VerificationMailRequest{Email: ada}); err != nil {
			t.Fatal(err)
		}
		in := api.SignUpRequest{Email: ada, Password: authtest.Password, FirstName: "Ada", LastName: "Lovelace", VerificationCode: r.Code(t, ada)}
		answer := make(chan error, 1)
		err := pool.Do(t.Context(), password.Caller{}, func() {
			go func() { _, err := r.SignUp(t.Context(), in); answer <- err }()
			for pool.Load().Waiting == 0 {
				select {
				case err := <-answer:
					answer <- err // it did not wait
					return
				case <-time.After(time.Millisecond):
				}
			}
			insert := func(tx *store.Tx) error {
				return tx.InsertUser(store.User{ID: "0198c1f2-0000-7000-8000-000000000001", Email: ada, PasswordHash: "x", Epoch: 1, ChangedAt: r.Clock.Now(), CreatedAt: r.Clock.Now(), VerifiedAt: r.Clock.Now()})
			}
			if err := r.Store.Write(t.Context(), insert); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-answer; client.CodeOf(err) != "already_registered" {
			t.Errorf("got %v, want already_registered", err)
		}
	})
}
