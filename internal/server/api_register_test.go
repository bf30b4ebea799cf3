package server_test

// From an address to an account, as docs/adr/0006-accounts-begin-at-sign-up.md has it.

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
)

func (a *app) verifyMail(in members) answer {
	a.Helper()
	return a.post("/auth/verification-mail", in)
}

func (a *app) verify(email, code string, headers ...string) answer {
	a.Helper()
	return a.get("/auth/verify?"+url.Values{"email": {email}, "verificationCode": {code}}.Encode(), headers...)
}

func (a *app) signUp(email, code, password string, headers ...string) answer {
	a.Helper()
	in := members{"email": email, "password": password, "firstName": "Grace", "lastName": "Hopper"}
	if code != "" {
		in["verificationCode"] = code
	}
	return a.post("/auth/signup", in, headers...)
}

// code asks for a verification mail and returns its code.
func (a *app) code(email string) string {
	a.Helper()
	a.verifyMail(members{"email": email}).is("201")
	return a.mailedVerification(email)
}

// mailedVerification is the code of the newest verification mail to an address.
func (a *app) mailedVerification(email string) string {
	a.Helper()
	for _, m := range a.mailTo(email) {
		if u, err := url.Parse(link(m)); err == nil && strings.HasSuffix(u.Path, "/verify-email-success") {
			return u.Query().Get("verificationCode")
		}
	}
	a.Fatalf("no verification mail to %s", email)
	return ""
}

func (a *app) isVerified(email string) bool {
	a.Helper()
	u, err := a.Service.UserByEmail(a.Context(), email)
	if err != nil {
		a.Fatal(err)
	}
	return !u.VerifiedAt.IsZero()
}

func TestVerificationMail(t *testing.T) {
	prove(t, "POST /auth/verification-mail", nil, []proof{
		{"201", func(a *app) {
			email := a.email()
			a.verifyMail(members{"email": " " + strings.ToUpper(email) + "\n"}).is("201")
			a.linkIs(email, webURL+"/verify-email-success", "")
		}},
		{"201: the client by query, by body, and null", func(a *app) {
			for _, tt := range []struct {
				query string
				alias any
				base  string
			}{
				{"?clientAlias=mobile", nil, mobileURL},
				{"", "mobile", mobileURL},
				{"?clientAlias=web", " mobile ", mobileURL}, // the body is nearer
				{"?clientAlias=", nil, webURL},
				{"?utm=1", nil, webURL},
			} {
				email := a.email()
				a.post("/auth/verification-mail"+tt.query, members{"email": email, "clientAlias": tt.alias, "brandLogoUrl": nil, "platformName": nil}).is("201")
				a.linkIs(email, tt.base+"/verify-email-success", "")
			}
		}},
		{"201: who gets what", func(a *app) {
			pw := authtest.Password
			for _, tt := range []struct {
				u       *auth.NewUser
				subject string
			}{
				{nil, "Confirm your email address"},
				{&auth.NewUser{Unverified: true}, "Confirm your email address"},
				{&auth.NewUser{Unverified: true, Password: &pw}, "Confirm your email address"},
				{&auth.NewUser{}, "Confirm your email address"},
				{&auth.NewUser{Password: &pw}, "You already have an account"},
			} {
				email := a.email()
				if tt.u != nil {
					tt.u.Email = email
					a.add(*tt.u)
				}
				a.verifyMail(members{"email": email}).is("201")
				list := a.mailTo(email)
				if len(list) != 1 || !strings.HasPrefix(list[0].Subject, tt.subject) {
					a.Errorf("%+v: %d mails: %s", tt.u, len(list), a.subjects(email))
					continue
				}
				if has := strings.Contains(list[0].Text, "verificationCode="); has != (tt.subject != "You already have an account") {
					a.Errorf("%+v: a code in the mail: %v", tt.u, has)
				}
			}
		}},
		{"201: asking again sends again, once a minute", func(a *app) {
			email := a.email()
			first := a.code(email)
			a.verifyMail(members{"email": email}).is("201")
			if got := len(a.mailTo(email)); got != 1 {
				a.Fatalf("%d mails, want 1", got)
			}
			a.Clock.Advance(time.Minute + time.Second)
			second := a.code(email)
			for _, code := range []string{first, second} { // the newer request ends no older link
				a.verify(email, code).is("200")
			}
		}},
		{"400 invalid_request", func(a *app) {
			for body, blames := range map[string]string{
				`{}`: "email required", `{"email":"x"}`: "email invalid_format", `{"email":7}`: "email invalid_type",
				`{"email":"a@example.com","platformName":"evil.example","brandLogoUrl":"x"}`: "brandLogoUrl invalid_format",
			} {
				a.post("/auth/verification-mail", body).is("400 invalid_request").blames(blames)
			}
			a.post("/auth/verification-mail?clientAlias=web&clientAlias=mobile", members{"email": a.email()}).is("400 invalid_request")
		}},
		{"400 unknown_client", func(a *app) {
			a.post("/auth/verification-mail?clientAlias=nobody", members{"email": a.email()}).is("400 unknown_client")
			a.verifyMail(members{"email": a.email(), "clientAlias": "nobody"}).is("400 unknown_client")
		}},
		{"429 too_many_requests: mails asked for from one address", func(a *app) {
			for i := range 30 {
				a.verifyMail(members{"email": fmt.Sprintf("m%d@example.com", i)}).is("201")
			}
			a.verifyMail(members{"email": a.email()}).is("429 too_many_requests")
			a.forgot(members{"email": a.email()}).is("429 too_many_requests")
		}},
	})
}

