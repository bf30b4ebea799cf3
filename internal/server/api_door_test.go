package server_test

// The one round-tripper of the API's tests: whatever passes it is held to api/openapi.yaml and to
// what every answer promises.

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"latchkey/api"
)

// door sends the requests of one test case, from its address, and notes what is answered.
type door struct {
	t    *testing.T
	addr string
	next http.RoundTripper
	mu   sync.Mutex
	seen []string // "POST /auth/signin: 401 invalid_credentials"
}

func newDoor(t *testing.T, addr string) *door {
	next := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(next.CloseIdleConnections)
	return &door{t: t, addr: addr, next: next}
}

func (d *door) saw(operation, what string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.seen, operation+": "+what)
}

func (d *door) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.Header["X-Forwarded-For"] == nil {
		r.Header.Set("X-Forwarded-For", d.addr)
	}
	res, err := d.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	operation := operationOf(r)
	d.mu.Lock()
	d.seen = append(d.seen, operation.name+": "+what(res.StatusCode, res.Header, body))
	d.mu.Unlock()
	if err := operation.check(r, res, body); err != nil {
		d.t.Errorf("%s %s answered %d %s: %v", r.Method, r.URL.Path, res.StatusCode, body, err)
	}
	return res, nil
}

// operation is one method and path of the document.
type operation struct {
	name, path string
	*openapi3.Operation
}

// document is api/openapi.yaml.
var document = sync.OnceValue(func() *openapi3.T {
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		panic(err)
	}
	return doc
})

