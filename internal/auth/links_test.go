package auth_test

// Mailed links: whether they are alive, and where those of the hosted pages lead. On both engines.

import (
	"context"
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

// alive asks of a link what a page asks before it shows a form.
func alive(t *testing.T, r *authtest.Rig, kind mail.Kind, email, code string) (needsPassword bool, err error) {
	t.Helper()
	return r.Service.LinkAlive(context.Background(), kind, email, code, peer.Peer{})
}

func verifyCode(t *testing.T, r *authtest.Rig, email string) string {
	t.Helper()
	if err := r.Service.RequestVerification(context.Background(), auth.VerificationMail{Email: email}, peer.Peer{}); err != nil {
		t.Fatal(err)
	}
	return r.Code(t, email)
}

func TestResetLinkAlive(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		r.AddUser(t, "ada@example.com")
		r.AddUser(t, "bob@example.com")
		code := r.ForgotCode(t, "ada@example.com")
		for range 3 { // looking changes nothing
			needs, err := alive(t, r, mail.Reset, "Ada@Example.com", code)
			agreeCode(t, "alive", err, "")
			if needs {
				t.Error("a reset link needs no sign-up")
			}
		}
		for what, link := range map[string][2]string{
			"no code": {"ada@example.com", ""}, "cut": {"ada@example.com", code[:len(code)-1]}, "another's": {"bob@example.com", code},
			"nobody's": {"nobody@example.com", code}, "no address": {"", code}, "half an address": {"ada@", code},
		} {
			_, err := alive(t, r, mail.Reset, link[0], link[1])
			agreeCode(t, what, err, auth.CodeInvalidResetToken)
		}
		_, err := alive(t, r, mail.Verify, "ada@example.com", code)
		agreeCode(t, "to verify", err, auth.CodeInvalidVerificationCode)
		reset := auth.ResetPassword{Email: "ada@example.com", Token: code, Password: auth.Password{Value: "another fine passphrase"}}
		_, err = r.Service.ResetPassword(context.Background(), reset, peer.Peer{})
		agreeCode(t, "spend it", err, "")
		_, err = alive(t, r, mail.Reset, "ada@example.com", code)
		agreeCode(t, "spent", err, auth.CodeInvalidResetToken)

		late := r.ForgotCode(t, "bob@example.com")
		r.Clock.Advance(r.Options.ResetTTL)
		_, err = alive(t, r, mail.Reset, "bob@example.com", late)
		agreeCode(t, "expired", err, auth.CodeInvalidResetToken)
	})
}

// What a live verification link leads to: to a name and a password where the address has none and sign-up
// is open, and said to nobody without the link.
func TestVerifyLinkAlive(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db)
		closed := authtest.New(t, db, func(o *auth.Options) { o.SignupOpen = false })
		pw := authtest.Password
		for _, u := range []auth.NewUser{
			{Email: "bare@example.com", FirstName: "B", LastName: "B", Unverified: true},
			{Email: "full@example.com", FirstName: "F", LastName: "F", Unverified: true, Password: &pw},
		} {
			if _, err := r.Service.AddUser(ctx, u); err != nil {
				t.Fatal(err)
			}
		}
		r.Clock.Advance(time.Second)
		closed.Clock.Advance(time.Second)
		for email, want := range map[string]bool{"nobody@example.com": true, "bare@example.com": true, "full@example.com": false} {
			code := verifyCode(t, r, email)
			needs, err := alive(t, r, mail.Verify, email, code)
			agreeCode(t, email, err, "")
			if needs != want {
				t.Errorf("%s needs a password: %t, want %t", email, needs, want)
			}
			if needs, err = alive(t, closed, mail.Verify, email, code); err != nil || needs {
				t.Errorf("%s, where sign-up is closed: needs a password: %t, %v", email, needs, err)
			}
			needs, err = alive(t, r, mail.Verify, email, code[1:]+"A")
			agreeCode(t, email+" with a wrong code", err, auth.CodeInvalidVerificationCode)
			if needs {
				t.Errorf("%s: the need of a password is said to a wrong code", email)
			}
		}
		if u, err := r.Service.UserByEmail(ctx, "full@example.com"); err != nil || !u.VerifiedAt.IsZero() {
			t.Errorf("looking verified the address: %+v, %v", u, err)
		}
		code := verifyCode(t, r, "new@example.com")
		if _, err := r.Service.SignUp(ctx, auth.SignUp{
			Email: "new@example.com", Password: auth.Password{Value: pw}, FirstName: "N", LastName: "N", VerificationCode: code,
		}, peer.Peer{}); err != nil {
			t.Fatal(err)
		}
		_, err := alive(t, r, mail.Verify, "new@example.com", code)
		agreeCode(t, "spent", err, auth.CodeInvalidVerificationCode)
		late := verifyCode(t, r, "late@example.com")
		r.Clock.Advance(r.Options.VerifyTTL)
		_, err = alive(t, r, mail.Verify, "late@example.com", late)
		agreeCode(t, "expired", err, auth.CodeInvalidVerificationCode)
	})
}

