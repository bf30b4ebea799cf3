package stage

// The release before, built from the history of this repository: what it does to rows of this release only it can show.

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// released is how CHANGELOG.md names the commit of a release, the newest first.
var released = regexp.MustCompile("This is commit `([0-9a-f]{40})`")

// ReleaseBefore builds cmd/latchkey of the newest release that CHANGELOG.md names, for Node.Binary. The test is skipped
// where the history does not reach back to it: in a shallow clone, or in a copy that is no clone.
func ReleaseBefore(t testing.TB) string {
	t.Helper()
	root, err := git(".", "rev-parse", "--show-toplevel")
	if err != nil {
		t.Skipf("the release before is built from the history of a git clone, and this is none: %v", err)
	}
	changelog, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := released.FindSubmatch(changelog)
	if named == nil {
		t.Fatal("CHANGELOG.md names no commit of a release")
	}
	commit, dir := string(named[1]), t.TempDir()
	archive, source, file := filepath.Join(dir, "source.tar"), filepath.Join(dir, "source"), filepath.Join(dir, "latchkey")
	if _, err := git(root, "archive", "--output", archive, commit); err != nil {
		if shallow, _ := git(root, "rev-parse", "--is-shallow-repository"); shallow == "true" {
			t.Skipf("the release before is built from commit %s, which this shallow clone lacks: git fetch --unshallow", commit)
		}
		t.Fatal(err)
	}
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", file, "./cmd/latchkey")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=0")
	for _, cmd := range []*exec.Cmd{exec.Command("tar", "-xf", archive, "-C", source), build} {
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("build the release before: %v: %v\n%s", cmd.Args, err, out)
		}
	}
	return file
}

// git asks about the repository around dir. The error is git's own words.
func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("git %s: %s", args[0], bytes.TrimSpace(exit.Stderr))
	}
	return strings.TrimSpace(string(out)), err
}