func TestVerify(t *testing.T) {
	prove(t, "GET /auth/verify", nil, []proof{
		{"200", func(a *app) {
			pw := authtest.Password
			email := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			code := a.code(email)
			if a.isVerified(email) {
				a.Fatal("verified before it was")
			}
			for range 3 { // a mail scanner's visit harms nothing
				a.verify(email, code).is("200")
			}
			a.signIn(email, pw).is("200")
			a.verify(strings.ToUpper(email), code).is("200")
		}},
		{"200: an address without an account", func(a *app) {
			email := a.email()
			a.verify(email, a.code(email)).is("200")
			if _, err := a.Service.UserByEmail(a.Context(), email); err == nil {
				a.Error("verifying made an account")
			}
		}},
		{"400 invalid_request", func(a *app) {
			for query, blames := range map[string]string{
				"":                                   "email required, verificationCode required",
				"?email=x&verificationCode=x":        "email invalid_format",
				"?email=a%40example.com":             "verificationCode required",
				"?Email=a%40example.com":             "email required, verificationCode required",
				"?email=&verificationCode=" + madeUp: "email required",
			} {
				a.get("/auth/verify" + query).is("400 invalid_request").blames(blames)
			}
			a.get("/auth/verify?email=%zz&verificationCode=x").is("400 invalid_request")
			a.get("/auth/verify?email=a%40example.com&email=b%40example.com&verificationCode=x").is("400 invalid_request")
		}},
		{"400 invalid_verification_code", func(a *app) {
			pw := authtest.Password
			email := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			code, others := a.code(email), a.code(a.email())
			first := a.verify(email, madeUp).is("400 invalid_verification_code")
			for name, bad := range map[string]string{
				"another address's": others, "a reset token": a.ForgotCode(a.T, email), "padded": code + "=", "cut": code[1:], "garbage": "x", // I7
			} {
				if diff := cmp.Diff(masked(first), masked(a.verify(email, bad))); diff != "" {
					a.Errorf("%s: told apart from an unknown one:\n%s", name, diff)
				}
			}
			if a.isVerified(email) {
				a.Error("a wrong code verified the address")
			}
		}},
		{"400 invalid_verification_code: a day later", func(a *app) {
			email := a.email()
			code := a.code(email)
			a.verify(email, code).is("200")
			a.Clock.Advance(a.Options.VerifyTTL + time.Second)
			a.verify(email, code).is("400 invalid_verification_code")
		}},
		{"403 forbidden: another site's page has it loaded", func(a *app) {
			email := a.email()
			a.get("/auth/verify?email="+url.QueryEscape(email)+"&verificationCode="+a.code(email),
				"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image").is("403 forbidden")
		}},
		{"429 too_many_requests: wrong codes from one address", func(a *app) {
			email := a.email()
			wrongUntilLimited(a, "400 invalid_verification_code", func() answer { return a.verify(email, madeUp) })
		}},
	})
}

