// Package examples holds the examples of the documentation pages, one of each language for each operation
// of the API, and runs them: what a page shows is what was run, and what it says comes back does.
package examples

// An answer is shown with … in place of what differs each time, which stands for anything on one line. It is
// the one rule by which shown and printed may differ, and JSON is laid out alike before they are compared.

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/client"
	"latchkey/internal/apidocs"
	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/clients"
)

func TestMain(m *testing.M) { authtest.Main(m) }

// values are what examples begin with, as the page says.
type values struct {
	url, accessToken, refreshToken, userID, sessionID, code, verifier, clientSecret string
}

// goExamples are the functions by their operations.
func (v values) goExamples(ctx context.Context) map[string]func() error {
	latchkey := client.New(v.url, nil)
	return map[string]func() error{
		"signIn":              func() error { return signIn(ctx, latchkey) },
		"refresh":             func() error { return refresh(ctx, latchkey, v.refreshToken) },
		"signOut":             func() error { return signOut(ctx, latchkey, v.accessToken) },
		"sessions":            func() error { return sessions(ctx, latchkey, v.accessToken, v.userID) },
		"endSession":          func() error { return endSession(ctx, latchkey, v.accessToken, v.sessionID) },
		"forgotPassword":      func() error { return forgotPassword(ctx, latchkey) },
		"resetPassword":       func() error { return resetPassword(ctx, latchkey, v.code) },
		"changePassword":      func() error { return changePassword(ctx, latchkey, v.accessToken) },
		"checkPassword":       func() error { return checkPassword(ctx, latchkey) },
		"verificationMail":    func() error { return verificationMail(ctx, latchkey) },
		"verify":              func() error { return verify(ctx, latchkey, v.code) },
		"signUp":              func() error { return signUp(ctx, latchkey, v.code) },
		"clientAliases":       func() error { return clientAliases(ctx, latchkey) },
		"consents":            func() error { return consents(ctx, latchkey, v.accessToken) },
		"revokeConsent":       func() error { return revokeConsent(ctx, latchkey, v.accessToken) },
		"token":               func() error { return token(ctx, latchkey, v.code, v.verifier) },
		"appUserInfo":         func() error { return appUserInfo(ctx, latchkey, v.accessToken) },
		"postAppUserInfo":     func() error { return postAppUserInfo(v.url, v.accessToken) },
		"userInfo":            func() error { return userInfo(ctx, latchkey, v.accessToken) },
		"postUserInfo":        func() error { return postUserInfo(v.url, v.accessToken) },
		"introspect":          func() error { return introspect(ctx, latchkey, v.clientSecret, v.accessToken) },
		"revocations":         func() error { return revocations(ctx, latchkey, v.clientSecret) },
		"postRevocations":     func() error { return postRevocations(v.url, v.clientSecret) },
		"revoke":              func() error { return revoke(ctx, latchkey, v.refreshToken) },
		"jwks":                func() error { return jwks(ctx, latchkey) },
		"discovery":           func() error { return discovery(ctx, latchkey) },
		"authorizationServer": func() error { return authorizationServer(ctx, latchkey) },
		"healthz":             func() error { return healthz(v.url) },
		"readyz":              func() error { return readyz(ctx, latchkey) },
	}
}

// Every example is run against a server of its own and prints what the page shows.
func TestExamples(t *testing.T) {
	for _, o := range operations(t) {
		t.Run(o.ID, func(t *testing.T) {
			for _, program := range []struct{ name, text string }{{"curl", o.Curl}, {"JavaScript", o.JavaScript}} {
				t.Run(program.name, func(t *testing.T) {
					t.Parallel()
					v := newValues(t, o.ID)
					if printed := laidOut(t, v.run(t, program.name, program.text)); !fits(o.Answer, printed) {
						t.Errorf("prints\n%s\nthe page shows\n%s", printed, o.Answer)
					}
				})
			}
			t.Run("Go", func(t *testing.T) { // alone, since it prints to this process's own output
				example, ok := newValues(t, o.ID).goExamples(t.Context())[o.ID]
				_, shown, commented := strings.Cut(o.Go, "\n// Output:\n")
				if !ok || !commented {
					t.Fatalf("goExamples has it: %v, it says what it prints: %v", ok, commented)
				}
				shown = regexp.MustCompile(`(?m)^// `).ReplaceAllString(shown, "")
				if printed := printedBy(t, example); !fits(shown, printed) {
					t.Errorf("prints\n%s\nthe page shows\n%s", printed, shown)
				}
			})
		})
	}
}