// Wrong links count against the address they are tried from, whosever they are; right ones do not.
func TestDeadLinksAreCounted(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		r.AddUser(t, "ada@example.com")
		code := r.ForgotCode(t, "ada@example.com")
		peer := at("203.0.113.7", firefox)
		for i := range 100 {
			kind, dead := mail.Reset, auth.CodeInvalidResetToken
			if i%2 == 1 {
				kind, dead = mail.Verify, auth.CodeInvalidVerificationCode
			}
			_, err := r.Service.LinkAlive(ctx, kind, "nobody@example.com", code, peer)
			agreeCode(t, "dead", err, dead)
		}
		_, err := r.Service.LinkAlive(ctx, mail.Reset, "nobody@example.com", code, peer)
		agreeCode(t, "one too many", err, auth.CodeTooManyRequests)
		_, err = r.Service.LinkAlive(ctx, mail.Reset, "ada@example.com", code, peer)
		agreeCode(t, "the right one", err, "")
		_, err = r.Service.LinkAlive(ctx, mail.Reset, "nobody@example.com", code, at("198.51.100.7", firefox))
		agreeCode(t, "from elsewhere", err, auth.CodeInvalidResetToken)
	})
}

// A mail that a hosted page asked for leads back to the hosted pages and says which client it was for;
// others lead where they always did.
func TestHostedLinks(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := context.Background()
		r := authtest.New(t, db, func(o *auth.Options) {
			var err error
			o.Clients, err = clients.New([]clients.Client{{Alias: "web", Name: "Example", URL: "https://web.example.com/app"}})
			if err != nil {
				t.Fatal(err)
			}
		})
		r.AddUser(t, "ada@example.com")
		n := 0
		for _, test := range []struct {
			ask               string
			hosted            bool
			alias, base, said string
		}{
			{"reset", true, "web", "http://localhost:8080/reset-password", "web"},
			{"reset", true, "", "http://localhost:8080/reset-password", ""},
			{"reset", false, "web", "https://web.example.com/app/reset-password", "web"},
			{"verify", true, "web", "http://localhost:8080/verify-email-success", "web"},
			{"verify", true, "", "http://localhost:8080/verify-email-success", ""},
			{"verify", false, "web", "https://web.example.com/app/verify-email-success", ""},
		} {
			r.Clock.Advance(20 * time.Minute)
			n++
			email, err := "ada@example.com", error(nil)
			if test.ask == "reset" {
				_, err = r.Service.ForgotPassword(ctx, auth.ForgotPassword{Email: email, ClientAlias: test.alias, Hosted: test.hosted}, peer.Peer{})
			} else {
				email = string(rune('a'+n)) + "@example.com"
				err = r.Service.RequestVerification(ctx, auth.VerificationMail{Email: email, ClientAlias: test.alias, Hosted: test.hosted}, peer.Peer{})
			}
			if err != nil {
				t.Fatal(err)
			}
			link := linkOf(t, r.Mail(t, email))
			if got := link.Scheme + "://" + link.Host + link.Path; got != test.base || link.Query().Get("clientAlias") != test.said {
				t.Errorf("%+v: the link is %s", test, link)
			}
		}
	})
}

// Somebody who has an account already is led to where they sign in.
func TestAlreadyRegisteredLeadsToSignIn(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db, func(o *auth.Options) {
			var err error
			if o.Clients, err = clients.New([]clients.Client{{Alias: "web", Name: "Example", URL: "https://web.example.com/app"}}); err != nil {
				t.Fatal(err)
			}
		})
		for email, test := range map[string]struct {
			in   auth.VerificationMail
			want string
		}{
			"ada@example.com":   {auth.VerificationMail{ClientAlias: "web", Hosted: true}, "http://localhost:8080/signin?clientAlias=web"},
			"grace@example.com": {auth.VerificationMail{Hosted: true}, "http://localhost:8080/signin"},
			"joan@example.com":  {auth.VerificationMail{ClientAlias: "web"}, "https://web.example.com/app"},
		} {
			r.AddUser(t, email)
			test.in.Email = email
			if err := r.Service.RequestVerification(t.Context(), test.in, peer.Peer{}); err != nil {
				t.Fatal(err)
			}
			if m := r.Mail(t, email); !strings.Contains(m.Text, "\nSign in\n"+test.want+"\n") {
				t.Errorf("%+v: the mail does not lead to %s:\n%s", test.in, test.want, m.Text)
			}
		}
	})
}

func linkOf(t *testing.T, m mail.Message) *url.URL {
	t.Helper()
	for line := range strings.Lines(m.Text) {
		if strings.Contains(line, "verificationCode=") {
			u, err := url.Parse(strings.TrimSpace(line))
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
	}
	t.Fatalf("the mail to %s has no link:\n%s", m.To, m.Text)
	return nil
}
