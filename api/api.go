// Package api is what goes over the wire: the JSON of every request and answer, the error codes, and the OpenAPI
// document that describes them. It knows no rule and imports nothing of Latchkey.
//
// What is here stays. Fields are only added: name those that you set, and decode with a decoder that passes over
// members it does not know, as encoding/json does by itself. Error codes are added too: treat one that you do not know
// by the answer's status.
package api

// The structs here and the three parts of openapi.yaml say the same thing twice, once for programs and once for
// people; the server's tests compare every answer with the document.

import (
	_ "embed"
	"time"
)

//go:embed openapi.yaml
var openapiAuth string

//go:embed openapi_oauth.yaml
var openapiOAuth string

//go:embed openapi_components.yaml
var openapiComponents string

// OpenAPI returns the OpenAPI 3.1 document of the public listener.
func OpenAPI() []byte { return []byte(openapiAuth + openapiOAuth + openapiComponents) }

// DeviceHeader is the header of a device token: in an answer that hands one out, and in the next sign-in or change of
// password of the same account.
const DeviceHeader = "X-Latchkey-Device"

// CodeHeader is the header of a refusal's code where the body has none: a 503 of POST /oauth/token is one sentence of
// plain text, since OAuth libraries take any JSON there for more than it says.
const CodeHeader = "X-Latchkey-Code"

// Response wraps every success that is not a bare document.
type Response[T any] struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
	Data       T      `json:"data,omitzero"`
}

// Error is every refusal and failure outside /oauth.
type Error struct {
	StatusCode int     `json:"statusCode"`
	Error      string  `json:"error"`   // the status in words
	Message    string  `json:"message"` // one sentence for people
	Code       string  `json:"code"`    // stable, for programs
	RequestID  string  `json:"requestId"`
	Errors     []Field `json:"errors,omitempty"`
}

// Field says what is wrong with one field of a request.
type Field struct {
	Field   string `json:"field"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// OAuthError is a refusal under /oauth (RFC 6749 §5.2).
type OAuthError struct {
	Error            string `json:"error"`
	ErrorDescription string `json:"error_description,omitempty"`
}

// Time is a moment with milliseconds, in UTC.
type Time struct{ time.Time }

const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// MarshalJSON writes "2026-11-23T08:00:00.000Z".
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, `"`+timeLayout+`"`), nil
}

// UnmarshalJSON reads any RFC 3339 time.
func (t *Time) UnmarshalJSON(text []byte) error {
	parsed, err := time.Parse(`"`+time.RFC3339+`"`, string(text))
	t.Time = parsed
	return err
}
