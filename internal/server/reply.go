package server

// The forms a success can take.

import (
	"fmt"
	"net/http"
	"time"

	"latchkey/api"
)

// reply writes a success.
type reply func(x *exchange)

// ok is the envelope of the API: existing clients read statusCode and data from it.
func ok(message string, data any) reply { return enveloped(http.StatusOK, message, data) }

func created(message string, data any) reply { return enveloped(http.StatusCreated, message, data) }

// bare is a document whose form somebody else's standard fixes.
func bare(v any) reply {
	return func(x *exchange) { x.sendJSON(http.StatusOK, v) }
}

// cacheable lets anyone keep what r writes for that long.
func cacheable(age time.Duration, r reply) reply {
	return func(x *exchange) {
		x.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(age.Seconds())))
		r(x)
	}
}

func enveloped(status int, message string, data any) reply {
	return func(x *exchange) {
		x.sendJSON(status, api.Response[any]{StatusCode: status, Message: message, Data: data})
	}
}
