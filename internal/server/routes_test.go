package server

import (
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// The routes and the OpenAPI document say the same, both ways.
func TestRoutesAreTheDocumentsPaths(t *testing.T) {
	var inCode, inDoc []string
	for _, r := range (&server{}).routes() {
		if r.speaks != inHTML {
			inCode = append(inCode, r.method+" "+r.path)
		}
	}
	for path, item := range document(t).Paths.Map() {
		for method := range item.Operations() {
			inDoc = append(inDoc, method+" "+path)
		}
	}
	slices.Sort(inCode)
	slices.Sort(inDoc)
	if diff := cmp.Diff(inDoc, inCode); diff != "" {
		t.Errorf("openapi.yaml (-) and routes.go (+) differ:\n%s", diff)
	}
}

// What the document says of an operation's security and body is what a stranger meets, with and
// without /v1, in the order Bearer before form.
func TestStrangersMeetWhatTheDocumentSays(t *testing.T) {
	rm := newRoom(t, nil)
	for path, item := range document(t).Paths.Map() {
		for method, op := range item.Operations() {
			target := strings.NewReplacer("{id}", "x", "{client}", "x", "{email}", "a@example.org").Replace(path)
			for _, prefix := range []string{"", "/v1"} {
				t.Run(method+" "+prefix+path, func(t *testing.T) {
					if op.Security != nil {
						needed := !slices.ContainsFunc(*op.Security, func(s openapi3.SecurityRequirement) bool { return len(s) == 0 })
						w := rm.ask(method, prefix+target, "not a form")
						bearer := slices.ContainsFunc(*op.Security, func(s openapi3.SecurityRequirement) bool { return s["bearer"] != nil })
						if challenged := w.Header().Get("WWW-Authenticate") != ""; (w.Code == 401) != needed || challenged != (needed && bearer) {
							t.Errorf("without credentials: %d, want 401: %v", w.Code, needed)
						}
						if w := rm.ask(method, prefix+target, "not a form", "Authorization: Digest x"); w.Code != 401 {
							t.Errorf("with credentials of another kind: %d", w.Code)
						}
						if needed {
							return
						}
					}
					if op.RequestBody == nil {
						return
					}
					var takes string
					for media := range op.RequestBody.Value.Content {
						takes = "Content-Type: " + media
					}
					for _, bad := range []struct {
						body, header string
						status       int
					}{
						{"{}", "Content-Type: text/plain", 415},
						{"{}", "X: no content type", 415},
						{"{}", takes + "; charset=utf-16", 415},
						{strings.Repeat("a", maxBody+1), takes, 413},
						{"", takes, 400},
						{"%zz", takes, 400},
					} {
						w := rm.ask(method, prefix+target, bad.body, bad.header)
						if w.Code != bad.status {
							t.Errorf("%.9q as %s: %d, want %d", bad.body, bad.header, w.Code, bad.status)
						}
						if op.Responses.Value(strconv.Itoa(bad.status)) == nil {
							t.Errorf("openapi.yaml lists no %d here", bad.status)
						}
					}
				})
			}
		}
	}
}

// A path is decoded once: an address may come raw or percent-encoded, and what was
// encoded twice stays encoded once.
func TestEmailInThePath(t *testing.T) {
	for target, want := range map[string]string{
		"/auth/password-reset/a@example.org":       "a@example.org",
		"/v1/auth/password-reset/a%40example.org":  "a@example.org",
		"/auth/password-reset/a%2540example.org":   "a%40example.org",
		"/auth/password-reset/a+b@example.org":     "a+b@example.org",
		"/auth/password-reset/a%2Fb@example.org":   "a/b@example.org",
		"/auth/password-reset/a/b@example.org":     "a/b@example.org",
		"/v1/auth/password-reset/a/b/c@example.or": "a/b/c@example.or",
		"/auth/password-reset/a@example.org/":      "a@example.org/",
		"/auth/password-reset/%20a@example.org%0A": " a@example.org\n",
		"/auth/password-reset/..%2F..@example.org": "../..@example.org",
		"/auth/password-reset/sessions":            "sessions",
		"/auth/password-reset/o'neil@example.org":  "o'neil@example.org",
	} {
		rm := newRoom(t, nil)
		s := rm.Handler.(*server)
		var got string
		x := s.newExchange(httptest.NewRecorder(), httptest.NewRequest("POST", target, nil))
		handler, pattern := s.mux.Handler(x.r)
		if _, ok := handler.(route); !ok {
			t.Fatalf("%s meets %q", target, pattern)
		}
		s.mux.ServeHTTP(x, x.r)
		got = emailInPath(x.r.URL)
		if got != want {
			t.Errorf("%s gives %q, want %q", target, got, want)
		}
	}
}