// The document, the pages' reading of it, and the files here say the same.
func TestEveryOperationHasItsExamples(t *testing.T) {
	document, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	var want, got, files []string
	for path, item := range document.Paths.Map() {
		for method, o := range item.Operations() {
			want = append(want, strings.Join([]string{o.OperationID, method, path, o.Tags[0], o.Summary}, " | "))
		}
	}
	for _, o := range operations(t) {
		got = append(got, strings.Join([]string{o.ID, o.Method, o.Path, o.Tag, o.Summary}, " | "))
		for _, ending := range []string{".js", ".txt", ".sh", "_example_test.go"} {
			files = append(files, o.ID+ending)
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the document (-) and what the pages read of it (+) differ:\n%s", diff)
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "examples_test.go" && !slices.Contains(files, e.Name()) {
			t.Errorf("%s is an example of no operation", e.Name())
		}
	}
}

// operations fails where an operation has no example.
func operations(t *testing.T) []apidocs.Operation {
	t.Helper()
	list, err := apidocs.Operations()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// newValues starts a server for one example: Ada is signed in twice, and Grace has no account yet.
func newValues(t *testing.T, operation string) values {
	t.Helper()
	v := values{clientSecret: "a secret of thirty-two characters", verifier: "a-verifier-is-random-and-has-43-characters-or-more"}
	r := authtest.New(t, authtest.SQLite(t), func(o *auth.Options) {
		clients, err := clients.New([]clients.Client{
			{Alias: "web", Name: "Acme", URL: "https://app.example.com", RedirectURIs: []string{webURI}, Default: true},
			{Alias: "reports", Name: "Acme Reports", URL: "https://reports.example.com", Secret: v.clientSecret, Feed: true},
			{Alias: "calendar", Name: "Calendar", URL: "https://calendar.example.com", RedirectURIs: []string{calendarURI}, Consent: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		o.Clients = clients
	})
	v.url, v.userID = r.HTTP.URL, r.AddUser(t, "ada@example.com").ID
	tokens := r.In(t, "ada@example.com")
	v.accessToken, v.refreshToken = tokens.AccessToken, tokens.RefreshToken
	v.sessionID = r.In(t, "ada@example.com").SessionID
	switch operation {
	case "resetPassword":
		v.code = r.ForgotCode(t, "ada@example.com")
	case "verify", "signUp":
		if err := r.RequestVerification(t.Context(), api.VerificationMailRequest{Email: "grace@example.com"}); err != nil {
			t.Fatal(err)
		}
		v.code = r.Code(t, "grace@example.com")
	case "token":
		v.code = signedIn(t, v.url).codeFor(t, v.verifier)
	case "appUserInfo", "postAppUserInfo": // what an app's token says is less
		code := signedIn(t, v.url).codeFor(t, v.verifier)
		app, err := r.ExchangeCode(t.Context(), api.CodeTokenRequest{ClientID: "web", Code: code, RedirectURI: webURI, CodeVerifier: v.verifier})
		if err != nil {
			t.Fatal(err)
		}
		v.accessToken = app.AccessToken
	case "consents", "revokeConsent":
		signedIn(t, v.url).consents(t, v.verifier)
	}
	return v
}

// Where the apps are answered.
const (
	webURI      = "https://app.example.com/callback"
	calendarURI = "https://calendar.example.com/callback"
)

// browser is Ada's. It goes nowhere but to the server.
type browser struct {
	http *http.Client
	base string
}

// signedIn signs Ada in on the page.
func signedIn(t *testing.T, base string) browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := browser{&http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), base) {
			return http.ErrUseLastResponse
		}
		return nil
	}}, base}
	b.post(t, "/signin", url.Values{"email": {"ada@example.com"}, "password": {authtest.Password}})
	return b
}

