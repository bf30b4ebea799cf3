package client_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/client"
)

// seen is what the server got.
type seen struct{ Line, Authorization, ContentType, Body string }

// answering starts a server that always gives the same answer, and notes the last request.
func answering(t *testing.T, status int, body string, headers ...string) (*client.Client, *seen) {
	t.Helper()
	var last seen
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		last = seen{r.Method + " " + r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), string(got)}
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	return client.New(srv.URL+"/", srv.Client()), &last
}

func TestCallsSendWhatTheAPIReads(t *testing.T) {
	const form, jsonType = "application/x-www-form-urlencoded", "application/json"
	ids := []string{"a"}
	for _, tt := range []struct {
		name string
		call func(*client.Client) error
		want seen
	}{
		{"sign in", func(c *client.Client) error {
			_, err := c.SignIn(t.Context(), api.SignInRequest{Email: "a@example.org", Password: "<p>"})
			return err
		}, seen{"POST /auth/signin", "", jsonType, `{"email":"a@example.org","password":"\u003cp\u003e"}`}},
		{"refresh", func(c *client.Client) error { _, err := c.Refresh(t.Context(), "r"); return err },
			seen{"POST /auth/refresh-token", "", jsonType, `{"refreshToken":"r"}`}},
		{"sign out", func(c *client.Client) error { return c.SignOut(t.Context(), "b", api.SignOutRequest{}) },
			seen{"POST /auth/signout", "Bearer b", jsonType, `{}`}},
		{"sign out listed", func(c *client.Client) error { return c.SignOut(t.Context(), "b", api.SignOutRequest{Sessions: &ids}) },
			seen{"POST /auth/signout", "Bearer b", jsonType, `{"sessions":["a"]}`}},
		{"sessions", func(c *client.Client) error { _, err := c.Sessions(t.Context(), "b", "../x"); return err },
			seen{"GET /auth/..%2Fx/sessions", "Bearer b", "", ""}},
		{"end session", func(c *client.Client) error { return c.EndSession(t.Context(), "b", "s") },
			seen{"DELETE /auth/s/sessions", "Bearer b", "", ""}},
		{"forgot", func(c *client.Client) error {
			_, err := c.ForgotPassword(t.Context(), api.ForgotPasswordRequest{Email: "a"})
			return err
		},
			seen{"POST /auth/forgot-password", "", jsonType, `{"email":"a"}`}},
		{"reset", func(c *client.Client) error {
			return c.ResetPassword(t.Context(), "a+b/c@example.org", api.PasswordResetRequest{Password: "p", Token: "t"})
		}, seen{"POST /auth/password-reset/a+b%2Fc@example.org", "", jsonType, `{"password":"p","token":"t"}`}},
		{"change", func(c *client.Client) error {
			return c.ChangePassword(t.Context(), "", api.ChangePasswordRequest{Email: "a"})
		},
			seen{"POST /auth/reset-password", "", jsonType, `{"email":"a","oldPassword":"","newPassword":""}`}},
		{"check", func(c *client.Client) error {
			_, err := c.CheckPassword(t.Context(), api.PasswordCheckRequest{Password: "p", Email: "a"})
			return err
		},
			seen{"POST /auth/password-check", "", jsonType, `{"password":"p","email":"a"}`}},
		{"verification mail", func(c *client.Client) error {
			return c.RequestVerification(t.Context(), api.VerificationMailRequest{Email: "a"})
		},
			seen{"POST /auth/verification-mail", "", jsonType, `{"email":"a"}`}},
		{"verify", func(c *client.Client) error { return c.VerifyEmail(t.Context(), "a+b@example.org", "c") },
			seen{"GET /auth/verify?email=a%2Bb%40example.org&verificationCode=c", "", "", ""}},
		{"sign up", func(c *client.Client) error {
			_, err := c.SignUp(t.Context(), api.SignUpRequest{Email: "a", VerificationCode: "c"})
			return err
		},
			seen{"POST /auth/signup", "", jsonType, `{"email":"a","password":"","firstName":"","lastName":"","verificationCode":"c"}`}},
		{"clients", func(c *client.Client) error { _, err := c.ClientAliases(t.Context()); return err }, seen{"GET /auth/clientAliases", "", "", ""}},
		{"user info", func(c *client.Client) error { _, err := c.UserInfo(t.Context(), "b"); return err }, seen{"GET /auth/userinfo", "Bearer b", "", ""}},
		{"introspect", func(c *client.Client) error { _, err := c.Introspect(t.Context(), "web", "s:e+c", "t"); return err },
			seen{"POST /oauth/introspect", "Basic d2ViOnMlM0FlJTJCYw==", form, "token=t"}}, // web:s%3Ae%2Bc
		{"revoke", func(c *client.Client) error { return c.Revoke(t.Context(), "t") }, seen{"POST /oauth/revoke", "", form, "token=t"}},
		{"app's user info", func(c *client.Client) error { _, err := c.AppUserInfo(t.Context(), "b"); return err }, seen{"GET /oauth/userinfo", "Bearer b", "", ""}},
		{"a public client's code", func(c *client.Client) error {
			_, err := c.ExchangeCode(t.Context(), api.CodeTokenRequest{ClientID: "shop", Code: "c", RedirectURI: "https://shop.example/cb", CodeVerifier: "v"})
			return err
		}, seen{"POST /oauth/token", "", form, "client_id=shop&code=c&code_verifier=v&grant_type=authorization_code&redirect_uri=https%3A%2F%2Fshop.example%2Fcb"}},
		{"a confidential client's code", func(c *client.Client) error {
			_, err := c.ExchangeCode(t.Context(), api.CodeTokenRequest{ClientID: "web", ClientSecret: "s:e+c", Code: "c", Resource: "https://api.example"})
			return err
		}, seen{"POST /oauth/token", "Basic d2ViOnMlM0FlJTJCYw==", form, "code=c&grant_type=authorization_code&resource=https%3A%2F%2Fapi.example"}}, // web:s%3Ae%2Bc
		{"an app's refresh", func(c *client.Client) error {
			_, err := c.RefreshApp(t.Context(), api.RefreshTokenRequest{ClientID: "shop", RefreshToken: "r", Scope: "openid email"})
			return err
		}, seen{"POST /oauth/token", "", form, "client_id=shop&grant_type=refresh_token&refresh_token=r&scope=openid+email"}},
		{"client credentials", func(c *client.Client) error {
			_, err := c.ClientCredentials(t.Context(), api.ClientTokenRequest{ClientID: "web", ClientSecret: "s:e+c", Scope: "read"})
			return err
		}, seen{"POST /oauth/token", "Basic d2ViOnMlM0FlJTJCYw==", form, "grant_type=client_credentials&scope=read"}},
		{"consents", func(c *client.Client) error { _, err := c.Consents(t.Context(), "b"); return err }, seen{"GET /auth/consents", "Bearer b", "", ""}},
		{"revoke a consent", func(c *client.Client) error { return c.RevokeConsent(t.Context(), "b", "a/b") }, seen{"DELETE /auth/consents/a%2Fb", "Bearer b", "", ""}},
		{"keys", func(c *client.Client) error { _, err := c.JWKS(t.Context()); return err }, seen{"GET /.well-known/jwks.json", "", "", ""}},
		{"authorization server", func(c *client.Client) error { _, err := c.AuthorizationServer(t.Context()); return err }, seen{"GET /.well-known/oauth-authorization-server", "", "", ""}},
		{"discovery", func(c *client.Client) error { _, err := c.Discovery(t.Context()); return err }, seen{"GET /.well-known/openid-configuration", "", "", ""}},
		{"ready", func(c *client.Client) error { return c.Ready(t.Context()) }, seen{"GET /readyz", "", "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, last := answering(t, 200, `{}`)
			if err := tt.call(c); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, *last); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnswersAreDecoded(t *testing.T) {
	c, _ := answering(t, 200, `{"statusCode":200,"message":"x","data":[{"id":"s","createdAt":"2026-11-23T08:00:00.123Z","current":true}]}`)
	list, err := c.Sessions(t.Context(), "b", "u")
	want := []api.Session{{ID: "s", Current: true, CreatedAt: api.Time{Time: time.Date(2026, 11, 23, 8, 0, 0, 123e6, time.UTC)}}}
	if diff := cmp.Diff(want, list); diff != "" || err != nil {
		t.Error(diff, err)
	}
	c, _ = answering(t, 200, `{"access_token":"a","token_type":"Bearer","expires_in":60,"id_token":"i","scope":"openid"}`)
	tokens, err := c.RefreshApp(t.Context(), api.RefreshTokenRequest{})
	if diff := cmp.Diff(api.AppTokens{AccessToken: "a", TokenType: "Bearer", ExpiresIn: 60, IDToken: "i", Scope: "openid"}, tokens); diff != "" || err != nil {
		t.Error(diff, err)
	}
	c, _ = answering(t, 200, `{"statusCode":200,"message":"x","data":[{"clientAlias":"shop","scopes":["openid"],"grantedAt":"2026-11-23T08:00:00.123Z"}]}`)
	consents, err := c.Consents(t.Context(), "b")
	if diff := cmp.Diff([]api.Consent{{ClientAlias: "shop", Scopes: []string{"openid"}, GrantedAt: want[0].CreatedAt}}, consents); diff != "" || err != nil {
		t.Error(diff, err)
	}
	c, _ = answering(t, 200, `{"statusCode":200`)
	if _, err := c.SignIn(t.Context(), api.SignInRequest{}); err == nil {
		t.Error("half an answer is a success")
	}
}

func TestErrors(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		status     int
		headers    []string
		want       client.Error
	}{
		{"the API's", `{"statusCode":400,"error":"Bad Request","message":"Enter it.","code":"invalid_request","requestId":"r1","errors":[{"field":"email","code":"required","message":"Enter it."}]}`,
			400, []string{"X-Request-Id", "r1"},
			client.Error{Status: 400, Code: "invalid_request", Message: "Enter it.", RequestID: "r1", Fields: []api.Field{{Field: "email", Code: "required", Message: "Enter it."}}}},
		{"busy", `{"statusCode":503,"error":"x","message":"Later.","code":"unavailable","requestId":"r"}`, 503, []string{"Retry-After", "2"},
			client.Error{Status: 503, Code: "unavailable", Message: "Later.", RetryAfter: 2 * time.Second}},
		{"OAuth's", `{"error":"invalid_client","error_description":"No."}`, 401, nil, client.Error{Status: 401, Code: "invalid_client", Message: "No."}},
		{"the token endpoint's", "Use its answer.\n", 503, []string{"X-Latchkey-Code", "refresh_superseded"}, client.Error{Status: 503, Code: "refresh_superseded", Message: "Use its answer."}},
		{"a proxy's", `<h1>Bad Gateway</h1>`, 502, nil, client.Error{Status: 502, Code: "unknown", Message: "502 Bad Gateway"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := answering(t, tt.status, tt.body, tt.headers...)
			err := c.Ready(t.Context())
			e, ok := errors.AsType[*client.Error](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(tt.want, *e); diff != "" {
				t.Error(diff)
			}
			if client.CodeOf(err) != tt.want.Code {
				t.Errorf("CodeOf %q", client.CodeOf(err))
			}
		})
	}
	if client.CodeOf(io.EOF) != "" {
		t.Error("an error that is no answer has a code")
	}
}

func TestTimeIsOneSpelling(t *testing.T) {
	at := api.Time{Time: time.Date(2026, 11, 23, 9, 0, 0, 0, time.FixedZone("", 3600))}
	text, err := json.Marshal(at)
	if err != nil || string(text) != `"2026-11-23T08:00:00.000Z"` {
		t.Errorf("%s %v", text, err)
	}
	if err := json.Unmarshal([]byte(`"yesterday"`), &at); err == nil {
		t.Error("yesterday is a time")
	}
}
