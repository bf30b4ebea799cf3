package server

// The documentation of the API under /docs: the same for everybody, with a policy that only its viewer needs.

import (
	"fmt"
	"net/http"
	"sync"

	"latchkey/internal/apidocs"
)

// docsRoutes has a route for each file, so that what is no file is 404 as anywhere.
func (s *server) docsRoutes() []route {
	var list []route
	for _, f := range apidocs.Files() {
		answer := sync.OnceValues(func() (reply, error) {
			body, err := f.Content(s.publicURL)
			if err != nil {
				return nil, fmt.Errorf("documentation: %w", err)
			}
			return docsFile(f, body), nil
		})
		list = append(list, route{"GET", f.Path, anyone, inHTML, func(*exchange) (reply, error) { return answer() }})
	}
	return list
}

// docsFile is a page, or what pages load.
func docsFile(f apidocs.File, body []byte) reply {
	send := asset(f.MediaType, body)
	if f.Page() {
		send = func(x *exchange) {
			x.Header().Set("Referrer-Policy", referrerPolicy(x.r.URL))
			x.send(http.StatusOK, f.MediaType, body)
		}
	}
	return func(x *exchange) {
		if f.Policy != "" {
			x.Header().Set("Content-Security-Policy", f.Policy)
		}
		if f.Gzipped { // whatever is asked for: every browser reads it, and nothing here unpacks
			x.Header().Set("Content-Encoding", "gzip")
		}
		send(x)
	}
}
