package clients

// Which redirect URIs may be registered, and which of a request's are registered.

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/address"
)

func TestRedirectURIsThatMayBeRegistered(t *testing.T) {
	for raw, want := range map[string]string{ // in the sentence; empty: it may be
		"https://shop.example/callback":                                     "",
		"https://shop.example":                                              "",
		"https://shop.example:8443/a/../b//c?x=%2F&y":                       "",
		"HTTPS://Shop.example:443/callback":                                 "",
		"https://xn--bcher-kva.example/callback":                            "",
		"https://127.0.0.1:3000/callback":                                   "",
		"https://localhost/callback":                                        "",
		"https://192.0.2.7/callback":                                        "",
		"http://127.0.0.1/callback":                                         "",
		"http://127.0.0.1:3000/callback":                                    "",
		"http://[::1]/callback":                                             "",
		"http://localhost/callback":                                         "",
		"http://localhost:3000/callback":                                    "",
		"com.example.shop:/callback":                                        "",
		"com.example.shop://callback":                                       "",
		"com.example.shop:callback":                                         "",
		"COM.EXAMPLE.SHOP:/callback":                                        "",
		"capacitor://localhost/callback":                                    "",
		"ionic://localhost":                                                 "",
		"tauri://localhost/":                                                "",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop/callback.html": "",
		"moz-extension://2c127fa4-62c7-7e4f-90e5-472b45eecfdc/callback":     "",

		"":                                    "absolute URI such as",
		"/callback":                           "absolute URI such as",
		"//shop.example/callback":             "absolute URI such as",
		"shop.example/callback":               "absolute URI such as",
		"https://shop.example/a b":            "absolute URI such as",
		"https://shop.example/\t":             "absolute URI such as",
		"https://shop.example/\x00":           "absolute URI such as",
		"https://shop.example/%zz":            "absolute URI such as",
		"https://shop.example/\"><script>":    "absolute URI such as",
		`https://shop.example\@evil.example/`: "absolute URI such as",
		"https://bücher.example/callback":     "xn-- form",
		"https://shop.example/" + strings.Repeat("a", address.MaxURL): "absolute URI such as",

		"https://shop.example/callback?code=1":            "without code, state, iss and error",
		"https://shop.example/callback?a=1&iss=":          "without code, state, iss and error",
		"com.example.shop:/callback?error_description=no": "without code, state, iss and error",
		"https://shop.example/callback?codes=1&a=state":   "",

		"https://shop.example/callback#":    "without # and what follows",
		"https://shop.example/#/callback":   "without # and what follows",
		"com.example.shop:/callback#x":      "without # and what follows",
		"https://*.shop.example/callback":   "* stands for nothing else",
		"https://shop.example/*":            "* stands for nothing else",
		"https://shop.example/callback?a=*": "* stands for nothing else",
		"http://127.0.0.1:*/callback":       "absolute URI such as", // no port, whatever else
		"*":                                 "absolute URI such as",
		"https://me@shop.example/callback":  "without a user name",
		"https://@shop.example/callback":    "without a user name",
		"https://me:pw@shop.example/":       "without a user name",
		"com.example.shop://me@callback":    "without a user name",

		"javascript:alert(1)":                   "no app is answered at javascript",
		"JavaScript://shop.example/%0aalert(1)": "no app is answered at javascript",
		"data:text/html,x":                      "no app is answered at data",
		"file:///etc/passwd":                    "no app is answered at file",
		"blob:https://shop.example/x":           "no app is answered at blob",
		"shop:/callback":                        "the scheme shop could be any app's",
		"shop://callback":                       "com.example.app:/callback",
		"localhost:3000/callback":               "the scheme localhost could be any app's",
		"ftp://shop.example/":                   "the scheme ftp could be any app's",
		"view-source:https://shop.example/":     "could be any app's",
		"capacitor:/callback":                   "capacitor://localhost/callback",
		"capacitor://localhost:8080/callback":   "a host without a port",
		"tauri:callback":                        "tauri://localhost/callback",

		"http://shop.example/callback":         "write https",
		"http://localhost.shop.example/":       "write https",
		"http://127.0.0.2/callback":            "write https",
		"http://10.0.0.1/callback":             "write https",
		"http://[2001:db8::1]/callback":        "write https",
		"http://127.1/callback":                "as browsers do",
		"http://2130706433/callback":           "as browsers do",
		"http://[0:0:0:0:0:0:0:1]/callback":    "as browsers do",
		"http://127.0.0.1:/callback":           "as browsers do",
		"http://127.0.0.1:0/callback":          "as browsers do",
		"https://shop.example:0443/callback":   "as browsers do",
		"https://shop.example./callback":       "as browsers do",
		"https:shop.example/callback":          "as browsers do",
		"https:///shop.example/callback":       "as browsers do",
		"https://shop.example%2eevil.example/": "absolute URI such as",
	} {
		for key, client := range map[string]Client{
			"redirect_uris":             {RedirectURIs: []string{"https://shop.example/", raw}},
			"post_logout_redirect_uris": {PostLogoutRedirectURIs: []string{"https://shop.example/", raw}},
		} {
			client.Alias, client.URL = "shop", "https://shop.example"
			_, err := New([]Client{client})
			switch {
			case want == "" && err != nil:
				t.Errorf("%s %q: %v", key, raw, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `client "shop": `+key+"[1] ")):
				t.Errorf("%s %q: %v, want a sentence with %q", key, raw, err, want)
			}
		}
	}
}

