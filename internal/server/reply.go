package server

// The shapes a success can take.

import (
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
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

// asset is a file that pages load. A browser keeps it and asks each time whether it is still the same
// (RFC 9110 §13.1.2), so that no page has the look of before an upgrade, or of an operator's older stylesheet.
func asset(mediaType string, content []byte) reply { return kept("no-cache", mediaType, content) }

// kept is a file that caches may keep as Cache-Control says.
func kept(control, mediaType string, content []byte) reply {
	sum := fnv.New128a()
	_, _ = sum.Write(content)
	tag := fmt.Sprintf(`"%x"`, sum.Sum(nil))
	return func(x *exchange) {
		x.Header().Set("Cache-Control", control)
		x.Header().Set("ETag", tag)
		if strings.Contains(x.r.Header.Get("If-None-Match"), tag) { // among others, or weak by a proxy's doing
			x.WriteHeader(http.StatusNotModified)
			return
		}
		x.send(http.StatusOK, mediaType, content)
	}
}

func enveloped(status int, message string, data any) reply {
	return func(x *exchange) {
		x.sendJSON(status, api.Response[any]{StatusCode: status, Message: message, Data: data})
	}
}
