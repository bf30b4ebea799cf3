package apps

// The page /docs/apps, followed to the letter: its three files in an empty folder, and a person who presses the buttons.

import (
	"bufio"
	"html"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/authtest"
)

// The document says port 4000, which may be taken here.
const documentedPort = "4000"

var documentedFile = regexp.MustCompile(`(?s)<pre tabindex="0" id="([^"]+)"><code>(.*?)</code></pre>`)

func TestTheDocumentedApp(t *testing.T) {
	needsPackages(t)
	db := authtest.SQLite(t)
	port := freePort(t)
	folder := t.TempDir()
	p := newProvider(t, db, nil)
	files := documented(t, p, port)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if code := p.node.Stop(); code != 0 {
		t.Fatalf("the server ended with %d", code)
	}
	p.node.Settings["CLIENTS_FILE"] = filepath.Join(folder, "clients.toml")
	p.node.Start()
	serveDocumented(t, folder)

	w := newWindow(t)
	w.open("http://localhost:" + port + "/")
	w.await("document.getElementById('who')")
	w.click("#in")
	w.signIn(p.person)
	w.await("document.getElementById('who')?.textContent === 'Signed in as " + p.person.Email + ".'")
	if at := evaluate[string](w, "location.href"); at != "http://localhost:"+port+"/" {
		t.Errorf("the code stays in the address: %s", at)
	}
	w.click("#out")
	w.await("document.getElementById('who')?.textContent === 'Nobody is signed in.' && !document.getElementById('in').hidden")
}

// documented reads the files out of the page, and puts another port into them.
func documented(t *testing.T, p *provider, port string) map[string]string {
	t.Helper()
	res, err := http.Get(p.issuer + "/docs/apps")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, found := range documentedFile.FindAllStringSubmatch(string(page), -1) {
		files[found[1]] = strings.ReplaceAll(html.UnescapeString(found[2]), documentedPort, port)
	}
	for _, name := range []string{"clients.toml", "index.html", "serve.mjs"} {
		if files[name] == "" {
			t.Fatalf("/docs/apps shows no %s", name)
		}
	}
	return files
}

// serveDocumented runs serve.mjs until the test ends.
func serveDocumented(t *testing.T, folder string) {
	t.Helper()
	cmd := exec.Command("node", "serve.mjs")
	cmd.Dir = folder
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil { // which says that it listens
		t.Fatalf("serve.mjs: %v", err)
	}
}
