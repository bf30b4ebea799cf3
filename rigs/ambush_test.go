package rigs

// The moment at which a server is killed, chosen by what its clients see: before and after a commit,
// or anywhere.

import (
	"net/http"
	"net/http/httptrace"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"latchkey/client"
	"latchkey/rigs/stage"
)

// moment is when an ambush strikes, as its request sees it.
type moment string

const (
	sent     moment = "once sent"     // the request has just been written: its commit is to come, or under way
	answered moment = "once answered" // the first byte of the answer is here: its commit has just been
	anywhere moment = "anywhere"      // the request begins; whoever laid the ambush kills, when they like
)

// ambush is an http.RoundTripper that kills a server at a moment of the nth request that it carries.
type ambush struct {
	next   http.RoundTripper
	at     moment
	left   atomic.Int64
	victim *os.Process
	sprung chan struct{} // closed at that moment
}

// layAmbush returns a client of the node's that walks into it; it shows no device token, as Node.Client.
func layAmbush(n *stage.Node, at moment, nth int64) (*client.Client, *ambush) {
	a := &ambush{next: n.HTTP.Transport, at: at, victim: n.Process, sprung: make(chan struct{})}
	a.left.Store(nth)
	return client.New(n.URL, &http.Client{Timeout: n.HTTP.Timeout, Transport: a}).On(nil), a
}

func (a *ambush) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.left.Add(-1) != 0 {
		return a.next.RoundTrip(r)
	}
	spring := sync.OnceFunc(func() { close(a.sprung) })
	strike := func() {
		_ = a.victim.Signal(syscall.SIGKILL) // whoever laid the ambush sees to it that the process is gone
		spring()
	}
	trace := &httptrace.ClientTrace{}
	switch a.at {
	case sent:
		trace.WroteRequest = func(httptrace.WroteRequestInfo) { strike() }
	case answered:
		trace.GotFirstResponseByte = strike
	case anywhere:
		spring()
	}
	return a.next.RoundTrip(r.WithContext(httptrace.WithClientTrace(r.Context(), trace)))
}
