package stage

// An application's own server, at the address that it is registered with.

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// ServeAt serves an application at "http://localhost:" and a port until the test ends.
func ServeAt(t testing.TB, address string, app http.Handler) {
	t.Helper()
	listener, err := net.Listen("tcp", strings.Replace(strings.TrimPrefix(address, "http://"), "localhost", "127.0.0.1", 1))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(app)
	_ = server.Listener.Close() // of its own choosing
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
}
