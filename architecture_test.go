// Package latchkey_test holds the code to its own rules: the order of the rooms, the list of
// dependencies, the size of files and functions, and documents that name only what exists.
package latchkey_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rooms is the diagram of ARCHITECTURE.md, from the top down: every package, and the packages of ours that it may
// import. Imports point down only, and no further than they need.
var rooms = map[string][]string{
	"cmd/latchkey":       {"internal/listener", "internal/server", "internal/pages", "internal/worker", "internal/auth", "internal/outbox", "internal/logouts", "internal/throttle", "internal/keyring", "internal/audit", "internal/clients", "internal/mail", "internal/brand", "internal/address", "internal/store", "internal/password", "internal/token", "internal/burst", "api"},
	"internal/listener":  {"internal/peer", "internal/burst"},
	"internal/server":    {"internal/pages", "internal/apidocs", "internal/sdk", "internal/auth", "internal/outbox", "internal/logouts", "internal/throttle", "internal/keyring", "internal/oidc", "internal/peer", "internal/clients", "internal/mail", "internal/brand", "internal/fields", "internal/address", "internal/locale", "internal/burst", "api"},
	"internal/pages":     {"internal/brand", "internal/locale"},
	"internal/apidocs":   {"internal/sdk", "examples", "api"},
	"internal/sdk":       {},
	"internal/worker":    {"internal/auth", "internal/outbox", "internal/logouts"},
	"internal/auth":      {"internal/upkeep", "internal/events", "internal/links", "internal/outbox", "internal/logouts", "internal/throttle", "internal/keyring", "internal/rotation", "internal/hashcosts", "internal/node", "internal/audit", "internal/oidc", "internal/peer", "internal/clients", "internal/mail", "internal/fields", "internal/ids", "internal/address", "internal/store", "internal/password", "internal/token", "internal/studio", "internal/locale", "internal/burst"},
	"internal/upkeep":    {"internal/outbox", "internal/logouts", "internal/throttle", "internal/keyring", "internal/hashcosts", "internal/node", "internal/mail", "internal/store"},
	"internal/events":    {"internal/keyring", "internal/store", "internal/token"},
	"internal/links":     {"internal/outbox", "internal/clients", "internal/mail", "internal/store", "internal/token"},
	"internal/outbox":    {"internal/audit", "internal/mail", "internal/ids", "internal/address", "internal/store", "internal/token"},
	"internal/logouts":   {"internal/keyring", "internal/audit", "internal/clients", "internal/ids", "internal/store", "internal/token", "internal/burst"},
	"internal/throttle":  {"internal/audit", "internal/peer", "internal/store", "internal/token"},
	"internal/keyring":   {"internal/audit", "internal/store", "internal/token"},
	"internal/rotation":  {"internal/store"},
	"internal/hashcosts": {"internal/store", "internal/password"},
	"internal/node":      {"internal/ids", "internal/store"},
	"internal/audit":     {"internal/peer", "internal/ids", "internal/store"},
	"internal/peer":      {"internal/clients", "internal/locale"},
	"internal/oidc":      {"internal/clients", "internal/address", "internal/token"},
	"internal/clients":   {"internal/mail", "internal/brand", "internal/ids", "internal/address", "internal/studio"},
	"internal/mail":      {"internal/brand", "internal/address", "internal/locale"},
	"internal/brand":     {"internal/address", "internal/locale"},
	"internal/fields":    {"internal/ids", "internal/address", "internal/locale"},
	"internal/ids":       {"internal/address"},
	"internal/address":   {},
	"internal/store":     {},
	"internal/password":  {},
	"internal/token":     {},
	"internal/studio":    {},
	"internal/locale":    {},
	"internal/burst":     {},
	"api":                {},
	"client":             {"api"},
	"verify":             {},
	"examples":           {},
}

// rigs are imported by tests alone: they may reach every room, start goroutines and read the
// environment. Packages below them are rigs too. So are programs to copy from, which nothing imports.
var rigs = []string{"internal/authtest", "rigs", "bench", "examples/cli-go", "examples/verify-go"}

// modules are the folders of the modules that these rules hold for: the product's, and that of bench, which is one
// of its own so that the product's go.mod needs nothing for it.
var modules = []string{".", "bench"}