func TestSignUp(t *testing.T) {
	prove(t, "POST /auth/signup", nil, []proof{
		{"201", func(a *app) {
			email := a.email()
			code := a.code(email)
			id := dataOf[api.SignedUp](a.signUp(strings.ToUpper(email), code, newPassword).is("201")).UserID // verify may be skipped
			tokens := dataOf[api.Tokens](a.signIn(email, newPassword).is("200"))
			claims := jwt(a.T, tokens.AccessToken).claims
			if claims["sub"] != id || claims["email"] != email || claims["name"] != "Grace Hopper" {
				a.Errorf("user %s, claims %v", id, claims)
			}
			a.signUp(email, code, newPassword).is("409 already_registered") // until it expires
			a.verify(email, code).is("200")
			a.Clock.Advance(a.Options.VerifyTTL + time.Second)
			a.signUp(email, code, newPassword).is("400 email_not_verified")
		}},
		{"201: names are trimmed, 1 to 100 characters; extra keys reach no record", func(a *app) {
			email := a.email()
			long := strings.Repeat("é", 100)
			a.post("/auth/signup", members{
				"email": email, "password": newPassword, "firstName": " \t" + long + " ", "lastName": "O", "verificationCode": a.code(email),
				"isPasskey": false, "clientId": "x", "role": "admin", "disabled": true, "id": "00000000-0000-0000-0000-000000000000",
			}).is("201")
			tokens := dataOf[api.Tokens](a.signIn(email, newPassword).is("200"))
			if got := decode[api.UserInfo](a.get("/auth/userinfo", bearer(tokens.AccessToken)).is("200")); got.GivenName != long || got.FamilyName != "O" {
				a.Errorf("userinfo %+v", got)
			}
		}},
		{"201: an account without a password gets its first", func(a *app) {
			for _, u := range []auth.NewUser{{Unverified: true}, {}} {
				u.Email = a.email()
				before := a.add(u)
				id := dataOf[api.SignedUp](a.signUp(u.Email, a.code(u.Email), newPassword).is("201")).UserID
				if id != before.ID {
					a.Errorf("user %s, before %s", id, before.ID)
				}
				a.signIn(u.Email, newPassword).is("200")
			}
		}},
		{"201: signing up clears the count of verification mails", func(a *app) {
			email := a.email()
			a.signUp(email, a.code(email), newPassword).is("201")
			a.verifyMail(members{"email": email}).is("201")
			if got := a.subjects(email); !strings.HasPrefix(got, "You already have an account") {
				a.Errorf("mails: %s", got)
			}
		}},
		{"400 invalid_request", func(a *app) {
			email := a.email()
			ok := fmt.Sprintf(`"email":%q,"password":"x","verificationCode":%q`, email, madeUp)
			for _, tt := range []struct{ body, blames string }{
				{`{}`, "email required, password required, firstName required, lastName required"},
				{`{` + ok + `,"firstName":null,"lastName":" \t"}`, "firstName required, lastName required"},
				{`{` + ok + `,"firstName":"` + strings.Repeat("x", 101) + `","lastName":"a\u0000b"}`, "firstName too_long, lastName invalid_format"},
				{`{"email":"x","password":"` + strings.Repeat("x", 257) + `","firstName":"a","lastName":"b"}`, "email invalid_format, password too_long"},
				{`{` + ok + `,"firstName":1,"lastName":[]}`, "firstName invalid_type, lastName invalid_type"},
			} {
				a.post("/auth/signup", tt.body).is("400 invalid_request").blames(tt.blames)
			}
		}},
		{"400 unknown_client", func(a *app) {
			a.post("/auth/signup", members{"email": a.email(), "password": newPassword, "firstName": "a", "lastName": "b", "clientAlias": "nobody"}).is("400 unknown_client")
		}},
		{"400 email_not_verified: whatever the address", func(a *app) {
			pending, known := a.email(), a.user()
			code := a.code(pending)
			first := a.signUp(a.email(), madeUp, newPassword).is("400 email_not_verified")
			for name, x := range map[string]answer{
				"no code":                   a.signUp(pending, "", newPassword),
				"no code, known":            a.signUp(known, "", newPassword),
				"a wrong code, known":       a.signUp(known, madeUp, newPassword),
				"another's code":            a.signUp(known, code, newPassword),
				"a reset token":             a.signUp(known, a.ForgotCode(a.T, known), newPassword), // I7
				"a bad password":            a.signUp(pending, madeUp, "short"),
				"no form of a code":         a.signUp(pending, "x", newPassword),
				"a padded code":             a.signUp(pending, code+"=", newPassword),
				"verified, but not by code": a.verifiedThen(func(email string) answer { return a.signUp(email, "", newPassword) }),
			} {
				if diff := cmp.Diff(masked(first), masked(x)); diff != "" {
					a.Errorf("%s is told apart:\n%s", name, diff)
				}
			}
			a.Clock.Advance(a.Options.VerifyTTL + time.Second)
			a.signUp(pending, code, newPassword).is("400 email_not_verified") // expired
		}},
		{"400 password_not_accepted: which spends nothing", func(a *app) {
			email := a.email()
			code := a.code(email)
			for bad, why := range map[string]string{"seven77": "too_short", "password": "too_common", email: "contains_context", "HOPPER!!": "contains_context"} {
				a.signUp(email, code, bad).is("400 password_not_accepted").blames("password " + why)
			}
			a.signUp(email, code, newPassword).is("201")
		}},
		{"409 already_registered: only to who proved the mailbox", func(a *app) {
			pw := authtest.Password
			email := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			code := a.code(email)
			a.signUp(email, madeUp, newPassword).is("400 email_not_verified")
			a.signUp(email, code, newPassword).is("409 already_registered")
			a.signUp(email, code, "short").is("409 already_registered") // before the policy speaks
			a.verify(email, code).is("200")
			a.signIn(email, pw).is("200") // the password stays
		}},
		{"429 too_many_requests: wrong codes from one address", func(a *app) {
			email := a.email()
			wrongUntilLimited(a, "400 email_not_verified", func() answer { return a.signUp(email, madeUp, newPassword) })
		}},
	})
}

