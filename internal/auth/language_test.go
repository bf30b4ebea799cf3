package auth_test

// Languages: what is set, and who is spoken to in which. The tests use every language there is.

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/locale"
	"latchkey/internal/mail"
	"latchkey/internal/peer"
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

// A mail speaks as its reader has set it, else, when it was asked for, as whoever asked does, else English.
// What a notice tells of may be a stranger's doing: their language is nobody's.
func TestMailsSpeakTheLanguageOfTheirReader(t *testing.T) {
	set, asked, _ := speaks()
	reset := func(r *authtest.Rig, email, reads string) error {
		_, err := readsIn(r, reads).ForgotPassword(context.Background(), api.ForgotPasswordRequest{Email: email})
		return err
	}
	verify := func(r *authtest.Rig, email, reads string) error {
		return readsIn(r, reads).RequestVerification(context.Background(), api.VerificationMailRequest{Email: email})
	}
	signInByAPI := func(r *authtest.Rig, email, reads string) error {
		_, err := readsIn(r, reads).SignIn(context.Background(), api.SignInRequest{Email: email, Password: authtest.Password})
		return err
	}
	stranger := func(reads string) peer.Peer { // as pages know one
		peer := at("203.0.113.7", "curl/8.5.0")
		peer.Language = reads
		return peer
	}
	signIn := func(r *authtest.Rig, email, reads string) error {
		_, err := attempt(r, email, authtest.Password, stranger(reads))
		return err
	}
	change := func(r *authtest.Rig, email, reads string) error {
		_, err := r.Service.ChangePassword(context.Background(), nil, auth.ChangePassword{
			Email: email, OldPassword: auth.Password{Value: authtest.Password}, NewPassword: auth.Password{Value: "another fine passphrase"},
		}, stranger(reads))
		return err
	}
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		for name, tt := range map[string]struct {
			kind       mail.Kind
			account    bool
			set, asked string
			do         func(r *authtest.Rig, email, reads string) error
			want       string
		}{
			"reset, set":               {mail.Reset, true, set, asked, reset, set},
			"reset, asked":             {mail.Reset, true, "", asked, reset, asked},
			"reset, neither":           {mail.Reset, true, "", "", reset, "en"},
			"verification, asked":      {mail.Verify, false, "", asked, verify, asked},
			"verification, nothing":    {mail.Verify, false, "", "", verify, "en"},
			"already there, set":       {mail.AlreadyRegistered, true, set, asked, verify, set},
			"already there, asked":     {mail.AlreadyRegistered, true, "", asked, verify, asked},
			"sign-in by request":       {mail.NewDevice, true, "", asked, signInByAPI, "en"},
			"stranger's sign-in":       {mail.NewDevice, true, "", asked, signIn, "en"},
			"stranger's sign-in, set":  {mail.NewDevice, true, set, asked, signIn, set},
			"stranger's password":      {mail.PasswordChanged, true, "", asked, change, "en"},
			"stranger's password, set": {mail.PasswordChanged, true, set, asked, change, set},
		} {
			email := strings.NewReplacer(" ", "", ",", "", "'", "").Replace(name) + "@example.com"
			if tt.account {
				caller := auth.Caller{UserID: r.AddUser(t, email).ID}
				if _, err := attempt(r, email, authtest.Password, at("192.0.2.7", firefox)); err != nil { // the owner's first
					t.Fatal(err)
				}
				if tt.set != "" {
					if err := r.Service.SetLanguage(ctx, caller, tt.set); err != nil {
						t.Fatal(err)
					}
				}
			}
			r.Clock.Advance(time.Millisecond) // a link asked for when the account was made would be superseded
			if err := tt.do(r, email, tt.asked); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			title, err := locale.For(tt.want).Text("mail." + string(tt.kind) + ".title")
			if err != nil {
				t.Fatal(err)
			}
			if m := r.Mail(t, email); m.Language != tt.want || !strings.HasPrefix(m.Subject, title) {
				t.Errorf("%s: %q in %s, want %q in %s", name, m.Subject, m.Language, title, tt.want)
			}
		}
	})
}

// An account that is gone when its notice is delivered is told of all the same, in English.
func TestNoticeOfADeletedAccount(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		r := authtest.New(t, db)
		ctx := context.Background()
		const ada = "ada@example.com"
		r.AddUser(t, ada)
		if err := r.Service.SetPassword(ctx, ada, "another fine passphrase"); err != nil {
			t.Fatal(err)
		}
		if err := r.Service.DeleteUser(ctx, ada); err != nil {
			t.Fatal(err)
		}
		if m := r.Mail(t, ada); m.Language != "en" || !strings.HasPrefix(m.Subject, "Your password was changed") {
			t.Errorf("%q in %q", m.Subject, m.Language)
		}
	})
}