// What is not registered byte for byte is not registered, but for the port of a loopback address.
func TestRedirectURIsAreComparedByteForByte(t *testing.T) {
	set := mustClients(t, Client{Alias: "shop", URL: "https://shop.example", RedirectURIs: []string{
		"https://shop.example/callback", "https://shop.example/back%2Fhere?tenant=a%20b&x", "https://Capitals.example:443/callback",
		"http://127.0.0.1/callback", "http://[::1]:8080/callback?x=1", "http://localhost/callback", "http://localhost:3000/callback",
		"com.example.shop:/callback", "capacitor://localhost/callback",
	}})
	shop, _ := set.Lookup("shop")
	for _, uri := range []string{
		"https://shop.example/callback", "https://shop.example/back%2Fhere?tenant=a%20b&x", "https://Capitals.example:443/callback",
		"http://127.0.0.1/callback", "http://127.0.0.1:1/callback", "http://127.0.0.1:51004/callback", "http://127.0.0.1:80/callback",
		"http://[::1]:8080/callback?x=1", "http://[::1]:65535/callback?x=1", "http://[::1]/callback?x=1",
		"http://localhost/callback", "http://localhost:3000/callback", "com.example.shop:/callback", "capacitor://localhost/callback",
	} {
		if !shop.MayRedirect(uri) {
			t.Errorf("%s is refused", uri)
		}
	}
	for name, uri := range map[string]string{
		"nothing":                        "",
		"origin alone":                   "https://shop.example",
		"below":                          "https://shop.example/callback/x",
		"above":                          "https://shop.example/",
		"beside":                         "https://shop.example/callback2",
		"trailing slash":                 "https://shop.example/callback/",
		"path in capitals":               "https://shop.example/Callback",
		"host in capitals":               "https://SHOP.example/callback",
		"scheme in capitals":             "HTTPS://shop.example/callback",
		"host in lower case":             "https://capitals.example:443/callback",
		"default port left out":          "https://Capitals.example/callback",
		"default port added":             "https://shop.example:443/callback",
		"other port":                     "https://shop.example:8443/callback",
		"downgrade":                      "http://shop.example/callback",
		"percent-encoded letter":         "https://shop.example/c%61llback",
		"decoded":                        "https://shop.example/back/here?tenant=a b&x",
		"percent-encoding in lower case": "https://shop.example/back%2fhere?tenant=a%20b&x",
		"plus for space":                 "https://shop.example/back%2Fhere?tenant=a+b&x",
		"query added":                    "https://shop.example/callback?a=b",
		"empty query":                    "https://shop.example/callback?",
		"query cut":                      "https://shop.example/back%2Fhere?tenant=a%20b",
		"query turned round":             "https://shop.example/back%2Fhere?x&tenant=a%20b",
		"fragment":                       "https://shop.example/callback#",
		"dots":                           "https://shop.example/x/../callback",
		"dot":                            "https://shop.example/./callback",
		"two slashes":                    "https://shop.example//callback",
		"parameters of the path":         "https://shop.example/callback;x",
		"user":                           "https://me@shop.example/callback",
		"empty user":                     "https://@shop.example/callback",
		"as user":                        "https://shop.example@evil.example/callback",
		"as user and password":           "https://shop.example:443@evil.example/callback",
		"prefix of a name":               "https://shop.example.evil.example/callback",
		"subdomain":                      "https://x.shop.example/callback",
		"trailing dot":                   "https://shop.example./callback",
		"backslash":                      `https://shop.example\callback`,
		"backslash before at":            `https://evil.example\@shop.example/callback`,
		"leading space":                  " https://shop.example/callback",
		"trailing space":                 "https://shop.example/callback ",
		"newline":                        "https://shop.example/callback\n",
		"NUL":                            "https://shop.example/callback\x00",
		"two in one":                     "https://shop.example/callback https://shop.example/callback",

		"localhost, other port":      "http://localhost:3001/callback",
		"localhost, port 80":         "http://localhost:80/callback",
		"localhost, https":           "https://localhost/callback",
		"localhost, trailing dot":    "http://localhost./callback",
		"localhost for an address":   "http://localhost:8080/callback?x=1",
		"address, other path":        "http://127.0.0.1:3000/",
		"address, trailing slash":    "http://127.0.0.1:3000/callback/",
		"address, query":             "http://127.0.0.1:3000/callback?x",
		"address, query cut":         "http://[::1]:8080/callback",
		"address, fragment":          "http://127.0.0.1:3000/callback#x",
		"address, https":             "https://127.0.0.1/callback",
		"address, no port":           "http://127.0.0.1:/callback",
		"address, port 0":            "http://127.0.0.1:0/callback",
		"address, port with a zero":  "http://127.0.0.1:080/callback",
		"address, port too big":      "http://127.0.0.1:65536/callback",
		"address, port in letters":   "http://127.0.0.1:http/callback",
		"address, two ports":         "http://127.0.0.1:80:80/callback",
		"address, port and at":       "http://127.0.0.1:80@evil.example/callback",
		"address, user":              "http://me@127.0.0.1:3000/callback",
		"address as a prefix":        "http://127.0.0.1.evil.example/callback",
		"address as a longer prefix": "http://127.0.0.1:3000.evil.example/callback",
		"another address":            "http://127.0.0.2/callback",
		"another spelling":           "http://127.1/callback",
		"decimal":                    "http://2130706433/callback",
		"the other address":          "http://127.0.0.1:8080/callback?x=1",
		"IPv6 for IPv4":              "http://[::1]/callback",
		"IPv6, long":                 "http://[0:0:0:0:0:0:0:1]/callback?x=1",
		"IPv4 in IPv6":               "http://[::ffff:127.0.0.1]/callback",
		"IPv6 with zone":             "http://[::1%25lo]/callback?x=1",
		"IPv6 without brackets":      "http://::1/callback?x=1",

		"scheme of an app in capitals":  "COM.EXAMPLE.SHOP:/callback",
		"scheme of an app, two slashes": "com.example.shop://callback",
		"scheme of an app, its prefix":  "com.example.shopper:/callback",
		"a page's scheme, other host":   "capacitor://elsewhere/callback",
		"a page's scheme, port":         "capacitor://localhost:80/callback",
		"script":                        "javascript:alert(1)",
	} {
		if shop.MayRedirect(uri) {
			t.Errorf("%s: %q is accepted", name, uri)
		}
	}
	if (Client{}).MayRedirect("") || (Client{RedirectURIs: []string{"https://127.0.0.1/callback"}}).MayRedirect("http://127.0.0.1/callback") {
		t.Error("what no client registered is accepted")
	}
}

