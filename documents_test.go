package latchkey_test

// Documents that say what is: the tests, files and headings they name exist, and README's first five
// minutes print what it says they print.

import (
	"context"
	"encoding/csv"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/internal/server"
	"latchkey/internal/worker"
)

// documents are the Markdown files of the root and of docs, by path.
func documents(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			all[filepath.ToSlash(name)] = string(text)
		}
	}
	return all
}

var testName = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w+`)

// everyTest has the name of every function of the code, tests among them.
func everyTest(t *testing.T) map[string]bool {
	t.Helper()
	exists := map[string]bool{}
	for _, s := range sources(t) {
		for _, name := range topLevelFunctions(s) {
			exists[name] = true
		}
	}
	return exists
}

// Each test that a document names exists: without it the promise would be unproven.
func TestDocumentsNameTestsThatExist(t *testing.T) {
	exists := everyTest(t)
	for name, text := range documents(t) {
		for _, test := range testName.FindAllString(text, -1) {
			if !exists[test] {
				t.Errorf("%s names %s, which is no test", name, test)
			}
		}
	}
}

// proof is a line of docs/proofs.csv: the tests of a promise or rule of SECURITY.md, of a section of a standard, or of a
// requirement of the ASVS.
type proof struct {
	document, subject string
	tests             []string
}

func proofs(t *testing.T) (all []proof) {
	t.Helper()
	file, err := os.Open("docs/proofs.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		all = append(all, proof{line[0], line[1], strings.Fields(line[2])})
	}
	return all
}

var (
	promiseRow = regexp.MustCompile(`(?m)^\| (I\d+) \|`)
	ruleList   = regexp.MustCompile(`(?s)\n(?:Further rules:|## Standards, section by section)\n(.*?)\n## `)
	ruleLine   = regexp.MustCompile(`(?m)^- (.*)$`)
	attackList = regexp.MustCompile(`(?s)\n## Attacks on signing in for an app\n(.*?)\n## `)
	attackLine = regexp.MustCompile(`(?m)^- \*\*([^*]+)\*\*`)
	otherwise  = regexp.MustCompile(`(?m)^\| ([^|\n]+) \|[^|\n]*\|[^|\n]*\|[^|\n]*\|$`) // a line about CREDEBL
)

// Each promise, rule, attack, section of a standard and difference from CREDEBL has tests in docs/proofs.csv, which exist; and it
// names nothing else.
func TestEveryPromiseNamesItsTests(t *testing.T) {
	doc, err := os.ReadFile("internal/auth/auth.go")
	if err != nil {
		t.Fatal(err)
	}
	all := documents(t)
	wanted := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^//\t(I\d+) `).FindAllStringSubmatch(string(doc), -1) {
		wanted["SECURITY.md "+found[1]] = true
	}
	if len(wanted) < 20 {
		t.Fatalf("auth's package doc numbers %d invariants", len(wanted))
	}
	for _, found := range promiseRow.FindAllStringSubmatch(all["SECURITY.md"], -1) {
		if !wanted["SECURITY.md "+found[1]] {
			t.Errorf("SECURITY.md promises %s, which auth's package doc does not number", found[1])
		}
	}
	for _, name := range []string{"SECURITY.md", "docs/standards.md"} {
		list := ruleList.FindStringSubmatch(all[name])
		if list == nil {
			t.Fatalf("%s has no list of rules", name)
		}
		for _, found := range ruleLine.FindAllStringSubmatch(list[1], -1) {
			wanted[name+" "+found[1]] = true
		}
	}
	attacks := attackLine.FindAllStringSubmatch(attackList.FindString(all["SECURITY.md"]), -1)
	if len(attacks) < 20 {
		t.Errorf("SECURITY.md lists %d attacks", len(attacks))
	}
	for _, found := range attacks {
		wanted["SECURITY.md "+found[1]] = true
	}
	for _, found := range otherwise.FindAllStringSubmatch(all["docs/standards.md"], -1) {
		wanted["docs/standards.md "+found[1]] = true
	}
	exists := everyTest(t)
	for _, p := range proofs(t) {
		key := p.document + " " + p.subject
		// TestASVSNamesWhatExists looks at requirements of the ASVS; what bounds guessing needs no test of its own.
		free := p.document == "docs/asvs.md" || strings.Contains(all[p.document], "- **"+p.subject+"**")
		if !wanted[key] && !free || !strings.Contains(all[p.document], p.subject) || len(p.tests) == 0 {
			t.Errorf("docs/proofs.csv has a line without tests or for what is not said, or said twice: %s", key)
		}
		delete(wanted, key)
		for _, test := range p.tests {
			if !exists[test] {
				t.Errorf("docs/proofs.csv names %s, which is no test", test)
			}
		}
	}
	for key := range wanted {
		t.Errorf("docs/proofs.csv has no line for %s", key)
	}
}

var (
	codeBlock = regexp.MustCompile("(?ms)^```.*?^```$")
	codeSpan  = regexp.MustCompile("`[^`\n]+`")
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	ourPath   = regexp.MustCompile("`((?:internal|cmd|api|client|docs|examples|scripts|tools)/[\\w./*-]+)`")
)