// verifiedThen proves an address and goes on with it.
func (a *app) verifiedThen(then func(email string) answer) answer {
	a.Helper()
	email := a.email()
	a.verify(email, a.code(email)).is("200")
	return then(email)
}

func closed(o *auth.Options) { o.SignupOpen = false }

func TestSignUpClosed(t *testing.T) {
	prove(t, "POST /auth/signup", closed, []proof{
		{"403 signup_closed: before everything else", func(a *app) {
			email := a.email()
			for _, body := range []string{`{}`, `{"email":"` + email + `","password":"x","firstName":"a","lastName":"b","clientAlias":"nobody"}`} {
				a.post("/auth/signup", body).is("403 signup_closed")
			}
			a.signUp(a.user(), madeUp, newPassword).is("403 signup_closed")
		}},
	})
}

func TestVerificationMailWithSignUpClosed(t *testing.T) {
	prove(t, "POST /auth/verification-mail", closed, []proof{
		{"201: with sign-up closed links go to existing unverified accounts only", func(a *app) {
			pw := authtest.Password
			unverified := a.add(auth.NewUser{Email: a.email(), Password: &pw, Unverified: true}).Email
			for email, links := range map[string]int{a.email(): 0, a.user(): 0, a.add(auth.NewUser{Email: a.email()}).Email: 0, unverified: 1} {
				a.verifyMail(members{"email": email}).is("201")
				got := 0
				for _, m := range a.mailTo(email) {
					got += strings.Count(m.Text, "/verify-email-success?verificationCode=") / 2 // the client's and ours
				}
				if got != links {
					a.Errorf("%d links, want %d: %s", got, links, a.subjects(email))
				}
			}
			a.verify(unverified, a.mailedVerification(unverified)).is("200")
			a.signIn(unverified, pw).is("200")
		}},
	})
}

