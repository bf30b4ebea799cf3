package server_test

// Signing in, and the tokens that it hands out.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/password"
)

func TestSignIn(t *testing.T) {
	onePermit := func(o *auth.Options) { o.Pool = password.NewPool(1, 0) }
	prove(t, "POST /auth/signin", onePermit, []proof{
		{"200", func(a *app) {
			u := a.AddUser(a.T, a.email())
			tokens := dataOf[api.Tokens](a.signIn(u.Email, authtest.Password).is("200"))
			checkAccessToken(a, tokens, u, "web")
			checkRefreshToken(a, tokens, "web")
			if tokens.SessionID != tokens.SessionState || tokens.TokenType != "Bearer" || tokens.Scope != "email profile" {
				a.Errorf("tokens: %+v", tokens)
			}
			if want := int64(a.Options.RefreshIdle.Seconds()); tokens.RefreshExpiresIn != want || a.next(tokens).RefreshExpiresIn != want {
				a.Errorf("refresh_expires_in %d, want %d, and so after a refresh", tokens.RefreshExpiresIn, want)
			}
		}},
		{"200: the email is trimmed and has one canonical form", func(a *app) {
			email := a.user()
			a.signIn("\t "+strings.ToUpper(email)+"\r\n", authtest.Password).is("200")
		}},
		{"200: the client that is named", func(a *app) {
			for alias, want := range map[any]string{"mobile": "mobile", nil: "web", "": "web"} {
				tokens := dataOf[api.Tokens](a.post("/auth/signin", members{"email": a.user(), "password": authtest.Password, "clientAlias": alias}).is("200"))
				access := jwt(a.T, tokens.AccessToken).claims
				if refresh := jwt(a.T, tokens.RefreshToken).claims; access["azp"] != want || access["client_id"] != want || refresh["azp"] != want {
					a.Errorf("clientAlias %v: azp %v, client_id %v, azp of the refresh token %v", alias, access["azp"], access["client_id"], refresh["azp"])
				}
			}
		}},
		{"200: keys it does not know are ignored", func(a *app) {
			a.post("/auth/signin", members{"email": a.user(), "password": authtest.Password, "isPasskey": false, "isPasswordEncrypted": true, "role": "admin"}).is("200")
		}},
		{"200: a password is taken as sent, in NFC", func(a *app) {
			composed, decomposed := "  caf\u00e9 cr\u00e8me br\u00fbl\u00e9e ", "  cafe\u0301 cre\u0300me bru\u0302le\u0301e "
			u := a.add(auth.NewUser{Email: a.email(), Password: &composed})
			a.signIn(u.Email, decomposed).is("200")
			a.signIn(u.Email, strings.TrimSpace(composed)).is("401 invalid_credentials")
			a.signIn(u.Email, strings.ToUpper(composed)).is("401 invalid_credentials")
		}},
		{"200: a password of exactly the limit", func(a *app) {
			longest := strings.Repeat("\U0001F511", 255) + "x" // 256 characters in 1,021 bytes
			a.signIn(a.add(auth.NewUser{Email: a.email(), Password: &longest}).Email, longest).is("200")
		}},
		{"400 invalid_request", func(a *app) {
			email := a.email()
			for _, tt := range []struct{ body, blames string }{
				{`{}`, "email required, password required"},
				{`{"email":null,"password":null}`, "email required, password required"},
				{`{"email":" ","password":""}`, "email required, password required"},
				{`{"email":"` + email + `"}`, "password required"},
				{`{"email":1,"password":["x"]}`, "email invalid_type, password invalid_type"},
				{`{"email":"a@example.com","password":"x","clientAlias":1,"isPasswordEncrypted":"no"}`, "clientAlias invalid_type, isPasswordEncrypted invalid_type"},
				{`{"email":"not an address","password":"x"}`, "email invalid_format"},
				{`{"email":"\u212Aate@example.com","password":"x"}`, "email invalid_format"}, // KELVIN SIGN
				{`{"email":"a\uFF20example.com","password":"x"}`, "email invalid_format"},    // FULLWIDTH @
			} {
				a.post("/auth/signin", tt.body).is("400 invalid_request").blames(tt.blames)
			}
			a.post("/auth/signin", nil).is("400 invalid_request")
		}},
		{"400 invalid_request: a password over the limit, unhashed", func(a *app) {
			email := a.user()
			defer occupy(a)() // whoever wants to hash now is told 503
			a.signIn(email, strings.Repeat("x", 257)).is("400 invalid_request").blames("password too_long")
			a.signIn(email, strings.Repeat("\U0001F511", 256)+"x").is("400 invalid_request").blames("password too_long")
			a.signIn(email, "x").is("503 unavailable")
		}},
		{"400 unknown_client", func(a *app) {
			for _, alias := range []string{"nobody", "Web", "web "} {
				a.post("/auth/signin", members{"email": a.user(), "password": authtest.Password, "clientAlias": alias}).is("400 unknown_client")
			}
		}},
		{"401 invalid_credentials", func(a *app) {
			disabled := a.user()
			if err := a.Service.DisableUser(a.Context(), disabled); err != nil {
				a.Fatal(err)
			}
			passwordless := a.add(auth.NewUser{Email: a.email()}).Email
			for email, guess := range map[string]string{
				a.user(): "wrong " + authtest.Password, a.email(): authtest.Password, disabled: authtest.Password, passwordless: "",
			} {
				if guess == "" {
					guess = " "
				}
				x := a.signIn(email, guess).is("401 invalid_credentials").says("Invalid Credentials")
				if got := x.header.Get("WWW-Authenticate"); got != `Bearer realm="latchkey"` {
					a.Errorf("challenge %q", got)
				}
			}
		}},
		{"401 email_not_verified: said to the right password alone", func(a *app) {
			pw := authtest.Password
			email := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			a.signIn(email, pw+"x").is("401 invalid_credentials").says("Invalid Credentials")
			x := a.signIn(email, pw).is("401 email_not_verified")
			if strings.Contains(string(x.body), "access_token") { // I17
				a.Errorf("an unverified account got %s", x.body)
			}
		}},
		{"401 email_not_verified", func(a *app) {
			pw := authtest.Password
			a.signIn(a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email, pw).is("401 email_not_verified")
		}},
		{"429 too_many_requests: known and unknown alike", limitsGuesses},
		{"503 unavailable: the hash queue is full", func(a *app) {
			email := a.user()
			release := occupy(a)
			x := a.signIn(email, authtest.Password).is("503 unavailable")
			if x.header.Get("Retry-After") != "2" {
				a.Errorf("Retry-After %q", x.header.Get("Retry-After"))
			}
			release()
			a.signIn(email, authtest.Password).is("200")
		}},
	})
}

