package rigs

// README's first five minutes, as a newcomer pastes them: each block is run, and what it prints is
// what README says that it prints.

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/rigs/stage"
)

const (
	tourHeading = "## The first five minutes"
	tourURL     = "http://localhost:8080"
	blockEnd    = "---- end of block ----"
)

// block is something to paste, and what README shows below it; nothing where it shows nothing.
type block struct{ paste, shown string }

// tour reads the blocks of README's section.
func tour(t *testing.T) []block {
	t.Helper()
	raw, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(raw), "\n"+tourHeading+"\n")
	if !ok {
		t.Fatalf("README.md has no %q", tourHeading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	var blocks []block
	for _, fence := range regexp.MustCompile("(?ms)^```(sh|text)\n(.*?)^```$").FindAllStringSubmatch(section, -1) {
		switch {
		case fence[1] == "sh":
			blocks = append(blocks, block{paste: fence[2]})
		case len(blocks) == 0 || blocks[len(blocks)-1].shown != "":
			t.Fatalf("this output stands below no block:\n%s", fence[2])
		default:
			blocks[len(blocks)-1].shown = fence[2]
		}
	}
	return blocks
}

func TestReadme(t *testing.T) {
	t.Parallel()
	blocks := tour(t)
	if len(blocks) < 5 {
		t.Fatalf("found %d blocks: README is not understood", len(blocks))
	}
	n := stage.NewNode(t, nil)
	for _, ours := range []string{"HASH_MEMORY_KIB", "HASH_TIME", "TRUSTED_PROXIES"} {
		delete(n.Settings, ours) // `make run` sets nothing
	}
	n.Start()
	here := func(text string) string { return strings.ReplaceAll(text, tourURL, n.Settings["PUBLIC_URL"]) }

	// A shell reads what is pasted line by line, and so does this one.
	var script strings.Builder
	for _, b := range blocks {
		fmt.Fprintf(&script, "%secho '%s'\n", here(b.paste), blockEnd)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shell := exec.CommandContext(ctx, "/bin/sh")
	shell.Dir = filepath.Dir(n.Data) // where `make run` puts ./data
	shell.Stdin = strings.NewReader(script.String())
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("the shell: %v\n%s", err, out)
	}
	printed := strings.Split(string(out), blockEnd+"\n")
	if len(printed) != len(blocks)+1 {
		t.Fatalf("%d blocks, %d outputs:\n%s", len(blocks), len(printed)-1, out)
	}
	for i, b := range blocks {
		if !looksLike(printed[i], here(b.shown)) {
			t.Errorf("this block\n%s\nprints\n%s\nand README shows\n%s", b.paste, printed[i], b.shown)
		}
	}
}

// looksLike compares line by line; "…" stands for anything.
func looksLike(printed, shown string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(shown)), "…", ".*")
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(strings.TrimSpace(printed))
}

func TestLooksLike(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		printed, shown string
		want           bool
	}{
		{"a 1 b\nc\n", "a … b\nc\n", true},
		{"a 1 b\nc\n", "a … b\n", false},
		{"a\nx\nb", "a…b", false},
		{"", "", true},
		{"something", "", false},
	} {
		if got := looksLike(tt.printed, tt.shown); got != tt.want {
			t.Errorf("looksLike(%q, %q) = %t", tt.printed, tt.shown, got)
		}
	}
}
