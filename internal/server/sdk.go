package server

// The package that apps load: each release at its own address, and the newest script at /client.js. They are the same for
// everybody, so any page may read them, without credentials (Fetch Standard §3.2.5) and whatever its origin is.

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"latchkey/internal/sdk"
)

// sdkRoutes has a route for each file, so that a version there is not is 404 as anywhere.
func (s *server) sdkRoutes() []route {
	newest := sdkFile(sdk.Newest(), "no-cache") // which is another one after an upgrade
	list := []route{{"GET", "/client.js", anyone, inHTML, newest}}
	for _, f := range sdk.Files() {
		list = append(list, route{"GET", f.Path, anyone, inHTML, sdkFile(f, "public, max-age=31536000, immutable")})
	}
	return list
}

// sdkFile sends a script compressed to whoever takes that, and with another ETag then (RFC 9110 §8.8.3.3).
func sdkFile(f sdk.File, keep string) handler {
	plain := kept(keep, f.MediaType, f.Content)
	packed := sync.OnceValue(func() reply { return kept(keep, f.MediaType, gzipped(f.Content)) })
	return func(*exchange) (reply, error) {
		return func(x *exchange) {
			h := x.Header()
			h.Set("Access-Control-Allow-Origin", "*")
			h.Set("Cross-Origin-Resource-Policy", "cross-origin")
			h.Set("Vary", "Accept-Encoding")
			if !f.Script() || !takesGzip(x.r) {
				plain(x)
				return
			}
			h.Set("Content-Encoding", "gzip")
			packed()(x)
		}, nil
	}
}

func gzipped(content []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // a level there is
	_, _ = w.Write(content)                                 // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

// takesGzip says whether Accept-Encoding names gzip and does not rule it out (RFC 9110 §12.5.3).
func takesGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
			continue
		}
		_, q, weighed := strings.Cut(weight, "=")
		n, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		return !weighed || err == nil && n > 0
	}
	return false
}
