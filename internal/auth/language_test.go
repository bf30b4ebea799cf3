package auth_test

// Languages: what is set, and who is spoken to in which. The tests use every language there is.

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/locale"
)

// speaks are three languages, different ones as far as there are so many.
func speaks() (a, b, c string) {
	all := locale.Languages()
	return all[len(all)-1].Tag, all[1%len(all)].Tag, all[2%len(all)].Tag
}

func languageOf(t *testing.T, r *authtest.Rig, email string) string {
	t.Helper()
	u, err := r.Service.UserByEmail(context.Background(), email)
	if err != nil {
		t.Fatal(err)
	}
	return u.Language
}

func TestSetLanguage(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		const ada = "ada@example.com"
		caller := auth.Caller{UserID: r.AddUser(t, ada).ID}
		if got := languageOf(t, r, ada); got != "" {
			t.Errorf("before anything was set: %q", got)
		}
		if err := r.Service.SetLanguage(ctx, caller, "en"); err != nil {
			t.Fatal(err)
		}
		for _, odd := range []string{"", "EN", "en-GB", "tlh", "en\r\nBcc: eve@example.com", strings.Repeat("e", 100)} {
			if err := r.Service.SetLanguage(ctx, caller, odd); auth.CodeOf(err) != auth.CodeInvalidRequest {
				t.Errorf("%q: got %v, want %s", odd, err, auth.CodeInvalidRequest)
			}
		}
		if got := languageOf(t, r, ada); got != "en" {
			t.Errorf("set %q, want en", got)
		}
		if err := r.Service.SetLanguage(ctx, auth.Caller{UserID: "gone"}, "en"); auth.CodeOf(err) != auth.CodeInvalidToken {
			t.Errorf("an account that is gone: got %v, want %s", err, auth.CodeInvalidToken)
		}
	})
}

// reading sends an Accept-Language with every request.
type reading string

func (l reading) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept-Language", string(l))
	return http.DefaultTransport.RoundTrip(r)
}

func readsIn(r *authtest.Rig, acceptLanguage string) *client.Client {
	return client.New(r.HTTP.URL, &http.Client{Transport: reading(acceptLanguage)})
}

// A new account's language is that of the browser it was made with, if that said one.
func TestSignUpKeepsTheLanguage(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		_, tag, _ := speaks()
		for _, tt := range []struct {
			email, header, want string
			known               bool // there is an account without a password already
		}{
			{"plain@example.com", tag, tag, false},
			{"known@example.com", tag, tag, true},
			{"listed@example.com", "tlh, " + tag + ";q=0.5", tag, false},
			{"silent@example.com", "", "", false},
			{"silent.known@example.com", "", "", true},
			{"any@example.com", "*", "", false},
		} {
			if tt.known {
				if _, err := r.Service.AddUser(ctx, auth.NewUser{Email: tt.email, FirstName: "Ada", LastName: "Lovelace"}); err != nil {
					t.Fatal(err)
				}
			}
			if err := r.RequestVerification(ctx, api.VerificationMailRequest{Email: tt.email}); err != nil {
				t.Fatal(err)
			}
			in := api.SignUpRequest{Email: tt.email, Password: authtest.Password, FirstName: "Ada", LastName: "Lovelace", VerificationCode: r.Code(t, tt.email)}
			if _, err := readsIn(r, tt.header).SignUp(ctx, in); err != nil {
				t.Fatal(err)
			}
			if got := languageOf(t, r, tt.email); got != tt.want {
				t.Errorf("Accept-Language %q: the account has %q, want %q", tt.header, got, tt.want)
			}
		}
	})
}
