package rigs

// The module's path: what README says of using the packages from another module, and the one command by which an owner
// changes the path.

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/rigs/stage"
)

// shellIn runs a command of the shell in a folder and returns what it says.
func shellIn(t *testing.T, dir, command string) (said string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-euc", command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustShell(t *testing.T, dir, command string) string {
	t.Helper()
	said, err := shellIn(t, dir, command)
	if err != nil {
		t.Fatalf("%s in %s: %v\n%s", command, dir, err, said)
	}
	return said
}

// filesOf has the content of every file of a tree.
func filesOf(t *testing.T, tree string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(tree, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, tree)] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// A module beside the checkout imports client, api and verify by the command that README has.
func TestAnotherModuleImportsThePackages(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^go mod edit .*-replace=.*$`).FindString(string(readme))
	if command == "" {
		t.Fatal("README.md does not say how another module requires this one")
	}
	checkout, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	beside := t.TempDir()
	if err := os.Symlink(checkout, filepath.Join(beside, "latchkey")); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(beside, "other")
	if err := os.Mkdir(other, 0o700); err != nil {
		t.Fatal(err)
	}
	program := `package main

import (
	"fmt"

	"` + modulePath(t, "..") + `/api"
	"` + modulePath(t, "..") + `/client"
	"` + modulePath(t, "..") + `/verify"
)

func main() {
	_, err := verify.New(verify.Config{})
	fmt.Print(client.CodeOf(&client.Error{Code: api.CodeForbidden}), err != nil)
}
`
	if err := os.WriteFile(filepath.Join(other, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	mustShell(t, other, "go mod init example.org/other")
	mustShell(t, other, command)
	mustShell(t, other, "go mod tidy")
	if said := mustShell(t, other, "go run ."); said != "forbiddentrue" {
		t.Errorf("it prints %q", said)
	}
}

// Under another path every import is found; in the long lane everything compiles, tests included, and the rules about
// imports hold. Back under the old path, each file is what it was: the command changes paths and nothing else.
func TestTheModulePathIsChangedByOneCommand(t *testing.T) {
	t.Parallel()
	const path = "example.org/owner/latchkey"
	tree := copyTree(t)
	before, old := filesOf(t, tree), modulePath(t, tree)
	for _, refused := range []string{"", "'no path'"} {
		if said, err := shellIn(t, tree, "sh scripts/set-module-path.sh "+refused); err == nil {
			t.Errorf("it takes %q for a path: %s", refused, said)
		}
	}
	if differ := differing(before, filesOf(t, tree)); len(differ) > 0 {
		t.Fatalf("what refuses has changed %q", differ)
	}

	mustShell(t, tree, "sh scripts/set-module-path.sh "+path)
	for name, content := range filesOf(t, tree) {
		if strings.HasSuffix(name, ".go") && strings.Contains(content, `"`+old+`/`) {
			t.Errorf("%s still names a package of %s", name, old)
		}
	}
	mustShell(t, tree, "go list -deps -test ./... >/dev/null && cd bench && go list -deps -test ./... >/dev/null")
	if stage.Lane(t, false, true, true) { // minutes of builds: nothing compiled before is of use
		mustShell(t, tree, "go build ./... && go vet ./... && cd bench && go vet ./...")
		mustShell(t, tree, "go test -run '^Test(ImportsPointDown|RoomsKeepToThemselves|EveryDependencyHasAReason|NothingShippedIsForTestsAlone)$' .")
	}

	mustShell(t, tree, "sh scripts/set-module-path.sh "+old)
	if differ := differing(before, filesOf(t, tree)); len(differ) > 0 {
		t.Errorf("there and back again has changed %q", differ)
	}
}

func modulePath(t *testing.T, tree string) string {
	t.Helper()
	return strings.TrimSpace(mustShell(t, tree, "sed -n 's/^module //p' go.mod"))
}

// differing names the files that only one of two trees has, or that are not the same in both.
func differing(a, b map[string]string) (names []string) {
	for name := range a {
		if content, ok := b[name]; !ok || content != a[name] {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, ok := a[name]; !ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
