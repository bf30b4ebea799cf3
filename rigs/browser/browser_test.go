// Package browser proves what a person meets: the real binary, mails that a real SMTP server took, and
// Chromium, one process for all tests. Each test has profiles of its own, as private windows are: no cookie
// and no cache goes from one to another. A missing browser fails the tests. There are only tests here.
//
// axe-core, which looks for what keeps people out, is brought by npm from package-lock.json.
package browser

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"latchkey/rigs/stage"
)

// run is what the tests of one run share: the source of axe-core, read when the first test asks for it.
var run struct {
	sync.Mutex
	axe string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stage.End(); err != nil {
		fmt.Fprintln(os.Stderr, "clean up after the browser:", err)
		code = 1
	}
	os.Exit(code)
}

// axe is the source of axe-core.
func axe(t testing.TB) string {
	t.Helper()
	run.Lock()
	defer run.Unlock()
	if run.axe == "" {
		source, err := os.ReadFile("node_modules/axe-core/axe.min.js")
		if err != nil {
			t.Fatalf("axe-core is part of the tests and is not there: make deps (%v)", err)
		}
		run.axe = string(source)
	}
	return run.axe
}
