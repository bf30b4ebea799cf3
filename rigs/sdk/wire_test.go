package sdk

// What lies between browsers and the server. It counts, and it loses answers: the server has done what it was asked, and
// who asked never hears of it.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// wire is the way to a server, at its public address.
type wire struct {
	url string

	mu sync.Mutex
	counts
}

// counts are of requests for tokens.
type counts struct {
	signIns                 int // codes exchanged
	sent, answered, dropped int // refreshes
}

// newWire takes an address, which is to be the PUBLIC_URL of a server.
func newWire(t *testing.T) *wire {
	t.Helper()
	port, err := authtest.FreePort(t.Cleanup)
	if err != nil {
		t.Fatal(err)
	}
	return &wire{url: "http://localhost:" + port}
}

// leadTo leads to the server that listens there. Of five answers to refreshes the first is lost.
func (w *wire) leadTo(t *testing.T, server string) {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	stage.ServeAt(t, w.url, &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
			r.Out = r.Out.WithContext(context.WithValue(r.Out.Context(), grant{}, w.begin(r.Out)))
		},
		ModifyResponse: w.end,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // hangs up
	})
}

type grant struct{}

// begin counts a request for tokens, and says what it is one of.
func (w *wire) begin(r *http.Request) string {
	if r.Method != http.MethodPost || r.URL.Path != "/oauth/token" {
		return ""
	}
	raw, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(raw))
	form, unread := url.ParseQuery(string(raw))
	if err != nil || unread != nil {
		return ""
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if form.Get("grant_type") == "refresh_token" {
		w.sent++
	}
	return form.Get("grant_type")
}

func (w *wire) end(res *http.Response) error {
	res.Header.Set("Connection", "close") // else a browser may ask again by itself, and the page never knows
	w.mu.Lock()
	defer w.mu.Unlock()
	switch res.Request.Context().Value(grant{}) {
	case "authorization_code":
		w.signIns++
	case "refresh_token":
		if (w.dropped+w.answered)%5 == 0 {
			w.dropped++
			return errors.New("lost")
		}
		w.answered++
	}
	return nil
}

func (w *wire) counted() counts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counts
}
