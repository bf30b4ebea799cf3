package auth_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
	"latchkey/internal/peer"
)

// What operators stumbled over is said once a minute, without the secret.
func TestNotesForOperators(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var said bytes.Buffer
		r := authtest.New(t, db, func(o *auth.Options) {
			clients, err := clients.New([]clients.Client{{Alias: "CREDEBL", URL: "https://studio.example.com", Default: true}})
			if err != nil {
				t.Fatal(err)
			}
			o.Clients, o.Log = clients, slog.New(slog.NewTextHandler(&said, nil))
		})
		r.AddUser(t, "ada@example.com")
		signIn := func(password, alias string) {
			_, _ = r.Service.SignIn(t.Context(), auth.SignIn{Email: "ada@example.com", Password: auth.Password{Value: password}, ClientAlias: alias}, peer.Peer{})
		}
		times := func(of string) int { return strings.Count(said.String(), of) }
		const wrapped = "U2FsdGVkX18AAQIDBAUGB0gpHTigvuVWWKJu8yVSrYA="
		for range 3 {
			signIn(wrapped, "")
			signIn(authtest.Password, "undefined")
			signIn(authtest.Password, "credebl")
		}
		if times("LATCHKEY_TRANSPORT_KEY") != 1 || times("registered=[CREDEBL]") != 1 || times("client_alias=undefined") != 1 || times("credebl") != 0 || times(wrapped) != 0 {
			t.Errorf("said:\n%s", &said)
		}
		r.Clock.Advance(time.Minute)
		signIn(wrapped, "credebl")
		signIn(wrapped, "")
		if times("LATCHKEY_TRANSPORT_KEY") != 2 || times("client_alias=credebl") != 1 {
			t.Errorf("a minute later:\n%s", &said)
		}
	})
}

// A sign-up without its code, refused just after the code's own verify, leads nowhere for the person and says
// nothing to them: the operator is told what to set.
func TestLeftOutCodeIsNoted(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var said bytes.Buffer
		r := authtest.New(t, db, func(o *auth.Options) {
			clients, err := clients.New([]clients.Client{
				{Alias: "web", URL: "https://web.example.com", Default: true},
				{Alias: "CREDEBL", URL: "https://studio.example.com", SignupWithoutCode: true},
			})
			if err != nil {
				t.Fatal(err)
			}
			o.Clients, o.Log = clients, slog.New(slog.NewTextHandler(&said, nil))
		})
		here, there := peer.Peer{Addr: netip.MustParseAddr("192.0.2.1")}, peer.Peer{Addr: netip.MustParseAddr("198.51.100.1")}
		ask := func(email, alias string) {
			t.Helper()
			agreeCode(t, "ask", r.Service.RequestVerification(t.Context(), auth.VerificationMail{Email: email, ClientAlias: alias}, here), "")
		}
		verify := func(email string) {
			t.Helper()
			agreeCode(t, "verify", r.Service.VerifyEmail(t.Context(), email, r.Code(t, email), here), "")
		}
		signUp := func(email string, peer peer.Peer, want auth.Code) {
			t.Helper()
			_, err := r.Service.SignUp(t.Context(), auth.SignUp{Email: email, Password: auth.Password{Value: authtest.Password}, FirstName: "Ada", LastName: "Lovelace"}, peer)
			agreeCode(t, email, err, want)
		}
		times := func(of string) int { return strings.Count(said.String(), of) }

		signUp("nobody@example.com", here, auth.CodeEmailNotVerified)
		ask("unproven@example.com", "web")
		signUp("unproven@example.com", here, auth.CodeEmailNotVerified)
		ask("right@example.com", "CREDEBL")
		verify("right@example.com")
		signUp("right@example.com", here, "")
		if times("verificationCode") != 0 {
			t.Errorf("said without a reason:\n%s", &said)
		}

		ask("ada@example.com", "web")
		verify("ada@example.com")
		ask("eve@example.com", "CREDEBL")
		verify("eve@example.com")
		for range 3 {
			signUp("ada@example.com", here, auth.CodeEmailNotVerified)
			signUp("eve@example.com", there, auth.CodeEmailNotVerified)
		}
		if times("signup_without_code") != 1 || times("client_alias=web") != 1 || times("LATCHKEY_TRUSTED_PROXIES") != 1 || times("client_alias=CREDEBL") != 1 || times("@example.com") != 0 {
			t.Errorf("said:\n%s", &said)
		}
		r.Clock.Advance(61 * time.Minute)
		signUp("ada@example.com", here, auth.CodeEmailNotVerified)
		if times("signup_without_code") != 1 {
			t.Errorf("long after the verify:\n%s", &said)
		}
	})
}

// What a transaction found is said when it is committed: once, however often the database had it run.
func TestWhatRunsTwiceIsSaidOnce(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		var said bytes.Buffer
		r := authtest.New(t, db, func(o *auth.Options) {
			o.Log = slog.New(slog.NewTextHandler(&said, nil))
			o.Store = authtest.Faults{Twice: func() bool { return true }}.On(o.Store)
		})
		for i := range 6 {
			email := fmt.Sprintf("ada+%d@example.com", i)
			agreeCode(t, email, r.Service.RequestVerification(t.Context(), auth.VerificationMail{Email: email}, peer.Peer{}), "")
			r.Deliver(t)
		}
		o := r.Options
		o.SigningAlg = "EdDSA"
		other, err := auth.New(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			agreeCode(t, "settle", other.Keys().Settle(t.Context()), "")
		}
		for _, of := range []string{"many names with a +", "the signing algorithm was changed"} {
			if n := strings.Count(said.String(), of); n != 1 {
				t.Errorf("%q is said %d times:\n%s", of, n, &said)
			}
		}
	})
}
