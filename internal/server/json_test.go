package server

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"latchkey/api"
	"latchkey/internal/auth"
)

func yes() *bool { b := true; return &b }

func TestDecodeJSONAccepts(t *testing.T) {
	ids := []string{"a", "b"}
	none := []string{}
	for _, tt := range []struct {
		name, body string
		got        func(string) (any, error)
		want       any
	}{
		{"plain", `{"email":"a","password":"b"}`, decoded[api.SignInRequest], api.SignInRequest{Email: "a", Password: "b"}},
		{"as sent", `{"email":" a ","password":" b\t"}`, decoded[api.SignInRequest], api.SignInRequest{Email: " a ", Password: " b\t"}},
		{"extra names", `{"email":"a","isPasskey":{"x":[1]}}`, decoded[api.SignInRequest], api.SignInRequest{Email: "a"}},
		{"null is absent", `{"email":"a","clientAlias":null,"isPasswordEncrypted":null}`, decoded[api.SignInRequest], api.SignInRequest{Email: "a"}},
		{"white space around", " \n{\"email\":\"a\"}\r\n\t", decoded[api.SignInRequest], api.SignInRequest{Email: "a"}},
		{"a pair of surrogates", `{"email":"\ud83d\ude00"}`, decoded[api.SignInRequest], api.SignInRequest{Email: "😀"}},
		{"true", `{"isPasswordEncrypted":true}`, decoded[api.SignInRequest], api.SignInRequest{IsPasswordEncrypted: yes()}},
		{"no list", `{}`, decoded[api.SignOutRequest], api.SignOutRequest{}},
		{"null list", `{"sessions":null,"others":null}`, decoded[api.SignOutRequest], api.SignOutRequest{}},
		{"empty list", `{"sessions":[]}`, decoded[api.SignOutRequest], api.SignOutRequest{Sessions: &none}},
		{"list", `{"sessions":["a","b"]}`, decoded[api.SignOutRequest], api.SignOutRequest{Sessions: &ids}},
		{"others", `{"others":true}`, decoded[api.SignOutRequest], api.SignOutRequest{Others: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tt.got(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func decoded[T any](body string) (any, error) { return decodeJSON[T]([]byte(body)) }

func TestDecodeJSONRefuses(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		fields     []string // "name code"; nil: the body as a whole
	}{
		{"nothing", ``, nil},
		{"white space", ` `, nil},
		{"null", `null`, nil},
		{"array", `[{"email":"a"}]`, nil},
		{"string", `"email"`, nil},
		{"number", `1`, nil},
		{"trailing data", `{"email":"a"} {}`, nil},
		{"trailing comma", `{"email":"a",}`, nil},
		{"comment", `{"email":"a"} // b`, nil},
		{"cut short", `{"email":"a"`, nil},
		{"duplicate", `{"email":"a","email":"b"}`, nil},
		{"duplicate by escape", `{"email":"a","\u0065mail":"b"}`, nil},
		{"duplicate of an extra", `{"x":1,"x":2}`, nil},
		{"duplicate inside an extra", `{"x":{"y":1,"y":2}}`, nil},
		{"invalid UTF-8", "{\"email\":\"\xff\"}", nil},
		{"invalid UTF-8 in an extra", "{\"x\":\"\xff\"}", nil},
		{"byte order mark", "\ufeff{\"email\":\"a\"}", nil},
		{"lone surrogate", `{"email":"\ud800"}`, nil},
		{"lone low surrogate in an extra", `{"x":"\udc00"}`, nil},
		{"raw control character", "{\"email\":\"a\nb\"}", nil},
		{"single quotes", `{'email':'a'}`, nil},
		{"other case", `{"Email":"a"}`, []string{"email wrong_case"}},
		{"other case of an optional", `{"clientalias":"a"}`, []string{"clientAlias wrong_case"}},
		{"both cases", `{"email":"a","EMAIL":"b"}`, []string{"email wrong_case"}},
		{"Kelvin sign", "{\"is\u212aind\":1,\"pa\u017f\u017fword\":\"a\"}", []string{"password wrong_case"}},
		{"number for text", `{"email":1,"password":"b"}`, []string{"email invalid_type"}},
		{"each wrong type", `{"email":{},"password":[],"isPasswordEncrypted":"false"}`, []string{"email invalid_type", "password invalid_type", "isPasswordEncrypted invalid_type"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in, err := decodeJSON[api.SignInRequest]([]byte(tt.body))
			wantFields(t, err, tt.fields)
			if in != (api.SignInRequest{}) {
				t.Errorf("a refused body left %v behind", in)
			}
		})
	}
	for _, body := range []string{`{"sessions":"a"}`, `{"sessions":[1]}`, `{"sessions":{}}`, `{"sessions":[["a"]]}`} {
		_, err := decodeJSON[api.SignOutRequest]([]byte(body))
		wantFields(t, err, []string{"sessions invalid_type"})
	}
	_, err := decodeJSON[api.SignOutRequest]([]byte(`{"others":"true"}`))
	wantFields(t, err, []string{"others invalid_type"})
}

func wantFields(t *testing.T, err error, want []string) {
	t.Helper()
	e, ok := errors.AsType[*auth.Error](err)
	if !ok || e.Code != auth.CodeInvalidRequest {
		t.Fatalf("got %v, want a refusal", err)
	}
	var got []string
	for _, f := range e.Fields {
		if f.Message == "" {
			t.Errorf("%s %s says nothing", f.Name, f.Code)
		}
		if f.Name != "" {
			got = append(got, f.Name+" "+f.Code)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A body that is refused is never quoted.
func TestRefusalNeverEchoes(t *testing.T) {
	rm := newRoom(t, nil)
	for _, body := range []string{`{"password":"Q2FuYXJ5"`, `{"password":["Q2FuYXJ5"]}`, `{"Q2FuYXJ5":1,"Q2FuYXJ5":2}`, "Q2FuYXJ5"} {
		w := rm.ask("POST", "/auth/signin", body, "Content-Type: application/json")
		wantError(t, w, 400, "invalid_request")
		if strings.Contains(w.Body.String()+rm.log.String(), "Q2FuYXJ5") {
			t.Errorf("%s is echoed: %s %s", body, w.Body, rm.log)
		}
	}
}

func TestMediaTypes(t *testing.T) {
	for header, want := range map[string]bool{
		"application/json":                    true,
		"Application/JSON; charset=UTF-8":     true,
		"application/json; charset=\"utf-8\"": true,
		"application/json; charset=utf8":      true,
		"application/json;charset=\"UTF8\"":   true,
		"application/json; charset=utf-16":    false,
		"application/json; charset=utf":       false,
		"application/json; charset=":          false,
		"application/json;charset=latin1":     false,
		"application/jsonp":                   false,
		"text/json":                           false,
		"application/json, text/plain":        false,
		"application/problem+json":            false,
		"":                                    false,
	} {
		if got := isMediaType(header, "application/json"); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
}

func TestFormValuesRefuseDoubles(t *testing.T) {
	for raw, ok := range map[string]bool{"token=a&hint=b": true, "": true, "token=a&token=b": false, "token=%zz": false, "a;b": false, "a=%ff": false, "a=%c3%9f": true} {
		if _, err := parseValues(raw); (err == nil) != ok {
			t.Errorf("%q: %v", raw, err)
		}
	}
}

// What is accepted is one JSON object that another strict reader accepts too and reads the same.
func FuzzDecodeJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, body []byte) {
		in, err := decodeJSON[api.SignInRequest](body)
		if err != nil {
			if auth.CodeOf(err) != auth.CodeInvalidRequest {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
			t.Fatalf("%q is no object", body)
		}
		again, err := json.Marshal(in)
		if err != nil {
			t.Fatalf("%q gives %v, which does not encode: %v", body, in, err)
		}
		back, err := decodeJSON[api.SignInRequest](again)
		if diff := cmp.Diff(in, back); diff != "" || err != nil {
			t.Fatalf("%q: %v %s", body, err, diff)
		}
	})
}

// What reading a body costs, for a small form and for one with a list and members that nobody asked for.
func BenchmarkDecodeJSON(b *testing.B) {
	b.Run("sign-in", func(b *testing.B) {
		benchmarkDecode[api.SignInRequest](b, `{"email":"ada@example.com","password":"correct horse battery staple","clientAlias":null}`)
	})
	b.Run("refresh", func(b *testing.B) {
		benchmarkDecode[api.RefreshRequest](b, `{"refreshToken":"`+strings.Repeat("eyJ0eXAiOiJydCtqd3Qi", 20)+`"}`)
	})
	b.Run("sign-out", func(b *testing.B) {
		benchmarkDecode[api.SignOutRequest](b, `{"sessions":["01932c5e-8f00-7a3b-9c4d-5e6f708192a3","01932c5e-8f00-7a3b-9c4d-5e6f708192a4"],"others":false,"x":{"y":[1,2,3]}}`)
	})
}

func benchmarkDecode[T any](b *testing.B, body string) {
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := decodeJSON[T]([]byte(body)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCompressedBodiesAreRefused(t *testing.T) {
	rm := newRoom(t, nil)
	const packed = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
	for _, tt := range []struct {
		target, coding, body string
		status               int
	}{
		{"/auth/signin", "gzip", packed, 415},
		{"/auth/signin", "GZIP", packed, 415},
		{"/auth/signin", "br", "{}", 415},
		{"/auth/signin", "identity, gzip", packed, 415},
		{"/auth/signin", "", packed, 400},
		{"/auth/signin", "identity", "[]", 400},
	} {
		headers := []string{"Content-Type: application/json"}
		if tt.coding != "" {
			headers = append(headers, "Content-Encoding: "+tt.coding)
		}
		w := rm.ask("POST", tt.target, tt.body, headers...)
		if w.Code != tt.status || w.Code == 415 && (w.Header().Get("Accept-Encoding") != "identity" || !strings.Contains(w.Body.String(), "Content-Encoding")) {
			t.Errorf("%s with %q: %d %v %s, want %d", tt.target, tt.coding, w.Code, w.Header(), w.Body, tt.status)
		}
	}
	if w := rm.ask("POST", "/signin", packed, "Content-Type: application/x-www-form-urlencoded", "Content-Encoding: deflate"); w.Code != 415 {
		t.Errorf("a page's form: %d", w.Code)
	}
}