// After a sign-out there is no free port: the URI is registered, or our own page is shown.
func TestReturnAfterLogoutIsExact(t *testing.T) {
	shop := Client{
		RedirectURIs:           []string{"https://shop.example/callback"},
		PostLogoutRedirectURIs: []string{"https://shop.example/", "http://127.0.0.1/bye"},
	}
	for uri, want := range map[string]bool{
		"https://shop.example/":         true,
		"http://127.0.0.1/bye":          true,
		"https://shop.example":          false,
		"https://shop.example/?":        false,
		"https://SHOP.example/":         false,
		"https://shop.example/callback": false,
		"http://127.0.0.1:3000/bye":     false,
		"":                              false,
	} {
		if got := shop.MayReturnAfterLogout(uri); got != want {
			t.Errorf("%q: %v", uri, got)
		}
	}
}

// Any local program can take what is sent to a scheme or a port, and none what is sent to a web server's name.
func TestClaimable(t *testing.T) {
	const public, here = "https://id.example.com", "http://localhost:8080"
	for _, tc := range []struct {
		uri, publicURL string
		want           bool
	}{
		{"https://shop.example/callback", public, false},
		{"https://shop.example:8443/callback", here, false},
		{"https://localhost.shop.example/callback", public, false},
		{"http://127.0.0.1/callback", public, true},
		{"http://127.0.0.1:3000/callback", here, true},
		{"http://[::1]:3000/callback", public, true},
		{"http://[::1]:3000/callback", here, true},
		{"https://127.0.0.1:3000/callback", public, true},
		{"http://localhost:3000/callback", public, true},
		{"http://LOCALHOST:3000/callback", public, true},
		{"https://localhost:3000/callback", public, true},
		{"http://localhost:3000/callback", here, false},
		{"http://localhost:3000/callback", "http://127.0.0.1:8080", false},
		{"http://localhost:3000/callback", "http://[::1]:8080", false},
		{"http://localhost:3000/callback", "", true},
		{"com.example.shop:/callback", public, true},
		{"com.example.shop:/callback", here, true},
		{"capacitor://localhost/callback", public, true},
		{"chrome-extension://abcdefghijklmnopabcdefghijklmnop/", here, true},
		{"no URI", public, true},
	} {
		if got := Claimable(tc.uri, tc.publicURL); got != tc.want {
			t.Errorf("Claimable(%q, %q) = %v", tc.uri, tc.publicURL, got)
		}
	}
}

