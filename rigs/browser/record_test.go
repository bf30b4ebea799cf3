package browser

// What a tab asked for, what came, and what the browser complained of.

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
)

// request is one request of a tab; each step of a redirect is one.
type request struct {
	URL, Method string
	Type        network.ResourceType
	Referer     string  // as sent
	Status      int64   // of the answer; 0: none came
	Bytes       float64 // received in all
	FirstByte   float64 // milliseconds from sending to the first byte
	id          network.RequestID
	document    cdp.LoaderID // that asked for it
	over        bool
}

// record hears what a tab does, in the order in which it does it.
type record struct {
	mu       sync.Mutex
	requests []*request
	referers map[network.RequestID][]string // which come beside the requests, before or after
	said     []string
}

// hear is called in the loop that reads from the browser.
func (r *record) hear(event any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.RedirectResponse != nil {
			r.answered(e.RequestID, e.RedirectResponse)
			r.end(e.RequestID, e.RedirectResponse.EncodedDataLength)
		}
		r.requests = append(r.requests, &request{URL: e.Request.URL, Method: e.Request.Method, Type: e.Type, id: e.RequestID, document: e.LoaderID})
		r.refer(e.RequestID, e.Request.Headers)
	case *network.EventRequestWillBeSentExtraInfo:
		r.refer(e.RequestID, e.Headers)
	case *network.EventResponseReceived:
		r.answered(e.RequestID, e.Response)
		if e.Type == network.ResourceTypeDocument {
			r.leave(e.LoaderID)
		}
	case *network.EventLoadingFinished:
		r.end(e.RequestID, e.EncodedDataLength)
	case *network.EventLoadingFailed:
		r.end(e.RequestID, 0)
		if e.BlockedReason != "" {
			r.said = append(r.said, fmt.Sprintf("blocked a request: %s", e.BlockedReason))
		}
	case *runtime.EventExceptionThrown:
		r.said = append(r.said, fmt.Sprintf("exception: %s %s:%d", e.ExceptionDetails.Text, e.ExceptionDetails.URL, e.ExceptionDetails.LineNumber+1))
	case *runtime.EventConsoleAPICalled:
		r.said = append(r.said, fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded:
		// A refused form is a page with a status of its own, which the log counts as a failed load.
		if e.Entry.Source != log.EntrySourceNetwork && e.Entry.Level != log.EntryLevelInfo && e.Entry.Level != log.EntryLevelVerbose {
			r.said = append(r.said, fmt.Sprintf("%s %s: %s", e.Entry.Source, e.Entry.Level, e.Entry.Text))
		}
	}
}

// last is the newest request of an id.
func (r *record) last(id network.RequestID) *request {
	for i := len(r.requests) - 1; i >= 0; i-- {
		if r.requests[i].id == id {
			return r.requests[i]
		}
	}
	return &request{}
}

func (r *record) answered(id network.RequestID, response *network.Response) {
	q := r.last(id)
	q.Status = response.Status
	if response.Timing != nil {
		q.FirstByte = response.Timing.ReceiveHeadersEnd - response.Timing.SendStart
	}
}

func (r *record) end(id network.RequestID, bytes float64) {
	q := r.last(id)
	q.Bytes, q.over = bytes, true
}

// leave ends what other documents asked for: of a request that its page leaves behind the browser may tell no end.
func (r *record) leave(next cdp.LoaderID) {
	for _, q := range r.requests {
		q.over = q.over || q.document != next
	}
}

func (r *record) refer(id network.RequestID, headers network.Headers) {
	for name, value := range headers {
		if strings.EqualFold(name, "Referer") {
			if r.referers == nil {
				r.referers = map[network.RequestID][]string{}
			}
			r.referers[id] = append(r.referers[id], fmt.Sprint(value))
		}
	}
}

// underWay are the requests that no answer has ended; of an icon the browser tells no end.
func (r *record) underWay() (found []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, q := range r.requests {
		if !q.over && q.Type != network.ResourceTypeOther {
			found = append(found, q.Method+" "+q.URL)
		}
	}
	return found
}

// all are the requests over the network so far.
func (r *record) all() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []request
	for _, q := range r.requests {
		if u, err := url.Parse(q.URL); err == nil && (u.Scheme == "about" || u.Scheme == "data") {
			continue
		}
		one := *q
		one.Referer = strings.Join(r.referers[q.id], ", ")
		found = append(found, one)
	}
	return found
}

// forget begins anew, before a page that is looked at for itself.
func (r *record) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests, r.referers = nil, nil
}

// complaints are what no page may cause: script errors, words on the console, anything blocked, what did not load.
func (r *record) complaints() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	found := slices.DeleteFunc(slices.Clone(r.said), tooLate)
	for _, q := range r.requests {
		if q.Status >= 400 && q.Type != network.ResourceTypeDocument && q.Type != network.ResourceTypeOther { // other: the icon that a browser looks for by itself
			found = append(found, fmt.Sprintf("%s %s: %d", q.Method, q.URL, q.Status))
		}
	}
	return found
}

// tooLate says whether Chromium launched no program for an app's own scheme since more than five seconds had passed since
// the press, as on a busy machine: that is its rule, and the page has a button for it.
func tooLate(complaint string) bool {
	return strings.Contains(complaint, "Not allowed to launch '") && strings.Contains(complaint, "a user gesture is required")
}