func TestDocumentsNameFilesThatExist(t *testing.T) {
	all := documents(t)
	for name, text := range all {
		prose := codeBlock.ReplaceAllString(text, "")
		for _, found := range ourPath.FindAllStringSubmatch(prose, -1) {
			if strings.HasPrefix(found[1], "internal/runtime/") { // Go's own, in a profile
				continue
			}
			if matches, err := filepath.Glob(found[1]); err != nil || len(matches) == 0 {
				t.Errorf("%s names %s, which is not there", name, found[1])
			}
		}
		for _, found := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(prose, ""), -1) {
			checkLink(t, all, name, found[1])
		}
	}
}

var (
	namedDocument = regexp.MustCompile(`[\w./-]+\.md\b`)
	elsewhere     = regexp.MustCompile(`(?i)\bspec (?:section )?\d|\b(?:security|design) \d`)
)

// A comment may send its reader only to a document that is in the repository.
func TestCommentsNameDocumentsThatExist(t *testing.T) {
	all := documents(t)
	for _, s := range sources(t) {
		text, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range namedDocument.FindAllString(string(text), -1) {
			if name := strings.ReplaceAll(named, "../", ""); all[name] == "" && name != "report.md" { // bench writes that
				t.Errorf("%s names %s, which is not there", s.path, named)
			}
		}
		if named := elsewhere.FindString(string(text)); named != "" {
			t.Errorf("%s refers to %q, which no reader has", s.path, named)
		}
	}
}

func checkLink(t *testing.T, all map[string]string, from, to string) {
	t.Helper()
	if strings.Contains(to, "://") || strings.HasPrefix(to, "mailto:") {
		return
	}
	file, heading, _ := strings.Cut(to, "#")
	target := from
	if file != "" {
		target = filepath.ToSlash(filepath.Join(filepath.Dir(from), file))
	}
	if _, err := os.Stat(target); err != nil {
		t.Errorf("%s links to %s, which is not there", from, to)
		return
	}
	if heading != "" && !hasHeading(all[target], heading) {
		t.Errorf("%s links to %s, where there is no such heading", from, to)
	}
}

var notInAnchor = regexp.MustCompile(`[^\w -]`)

func hasHeading(text, anchor string) bool {
	for line := range strings.Lines(text) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			slug := strings.ReplaceAll(notInAnchor.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), ""), " ", "-")
			if slug == anchor {
				return true
			}
		}
	}
	return false
}

var goBlock = regexp.MustCompile("(?ms)^ *```go\n(.*?)^ *```$")

// What documents show as Go is a line of the code.
func TestDocumentsQuoteCode(t *testing.T) {
	lines := map[string]bool{}
	for _, s := range sources(t) {
		text, err := os.ReadFile(s.path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			lines[strings.TrimSpace(line)] = true
		}
	}
	for name, text := range documents(t) {
		for _, block := range goBlock.FindAllStringSubmatch(text, -1) {
			for line := range strings.Lines(block[1]) {
				if line = strings.TrimSpace(line); line != "" && !lines[line] {
					t.Errorf("%s shows a line that no file has: %s", name, line)
				}
			}
		}
	}
}

var fencedBlock = regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$")

// README's blocks are pasted into one shell, against a whole server with a fresh database.
func TestFirstFiveMinutes(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("README's first five minutes need curl: run `make deps`")
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "\n## The first five minutes\n")
	section, _, found := strings.Cut(rest, "\n## ")
	if !found {
		t.Fatal("README.md has no section with the first five minutes")
	}
	const address, mark = "URL=http://localhost:8080\n", "-- end of block --"
	if !strings.Contains(section, address) {
		t.Fatalf("no block says %q", address)
	}
	section = strings.Replace(section, address, "URL="+inboxServer(t)+"\n", 1)
	var script strings.Builder
	var wants []string
	for _, block := range fencedBlock.FindAllStringSubmatch(section, -1) {
		if block[1] == "sh" {
			script.WriteString(block[2] + "echo '" + mark + "'\n")
			wants = append(wants, "")
		} else {
			wants[len(wants)-1] = block[2]
		}
	}
	shell := exec.Command("sh", "-s")
	shell.Dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(shell.Dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shell.Dir, "data", "inbox.key"), []byte(inboxKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shell.Stdin, shell.Stderr = strings.NewReader(script.String()), os.Stderr
	out, err := shell.Output()
	if err != nil {
		t.Fatalf("the blocks failed: %v\n%s", err, out)
	}
	printed := strings.Split(string(out), mark+"\n")
	for i, want := range wants {
		if !fits(want, printed[i]) {
			t.Errorf("block %d printed\n%s\nREADME says\n%s", i+1, printed[i], want)
		}
	}
}

// fits compares output with what a document shows, where … stands for anything on one line.
func fits(shown, printed string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimRight(shown, "\n")), "…", "[^\n]*")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimRight(printed, "\n"))
}

const inboxKey = "KEYOFTHEINBOXINTHETESTSOFDOCUMENTS"

// inboxServer is a server as `make run` starts it: mail goes to /dev/inbox.
func inboxServer(t *testing.T) (url string) {
	r := authtest.New(t, authtest.SQLite(t))
	ctx, cancel := context.WithCancel(context.Background())
	delivering := make(chan error, 1)
	go func() { delivering <- worker.Outbox(ctx, r.Service.Outbox(), r.Options.Log) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-delivering:
		case <-time.After(10 * time.Second):
			t.Error("the outbox did not stop")
		}
	})
	o := r.ServerOptions()
	o.Inbox, o.InboxKey, o.ListenAddr = r.Mailbox, inboxKey, "127.0.0.1:8080"
	web := httptest.NewServer(server.New(o))
	t.Cleanup(web.Close)
	return web.URL
}
