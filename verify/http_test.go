package verify_test

// Requests, and how each is answered: RFC 6750 §3, RFC 9470 §3.

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/verify"
)

func TestMiddleware(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	good, own := n.signed(), n.own()
	n.Clock.Advance(4 * time.Minute)
	v := newVerifier(t, n.config())
	header := func(values ...string) http.Header { return http.Header{"Authorization": values} }
	const bare, bad = `Bearer realm="latchkey"`, `Bearer realm="latchkey", error="invalid_token", error_description="`
	for name, tt := range map[string]struct {
		header    http.Header
		required  verify.Require
		status    int
		challenge string
	}{
		"good":                     {header: header("Bearer " + good), status: 200},
		"scheme in lower case":     {header: header("bearer " + good), status: 200},
		"more spaces":              {header: header("Bearer   " + good), status: 200},
		"a client's own":           {header: header("Bearer " + own), status: 200},
		"nothing":                  {status: 401, challenge: bare},
		"empty":                    {header: header(""), status: 401, challenge: bare},
		"a scheme alone":           {header: header("Bearer"), status: 401, challenge: bare},
		"another scheme":           {header: header("Basic " + good), status: 401, challenge: bare},
		"another scheme, alike":    {header: header("Bearers " + good), status: 401, challenge: bare},
		"garbage":                  {header: header("Bearer garbage"), status: 401, challenge: bad + `It is no access token, or its signature does not fit."`},
		"cut":                      {header: header("Bearer " + good[:len(good)-4]), status: 401, challenge: bad + `It is no access token, or its signature does not fit."`},
		"more after it":            {header: header("Bearer " + good + " x"), status: 401, challenge: bad + `It is no access token, or its signature does not fit."`},
		"twice":                    {header: header("Bearer "+good, "Bearer "+good), status: 401, challenge: `Bearer realm="latchkey", error="invalid_request", error_description="There is more than one Authorization header."`},
		"a cookie":                 {header: http.Header{"Cookie": {"access_token=" + good}}, status: 401, challenge: bare},
		"scope":                    {header: header("Bearer " + good), required: verify.Require{Scope: "email openid"}, status: 200},
		"no such scope":            {header: header("Bearer " + good), required: verify.Require{Scope: `email "write`}, status: 403, challenge: `Bearer realm="latchkey", error="insufficient_scope", error_description="The token was given for something else.", scope="email \"write"`},
		"scope that begins alike":  {header: header("Bearer " + good), required: verify.Require{Scope: "mail"}, status: 403, challenge: `Bearer realm="latchkey", error="insufficient_scope", error_description="The token was given for something else.", scope="mail"`},
		"acr":                      {header: header("Bearer " + good), required: verify.Require{ACR: "aal2 aal1"}, status: 200},
		"another acr":              {header: header("Bearer " + good), required: verify.Require{ACR: "aal2"}, status: 401, challenge: `Bearer realm="latchkey", error="insufficient_user_authentication", error_description="The sign-in is not of the kind that is asked for.", acr_values="aal2"`},
		"a sign-in of the time":    {header: header("Bearer " + good), required: verify.Require{MaxAge: 4*time.Minute + time.Second}, status: 200},
		"too long ago":             {header: header("Bearer " + good), required: verify.Require{MaxAge: 4*time.Minute - time.Second, ACR: "aal1"}, status: 401, challenge: `Bearer realm="latchkey", error="insufficient_user_authentication", error_description="The sign-in is too long ago.", acr_values="aal1", max_age="239"`},
		"a client never signed in": {header: header("Bearer " + own), required: verify.Require{MaxAge: time.Hour}, status: 401, challenge: `Bearer realm="latchkey", error="insufficient_user_authentication", error_description="The sign-in is too long ago.", max_age="3600"`},
	} {
		t.Run(name, func(t *testing.T) {
			var claims verify.Claims
			in := false
			handler := v.Middleware(tt.required)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				claims, in = verify.FromContext(r.Context())
			}))
			r := httptest.NewRequest("GET", "/?access_token="+good, nil) // RFC 6750 §2.3, which is not read
			if tt.header != nil {
				r.Header = tt.header
			}
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.challenge || in != (tt.status == 200) {
				t.Errorf("%d, let in: %t, %s", w.Code, in, w.Header().Get("WWW-Authenticate"))
			}
			if in && (claims.Subject == "" || claims.ClientID == "") {
				t.Errorf("%+v", claims)
			}
			if strings.Contains(w.Body.String(), good[:20]) {
				t.Errorf("the answer has the token: %s", w.Body)
			}
		})
	}
	if _, in := verify.FromContext(context.Background()); in {
		t.Error("claims of no request")
	}
}

// Without keys the answer is 503 with Retry-After, and no challenge: it says nothing about the token.
func TestMiddlewareWithoutKeys(t *testing.T) {
	n := newNode(t)
	n.leave()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+n.token())
	w := httptest.NewRecorder()
	newVerifier(t, n.config()).Middleware(verify.Require{})(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != 503 || w.Header().Get("Retry-After") != "2" || w.Header().Get("WWW-Authenticate") != "" || !strings.HasPrefix(w.Body.String(), "keys_unavailable: ") {
		t.Errorf("%d, %v, %s", w.Code, w.Header(), w.Body)
	}
}

// What a token says is what a caller reads.
func TestClaims(t *testing.T) {
	n := newNode(t)
	n.Clock.Stop()
	c, err := newVerifier(t, n.config()).Verify(t.Context(), n.signed(), verify.Require{})
	if err != nil {
		t.Fatal(err)
	}
	now := n.Clock.Now().Truncate(time.Second)
	all := c.All
	want := verify.Claims{
		Subject: "ada", SessionID: "s1", ClientID: "shop", Scope: "openid email", ACR: "aal1", AMR: []string{"pwd", "otp"},
		Email: email, EmailVerified: true, Name: "Ada Lovelace", GivenName: "Ada", FamilyName: "Lovelace",
		AuthTime: now, IssuedAt: now, ExpiresAt: now.Add(10 * time.Minute), All: all,
	}
	if diff := cmp.Diff(want, c); diff != "" || all["jti"] != "1" || all["iss"] != n.Options.Issuer {
		t.Errorf("%v (-want +got):\n%s", all, diff)
	}
}
