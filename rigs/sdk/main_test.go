// Package sdk proves the packages of sdk/js as their users meet them: the real binary, real browsers, an app on an origin
// of its own. There are only tests here.
package sdk

import (
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

func TestMain(m *testing.M) {
	authtest.Main(m, func(t testing.TB) {
		scripts = t.TempDir()
		t.Cleanup(func() {
			if err := stage.End(); err != nil {
				t.Error("clean up after the rigs:", err)
			}
		})
	})
}
