package apidocs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/apidocs"
	"latchkey/internal/authtest"
	"latchkey/internal/pages"
)

func TestMain(m *testing.M) { authtest.Main(m) }

func file(t *testing.T, path string) string {
	t.Helper()
	for _, f := range apidocs.Files() {
		if f.Path == path {
			content, err := f.Content("https://id.example.org")
			if err != nil {
				t.Fatal(err)
			}
			return string(content)
		}
	}
	t.Fatalf("no %s", path)
	return ""
}

// The pages for people and the documentation look like one product.
func TestColoursAreThoseOfThePages(t *testing.T) {
	ours := file(t, "/docs/docs.css")
	theirs, _, _ := pages.Must(pages.New(nil)).Asset("page.css")
	colours := regexp.MustCompile(`--[\w-]+: [^;]+;`).FindAllString(ours, -1)
	if len(colours) < 15 {
		t.Fatalf("docs.css has %d colours", len(colours))
	}
	for _, colour := range colours {
		if !strings.Contains(string(theirs), colour) {
			t.Errorf("page.css does not have %s", colour)
		}
	}
}

// Addresses are the server's own, and each example is on the page as it was run.
func TestPagesSayWhatIsTrueHere(t *testing.T) {
	for _, page := range []string{"/docs/start", "/docs/front-end", "/docs/resource-servers", "/docs/examples"} {
		if !strings.Contains(file(t, page), "https://id.example.org") {
			t.Errorf("%s does not name the server", page)
		}
	}
	operations, err := apidocs.Operations()
	if err != nil {
		t.Fatal(err)
	}
	shown := file(t, "/docs/examples")
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "+", "&#43;")
	for _, o := range operations {
		for _, text := range []string{o.Curl, o.JavaScript, o.Answer, o.Go} {
			if text == "" || !strings.Contains(shown, "<pre tabindex=\"0\"><code>"+escaped.Replace(text)+"</code></pre>") &&
				!strings.Contains(shown, `<pre class="answer" tabindex="0"><code>`+escaped.Replace(text)+"</code></pre>") {
				t.Errorf("the page does not show, of %s:\n%s", o.ID, text)
			}
		}
	}
}

// The script that the page for front ends shows keeps a session through what happens to tabs.
func TestTheScriptKeepsASession(t *testing.T) {
	r := authtest.New(t, authtest.SQLite(t))
	r.AddUser(t, "ada@example.com")
	tokens, err := json.Marshal(r.In(t, "ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	var script []byte
	for _, name := range []string{"assets/session.js", "testdata/tabs.js"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		script = append(script, text...)
	}
	node := exec.CommandContext(t.Context(), "node", "--input-type=module", "-")
	node.Stdin = strings.NewReader(fmt.Sprintf("const url = %q, tokens = %s;\n%s", r.HTTP.URL, tokens, script))
	node.Stderr = os.Stderr
	out, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v (run `make deps` where it is missing)", err)
	}
	if diff := cmp.Diff(`fresh: 200,200, 0 refreshed, signed in
two tabs at once: 200,200, 1 refreshed, signed in
a lost answer: 200, 2 refreshed, signed in
a busy server: 200, 2 refreshed, signed in
signed out: 401,401, 1 refreshed, signed out
dead tokens: 401, 1 refreshed, signed out
`, string(out)); diff != "" {
		t.Errorf("want (-), printed (+):\n%s", diff)
	}
}
