package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"latchkey/api"
	"latchkey/internal/auth"
	"latchkey/internal/fields"
)

// allCodes are the rules' own, as their file declares them, and those of this room.
var allCodes = sync.OnceValue(func() []auth.Code {
	text, err := os.ReadFile("../auth/errors.go")
	if err != nil {
		panic(err)
	}
	codes := []auth.Code{codeNotFound, codeMethodNotAllowed, codeBodyTooLarge, codeUnsupportedMedia}
	for _, constant := range regexp.MustCompile(`(?m)^\tCode\w+ +Code = "(\w+)"`).FindAllSubmatch(text, -1) {
		codes = append(codes, auth.Code(constant[1]))
	}
	return codes
})

// Every code has a refusal, a place in the OpenAPI document and a line in docs/errors.md; nothing
// there is without a code.
func TestEveryCodeIsAnswerableAndDocumented(t *testing.T) {
	docs, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	inAPI := codesInDocument(t)
	constants := map[auth.Code]bool{}
	for _, code := range api.Codes {
		constants[auth.Code(code)] = true
	}
	if len(constants) != len(allCodes()) {
		t.Errorf("package api has %d codes, the rules have %d", len(constants), len(allCodes()))
	}
	for _, code := range allCodes() {
		if !slices.ContainsFunc(refusals[:], func(v refusal) bool { return v.code == code }) {
			t.Errorf("%s has no refusal", code)
		}
		if !constants[code] {
			t.Errorf("package api has no constant for %s", code)
		}
	}
	for _, v := range refusals {
		if !slices.Contains(allCodes(), v.code) {
			t.Errorf("%s is no code", v.code)
		}
		if http.StatusText(v.status) == "" || v.sentence == "" {
			t.Errorf("%s: status %d, sentence %q", v.code, v.status, v.sentence)
		}
		word := string(v.code)
		if v.route == "POST /oauth/token" && v.status != http.StatusServiceUnavailable { // which has its code in a header
			word = oauthWord(v)
		}
		if !slices.Contains(inAPI[word], v.status) {
			t.Errorf("openapi.yaml does not have %s under %d", word, v.status)
		}
		if line := fmt.Sprintf("| `%s` | %d | ", v.code, v.status); !strings.Contains(string(docs), line) {
			t.Errorf("docs/errors.md has no line %s", line)
		}
	}
	for code, statuses := range inAPI {
		for _, status := range statuses {
			if !slices.ContainsFunc(refusals[:], func(v refusal) bool {
				return (string(v.code) == code || oauthWord(v) == code) && v.status == status
			}) {
				t.Errorf("openapi.yaml has %s under %d, which nothing answers", code, status)
			}
		}
	}
}

// codesInDocument returns code -> statuses, from every error response of every operation and from
// those that belong to no operation.
func codesInDocument(t *testing.T) map[string][]int {
	t.Helper()
	doc := document(t)
	found := map[string][]int{}
	note := func(status int, response *openapi3.Response) {
		if status < 400 {
			return
		}
		var codes []string
		if media := response.Content["application/json"]; media != nil {
			codes = append(codesOf(media.Schema, "code"), codesOf(media.Schema, "error")...) // under /oauth RFC 6749's words
		}
		if header := response.Headers[api.CodeHeader]; header != nil {
			for _, code := range header.Value.Schema.Value.Enum {
				codes = append(codes, code.(string))
			}
		}
		for _, code := range codes {
			found[code] = append(found[code], status)
		}
	}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for status, ref := range op.Responses.Map() {
				var n int
				if _, err := fmt.Sscan(status, &n); err != nil {
					t.Fatalf("%s has a response %q", op.OperationID, status)
				}
				note(n, ref.Value)
			}
		}
	}
	note(404, doc.Components.Responses["NotFound"].Value)
	note(405, doc.Components.Responses["MethodNotAllowed"].Value)
	return found
}

// codesOf returns the enumeration of a property, also where it stands beside a $ref.
func codesOf(s *openapi3.SchemaRef, property string) []string {
	var out []string
	if p := s.Value.Properties[property]; p != nil {
		for _, v := range p.Value.Enum {
			out = append(out, v.(string))
		}
	}
	for _, part := range s.Value.AllOf {
		out = append(out, codesOf(part, property)...)
	}
	return out
}

