package latchkey_test

// docs/asvs.md accounts for OWASP ASVS 5.0.0: every requirement once, at its level, on what exists; and what it says is
// not in the program is not imported.

import (
	"cmp"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// asvsLevels has a digit for each requirement: asvsLevels[0][1][2] is the level of 1.2.3.
var asvsLevels = [][]string{
	{"22", "1111122223", "112222222223", "222", "123"},
	{"122", "112", "12223", "23"},
	{"3", "113", "12223", "11222233", "11122333", "3", "22333"},
	{"12233", "23333", "22", "1222"},
	{"2", "112333", "113", "222"},
	{"122", "111111112222", "11223333", "112233", "22222333", "2223", "33", "2222"},
	{"222", "1111", "22", "11222", "223", "22"},
	{"1233", "1123", "133", "23"},
	{"111", "1222"},
	{"22", "223", "22223", "1111122222233333", "22222", "22", "222"},
	{"2233", "22233", "11233", "1222", "23", "23", "33"},
	{"12233", "11", "22223"},
	{"2333", "222223", "2233", "1222233"},
	{"22", "12223333", "122"},
	{"12233", "12233", "1222222", "3333"},
	{"2", "22222", "2222", "222", "2223"},
	{"23", "22223333", "22"},
}

var asvsStatuses = []string{"met", "partly", "no", "yours", "does not apply"}

// asvsRow is a line of a list, one of those met by tests alone, or a paragraph of what does not apply.
type asvsRow struct {
	ids         []string
	status, how string
}

var (
	asvsLine  = regexp.MustCompile(`(?m)^- (\d[\d., ]*\d)(?: (\w+))?: (.*)$`)
	asvsMet   = regexp.MustCompile(`(?ms)^Met, by tests alone: (.*?)\n\n`)
	asvsNever = regexp.MustCompile(`(?ms)^Does not apply: (.*?)(?:\n\n|\z)`)
	asvsID    = regexp.MustCompile(`\d+(?:\.\d+){1,2}`)
)

func asvsRows(t *testing.T) (rows []asvsRow, text string) {
	t.Helper()
	raw, err := os.ReadFile("docs/asvs.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range asvsLine.FindAllStringSubmatch(string(raw), -1) {
		if asvsID.MatchString(m[1]) {
			rows = append(rows, asvsRow{strings.Split(m[1], ", "), cmp.Or(m[2], "met"), m[3]})
		}
	}
	for _, m := range asvsMet.FindAllStringSubmatch(string(raw), -1) {
		for _, id := range asvsID.FindAllString(m[1], -1) {
			rows = append(rows, asvsRow{[]string{id}, "met", ""})
		}
	}
	for _, m := range asvsNever.FindAllStringSubmatch(string(raw), -1) {
		rows = append(rows, asvsRow{asvsID.FindAllString(m[1], -1), "does not apply", m[1]})
	}
	return rows, string(raw)
}

// asvsAll maps each requirement to its level.
func asvsAll() map[string]string {
	all := map[string]string{}
	for c, sections := range asvsLevels {
		for s, levels := range sections {
			for r, level := range levels {
				all[fmt.Sprintf("%d.%d.%d", c+1, s+1, r+1)] = string(level)
			}
		}
	}
	return all
}

// asvsExpand turns a whole section into its requirements.
func asvsExpand(all map[string]string, id string) []string {
	if strings.Count(id, ".") == 2 {
		return []string{id}
	}
	var ids []string
	for r := 1; all[id+"."+strconv.Itoa(r)] != ""; r++ {
		ids = append(ids, id+"."+strconv.Itoa(r))
	}
	return ids
}

func TestASVSAccountsForEveryRequirement(t *testing.T) {
	all, said, counts := asvsAll(), map[string]bool{}, map[string]int{}
	rows, text := asvsRows(t)
	for _, row := range rows {
		if !slices.Contains(asvsStatuses, row.status) {
			t.Errorf("%s: %q is no status", row.ids, row.status)
		}
		for _, given := range row.ids {
			for _, id := range asvsExpand(all, given) {
				level := all[id]
				if level == "" || said[id] {
					t.Errorf("%s has level %q, and is there already: %t", id, level, said[id])
				}
				said[id] = true
				counts[level+row.status]++
				counts["all"+row.status]++
			}
		}
	}
	for id := range all {
		if !said[id] {
			t.Errorf("docs/asvs.md does not say %s", id)
		}
	}
	for _, level := range []string{"1", "2", "3", "all"} {
		line, sum := "| "+level+" |", 0
		for _, status := range asvsStatuses {
			line += fmt.Sprintf(" %d |", counts[level+status])
			sum += counts[level+status]
		}
		if line += fmt.Sprintf(" %d |\n", sum); !strings.Contains(text, line) {
			t.Errorf("docs/asvs.md has no line %s", line)
		}
	}
}

var (
	asvsSpan = regexp.MustCompile("`([^`]+)`")
	asvsFile = regexp.MustCompile(`^[\w][\w./-]*(?:/[\w.-]+|\.(?:go|md|mod|sum))$|^Makefile$`)
	asvsTest = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`)
	asvsSame = regexp.MustCompile(`(?:As|The list of) \d+\.\d+\.\d+|\]\(#`)
)

// What is met, in whole or in part, rests on a file, a test or another requirement; and what is named exists.
func TestASVSNamesWhatExists(t *testing.T) {
	tests := map[string]bool{}
	for _, s := range sources(t) {
		for _, name := range topLevelFunctions(s) {
			tests[name] = true
		}
	}
	rows, text := asvsRows(t)
	for _, name := range asvsTest.FindAllString(text, -1) {
		if !tests[name] {
			t.Errorf("%s is no test", name)
		}
	}
	for _, name := range asvsFiles(text) {
		if !exists(name) && !exists(filepath.Join("internal", name)) {
			t.Errorf("%s is not there", name)
		}
	}
	proven := map[string]bool{}
	for _, p := range proofs(t) {
		if p.document == "docs/asvs.md" {
			proven[p.subject] = true
		}
	}
	for _, row := range rows {
		subject := strings.Join(row.ids, ", ")
		rests := proven[subject] || asvsTest.MatchString(row.how) || len(asvsFiles(row.how)) > 0 || asvsSame.MatchString(row.how)
		delete(proven, subject)
		if !rests && (row.status == "met" || row.status == "partly") {
			t.Errorf("%s: %s, by nothing that is named: %s", row.ids, row.status, row.how)
		}
	}
	for subject := range proven {
		t.Errorf("docs/proofs.csv has tests for %s, which is no line of docs/asvs.md", subject)
	}
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func asvsFiles(text string) []string {
	var names []string
	for _, span := range asvsSpan.FindAllStringSubmatch(text, -1) {
		if asvsFile.MatchString(span[1]) {
			names = append(names, span[1])
		}
	}
	return names
}

// asvsCrypto matches the imports that are cryptography.
var asvsCrypto = regexp.MustCompile(`^(?:crypto(?:/.*)?|golang\.org/x/crypto/.*|github\.com/go-jose/.*)$`)

func TestASVSCryptographyIsListed(t *testing.T) {
	_, text := asvsRows(t)
	_, list, found := strings.Cut(text, "\n## What cryptography there is\n")
	list, _, ends := strings.Cut(list, "\n## ")
	if !found || !ends {
		t.Fatal("docs/asvs.md has no list of cryptography")
	}
	listed, used := map[string]bool{}, map[string]bool{}
	for line := range strings.Lines(list) {
		packages, row := strings.CutPrefix(line, "| ")
		if packages, _, _ = strings.Cut(packages, " | "); !row {
			continue
		}
		for _, room := range asvsFiles(line) {
			for pkg := range strings.SplitSeq(packages, ", ") {
				listed[pkg+" in "+room] = true
			}
		}
	}
	for _, s := range sources(t) {
		if !s.runs() || slices.Contains(asvsOthers, s.room) {
			continue
		}
		for _, pkg := range s.imports() {
			use := pkg + " in " + s.room
			if used[use] = true; asvsCrypto.MatchString(pkg) && !listed[use] {
				t.Errorf("docs/asvs.md does not list %s", use)
			}
		}
	}
	for use := range listed {
		if used[use] {
			continue
		}
		t.Errorf("docs/asvs.md lists %s, which is not so", use)
	}
}

// asvsAbsent are imports that nothing in the server and its commands may have, and the requirement that rests on it.
var asvsAbsent = map[string]string{
	"os/exec":             "1.2.5: no process is started",
	"plugin":              "1.3.2: nothing is loaded",
	"unsafe":              "1.4.1",
	"C":                   "1.4.1",
	"encoding/xml":        "1.5.1: no XML",
	"encoding/gob":        "1.5.2",
	"encoding/csv":        "1.2.10: no CSV",
	"net/http/httputil":   "1.3.6: nothing is fetched",
	"net/rpc":             "1.3.6",
	"archive/zip":         "V5: no files",
	"archive/tar":         "V5",
	"compress/gzip":       "V5",
	"mime/multipart":      "V5",
	"math/rand":           "11.5.1: not for secrets",
	"golang.org/x/oauth2": "10.2: no OAuth client",
}

// asvsOthers are the rooms that run in other people's programs.
var asvsOthers = []string{"client", "verify"}

// asvsPacks is the one file that may import compress/gzip: it packs a file of ours, and unpacks nothing.
const asvsPacks = "internal/server/sdk.go"

// asvsJitter are the rooms that may use math/rand/v2, for what may be guessed.
var asvsJitter = []string{"internal/auth", "internal/logouts", "internal/outbox", "internal/store"}

// asvsCalls are names of net/http that no files may use but those named.
var asvsCalls = []struct {
	names, only, why string
}{
	{"Get Head Post PostForm Client DefaultClient NewRequest NewRequestWithContext Transport DefaultTransport", "cmd/latchkey/health.go internal/logouts/post.go", "1.3.6: no request is ever sent, but to the server itself and to apps"},
	{"Redirect RedirectHandler", "", "3.7.2: nobody is sent elsewhere"},
	{"FileServer FileServerFS ServeFile ServeFileFS ServeContent", "", "V5: no files"},
	{"SetCookie Cookie", "internal/server/cookies.go", "3.3.1: cookies are set in one way"},
}

func TestASVSWhatIsNotThere(t *testing.T) {
	for _, s := range sources(t) {
		if !s.runs() || slices.Contains(asvsOthers, s.room) {
			continue
		}
		for _, pkg := range s.imports() {
			if why, absent := asvsAbsent[pkg]; absent && (pkg != "compress/gzip" || s.path != asvsPacks) {
				t.Errorf("%s imports %s, which docs/asvs.md says is not there: %s", s.path, pkg, why)
			}
			if pkg == "math/rand/v2" && !slices.Contains(asvsJitter, s.room) {
				t.Errorf("%s imports %s: 11.5.1 wants crypto/rand; jitter alone may do with less", s.path, pkg)
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if name, ok := n.(*ast.SelectorExpr); ok {
				checkASVSCall(t, s, name)
			}
			return true
		})
	}
}

func checkASVSCall(t *testing.T, s source, name *ast.SelectorExpr) {
	t.Helper()
	pkg, ok := name.X.(*ast.Ident)
	if !ok || pkg.Name != "http" {
		return
	}
	for _, call := range asvsCalls {
		if !slices.Contains(strings.Fields(call.only), s.path) && slices.Contains(strings.Fields(call.names), name.Sel.Name) {
			t.Errorf("%s uses http.%s: %s", s.at(name), name.Sel.Name, call.why)
		}
	}
}
