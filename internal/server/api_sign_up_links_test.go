package server_test

// Several sign-up links of one address, and what a refused sign-up leaves behind.

import (
	"testing"
	"time"

	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

func TestSignUpLinks(t *testing.T) {
	prove(t, "POST /auth/signup", nil, []proof{
		{"201: any code of those mailed, and all are spent by it", func(a *app) {
			email := a.email()
			old := a.code(email)
			a.Clock.Advance(time.Minute + time.Second)
			newest := a.code(email)
			a.signUp(email, old, newPassword).is("201")
			for _, code := range []string{old, newest} {
				a.signUp(email, code, newPassword).is("409 already_registered")
				a.verify(email, code).is("200")
			}
		}},
		{"400 email_not_verified: a code from before the account", func(a *app) {
			email := a.email()
			code := a.code(email)
			a.Clock.Advance(time.Second)
			a.add(auth.NewUser{Email: email})
			a.signUp(email, code, newPassword).is("400 email_not_verified")
		}},
	})
}

// A right code proves the address, although there is an account already: the refusal commits that whole fact, and
// nothing of the account else (I10).
func TestSignUpProvesTheAddress(t *testing.T) {
	prove(t, "POST /auth/signup", nil, []proof{
		{"409 already_registered", func(a *app) {
			pw := authtest.Password
			email := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			code := a.code(email)
			verified := func() (n int) {
				events, err := a.Service.AuditEvents(a.Context(), audit.Query{User: email, Limit: 100})
				if err != nil {
					a.Fatal(err)
				}
				for _, e := range events {
					if e.Kind == "email_verified" {
						n++
					}
				}
				return n
			}
			a.signUp(email, madeUp, newPassword).is("400 email_not_verified")
			a.signIn(email, pw).is("401 email_not_verified")
			for range 2 {
				a.signUp(email, code, newPassword).is("409 already_registered")
			}
			if n := verified(); n != 1 {
				a.Errorf("audited %d times, want once", n)
			}
			a.signIn(email, newPassword).is("401 invalid_credentials")
			a.signIn(email, pw).is("200")
			a.verify(email, code).is("200")
		}},
		{"400 email_not_verified: an expired or another's code proves nothing", func(a *app) {
			pw := authtest.Password
			email := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			code, others := a.code(email), a.code(a.email())
			a.signUp(email, others, newPassword).is("400 email_not_verified")
			a.Clock.Advance(a.Options.VerifyTTL)
			a.signUp(email, code, newPassword).is("400 email_not_verified")
			a.signIn(email, pw).is("401 email_not_verified")
			a.signUp(email, a.code(email), newPassword).is("409 already_registered")
		}},
	})
}
