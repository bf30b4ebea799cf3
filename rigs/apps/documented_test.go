package apps

// The recipes of /docs: the files that its pages show, and the table of client libraries.

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/authtest"
)

var documentedFile = regexp.MustCompile(`(?s)<pre tabindex="0" id="([^"]+)"><code>(.*?)</code></pre>`)

// documented reads the files out of a page; those that are named must be there.
func documented(t *testing.T, p *provider, path string, names ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, found := range documentedFile.FindAllSubmatch(p.node.Body(p.issuer+path), -1) {
		files[string(found[1])] = html.UnescapeString(string(found[2]))
	}
	for _, name := range names {
		if files[name] == "" {
			t.Fatalf("%s shows no %s", path, name)
		}
	}
	return files
}

var documentedLine = regexp.MustCompile(`(?s)<tr><td>[^<]*</td><td>(?:<code>([^<]*)</code>|nothing)</td>.*?<td>([^<]*)</td></tr>`)

// What /docs/client-recipes has each library told is what the applications here tell it.
func TestClientRecipesAreWhatIsRun(t *testing.T) {
	p := newProvider(t, authtest.SQLite(t), nil)
	rows := documentedLine.FindAllSubmatch(p.node.Body(p.issuer+"/docs/client-recipes"), -1)
	if len(rows) != 7 {
		t.Fatalf("the page has %d libraries, want 7", len(rows))
	}
	for _, row := range rows {
		line, file := html.UnescapeString(string(row[1])), string(row[2])
		text, err := os.ReadFile(filepath.Join("..", "..", file))
		if err != nil || !strings.Contains(string(text), line) {
			t.Errorf("%s does not say %s (%v)", file, line, err)
		}
	}
}