// guessed fails on an account until the next try has to wait for 16 s, whoever makes it.
func (a *app) guessed(try func() answer) {
	a.Helper()
	for i := range 10 {
		if i > 0 {
			a.Clock.Advance(10 * time.Second)
		}
		try().is("401 invalid_credentials")
	}
}

// limitsGuesses: some failures are free, then each makes the next wait, whether there is an account or
// not (I9).
func limitsGuesses(a *app) {
	var first seen
	for i, email := range []string{a.user(), a.email()} {
		guesser := a.node.enter(a.T)
		guesser.guessed(func() answer { return guesser.signIn(email, "wrong") })
		x := a.signIn(email, authtest.Password).is("429 too_many_requests")
		if wait, err := strconv.Atoi(x.header.Get("Retry-After")); err != nil || wait < 1 || wait > 16 || x.header.Get("RateLimit") == "" || x.header.Get("RateLimit-Policy") == "" {
			a.Errorf("headers %v", x.header)
		}
		for _, seconds := range []string{"Retry-After", "RateLimit"} {
			x.header.Del(seconds)
		}
		if i == 0 {
			first = masked(x)
			a.Clock.Advance(17 * time.Second)
			a.signIn(email, authtest.Password).is("200") // after the wait the right password works
		} else if diff := cmp.Diff(first, masked(x)); diff != "" {
			a.Errorf("known (-) and unknown (+) can be told apart:\n%s", diff)
		}
	}
}