// operations lists all that the document has, in an order that stays the same.
func operations() []operation {
	var list []operation
	for path, item := range document().Paths.Map() {
		for method, op := range item.Operations() {
			list = append(list, operation{method + " " + path, path, op})
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	return list
}

// operationOf finds the operation a request is for. What no operation is for must be answered as
// the document's head says: 404, or 405 with Allow.
func operationOf(r *http.Request) operation {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/v1")
	for _, op := range operations() {
		if method, _, _ := strings.Cut(op.name, " "); method == r.Method && matches(op.path, path) {
			return op
		}
	}
	responses := document().Components.Responses
	if path == "/auth/sessionDetails" && r.Method == "GET" { // no part of the document: one client's alone
		any := func(status int) openapi3.NewResponsesOption {
			return openapi3.WithStatus(status, &openapi3.ResponseRef{Value: openapi3.NewResponse()})
		}
		return operation{"GET " + path, path, &openapi3.Operation{Responses: openapi3.NewResponses(any(200), any(404), any(429), any(503))}}
	}
	prefix := ""
	if path == "/oauth" || strings.HasPrefix(path, "/oauth/") {
		prefix = "OAuth"
	}
	none := openapi3.NewResponses(
		openapi3.WithStatus(404, responses[prefix+"NotFound"]), openapi3.WithStatus(405, responses[prefix+"MethodNotAllowed"]),
		openapi3.WithStatus(204, &openapi3.ResponseRef{Value: openapi3.NewResponse()}))
	return operation{"no route", path, &openapi3.Operation{Responses: none}}
}

func matches(template, path string) bool {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if strings.HasSuffix(template, "/{email}") { // which may have a slash
		got = strings.SplitN(path, "/", len(want))
	}
	return slices.EqualFunc(want, got, func(w, g string) bool { return w == g || strings.HasPrefix(w, "{") && g != "" })
}

// check holds one answer to the document and to what all answers have in common.
func (op operation) check(r *http.Request, res *http.Response, body []byte) error {
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{
			Request: r, Route: &routers.Route{Spec: document(), Operation: op.Operation},
		},
		Status: res.StatusCode, Header: res.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	input.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), input); err != nil {
		return err
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Server": ""} {
		if got := res.Header.Get(name); got != want {
			return fmt.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if private := strings.HasPrefix(op.path, "/auth") || strings.HasPrefix(op.path, "/oauth"); private && res.Header.Get("Cache-Control") != "no-store" {
		return fmt.Errorf("Cache-Control is %q", res.Header.Get("Cache-Control"))
	}
	return checkEnvelope(op, res, body)
}

// checkEnvelope: the body's statusCode is the status, its requestId the header's.
func checkEnvelope(op operation, res *http.Response, body []byte) error {
	claims := strings.HasSuffix(op.path, "/userinfo") && op.OperationID != "" // it has errors of ours, under /oauth too
	oauth := strings.HasPrefix(op.path, "/oauth") && !claims
	if bare := claims || strings.HasPrefix(op.path, "/.well-known"); bare && res.StatusCode < 400 || oauth || len(body) == 0 {
		return nil
	}
	var head struct {
		StatusCode int
		Error      string
		RequestID  string `json:"requestId"`
	}
	if err := json.Unmarshal(body, &head); err != nil {
		return err
	}
	if head.StatusCode != res.StatusCode {
		return fmt.Errorf("statusCode is %d", head.StatusCode)
	}
	if res.StatusCode >= 400 && (head.Error != http.StatusText(res.StatusCode) || head.RequestID != res.Header.Get("X-Request-Id")) {
		return fmt.Errorf("error %q, requestId %q under X-Request-Id %q", head.Error, head.RequestID, res.Header.Get("X-Request-Id"))
	}
	return nil
}

// The door itself must be able to refuse.
func TestDoorRefusesWhatTheDocumentDoesNotSay(t *testing.T) {
	good := http.Header{"Content-Type": {"application/json"}, "X-Content-Type-Options": {"nosniff"}, "Cache-Control": {"no-store"}, "X-Request-Id": {"r"}}
	without := func(name string) http.Header {
		h := maps.Clone(good)
		delete(h, name)
		return h
	}
	with := func(name, value string) http.Header {
		h := maps.Clone(good)
		h[name] = []string{value}
		return h
	}
	refusal := `{"statusCode":401,"error":"Unauthorized","message":"m","code":"invalid_refresh_token","requestId":"r"}`
	for _, tt := range []struct {
		name   string
		status int
		header http.Header
		body   string
		fine   bool
	}{
		{"a refusal", 401, with("Www-Authenticate", "Bearer"), refusal, true},
		{"no challenge", 401, good, refusal, false},
		{"a code of another status", 400, good, strings.ReplaceAll(refusal, "401", "400"), false},
		{"an unknown status", 418, good, refusal, false},
		{"an unknown member", 401, with("Www-Authenticate", "Bearer"), strings.Replace(refusal, "{", `{"x":1,`, 1), false},
		{"statusCode of its own", 401, with("Www-Authenticate", "Bearer"), strings.Replace(refusal, "401", "403", 1), false},
		{"another request's id", 401, with("Www-Authenticate", "Bearer"), strings.Replace(refusal, `"r"`, `"q"`, 1), false},
		{"a success without tokens", 200, good, `{"statusCode":200,"message":"m"}`, false},
		{"not JSON", 401, with("Content-Type", "text/plain"), refusal, false},
		{"may be sniffed", 503, without("X-Content-Type-Options"), refusal, false},
		{"may be cached", 409, without("Cache-Control"), strings.NewReplacer("401", "409", "Unauthorized", "Conflict", "invalid_refresh_token", "refresh_superseded").Replace(refusal), false},
		{"a conflict", 409, good, strings.NewReplacer("401", "409", "Unauthorized", "Conflict", "invalid_refresh_token", "refresh_superseded").Replace(refusal), true},
	} {
		r, err := http.NewRequest("POST", "http://localhost/v1/auth/refresh-token", nil)
		if err != nil {
			t.Fatal(err)
		}
		err = operationOf(r).check(r, &http.Response{StatusCode: tt.status, Header: tt.header}, []byte(tt.body))
		if (err == nil) != tt.fine {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
