package authtest

// What runs a package's tests, and what they have in common.

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

// Main runs a package's tests, stops what they started, and fails when a goroutine is left over. Call it from TestMain.
// What begin starts with its TB is there for every test and ends after the last: a server for documentation examples,
// which have no TB of their own.
func Main(m *testing.M, begin ...func(testing.TB)) {
	whole := &wholeRun{}
	for _, start := range begin {
		start(whole)
	}
	code := m.Run()
	if !whole.end() && code == 0 {
		code = 1
	}
	stopShared(&code)
	http.DefaultClient.CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// wholeRun is the TB of all tests of a package together. It has the methods that a rig needs; the others panic.
type wholeRun struct {
	testing.TB
	cleanups []func()
	failed   bool
}

func (w *wholeRun) Helper() {}

func (w *wholeRun) Cleanup(f func()) { w.cleanups = append(w.cleanups, f) }

func (w *wholeRun) Error(args ...any) {
	w.failed = true
	fmt.Fprintln(os.Stderr, args...)
}

func (w *wholeRun) Errorf(format string, args ...any) { w.Error(fmt.Sprintf(format, args...)) }

// Fatal panics: no test has begun yet that could fail.
func (w *wholeRun) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func (w *wholeRun) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (w *wholeRun) TempDir() string {
	dir, err := os.MkdirTemp("", "latchkey-")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			w.Error(err)
		}
	})
	return dir
}

// end cleans up, what was started last first, and says whether all went well.
func (w *wholeRun) end() bool {
	for _, f := range slices.Backward(w.cleanups) {
		f()
	}
	return !w.failed
}