// occupy takes the only hash permit until the function it returns is called.
func occupy(a *app) (release func()) {
	a.Helper()
	held, done, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		if err := a.Options.Pool.Do(context.Background(), password.Caller{}, func() { close(held); <-done }); err != nil {
			a.Error(err)
		}
	}()
	<-held
	return func() {
		select {
		case <-done:
		default:
			close(done)
			<-over
		}
	}
}

// decodedJWT is a token's two readable parts.
type decodedJWT struct{ header, claims map[string]any }

func jwt(t *testing.T, token string) decodedJWT {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %s", token)
	}
	var out decodedJWT
	for i, into := range []*map[string]any{&out.header, &out.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			t.Fatalf("decode %s: %v", token, err)
		}
	}
	return out
}

// number is a claim as JSON's decoder leaves it.
func (d decodedJWT) number(name string) int64 {
	n, _ := d.claims[name].(float64)
	return int64(n)
}

func checkAccessToken(a *app, tokens api.Tokens, u auth.User, alias string) {
	a.Helper()
	got := jwt(a.T, tokens.AccessToken)
	if got.header["typ"] != "at+jwt" || got.header["alg"] != "ES256" || got.header["kid"] == "" || len(got.header) != 3 {
		a.Errorf("header %v", got.header)
	}
	if life := got.number("exp") - got.number("iat"); life < 570 || life > 600 || tokens.ExpiresIn > life || tokens.ExpiresIn < life-1 { // 10 minutes less up to 5 %
		a.Errorf("life %d, expires_in %d", life, tokens.ExpiresIn)
	}
	if since := got.number("iat") - got.number("auth_time"); got.number("nbf") != got.number("iat") || since < 0 || since > 30 || got.claims["jti"] == "" {
		a.Errorf("claims %v", got.claims)
	}
	for _, changing := range []string{"exp", "iat", "nbf", "auth_time", "jti"} {
		delete(got.claims, changing)
	}
	if diff := cmp.Diff(map[string]any{
		"iss": a.Options.Issuer, "aud": a.Options.Audience, "sub": u.ID, "sid": tokens.SessionID,
		"client_id": alias, "azp": alias, "scope": "email profile",
		"email": u.Email, "email_verified": true, "name": "Ada Lovelace", "given_name": "Ada", "family_name": "Lovelace",
	}, got.claims); diff != "" {
		a.Errorf("claims (-want +got):\n%s", diff)
	}
}

func checkRefreshToken(a *app, tokens api.Tokens, alias string) {
	a.Helper()
	got := jwt(a.T, tokens.RefreshToken)
	if got.header["typ"] != "rt+jwt" || got.header["alg"] != "HS256" || got.header["kid"] != a.Options.Master.Current() || len(got.header) != 3 {
		a.Errorf("header %v", got.header)
	}
	if names := slices.Sorted(maps.Keys(got.claims)); !slices.Equal(names, []string{"azp", "exp", "gen", "iat", "iss", "sid"}) {
		a.Errorf("claims %v", names)
	}
	if got.claims["azp"] != alias || got.claims["sid"] != tokens.SessionID || got.claims["iss"] != a.Options.Issuer || got.number("gen") != 1 {
		a.Errorf("claims %v", got.claims)
	}
	if life := got.number("exp") - got.number("iat"); life != int64(a.Options.RefreshIdle.Seconds()) {
		a.Errorf("life %d s", life)
	}
}
