package sdk

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// A life with forms of the app's own, over latchkey-client/password: an account is made with the mailed code, signs in,
// refreshes, survives a reload, changes its password, signs out, and comes back by a mailed reset. Once on SQLite with the
// session in localStorage, once on PostgreSQL with it in sessionStorage.
func TestPassword(t *testing.T) {
	t.Run("sqlite, local", func(t *testing.T) { testPassword(t, "local", nil) })
	t.Run("postgres, session", func(t *testing.T) {
		testPassword(t, "session", stage.Settings{"DATABASE_URL": authtest.Postgres(t).Options.URL})
	})
}

func testPassword(t *testing.T, storage string, extra stage.Settings) {
	const bert, first, second, third = "bert@example.com", "seven brown kettles", "eight brown kettles", "nine brown kettles"
	post := stage.NewPost(t)
	at, node := newPasswordApp(t, post, storage, extra)
	tab := stage.NewTab(t)
	shows := func(when, expression, want string) {
		t.Helper()
		if got := stage.Evaluate[string](tab, "(async () => JSON.stringify("+expression+"))()"); got != want {
			t.Errorf("%s: %s is %s, want %s", when, expression, got, want)
		}
	}
	// done calls what a form would, and waits for it.
	done := func(call string, args ...any) {
		t.Helper()
		stage.Evaluate[bool](tab, fmt.Sprintf(call, args...)+".then(() => true)")
	}
	open := func(path string) {
		t.Helper()
		tab.Open(at + path)
		tab.Await("window.shop?.ready")
	}
	mailed := func(page string) string {
		t.Helper()
		code := post.AwaitCode(bert, page, "", stage.Patience)
		if code == "" {
			t.Fatalf("no mail with a link to %s", page)
		}
		return "/" + page + "?" + url.Values{"verificationCode": {code}, "email": {bert}}.Encode()
	}
	refreshed := func(when string) {
		t.Helper()
		stage.Evaluate[int](tab, "shop.tokens.length = 0")
		tab.Await("shop.tokens.length > 2") // two refreshes, each with what the one before gave
		shows(when, "shop.errors", "[]")
	}

	open("/")
	done("password.signUp({ email: %q })", bert)
	open(mailed("verify-email-success"))
	done("password.verify(shop.mailed)")
	done("password.signUp({ ...shop.mailed, password: %q, firstName: 'Bert', lastName: 'Brown' })", first)
	shows("after the sign-up", "[auth.session, shop.reasons]", `[null,["initial"]]`)

	done("password.signIn({ email: %q, password: %q })", bert, first)
	shows("signed in", "[auth.session.user.email, auth.session.user.name, auth.session.user.emailVerified, shop.reasons]", `["bert@example.com","Bert Brown",true,["initial","signed_in"]]`)
	shows("signed in", "[(await auth.sessions.list()).map((one) => [one.current, one.via, one.clientAlias])]", `[[[true,"auth","shop"]]]`)
	refreshed("signed in")

	open("/")
	shows("after a reload", "[auth.session.user.email, shop.reasons]", `["bert@example.com",["initial"]]`)
	device := "JSON.parse(localStorage.getItem(`latchkey:${shop.issuer}:shop:device`)).tokens"
	before := stage.Evaluate[map[string]string](tab, device)
	done("password.changePassword({ oldPassword: %q, newPassword: %q })", first, second)
	if after := stage.Evaluate[map[string]string](tab, device); before[bert] == "" || after[bert] == before[bert] {
		t.Errorf("the device tokens were %v, and are %v after the change of the password", before, after)
	}
	refreshed("after the change")

	refreshToken := stage.Evaluate[string](tab, "JSON.parse("+storage+"Storage.getItem(`latchkey:${shop.issuer}:shop`)).refreshToken")
	stage.Evaluate[bool](tab, "(shop.left = true, auth.signOut()) && true")
	tab.Await(fmt.Sprintf("window.shop?.ready && !shop.left && location.href === %q && !auth.session", at+"/"))
	awaitEnded(t, node, refreshToken)

	done("password.forgotPassword({ email: %q })", bert)
	open(mailed("reset-password"))
	done("password.resetPassword({ ...shop.mailed, password: %q })", third)
	shows("after the reset", "auth.session", "null")
	done("password.signIn({ email: %q, password: %q })", bert, third)
	shows("signed in again", "[auth.session.user.email, await auth.getAccessToken().then(Boolean)]", `["bert@example.com",true]`)
}

// newPasswordApp starts a server that mails to post, and serves pages/password, also where the mailed links lead.
func newPasswordApp(t *testing.T, post *stage.Post, storage string, extra stage.Settings) (string, *stage.Node) {
	t.Helper()
	settings := stage.Settings{"ACCESS_TTL": "8s", "SMTP_URL": post.URL()}
	for name, value := range extra {
		settings[name] = value
	}
	at, node := newNode(t, settings)
	bundle := filepath.Join(t.TempDir(), "page.js")
	build := exec.Command("../../sdk/js/node_modules/.bin/esbuild", "pages/password/page.js", "--bundle", "--format=esm", "--target=es2022", "--log-level=warning",
		"--alias:latchkey-client="+sdkSource(t, "index.ts"), "--alias:latchkey-client/password="+sdkSource(t, "password.ts"), "--outfile="+bundle)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the app (`make deps` installs what it needs): %v\n%s", err, out)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /page.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, bundle) })
	mux.HandleFunc("GET /settings.json", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "storage": %q}`, node.Settings["PUBLIC_URL"], storage)
	})
	for _, path := range []string{"/{$}", "/verify-email-success", "/reset-password"} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "pages/password/page.html") })
	}
	stage.ServeAt(t, at, mux)
	return at, node
}

func sdkSource(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../sdk/js/src", file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// awaitEnded waits until the server no longer takes a refresh token: the page that signed out has left before it was told.
func awaitEnded(t *testing.T, node *stage.Node, refreshToken string) {
	t.Helper()
	var err error
	for end := time.Now().Add(stage.Patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, err = node.Client().Refresh(t.Context(), refreshToken)
		if refusal, ok := errors.AsType[*client.Error](err); ok && refusal.Code == api.CodeInvalidRefreshToken {
			return
		}
	}
	t.Errorf("the session lives on at the server after the sign-out: %v", err)
}
