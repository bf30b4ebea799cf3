package server

// Bodies in and out. What comes in is read strictly (RFC 8259 leaves open what a second `email` or a
// lone surrogate means, and two readers who differ over it are how checks are walked around): one
// object, each name once and in its right case, UTF-8, nothing after it.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"latchkey/internal/auth"
	"latchkey/internal/fields"
)

const maxBody = 16 << 10 // bytes

// jsonBody makes a handler of one that takes a JSON body.
func jsonBody[T any](h func(*exchange, T) (reply, error)) handler {
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

// readOrNothing reads the JSON body of an endpoint that may be called without one: null is none, either.
func readOrNothing[T any](x *exchange) (in T, err error) {
	body, err := x.body("application/json")
	if err != nil || len(body) == 0 || string(bytes.Trim(body, jsonSpace)) == "null" {
		return in, err
	}
	return decodeJSON[T](body)
}

const jsonSpace = " \t\r\n" // RFC 8259 §2

// body reads the whole body, which must be of the given media type. Nothing but white space is no body.
func (x *exchange) body(mediaType string) ([]byte, error) {
	b, err := io.ReadAll(http.MaxBytesReader(x.ResponseWriter, x.r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, refuse(codeBodyTooLarge)
	}
	if err != nil {
		return nil, malformed("The request body could not be read to its end.")
	}
	if len(bytes.Trim(b, jsonSpace)) == 0 {
		return nil, nil
	}
	if !isMediaType(x.r.Header.Get("Content-Type"), mediaType) {
		return nil, refuse(codeUnsupportedMedia)
	}
	if coding := strings.Join(x.r.Header["Content-Encoding"], ","); coding != "" && !strings.EqualFold(coding, "identity") {
		x.Header().Set("Accept-Encoding", "identity") // RFC 9110 §12.5.3
		return nil, refuse(codeUnsupportedMedia, fields.Problem{Code: "content_encoding", Message: "Send the body as it is, without a Content-Encoding."})
	}
	return b, nil
}

func isMediaType(header, want string) bool {
	got, params, err := mime.ParseMediaType(header)
	if err != nil || got != want {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "utf8")
}

// malformed says what is wrong with a request as a whole, never quoting from it.
func malformed(why string) error {
	return refuse(auth.CodeInvalidRequest, fields.Problem{Code: "malformed", Message: why})
}

// decodeJSON reads one object into the struct T, whose exported fields all have a json name. Names
// that T does not know are ignored; null, which decodes to a zero value, is the same as absent.
func decodeJSON[T any](body []byte) (T, error) {
	var o object[T]
	var none T
	if json.Unmarshal(body, &o) != nil {
		return none, malformed("The request body must be one JSON object, in UTF-8, with each name once.")
	}
	if o.invalid != nil {
		var inOrder []fields.Problem
		for _, i := range slices.Sorted(maps.Keys(o.invalid)) {
			inOrder = append(inOrder, o.invalid[i])
		}
		return none, refuse(auth.CodeInvalidRequest, inOrder...)
	}
	return o.in, nil
}

// object fills a T member by member: what is wrong with one of them does not end the reading, so that
// the answer names everything that is wrong with the body.
type object[T any] struct {
	in      T
	invalid map[int]fields.Problem // by the place of the field in T; nil: there are none
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. An error is about the body as a whole; the
// decoder asks for UTF-8, for each name once at every depth, and for nothing after the object.
func (o *object[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return errors.New("no object")
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	target := reflect.ValueOf(&o.in).Elem()
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return err
		}
		name := token.String() // before the decoder reuses its bytes
		value, err := d.ReadValue()
		if err != nil {
			return err
		}
		o.set(target, name, value)
	}
	_, err := d.ReadToken()
	return err
}

// set gives a member to the field it names. One in another case is refused rather than ignored:
// ignoring `Others` would end the wrong sessions.
func (o *object[T]) set(target reflect.Value, name string, value jsontext.Value) {
	for i := range target.NumField() {
		field := target.Type().Field(i)
		switch want := jsonName(field); {
		case name == want:
			if _, misspelt := o.invalid[i]; !misspelt && json.Unmarshal(value, target.Field(i).Addr().Interface()) != nil {
				o.refuse(i, fields.Problem{Name: want, Code: "invalid_type", Message: want + " must be " + wanted(field.Type) + "."})
			}
		case strings.EqualFold(name, want):
			o.refuse(i, fields.Problem{Name: want, Code: "wrong_case", Message: want + " must be written in exactly this case."})
		}
	}
}

func (o *object[T]) refuse(field int, why fields.Problem) {
	if o.invalid == nil {
		o.invalid = map[int]fields.Problem{}
	}
	o.invalid[field] = why
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
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

// parseValues reads a query or a form. RFC 6749 §3.2: no parameter more than once. What is no UTF-8 could
// neither be stored by PostgreSQL nor be told again as JSON.
func parseValues(raw string) (url.Values, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, malformed("The parameters are not correctly percent-encoded.")
	}
	for _, given := range values {
		if len(given) > 1 {
			return nil, malformed("Each parameter may be given once only.")
		}
		if !utf8.ValidString(given[0]) {
			return nil, malformed("The parameters must be UTF-8.")
		}
	}
	if email := values.Get("email"); email != "" {
		values.Set("email", pastedEmail(email))
	}
	return values, nil
}

// pastedEmail reads an address that a client took from a link and wrote back as it was, or encoded twice. A
// space within can only have been a plus, which stands for a space in a query; so can the code of a plus, since
// no mailbox is known to have those three characters in its name; and an address without an @ that has its code
// can only be encoded.
func pastedEmail(s string) string {
	if !strings.Contains(s, "@") && strings.Contains(s, "%40") {
		if once, err := url.PathUnescape(s); err == nil && utf8.ValidString(once) {
			s = once
		}
	}
	inner := strings.TrimSpace(s)
	return strings.Replace(s, inner, asPlus.Replace(inner), 1)
}

var asPlus = strings.NewReplacer(" ", "+", "%2B", "+", "%2b", "+")

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