// reserved are packages that only the named room may import.
var reserved = []struct{ path, room, why string }{
	{"database/sql", "", "both drivers are used by their own APIs"},
	{"github.com/jackc/pgx/v5", "internal/store", "only store knows a driver"},
	{"github.com/ncruces/go-sqlite3", "internal/store", "only store knows a driver"},
	{"github.com/spf13/cobra", "cmd/latchkey", "only cmd is a command"},
}

// dependencies are the modules that Latchkey is built of, each with its reason.
var dependencies = map[string]string{
	"github.com/FastFilter/xorfilter":     "binary fuse filter: 197,546 common passwords in 450 KB",
	"github.com/go-jose/go-jose/v4":       "JWS and JWK, with the algorithms accepted named in code",
	"github.com/go-json-experiment/json":  "strict request bodies: duplicate names, case, UTF-8, trailing data",
	"github.com/google/uuid":              "UUIDv7 for ids in the order of making",
	"github.com/jackc/pgx/v5":             "PostgreSQL by its own API: twice the rate of database/sql",
	"github.com/mileusna/useragent":       "User-Agent into a browser's and a system's name for the session list",
	"github.com/ncruces/go-sqlite3":       "SQLite without cgo: docs/adr/0001-sqlite-driver.md",
	"github.com/pelletier/go-toml/v2":     "configuration and clients files, strict, with line numbers",
	"github.com/prometheus/client_golang": "/metrics",
	"github.com/spf13/cobra":              "commands, flags and their help",
	"github.com/swaggest/swgui":           "Swagger UI's files, for the viewer under /docs: docs/adr/0008-documentation-pages.md",
	"github.com/wneessen/go-mail":         "MIME messages and the SMTP dialogue",
	"golang.org/x/crypto":                 "Argon2id and XChaCha20-Poly1305",
	"golang.org/x/net":                    "IDNA for mail domains, and where registries end and domains begin",
	"golang.org/x/sync":                   "errgroup: the parts of serve start and end together; singleflight: one key reload for all who wait",
	"golang.org/x/term":                   "passwords typed without echo",
	"golang.org/x/text":                   "NFC of passwords; messages, plural forms and the choice of a language",
}

// testDependencies must not be imported outside tests and rigs.
var testDependencies = map[string]string{
	"github.com/chromedp/cdproto":     "the words of the browser's protocol",
	"github.com/chromedp/chromedp":    "drives Chromium: pages as people meet them",
	"github.com/coreos/go-oidc/v3":    "foreign verifier of access tokens, through discovery",
	"github.com/emersion/go-sasl":     "the rig's SMTP server asks for a password",
	"github.com/emersion/go-smtp":     "a real SMTP server to talk to",
	"github.com/getkin/kin-openapi":   "answers are checked against api/openapi.yaml",
	"github.com/golang-jwt/jwt/v5":    "foreign verifier of access tokens",
	"github.com/google/go-cmp":        "readable differences",
	"github.com/rogpeppe/go-internal": "testscript: commands as an operator types them",
	"go.uber.org/goleak":              "no goroutine is left behind",
	"golang.org/x/oauth2":             "with go-oidc the application of many: signs in, refreshes",
	"pgregory.net/rapid":              "model tests",
}

const (
	maxFileLines     = 500
	maxFunctionLines = 120
)

// written are the kinds of files that people write, and so read.
var written = []string{".conf", ".css", ".go", ".html", ".js", ".md", ".mjs", ".service", ".sh", ".sql", ".toml", ".ts", ".txt", ".yaml", ".yml"}

// built are the folders of what is made of such files.
var built = []string{"sdk/js/build", "sdk/js/dist"}

// source is one Go file of ours.
type source struct {
	path string // from the root, with slashes
	room string // the folder
	test bool
	file *ast.File
	set  *token.FileSet
}

func (s source) rig() bool {
	return slices.ContainsFunc(rigs, func(r string) bool { return s.room == r || strings.HasPrefix(s.room, r+"/") })
}

// runs says whether the file is part of the server and its commands.
func (s source) runs() bool { return !s.test && !s.rig() }

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.set.Position(n.Pos()).Line)
}

func (s source) linesOf(n ast.Node) int {
	return s.set.Position(n.End()).Line - s.set.Position(n.Pos()).Line + 1
}

// sources parses every Go file of our modules, whatever its build tags.
func sources(t *testing.T) []source {
	t.Helper()
	set := token.NewFileSet()
	var all []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "testdata" || isForeign(name)):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		slashed := filepath.ToSlash(name)
		all = append(all, source{slashed, path.Dir(slashed), strings.HasSuffix(name, "_test.go"), file, set})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// isForeign says whether a folder is a module of its own that is none of modules.