// Apps may call for tokens from where they are answered, in the spelling of a browser's Origin.
func TestAppOrigins(t *testing.T) {
	c := mustClients(t,
		Client{Alias: "shop", URL: "https://shop.example/app", URLs: []string{"tauri://localhost"}, RedirectURIs: []string{
			"https://shop.example/callback", "HTTPS://Spa.Shop.example:443/callback?x", "http://127.0.0.1/callback", "http://[::1]:3000/callback",
			"com.example.shop:/callback", "capacitor://localhost/callback", "chrome-extension://abcdefghijklmnopabcdefghijklmnop/callback.html",
		}, PostLogoutRedirectURIs: []string{"https://bye.shop.example/"}},
		Client{Alias: "wallet", URL: "https://wallet.example", RedirectURIs: []string{"https://wallet.example:8443/callback", "capacitor://localhost/other"}},
	)
	want := []string{
		"https://shop.example", "tauri://localhost", "https://spa.shop.example", "http://127.0.0.1", "http://[::1]:3000", "capacitor://localhost",
		"chrome-extension://abcdefghijklmnopabcdefghijklmnop", "https://wallet.example", "https://wallet.example:8443",
	}
	if diff := cmp.Diff(want, c.AppOrigins()); diff != "" {
		t.Errorf("AppOrigins (-want +got):\n%s", diff)
	}
	c.AppOrigins()[0] = "https://evil.example"
	if slices.Contains(c.AppOrigins(), "https://evil.example") {
		t.Error("what AppOrigins returns is the list itself")
	}
	if slices.Contains(c.Origins(), "capacitor://localhost") {
		t.Error("a redirect URI is a place that links lead to")
	}
}