func document(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

// answerTo lets fail write err on the given route.
func answerTo(t *testing.T, err error, route string, speaks dialect, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	rm := newRoom(t, nil)
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/", nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	x := rm.Handler.(*server).newExchange(w, r)
	w.Header().Set("X-Request-Id", x.peer.RequestID)
	x.route, x.speaks = route, speaks
	x.fail(err)
	return w
}

// Existing clients compare these two sentences; every 401 has a challenge; 429 and 503 say when.
func TestFailWritesTheContract(t *testing.T) {
	for _, tt := range []struct {
		name       string
		err        error
		route      string
		headers    []string
		status     int
		code       string
		message    string // empty: any
		challenge  string
		retryAfter string
	}{
		{name: "sign-in", err: refuse(auth.CodeInvalidCredentials), status: 401, code: "invalid_credentials", message: "Invalid Credentials", challenge: `Bearer realm="latchkey"`},
		{name: "refresh", err: refuse(auth.CodeInvalidRefreshToken), status: 401, code: "invalid_refresh_token", message: "Refresh token has expired", challenge: `Bearer realm="latchkey"`},
		{name: "no Bearer", err: refuse(auth.CodeInvalidToken), status: 401, code: "invalid_token", challenge: `Bearer realm="latchkey"`},
		{name: "bad Bearer", err: refuse(auth.CodeInvalidToken), headers: []string{"Authorization: Bearer x"}, status: 401, code: "invalid_token", challenge: `Bearer realm="latchkey", error="invalid_token"`},
		{name: "unverified at sign-in", err: refuse(auth.CodeEmailNotVerified), route: "POST /auth/signin", status: 401, code: "email_not_verified", challenge: `Bearer realm="latchkey"`},
		{name: "unverified at sign-up", err: refuse(auth.CodeEmailNotVerified), route: "POST /auth/signup", status: 400, code: "email_not_verified"},
		{name: "superseded", err: refuse(auth.CodeRefreshSuperseded), status: 409, code: "refresh_superseded"},
		{name: "throttled", err: &auth.Error{Code: auth.CodeTooManyRequests, RetryAfter: 1500 * time.Millisecond}, status: 429, code: "too_many_requests", retryAfter: "2"},
		{name: "store away", err: &auth.Error{Code: auth.CodeUnavailable, RetryAfter: 2 * time.Second}, status: 503, code: "unavailable", retryAfter: "2"},
		{name: "unavailable without a time", err: &auth.Error{Code: auth.CodeUnavailable}, status: 503, code: "unavailable", retryAfter: "1"},
		{name: "wrapped", err: fmt.Errorf("sign in: %w", refuse(auth.CodeForbidden)), status: 403, code: "forbidden"},
		{name: "no code", err: errors.New("disk on fire"), status: 500, code: "server_error", message: "Something went wrong on our side."},
		{name: "a code nobody knows", err: refuse("made_up"), status: 500, code: "server_error"},
		{name: "fields speak", err: refuse(auth.CodeInvalidRequest, fields.Problem{Name: "email", Code: "required", Message: "Enter it."}, fields.Problem{Name: "password", Code: "required", Message: "Enter that."}), status: 400, code: "invalid_request", message: "Enter it. Enter that."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := answerTo(t, tt.err, tt.route, inJSON, tt.headers...)
			e := wantError(t, w, tt.status, tt.code)
			if tt.message != "" && e.Message != tt.message {
				t.Errorf("message %q, want %q", e.Message, tt.message)
			}
			if got := w.Header().Get("WWW-Authenticate"); got != tt.challenge {
				t.Errorf("challenge %q, want %q", got, tt.challenge)
			}
			if got := w.Header().Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, tt.retryAfter)
			}
		})
	}
}

func TestFailUnderOAuth(t *testing.T) {
	for _, tt := range []struct {
		err    error
		status int
		body   string
	}{
		{refuse(auth.CodeInvalidClient), 401, `{"error":"invalid_client","error_description":"Client authentication failed."}`},
		{refuse(codeUnsupportedMedia), 415, `{"error":"invalid_request","error_description":"The Content-Type of the body is not the one this endpoint takes."}`},
		{&auth.Error{Code: auth.CodeUnavailable}, 503, `{"error":"temporarily_unavailable","error_description":"The service is busy: try again in a moment."}`},
		{errors.New("disk on fire"), 500, `{"error":"server_error","error_description":"Something went wrong on our side."}`},
	} {
		w := answerTo(t, tt.err, "POST /oauth/revoke", inOAuth, "Authorization: Basic x") // else there is no challenge
		if w.Code != tt.status || w.Body.String() != tt.body {
			t.Errorf("%v: %d %s", tt.err, w.Code, w.Body)
		}
		if got := w.Header().Get("WWW-Authenticate"); (got != "") != (tt.status == 401) || got != "" && !strings.HasPrefix(got, "Basic ") {
			t.Errorf("%v: challenge %q", tt.err, got)
		}
	}
}

// A throttled caller is answered late, and nobody waits who need not.
func TestThrottledCallersWait(t *testing.T) {
	gone, hangUp := context.WithCancel(context.Background())
	hangUp()
	stopping := make(chan struct{})
	close(stopping)
	for name, tt := range map[string]struct {
		ctx      context.Context
		stopping <-chan struct{}
		code     auth.Code
		want     time.Duration
	}{
		"throttled":           {context.Background(), nil, auth.CodeTooManyRequests, refusalPause},
		"hung up":             {gone, nil, auth.CodeTooManyRequests, 0},
		"the server stops":    {context.Background(), stopping, auth.CodeTooManyRequests, 0},
		"refused as it is":    {context.Background(), nil, auth.CodeInvalidCredentials, 0},
		"unavailable for now": {context.Background(), nil, auth.CodeUnavailable, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(tt.ctx, "POST", "/auth/signin", nil)
			s := &server{stopping: tt.stopping, log: slog.New(slog.DiscardHandler)}
			x := &exchange{ResponseWriter: w, s: s, r: r}
			began := time.Now()
			x.fail(&auth.Error{Code: tt.code, RetryAfter: time.Second})
			if took := time.Since(began); took != tt.want {
				t.Errorf("%s: answered after %v, want %v", name, took, tt.want)
			}
			if w.Code == http.StatusOK {
				t.Errorf("%s: answered 200", name)
			}
		})
	}
}
