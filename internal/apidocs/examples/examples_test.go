// Package examples holds the examples of the documentation pages, one of each language for each operation
// of the API, and runs them: what a page shows is what was run, and what it says comes back does.
package examples

// An answer is shown with … in place of what differs each time, which stands for anything on one line. It is
// the one rule by which shown and printed may differ, and JSON is laid out alike before they are compared.

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
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
	url, accessToken, refreshToken, userID, sessionID, code, clientSecret string
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
		"userInfo":            func() error { return userInfo(ctx, latchkey, v.accessToken) },
		"postUserInfo":        func() error { return postUserInfo(v.url, v.accessToken) },
		"introspect":          func() error { return introspect(ctx, latchkey, v.clientSecret, v.accessToken) },
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
	v := values{clientSecret: "a secret of thirty-two characters"}
	r := authtest.New(t, authtest.SQLite(t), func(o *auth.Options) {
		clients, err := clients.New([]clients.Client{
			{Alias: "web", Name: "Acme", URL: "https://app.example.com", Default: true},
			{Alias: "reports", Name: "Acme Reports", URL: "https://reports.example.com", Secret: v.clientSecret},
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
	}
	return v
}

// run runs a program of the shell or of Node and returns what it prints.
func (v values) run(t *testing.T, language, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	program, before, assign := exec.CommandContext(ctx, "sh", "-eu"), "", "%s=%s\n"
	names := []string{"URL", "ACCESS_TOKEN", "REFRESH_TOKEN", "USER_ID", "SESSION_ID", "CODE", "CLIENT_SECRET"}
	if language == "JavaScript" {
		program, assign = exec.CommandContext(ctx, "node", "--input-type=module", "-"), "const %s = %s;\n"
		names = []string{"url", "accessToken", "refreshToken", "userId", "sessionId", "code", "clientSecret"}
	}
	for i, value := range []string{v.url, v.accessToken, v.refreshToken, v.userID, v.sessionID, v.code, v.clientSecret} {
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
func laidOut(t *testing.T, answer string) string {
	t.Helper()
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