// Existing clients sign up without the code. Only a client registered for that may, soon after
// `verify`, from the same network.
func TestSignUpWithoutCode(t *testing.T) {
	const home, sameNetwork, elsewhere = "2001:db8:1:2::3", "2001:db8:1:2:ffff::9", "2001:db8:1:3::3"
	ask := func(a *app, alias string) (email string) {
		a.Helper()
		email = a.email()
		a.verifyMail(members{"email": email, "clientAlias": alias}).is("201")
		return email
	}
	prove(t, "POST /auth/signup", nil, []proof{
		{"201", func(a *app) {
			email := ask(a, "studio")
			a.signUp(email, "", newPassword, from(home)).is("400 email_not_verified") // not verified yet
			a.verify(email, a.mailedVerification(email), from(home)).is("200")
			a.signUp(email, "", newPassword, from(elsewhere)).is("400 email_not_verified") // another /64
			a.Clock.Advance(59 * time.Minute)
			a.signUp(email, "", "short", from(sameNetwork)).is("400 password_not_accepted")
			a.signUp(email, "", newPassword, from(sameNetwork)).is("201")
			a.signIn(email, newPassword).is("200")
			a.signUp(email, "", newPassword, from(home)).is("409 already_registered")
		}},
		{"201: after a mail scanner was there first", func(a *app) {
			email := ask(a, "studio")
			a.verify(email, a.mailedVerification(email), from("203.0.113.99")).is("200")
			a.verify(email, a.mailedVerification(email), from("203.0.113.7")).is("200")
			a.signUp(email, "", newPassword, from("203.0.113.7")).is("201")
		}},
		{"400 email_not_verified: from another IPv4 address", func(a *app) {
			email := ask(a, "studio")
			a.verify(email, a.mailedVerification(email), from("203.0.113.7")).is("200")
			a.signUp(email, "", newPassword, from("203.0.113.8")).is("400 email_not_verified")
		}},
		{"400 email_not_verified: an hour later", func(a *app) {
			email := ask(a, "studio")
			a.verify(email, a.mailedVerification(email), from(home)).is("200")
			a.Clock.Advance(time.Hour + time.Second)
			a.signUp(email, "", newPassword, from(home)).is("400 email_not_verified")
		}},
		{"400 email_not_verified: a wrong code is not a missing one", func(a *app) {
			email := ask(a, "studio")
			a.verify(email, a.mailedVerification(email), from(home)).is("200")
			a.signUp(email, madeUp, newPassword, from(home)).is("400 email_not_verified")
		}},
		{"400 email_not_verified: the mail's client counts, not the sign-up's", func(a *app) {
			for _, alias := range []string{"web", ""} { // named, and the default
				email := ask(a, alias)
				a.verify(email, a.mailedVerification(email), from(home)).is("200")
				in := members{"email": email, "password": newPassword, "firstName": "a", "lastName": "b", "clientAlias": "studio"}
				a.post("/auth/signup", in, from(home)).is("400 email_not_verified")
			}
		}},
		{"201: after a newer mail, whoever asked for it", func(a *app) {
			email := ask(a, "studio")
			a.verify(email, a.mailedVerification(email), from(home)).is("200")
			a.Clock.Advance(time.Minute + time.Second)
			a.verifyMail(members{"email": email, "clientAlias": "studio"}).is("201")
			a.Deliver(a.T)
			a.signUp(email, "", newPassword, from(a.node.address())).is("400 email_not_verified") // from elsewhere
			a.signUp(email, "", newPassword, from(home)).is("201")
		}},
	})
}

func TestClientAliases(t *testing.T) {
	prove(t, "GET /auth/clientAliases", nil, []proof{
		{"200", func(a *app) {
			x := a.get("/auth/clientAliases").is("200")
			if diff := cmp.Diff([]api.ClientAlias{
				{ClientAlias: "web", ClientURL: webURL}, {ClientAlias: "mobile", ClientURL: mobileURL},
				{ClientAlias: "resource", ClientURL: "https://api.example.com"}, {ClientAlias: "studio", ClientURL: "https://studio.example.com"},
			}, dataOf[[]api.ClientAlias](x)); diff != "" {
				a.Errorf("clients (-want +got):\n%s", diff)
			}
			if strings.Contains(string(x.body), "s3cret") {
				a.Error("a secret is told")
			}
		}},
	})
}
