package apidocs_test

import (
	"html"
	"regexp"
	"strings"
	"testing"

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
	for _, page := range []string{"/docs", "/docs/page", "/docs/react", "/docs/hono", "/docs/express", "/docs/cli-go", "/docs/verify-go", "/docs/apps", "/docs/start", "/docs/client-recipes", "/docs/resource-servers", "/docs/verifier-recipes", "/docs/examples"} {
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

// What an app's page shows is what it has its reader get, with this server's address and the release that it carries.
func TestAppsShowTheirFiles(t *testing.T) {
	for _, app := range apidocs.Apps {
		page := file(t, "/docs/"+app.Name)
		if strings.Contains(page, "localhost:8080") || strings.Contains(page, "/latchkey-client.tgz") {
			t.Errorf("/docs/%s names no server, or no release", app.Name)
		}
		for _, name := range app.Files {
			text := file(t, "/docs/"+app.Name+"/"+name)
			if !strings.Contains(html.UnescapeString(page), `<pre id="`+name+`" tabindex="0"><code>`+text+"</code></pre>") {
				t.Errorf("/docs/%s does not show %s as it is", app.Name, name)
			}
			if !strings.Contains(page, "-O https://id.example.org/docs/"+app.Name+"/"+name) {
				t.Errorf("/docs/%s does not have its reader get %s", app.Name, name)
			}
		}
	}
}
