package outbox_test

// Whose mail may be under way when the mail servers of some domains are slow.

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/internal/auth"
	"latchkey/internal/authtest"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/peer"
)

// slowPost takes every mail at once, but those to some domains: it keeps them until it is told to go on.
type slowPost struct {
	slow []string
	goOn chan struct{}

	mu      sync.Mutex
	holds   map[string]int // by domain
	most    map[string]int
	taken   map[string]int
	changed chan struct{} // closed and replaced whenever something has changed
}

func newSlowPost(slow ...string) *slowPost {
	return &slowPost{slow: slow, goOn: make(chan struct{}), holds: map[string]int{}, most: map[string]int{}, taken: map[string]int{}, changed: make(chan struct{})}
}

func (p *slowPost) Send(ctx context.Context, m mail.Message) (string, error) {
	_, domain, _ := strings.Cut(m.To, "@")
	p.change(func() {
		p.holds[domain]++
		p.most[domain] = max(p.most[domain], p.holds[domain])
	})
	defer p.change(func() { p.holds[domain]-- })
	for _, slow := range p.slow {
		if domain != slow {
			continue
		}
		select {
		case <-p.goOn:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	p.change(func() { p.taken[m.To]++ })
	return "250 OK", nil
}

func (p *slowPost) change(what func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	what()
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until done says so of what the post has seen.
func (p *slowPost) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.After(40 * time.Second); ; { // on each engine: a failing test ends within what a broken rule is given
		p.mu.Lock()
		ok, changed := done(), p.changed
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("waited for %s: %v held, %v taken", what, p.holds, p.taken)
		}
	}
}

// deliverers runs as many as `latchkey serve` does, until the test ends.
func deliverers(t *testing.T, box *outbox.Outbox) {
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range outbox.Deliverers {
		next := box.DeliverNext
		if i == 0 {
			next = box.DeliverFirst
		}
		all.Go(func() {
			for ctx.Err() == nil {
				if more, err := next(ctx); err != nil && ctx.Err() == nil {
					t.Error(err)
				} else if !more {
					select {
					case <-ctx.Done():
					case <-time.After(20 * time.Millisecond):
					}
				}
			}
		})
	}
	t.Cleanup(func() { stop(); all.Wait() })
}

func askAll(t *testing.T, r *authtest.Rig, mailboxes ...string) {
	t.Helper()
	for _, mailbox := range mailboxes {
		if err := r.Service.RequestVerification(t.Context(), auth.VerificationMail{Email: mailbox}, peer.Peer{}); err != nil {
			t.Fatal(err)
		}
	}
}

func mailboxes(n int, domain string) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("user%d@%s", i, domain))
	}
	return list
}

// A domain never holds more than half of the deliverers, under whichever of its hosts it is written, and a
// queue of its mail however long is no hindrance to others'. When it recovers, all of it goes out.
func TestOneDomainHoldsHalf(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		post := newSlowPost("slow.example", "mx.slow.example")
		r := authtest.New(t, db, func(o *auth.Options) { o.Sender, o.Throttle = post, false })
		slow := append(mailboxes(60, "slow.example"), mailboxes(20, "mx.slow.example")...)
		askAll(t, r, slow...)
		deliverers(t, r.Service.Outbox())
		held := func() int { return post.holds["slow.example"] + post.holds["mx.slow.example"] }
		post.await(t, "the slow domain's first mails", func() bool { return held() == outbox.Deliverers/2 })
		others := append(mailboxes(20, "one.example"), mailboxes(20, "two.example")...)
		askAll(t, r, others...)
		post.await(t, "everybody else's mails", func() bool { return len(post.taken) == len(others) })
		post.await(t, "no more than half held", func() bool { return held() == outbox.Deliverers/2 })
		close(post.goOn)
		post.await(t, "the rest", func() bool { return len(post.taken) == len(others)+len(slow) })
		for to, times := range post.taken {
			if times != 1 {
				t.Errorf("%d mails to %s", times, to)
			}
		}
		if most := post.most["slow.example"]; most > outbox.Deliverers/2 {
			t.Errorf("the slow domain held %d deliverers", most)
		}
	})
}

// One deliverer takes first tries of domains with nothing under way and nothing else, also behind a longer
// queue than is looked at.
func TestFirstTriesHaveADeliverer(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		ctx := t.Context()
		post := newSlowPost("slow.example")
		r := authtest.New(t, db, func(o *auth.Options) { o.Sender, o.Throttle = post, false })
		askAll(t, r, mailboxes(60, "slow.example")...)
		var all sync.WaitGroup
		all.Go(func() {
			if more, err := r.Service.Outbox().DeliverFirst(ctx); !more || err != nil {
				t.Errorf("with nothing under way: %t, %v", more, err)
			}
		})
		post.await(t, "the first mail", func() bool { return post.holds["slow.example"] == 1 })
		if more, err := r.Service.Outbox().DeliverFirst(ctx); more || err != nil {
			t.Errorf("with a mail to the domain under way: %t, %v", more, err)
		}
		askAll(t, r, "ada@one.example")
		if more, err := r.Service.Outbox().DeliverFirst(ctx); !more || err != nil || post.taken["ada@one.example"] != 1 {
			t.Errorf("behind a queue to another domain: %t, %v, %v taken", more, err, post.taken)
		}
		close(post.goOn)
		all.Wait()
	})
}