// codeFor is what the app "web" is sent when Ada comes from there.
func (b browser) codeFor(t *testing.T, verifier string) string {
	t.Helper()
	_, at := b.authorize(t, "web", webURI, verifier)
	return at.Query().Get("code")
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)">`)

// consents lets Ada allow the third party's app "calendar" what it asks for.
func (b browser) consents(t *testing.T, verifier string) {
	t.Helper()
	page, _ := b.authorize(t, "calendar", calendarURI, verifier)
	form := url.Values{}
	for _, field := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(field[1], field[2])
	}
	b.post(t, "/consent", form)
}

// authorize goes where an app sends a browser, and returns the page that is shown then or where the app is answered.
func (b browser) authorize(t *testing.T, alias, redirectURI, verifier string) (page string, at *url.URL) {
	t.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	res, err := b.http.Get(b.base + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {alias}, "redirect_uri": {redirectURI}, "scope": {"openid email"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}.Encode())
	return read(t, res, err)
}

func (b browser) post(t *testing.T, path string, form url.Values) {
	t.Helper()
	res, err := b.http.PostForm(b.base+path, form)
	read(t, res, err)
}

func read(t *testing.T, res *http.Response, err error) (page string, at *url.URL) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %d %s, %v", res.Request.Method, res.Request.URL.Path, res.StatusCode, text, err)
	}
	if at, err := res.Location(); err == nil {
		return "", at
	}
	return string(text), res.Request.URL
}

// run runs a program of the shell or of Node and returns what it prints.
func (v values) run(t *testing.T, language, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	program, before, assign := exec.CommandContext(ctx, "sh", "-eu"), "", "%s=%s\n"
	names := []string{"URL", "ACCESS_TOKEN", "REFRESH_TOKEN", "USER_ID", "SESSION_ID", "CODE", "VERIFIER", "CLIENT_SECRET"}
	if language == "JavaScript" {
		program, assign = exec.CommandContext(ctx, "node", "--input-type=module", "-"), "const %s = %s;\n"
		names = []string{"url", "accessToken", "refreshToken", "userId", "sessionId", "code", "verifier", "clientSecret"}
	}
	for i, value := range []string{v.url, v.accessToken, v.refreshToken, v.userID, v.sessionID, v.code, v.verifier, v.clientSecret} {
		before += strings.Replace(strings.Replace(assign, "%s", names[i], 1), "%s", strconv.Quote(value), 1)
	}
	var stderr bytes.Buffer
	program.Stdin, program.Stderr = strings.NewReader(before+text+"\n"), &stderr
	out, err := program.Output()
	if err != nil {
		t.Fatalf("%v: %s (run `make deps` where a program is missing)", err, &stderr)
	}
	return string(out)
}

// printedBy returns what example prints to standard output.
func printedBy(t *testing.T, example func() error) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	os.Stdout = w
	err = example() // what it prints fits into a pipe
	os.Stdout = stdout
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	printed, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(printed)
}

// laidOut indents JSON and leaves the order of its members.
// laidOut lays JSON out; a JWT stays as it is.
func laidOut(t *testing.T, answer string) string {
	t.Helper()
	if strings.HasPrefix(answer, "eyJ") {
		return answer
	}
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(answer), "", "  "); err != nil {
		t.Fatalf("%v in %s", err, answer)
	}
	return b.String()
}

func fits(shown, printed string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(shown)), "…", "[^\n]*")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(printed))
}
