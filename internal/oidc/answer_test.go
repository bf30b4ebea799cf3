package oidc

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Whatever is registered stays as it is, and what is answered stands behind it.
func TestAnswersInTheQuery(t *testing.T) {
	request := func(redirectURI, state string) Request {
		return Request{Client: shop(), RedirectURI: redirectURI, ResponseMode: ModeQuery, State: state}
	}
	for _, tc := range []struct {
		name string
		got  Answer
		want string
	}{
		{"code", request(shopURI, "xyz").Grant("SplxlOBe", issuer),
			shopURI + "?code=SplxlOBe&state=xyz&iss=https%3A%2F%2Fid.example.org"},
		{"without a state", request(shopURI, "").Grant("SplxlOBe", issuer),
			shopURI + "?code=SplxlOBe&iss=https%3A%2F%2Fid.example.org"},
		{"a query of its own", request(tenantURI, "xyz").Grant("SplxlOBe", issuer),
			"https://shop.example/callback?tenant=a%2Fb&code=SplxlOBe&state=xyz&iss=https%3A%2F%2Fid.example.org"},
		{"a custom scheme", request(appURI, "xyz").Grant("SplxlOBe", issuer),
			"com.example.shop:/callback?code=SplxlOBe&state=xyz&iss=https%3A%2F%2Fid.example.org"},
		{"loopback", request("http://127.0.0.1:51004/callback", "xyz").Grant("SplxlOBe", issuer),
			"http://127.0.0.1:51004/callback?code=SplxlOBe&state=xyz&iss=https%3A%2F%2Fid.example.org"},
		{"IPv6", request(local6URI, "xyz").Grant("SplxlOBe", issuer),
			"http://[::1]:4711/callback?code=SplxlOBe&state=xyz&iss=https%3A%2F%2Fid.example.org"},
		{"a state that is more than a word", request(shopURI, `a b+c&d=e#f%20"ü"`).Grant("SplxlOBe", issuer),
			shopURI + "?code=SplxlOBe&state=a%20b%2Bc%26d%3De%23f%2520%22%C3%BC%22&iss=https%3A%2F%2Fid.example.org"},
		{"error", request(shopURI, "xyz").Refuse(LoginRequired, "Nobody is signed in.", issuer),
			shopURI + "?error=login_required&error_description=Nobody%20is%20signed%20in.&state=xyz&iss=https%3A%2F%2Fid.example.org"},
		{"error without description", request(tenantURI, "").Refuse(AccessDenied, "", issuer),
			tenantURI + "&error=access_denied&iss=https%3A%2F%2Fid.example.org"},
	} {
		if diff := cmp.Diff(Answer{URL: tc.want}, tc.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// OAuth 2.0 Form Post Response Mode: the same parameters, and nothing of them in a URL.
func TestAnswersInAForm(t *testing.T) {
	request := Request{Client: shop(), RedirectURI: tenantURI, ResponseMode: ModeFormPost, State: `"><script>`}
	want := Answer{Action: tenantURI, Form: []Field{{"code", "SplxlOBe"}, {"state", `"><script>`}, {"iss", issuer}}}
	if diff := cmp.Diff(want, request.Grant("SplxlOBe", issuer)); diff != "" {
		t.Errorf("Grant (-want +got):\n%s", diff)
	}
	want.Form = []Field{{"error", "access_denied"}, {"error_description", "No."}, {"state", `"><script>`}, {"iss", issuer}}
	if diff := cmp.Diff(want, request.Refuse(AccessDenied, "No.", issuer)); diff != "" {
		t.Errorf("Refuse (-want +got):\n%s", diff)
	}
}

// RFC 6749 §4.1.2.1: %x20-21 / %x23-5B / %x5D-7E.
func TestDescriptionsAreTellable(t *testing.T) {
	request := Request{RedirectURI: shopURI, ResponseMode: ModeFormPost}
	for description, want := range map[string]string{
		"A sentence, with (all) that is allowed: !#[]^~": "A sentence, with (all) that is allowed: !#[]^~",
		`a "word" and a \`: "a ?word? and a ?",
		"two\r\nlines":     "two??lines",
		"später":           "sp?ter",
		"\xff\x00\x7f":     "???",
	} {
		if got := request.Refuse(InvalidRequest, description, issuer).Form[1].Value; got != want {
			t.Errorf("%q is told as %q, want %q", description, got, want)
		}
	}
}

// A request that Read has not taken has nowhere to go.
func TestNoAnswerWithoutARedirectURI(t *testing.T) {
	for _, mode := range []string{"", ModeQuery, ModeFormPost} {
		request := Request{Client: shop(), ResponseMode: mode, State: "xyz"}
		for _, got := range []Answer{request.Grant("SplxlOBe", issuer), request.Refuse(AccessDenied, "No.", issuer)} {
			if diff := cmp.Diff(Answer{}, got); diff != "" {
				t.Errorf("mode %q (-want +got):\n%s", mode, diff)
			}
		}
	}
}
