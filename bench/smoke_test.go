package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The whole program, with windows too short to mean anything: every scenario runs on both engines, and
// nothing fails.
func TestSmoke(t *testing.T) {
	if os.Getenv("LATCHKEY_RIG") != "soak" {
		t.Skip("LATCHKEY_RIG=soak runs this: two minutes of load")
	}
	out := t.TempDir()
	err := run(t.Context(), []string{"-set", "smoke", "-out", out, "-work", t.TempDir(), "-patience", "0"}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, scenario := range []string{"refresh", "bearer", "list", "sign-in", "sign-out", "delete"} {
		if !strings.Contains(string(text), "| "+scenario+" | PostgreSQL |") {
			t.Errorf("the report has no line of %s", scenario)
		}
	}
	if strings.Contains(string(text), "operations failed") {
		t.Errorf("operations failed:\n%s", text)
	}
}
