package server_test

// A password reset with a mailed token, and one changed by somebody who knows the old one.

import (
	"fmt"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

const newPassword = "a quite different horse"

func (a *app) reset(email, code, password string) answer {
	a.Helper()
	return a.post("/auth/password-reset/"+url.PathEscape(email), members{"password": password, "token": code})
}

func (a *app) change(email, old, fresh string, headers ...string) answer {
	a.Helper()
	return a.post("/auth/reset-password", members{"email": email, "oldPassword": old, "newPassword": fresh}, headers...)
}

// refusedPasswords are what no policy of these tests takes, for a user Ada Lovelace of that address.
func refusedPasswords(email string) map[string]string {
	return map[string]string{
		"seven77": "too_short", strings.Repeat("é", 7): "too_short",
		"password": "too_common", "PassWord": "too_common", "iloveyou": "too_common",
		email: "contains_context", strings.ToUpper(email): "contains_context", "lovelace1815": "contains_context", "!Lovelace99": "contains_context", "Latchkey!": "contains_context", "Example Web": "contains_context",
	}
}

// wrongUntilLimited sends wrong mailed tokens until the address is told to wait.
func wrongUntilLimited(a *app, refused string, try func() answer) {
	a.Helper()
	tries, x := 1, try()
	for ; what(x.status, x.header, x.body) == refused && tries < 200; tries++ {
		x = try()
	}
	x.is("429 too_many_requests")
	if tries <= 100 || x.header.Get("Retry-After") == "" || x.header.Get("RateLimit") == "" { // one more is admitted every 6 s
		a.Errorf("try %d: headers %v", tries, x.header)
	}
}

func TestResetPassword(t *testing.T) {
	prove(t, "POST /auth/password-reset/{email}", nil, []proof{
		{"200", func(a *app) {
			email, here := a.in()
			there := a.In(a.T, email)
			code := a.ForgotCode(a.T, email)
			x := a.reset(email, code, newPassword).is("200")
			if strings.Contains(string(x.body), "data") || strings.Contains(string(x.body), "access_token") {
				a.Errorf("it signed somebody in: %s", x.body)
			}
			a.dead(here) // I5
			a.dead(there)
			a.signIn(email, authtest.Password).is("401 invalid_credentials")
			a.signIn(email, newPassword).is("200")
			if got := a.subjects(email); !strings.HasPrefix(got, "Your password was changed - ") {
				a.Errorf("mails: %s", got)
			}
		}},
		{"200: the address raw, encoded and trimmed", func(a *app) {
			for _, spell := range []func(string) string{
				func(e string) string { return e },
				func(e string) string { return strings.ReplaceAll(e, "@", "%40") },
				func(e string) string { return "%20" + strings.ToUpper(e) + "%0A" },
			} {
				email := a.user()
				body := members{"password": newPassword, "token": a.ForgotCode(a.T, email)}
				a.post("/auth/password-reset/"+spell(email), body).is("200")
			}
		}},
		{"200: an address with slashes, raw and encoded", func(a *app) {
			for i, spell := range []func(string) string{
				func(e string) string { return e },
				func(e string) string { return strings.ReplaceAll(e, "/", "%2F") },
			} {
				email := a.AddUser(a.T, fmt.Sprintf("r/d/%d", i)+a.email()).Email
				body := members{"password": newPassword, "token": a.ForgotCode(a.T, email)}
				a.post("/auth/password-reset/"+spell(email), body).is("200")
			}
		}},
		{"200: it verifies the address, and gives a password to who has none", func(a *app) {
			pw := authtest.Password
			for _, u := range []auth.NewUser{{Password: &pw, Unverified: true}, {Unverified: true}, {}} {
				u.Email = a.email()
				a.add(u)
				a.reset(u.Email, a.ForgotCode(a.T, u.Email), newPassword).is("200")
				a.signIn(u.Email, newPassword).is("200")
			}
		}},
		{"200: the stored password again", func(a *app) {
			email := a.user()
			a.reset(email, a.ForgotCode(a.T, email), authtest.Password).is("200")
		}},
		{"200: it drops every other link", func(a *app) { // I4
			pw := authtest.Password
			email := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			a.verifyMail(members{"email": email}).is("201")
			verification := a.Code(a.T, email)
			a.reset(email, a.ForgotCode(a.T, email), newPassword).is("200")
			a.verify(email, verification).is("400 invalid_verification_code")
		}},
		{"200: a wait that strangers caused does not outlast it", func(a *app) {
			email := a.user()
			a.guessed(func() answer { return a.signIn(email, "wrong") })
			a.signIn(email, authtest.Password).is("429 too_many_requests")
			a.reset(email, a.ForgotCode(a.T, email), newPassword).is("200")
			a.Clock.Advance(time.Second) // as long as a node may repeat a "no"
			a.signIn(email, newPassword).is("200")
		}},
		{"400 invalid_request", func(a *app) {
			email := a.user()
			for _, tt := range []struct{ body, blames string }{
				{`{}`, "password required, token required"},
				{`{"password":null,"token":null}`, "password required, token required"},
				{`{"password":"x","token":17}`, "token invalid_type"},
				{`{"password":"` + strings.Repeat("x", 257) + `","token":"x"}`, "password too_long"},
			} {
				a.post("/auth/password-reset/"+email, tt.body).is("400 invalid_request").blames(tt.blames)
			}
			for _, path := range []string{"nobody", "%20", "a%2540example.com", "a%40example.com%00"} {
				a.post("/auth/password-reset/"+path, members{"password": newPassword, "token": madeUp}).is("400 invalid_request")
			}
		}},
		{"400 password_not_accepted: which spends nothing and ends nothing", func(a *app) {
			email, here := a.in()
			code := a.ForgotCode(a.T, email)
			for bad, why := range refusedPasswords(email) {
				a.reset(email, code, bad).is("400 password_not_accepted").blames("password " + why)
			}
			here = a.alive(here)
			a.signIn(email, authtest.Password).is("200")
			a.reset(email, code, newPassword).is("200")
			a.dead(here)
		}},
		{"429 too_many_requests: wrong tokens from one address", func(a *app) {
			email := a.user()
			wrongUntilLimited(a, "400 invalid_reset_token", func() answer { return a.reset(email, madeUp, newPassword) })
			a.post("/auth/signin", members{"email": email, "password": authtest.Password}, from(a.node.address())).is("200") // the account does not suffer
		}},
	})
}

// One answer for every token that is not good, and which those are.
func TestResetToken(t *testing.T) {
	prove(t, "POST /auth/password-reset/{email}", nil, []proof{
		{"400 invalid_reset_token", func(a *app) {
			pw := authtest.Password
			email, other := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email, a.user()
			code, others := a.ForgotCode(a.T, email), a.ForgotCode(a.T, other)
			a.verifyMail(members{"email": email}).is("201")
			first := a.reset(email, madeUp, newPassword).is("400 invalid_reset_token")
			for name, bad := range map[string]string{
				"another account's": others, "a verification code": a.mailedVerification(email), "padded": code + "=", "spaced": " " + code,
				"cut": code[:len(code)-1], "spare bits": code[:len(code)-1] + string(code[len(code)-1]+1), "garbage": "x", "long": strings.Repeat("A", 9000),
			} {
				if diff := cmp.Diff(masked(first), masked(a.reset(email, bad, newPassword))); diff != "" {
					a.Errorf("%s: told apart from an unknown one:\n%s", name, diff)
				}
			}
			if diff := cmp.Diff(masked(first), masked(a.reset(a.email(), code, newPassword))); diff != "" {
				a.Errorf("an unknown account is told apart:\n%s", diff)
			}
			a.reset(email, code, newPassword).is("200") // I7: nothing above has spent it
			if diff := cmp.Diff(masked(first), masked(a.reset(email, code, newPassword))); diff != "" {
				a.Errorf("used: told apart from an unknown one:\n%s", diff)
			}
			a.reset(other, others, newPassword).is("200")
		}},
		{"400 invalid_reset_token: an hour later", func(a *app) {
			email := a.user()
			code := a.ForgotCode(a.T, email)
			a.Clock.Advance(a.Options.ResetTTL + time.Second)
			a.reset(email, code, newPassword).is("400 invalid_reset_token")
		}},
		{"200: any of those mailed, and none after it", func(a *app) {
			email := a.user()
			old := a.ForgotCode(a.T, email)
			a.Clock.Advance(time.Minute + time.Second)
			newest := a.ForgotCode(a.T, email)
			a.reset(email, old, newPassword).is("200")
			a.reset(email, newest, newPassword).is("400 invalid_reset_token")
		}},
		{"400 invalid_reset_token: the account was disabled, or changed its password", func(a *app) {
			disabled, changed := a.user(), a.user()
			codes := []string{a.ForgotCode(a.T, disabled), a.ForgotCode(a.T, changed)}
			if err := a.Service.DisableUser(a.Context(), disabled); err != nil {
				a.Fatal(err)
			}
			a.change(changed, authtest.Password, newPassword).is("200")
			a.reset(disabled, codes[0], newPassword).is("400 invalid_reset_token")
			a.reset(changed, codes[1], newPassword).is("400 invalid_reset_token")
		}},
		{"400 invalid_reset_token: a policy answer is not given to a stranger", func(a *app) {
			a.reset(a.user(), madeUp, "short").is("400 invalid_reset_token")
		}},
	})
}

func TestChangePassword(t *testing.T) {
	prove(t, "POST /auth/reset-password", nil, []proof{
		{"200: the Bearer's session lives on, no other", func(a *app) {
			email, here := a.in()
			there := a.In(a.T, email)
			a.change(email, authtest.Password, newPassword, bearer(here.AccessToken)).is("200")
			a.dead(there) // I5
			a.alive(here)
			a.signIn(email, authtest.Password).is("401 invalid_credentials")
			a.signIn(email, newPassword).is("200")
			if got := a.subjects(email); !strings.HasPrefix(got, "Your password was changed - ") {
				a.Errorf("mails: %s", got)
			}
		}},
		{"200: without a Bearer every session ends", func(a *app) {
			email, here := a.in()
			a.change(email, authtest.Password, newPassword).is("200")
			a.dead(here)
		}},
		{"200: the address in another case", func(a *app) {
			email, here := a.in()
			a.change(strings.ToUpper(email), authtest.Password, newPassword, bearer(here.AccessToken)).is("200")
		}},
		{"400 invalid_request", func(a *app) {
			for _, tt := range []struct{ body, blames string }{
				{`{}`, "email required, oldPassword required, newPassword required"},
				{`{"email":null,"oldPassword":null,"newPassword":null}`, "email required, oldPassword required, newPassword required"},
				{`{"email":1,"oldPassword":2,"newPassword":3}`, "email invalid_type, oldPassword invalid_type, newPassword invalid_type"},
				{`{"email":"x","oldPassword":"x","newPassword":"` + strings.Repeat("x", 257) + `"}`, "email invalid_format, newPassword too_long"},
			} {
				a.post("/auth/reset-password", tt.body).is("400 invalid_request").blames(tt.blames)
			}
		}},
		{"400 password_unchanged: compared before hashing", func(a *app) {
			a.change(a.user(), authtest.Password, authtest.Password).is("400 password_unchanged").blames("newPassword unchanged")
			a.change(a.user(), "caf\u00e9 au lait", "cafe\u0301 au lait").is("400 password_unchanged") // NFC
			a.change(a.email(), "whatever it is", "whatever it is").is("400 password_unchanged")       // says nothing of the account
		}},
		{"400 password_not_accepted", func(a *app) {
			email, here := a.in()
			for bad, why := range refusedPasswords(email) {
				a.change(email, authtest.Password, bad, bearer(here.AccessToken)).is("400 password_not_accepted").blames("newPassword " + why)
			}
			a.signIn(email, authtest.Password).is("200")
			a.alive(here)
		}},
		{"400 password_not_accepted: what needs no account is said first, and says nothing of it", func(a *app) {
			email := a.user()
			before := a.audited(email)
			for _, x := range []answer{
				a.change(email, authtest.Password, "seven77"), a.change(email, "wrong", "seven77"), a.change(a.email(), "wrong", "seven77"),
			} {
				x.is("400 password_not_accepted").blames("newPassword too_short")
			}
			if diff := cmp.Diff(before, a.audited(email)); diff != "" {
				a.Errorf("a password was evaluated: %s", diff)
			}
		}},
		{"401 invalid_credentials", func(a *app) {
			email, here := a.in()
			a.change(email, "wrong", newPassword, bearer(here.AccessToken)).is("401 invalid_credentials").says("Invalid Credentials")
			a.change(email, "wrong", "lovelace1815").is("401 invalid_credentials") // of the account's names the policy speaks to its owner alone
			a.alive(here)
			a.signIn(email, authtest.Password).is("200")
		}},
		{"401 invalid_token: a bad Bearer, though the password is right", func(a *app) {
			email, _ := a.in()
			for name, headers := range badBearers(a) {
				if len(headers) == 0 || !strings.HasPrefix(headers[0], "Authorization") {
					continue
				}
				x := a.change(email, authtest.Password, newPassword, headers...)
				if what(x.status, x.header, x.body) != "401 invalid_token" {
					a.Errorf("%s: %d %s", name, x.status, x.body)
				}
			}
			a.signIn(email, authtest.Password).is("200")
		}},
		{"403 forbidden: the Bearer is another user's", func(a *app) { // I18
			email := a.user()
			_, theirs := a.in()
			a.change(email, authtest.Password, newPassword, bearer(theirs.AccessToken)).is("403 forbidden")
			a.change(a.email(), authtest.Password, newPassword, bearer(theirs.AccessToken)).is("403 forbidden")
			a.signIn(email, authtest.Password).is("200")
			a.alive(theirs)
		}},
		{"429 too_many_requests: sign-in's own counter", func(a *app) {
			email := a.user()
			tries := 0
			a.guessed(func() answer {
				if tries++; tries%2 == 0 {
					return a.signIn(email, "wrong")
				}
				return a.change(email, "wrong", newPassword)
			})
			a.change(email, authtest.Password, newPassword).is("429 too_many_requests")
			a.Clock.Advance(17 * time.Second)
			a.change(email, authtest.Password, newPassword).is("200")
		}},
	})
}

// The answer about a new password is the one that sign-up, reset and change would give.
func TestCheckPassword(t *testing.T) {
	check := func(a *app, pw string, more members) answer {
		a.Helper()
		body := members{"password": pw}
		maps.Copy(body, more)
		return a.post("/auth/password-check", body)
	}
	prove(t, "POST /auth/password-check", nil, []proof{
		{"200: accepted", func(a *app) {
			for pw, want := range map[string]string{"x7#kQ2m!": "weak", "x7#kQ2m!w5": "fair", "wirbelnder tee-": "good", newPassword: "strong"} {
				got := dataOf[api.PasswordCheck](check(a, pw, members{"email": "x", "firstName": nil}).is("200"))
				if diff := cmp.Diff(api.PasswordCheck{Accepted: true, Strength: want}, got); diff != "" {
					a.Errorf("%s: %s", pw, diff)
				}
			}
		}},
		{"200: refused", func(a *app) {
			about := members{"email": "Countess@example.com", "firstName": " Augusta ", "lastName": "Lovelace"}
			for pw, want := range map[string]string{
				"x7#kQ2m": "too_short", "password1": "too_common", strings.Repeat("x", 257): "too_long",
				"countess1": "contains_context", "augusta123": "contains_context", "lovelace!": "contains_context",
				"latchkey1": "contains_context", "Example Web": "contains_context",
			} {
				x := check(a, pw, about).is("200")
				if diff := cmp.Diff(api.PasswordCheck{Reason: want}, dataOf[api.PasswordCheck](x)); diff != "" {
					a.Errorf("%s: %s", pw, diff)
				}
				if strings.Contains(string(x.body), pw) {
					a.Errorf("%s is said back: %s", pw, x.body)
				}
			}
		}},
		{"200: says nothing of accounts", func(a *app) {
			known, unknown := a.user(), a.email()
			x, y := check(a, newPassword, members{"email": known}).is("200"), check(a, newPassword, members{"email": unknown}).is("200")
			if diff := cmp.Diff(masked(x), masked(y)); diff != "" {
				a.Error(diff)
			}
		}},
		{"400 invalid_request", func(a *app) {
			a.post("/auth/password-check", `{}`).is("400 invalid_request").blames("password required")
			a.post("/auth/password-check", `{"password":""}`).is("400 invalid_request").blames("password required")
			a.post("/auth/password-check", `{"password":1,"email":2}`).is("400 invalid_request").blames("password invalid_type, email invalid_type")
		}},
		{"429 too_many_requests: an address, and it keeps nobody from signing in", func(a *app) {
			email := a.user()
			admitted := 0
			for admitted <= 700 && check(a, newPassword, nil).status == 200 {
				admitted++
			}
			if admitted < 600 || admitted > 700 { // one more each second
				a.Errorf("%d were admitted, want 600", admitted)
			}
			a.signIn(email, authtest.Password).is("200")
			a.Clock.Advance(2 * time.Second)
			check(a, newPassword, nil).is("200")
		}},
	})
}