func isForeign(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil && !slices.Contains(modules, filepath.ToSlash(dir))
}

// modulePath is what an owner may have changed by scripts/set-module-path.sh.
func modulePath(t *testing.T) string {
	t.Helper()
	raw, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	ours, ok := strings.CutPrefix(first, "module ")
	if !ok {
		t.Fatalf("go.mod begins with %q", first)
	}
	return ours
}

func (s source) imports() []string {
	var paths []string
	for _, spec := range s.file.Imports {
		p, _ := strconv.Unquote(spec.Path.Value) // the parser has read it
		paths = append(paths, p)
	}
	return paths
}

func TestImportsPointDown(t *testing.T) {
	seen, prefix := map[string]bool{}, modulePath(t)+"/"
	for _, s := range sources(t) {
		if !s.runs() {
			continue
		}
		below, known := rooms[s.room]
		seen[s.room] = true
		if !known {
			t.Errorf("%s: the package %s has no place in rooms (architecture_test.go)", s.path, s.room)
		}
		for _, p := range s.imports() {
			if ours, ok := strings.CutPrefix(p, prefix); ok && !slices.Contains(below, ours) {
				t.Errorf("%s imports %s, which is not below %s", s.path, ours, s.room)
			}
		}
	}
	for room := range rooms {
		if !seen[room] {
			t.Errorf("rooms has %s, where there is no package", room)
		}
	}
}

var (
	tableRow   = regexp.MustCompile("(?m)^\\| `([\\w/]+)` \\|[^|]*\\|([^|]*)\\|")
	nameInCell = regexp.MustCompile("`(\\w+)`")
)

// ARCHITECTURE.md's table is the diagram that the build checks.
func TestArchitectureShowsTheRooms(t *testing.T) {
	text, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string][]string{}
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		below := []string{}
		for _, name := range nameInCell.FindAllStringSubmatch(row[2], -1) {
			if _, top := rooms[name[1]]; top {
				below = append(below, name[1])
			} else {
				below = append(below, "internal/"+name[1])
			}
		}
		if shown[row[1]] = below; !slices.Contains(rigs, row[1]) && rooms[row[1]] == nil {
			t.Errorf("ARCHITECTURE.md shows %s, which rooms does not have", row[1])
		}
	}
	for room, below := range rooms {
		if got, ok := shown[room]; !ok || !slices.Equal(got, below) {
			t.Errorf("ARCHITECTURE.md says that %s may import %v, rooms says %v", room, got, below)
		}
	}
}

func TestRoomsKeepToThemselves(t *testing.T) {
	for _, s := range sources(t) {
		if !s.runs() {
			continue
		}
		for _, p := range s.imports() {
			if s.room == "internal/auth" && (p == "net/http" || strings.HasPrefix(p, "net/http/")) {
				t.Errorf("%s imports %s: auth does not know HTTP", s.path, p)
			}
			for _, r := range reserved {
				if (p == r.path || strings.HasPrefix(p, r.path+"/")) && s.room != r.room {
					t.Errorf("%s imports %s: %s", s.path, p, r.why)
				}
			}
		}
		if s.room == "cmd/latchkey" {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: only cmd starts goroutines; write a Run(ctx) error that blocks", s.at(n))
			case *ast.SelectorExpr:
				if readsEnvironment(n) {
					t.Errorf("%s: only cmd reads the environment; take it through Options", s.at(n))
				}
			}
			return true
		})
	}
}

func readsEnvironment(n *ast.SelectorExpr) bool {
	on, ok := n.X.(*ast.Ident)
	return ok && (on.Name == "os" || on.Name == "syscall") &&
		slices.Contains([]string{"Getenv", "LookupEnv", "Environ", "ExpandEnv"}, n.Sel.Name)
}

