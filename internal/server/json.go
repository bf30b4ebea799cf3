package server

// Bodies in and out. What comes in is read strictly (RFC 8259 leaves open what a second `email` or a
// lone surrogate means, and two readers who differ over it are how checks are walked around): one
// object, each name once and in its right case, UTF-8, nothing after it.

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/auth"
)

const maxBody = 16 << 10 // bytes, security.md section 2

// form makes a handler of one that takes a JSON body.
func form[T any](h func(*exchange, T) (reply, error)) handler {
	return func(x *exchange) (reply, error) {
		body, err := x.body("application/json")
		if err != nil {
			return nil, err
		}
		in, err := decodeJSON[T](body)
		if err != nil {
			return nil, err
		}
		return h(x, in)
	}
}

// formOrNothing is form for an endpoint that may be called without a body.
func formOrNothing[T any](h func(*exchange, T) (reply, error)) handler {
	return func(x *exchange) (reply, error) {
		body, err := x.body("application/json")
		if err != nil {
			return nil, err
		}
		var in T
		if len(body) > 0 {
			in, err = decodeJSON[T](body)
		}
		if err != nil {
			return nil, err
		}
		return h(x, in)
	}
}

// body reads the whole body, which must be of the given media type.
func (x *exchange) body(mediaType string) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(x.ResponseWriter, x.r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, refuse(codeBodyTooLarge)
	}
	if err != nil {
		return nil, malformed("The request body could not be read to its end.")
	}
	if len(b) > 0 && !isMediaType(x.r.Header.Get("Content-Type"), mediaType) {
		return nil, refuse(codeUnsupportedMedia)
	}
	return b, nil
}

func isMediaType(header, want string) bool {
	got, params, err := mime.ParseMediaType(header)
	if err != nil || got != want {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

// malformed says what is wrong with a request as a whole, never quoting from it.
func malformed(why string) error {
	return refuse(auth.CodeInvalidRequest, auth.Field{Code: "malformed", Message: why})
}

// decodeJSON reads one object into the struct T, whose exported fields all have a json name. Names
// that T does not know are ignored; null, which decodes to a zero value, is the same as absent.
func decodeJSON[T any](body []byte) (T, error) {
	var in, none T
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return none, malformed("The request body must be one JSON object, in UTF-8, with each name once.")
	}
	var wrong []auth.Field
	target := reflect.ValueOf(&in).Elem()
	for i := range target.NumField() {
		name, _, _ := strings.Cut(target.Type().Field(i).Tag.Get("json"), ",")
		if misspelt(members, name) {
			wrong = append(wrong, auth.Field{Name: name, Code: "wrong_case", Message: name + " must be written in exactly this case."})
			continue
		}
		value, given := members[name]
		if !given {
			continue
		}
		field := target.Field(i)
		if json.Unmarshal(value, field.Addr().Interface()) != nil {
			wrong = append(wrong, auth.Field{Name: name, Code: "invalid_type", Message: name + " must be " + wanted(field.Type()) + "."})
		}
	}
	if wrong != nil {
		return none, refuse(auth.CodeInvalidRequest, wrong...)
	}
	return in, nil
}

// misspelt says whether a member has name in another case: ignoring `Others` would end the wrong
// sessions.
func misspelt(members map[string]jsontext.Value, name string) bool {
	for m := range members {
		if m != name && strings.EqualFold(m, name) {
			return true
		}
	}
	return false
}

// wanted names a field's type in the words of JSON.
func wanted(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list of strings"
	default:
		return "a string"
	}
}

// formValues reads an application/x-www-form-urlencoded body.
func (x *exchange) formValues() (url.Values, error) {
	body, err := x.body("application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	return parseValues(string(body))
}

// parseValues reads a query or a form. RFC 6749 §3.2: no parameter more than once.
func parseValues(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, malformed("The parameters are not correctly percent-encoded.")
	}
	for _, given := range values {
		if len(given) > 1 {
			return nil, malformed("Each parameter may be given once only.")
		}
	}
	return values, nil
}

// sendJSON writes v as the whole answer.
func (x *exchange) sendJSON(status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode answer: %w", err)) // only our own structs get here
	}
	x.send(status, "application/json", body)
}

func (x *exchange) send(status int, contentType string, body []byte) {
	h := x.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	_, _ = x.Write(body) // whoever hung up is not told
}
