package browser

// What a page costs whoever opens it for the first time: how long until the first byte, how many requests,
// how many bytes in all. `go test -v -run TestFigures ./rigs/browser` prints the table.

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
)

// mostBytes is what no page may exceed with everything that it loads.
const mostBytes = 60_000

func TestFigures(t *testing.T) {
	h, p, email := newHouse(t, nil), newPerson(t, true), "ada@example.com"
	call(p, network.SetCacheDisabled, network.SetCacheDisabledParams{CacheDisabled: true})
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-22s %10s %9s %9s", "page", "first byte", "requests", "bytes")
	weigh := func(path string) {
		t.Helper()
		p.record.forget()
		p.open(h.url + path)
		p.settle()
		requests, bytes, firstByte := p.record.all(), 0.0, 0.0
		for _, q := range requests {
			bytes += q.Bytes
			if q.Type == network.ResourceTypeDocument {
				firstByte = q.FirstByte
			}
			if !strings.HasPrefix(q.URL, h.url+"/") {
				t.Errorf("%s loads %s", path, q.URL)
			}
		}
		page, _, _ := strings.Cut(path, "?")
		if len(requests) < 3 || bytes < 1000 {
			t.Errorf("%s: %d requests and %.0f bytes were seen: not all", page, len(requests), bytes)
			return
		}
		if bytes > mostBytes {
			t.Errorf("%s weighs %.0f bytes, want at most %d", page, bytes, mostBytes)
		}
		fmt.Fprintf(&table, "\n%-22s %7.1f ms %9d %9.0f", page, firstByte, len(requests), bytes)
	}
	weigh("/signup")
	p.fill("email", email)
	p.press("sign_up.button")
	weigh("/check-mail?for=sign_up")
	weigh(strings.TrimPrefix(h.mailed(email, "/verify-email-success"), h.url))
	p.fill("firstName", "Ada")
	p.fill("lastName", "Lovelace")
	p.fill("password", goodPassword)
	p.press("complete_sign_up.button")
	weigh("/done?what=signed_up")
	weigh("/forgot-password")
	p.fill("email", email)
	p.press("forgot_password.button")
	weigh(strings.TrimPrefix(h.mailed(email, "/reset-password"), h.url))
	weigh("/end-session?token=any")
	weigh("/signin")
	p.signIn(email, goodPassword)
	weigh("/account")
	weigh("/change-password")
	weigh("/signed-out")
	t.Log(table.String())
}
