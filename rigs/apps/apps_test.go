// Package apps proves that applications sign people in through Latchkey with software that others wrote and that knows
// nothing of it: openid-client, oauth4webapi, Auth.js and oidc-client-ts from npm, go-oidc with x/oauth2, and Apache with
// mod_auth_openidc. The server is the real binary, each test runs on both engines, and each program discovers the server,
// signs a person in on the hosted pages, refreshes, also twice at once, and signs out. What a library does by itself is
// counted where it arrives: at the server. Resource servers are tried as the documentation has them. There are only
// tests here.
//
// npm brings the packages from package-lock.json and Debian the rest: `make deps`. What is missing fails the tests, but
// for what that does not install.
package apps

import (
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

func TestMain(m *testing.M) {
	authtest.Main(m, func(t testing.TB) {
		t.Cleanup(func() {
			if err := stage.End(); err != nil {
				t.Error("clean up after the rigs:", err)
			}
		})
	})
}