// Every module that our code imports is on a list above, and the lists name nothing that is not used.
func TestEveryDependencyHasAReason(t *testing.T) {
	direct, all := requirements(t)
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, p := range s.imports() {
			module := moduleOf(p, all)
			used[module] = true
			switch {
			case module == "":
			case dependencies[module] == "" && testDependencies[module] == "":
				t.Errorf("%s imports %s: give %s a line with its reason in architecture_test.go, or do without", s.path, p, module)
			case dependencies[module] == "" && s.runs():
				t.Errorf("%s imports %s, which is for tests", s.path, p)
			}
		}
	}
	for _, module := range direct {
		if dependencies[module] == "" && testDependencies[module] == "" {
			t.Errorf("a go.mod requires %s directly, and it has no reason in architecture_test.go", module)
		}
	}
	for module := range dependencies {
		if !used[module] {
			t.Errorf("architecture_test.go gives a reason for %s, which nothing imports", module)
		}
	}
	for module := range testDependencies {
		if !slices.Contains(all, module) {
			t.Errorf("architecture_test.go gives a reason for %s, which no go.mod requires", module)
		}
	}
}

// requirements reads the go.mod of each of our modules: what they require directly, and all. They agree on each
// version, so that bench measures what is shipped.
func requirements(t *testing.T) (direct, all []string) {
	t.Helper()
	versions, ours := map[string]string{}, modulePath(t)
	for _, module := range modules {
		raw, err := os.ReadFile(filepath.Join(module, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			words := strings.Fields(strings.TrimPrefix(line, "require "))
			if len(words) < 2 || words[0] == ours || !strings.Contains(words[0], ".") || !strings.HasPrefix(words[1], "v") {
				continue
			}
			if version, ok := versions[words[0]]; ok && version != words[1] {
				t.Errorf("%s/go.mod requires %s %s, and go.mod %s: run `go mod tidy` in %s", module, words[0], words[1], version, module)
			}
			versions[words[0]] = words[1]
			all = append(all, words[0])
			if !strings.Contains(line, "// indirect") {
				direct = append(direct, words[0])
			}
		}
	}
	if len(all) == 0 {
		t.Fatal("go.mod requires nothing: it was not understood")
	}
	return direct, all
}

// moduleOf is the longest module that holds a package; empty for the standard library and our own.
func moduleOf(pkg string, modules []string) string {
	longest := ""
	for _, m := range modules {
		if (pkg == m || strings.HasPrefix(pkg, m+"/")) && len(m) > len(longest) {
			longest = m
		}
	}
	return longest
}

func TestFilesStaySmall(t *testing.T) {
	seen := 0
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || slices.Contains(built, filepath.ToSlash(name))):
			return filepath.SkipDir
		case entry.IsDir() || !slices.Contains(written, path.Ext(name)):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		seen++
		if lines := bytes.Count(text, []byte("\n")); lines > maxFileLines {
			t.Errorf("%s has %d lines, want at most %d", name, lines, maxFileLines)
		}
		return nil
	})
	if err != nil || seen < 300 {
		t.Fatalf("%d files were looked at: %v", seen, err)
	}
}

func TestFunctionsStaySmall(t *testing.T) {
	var lengths []int
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := s.linesOf(f); n > maxFunctionLines {
				t.Errorf("%s: %s has %d lines, want at most %d", s.at(f), f.Name.Name, n, maxFunctionLines)
			}
			if s.runs() {
				lengths = append(lengths, s.linesOf(f))
			}
		}
	}
	slices.Sort(lengths)
	t.Logf("%d functions outside tests: median %d lines, longest %d", len(lengths), lengths[len(lengths)/2], lengths[len(lengths)-1])
}

// topLevelFunctions names what a file declares outside any type.
func topLevelFunctions(s source) []string {
	var names []string
	for _, decl := range s.file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
			names = append(names, f.Name.Name)
		}
	}
	return names
}

// A fuzz target without seeds proves nothing in an ordinary run of the tests, and seeds whose target has another name
// are never read.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	folders, err := filepath.Glob("internal/*/testdata/fuzz/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no seeds: %v", err)
	}
	unread := map[string]bool{}
	for _, folder := range folders {
		unread[filepath.ToSlash(folder)] = true
	}
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !s.test || !strings.HasPrefix(f.Name.Name, "Fuzz") {
				continue
			}
			folder := s.room + "/testdata/fuzz/" + f.Name.Name
			if !unread[folder] && !adds(f) {
				t.Errorf("%s: %s has no seeds in %s", s.at(f), f.Name.Name, folder)
			}
			delete(unread, folder)
		}
	}
	for folder := range unread {
		t.Errorf("%s holds seeds of no fuzz target", folder)
	}
}

// adds says whether a fuzz target brings seeds of its own.
func adds(f *ast.FuncDecl) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.SelectorExpr)
		found = found || ok && call.Sel.Name == "Add"
		return !found
	})
	return found
}
