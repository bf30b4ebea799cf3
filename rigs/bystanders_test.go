package rigs

// Users who go on trying while something is wrong. The accounts of the ledger stop at the first request
// that is not answered, since they must know what was acknowledged; bystanders only keep the load up,
// and a witness sees what they are told.

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/client"
	"latchkey/rigs/stage"
)

// writes are the bystanders' requests that must not succeed without a commit.
var writes = []string{"/auth/signin", "/auth/refresh-token"}

// reads are those that change nothing.
var reads = []string{"/auth/userinfo"}

var everything = slices.Concat(writes, reads)

// bystander is a user with one device.
type bystander struct {
	cl              *client.Client
	email, password string
	tokens          api.Tokens
}

// newBystanders signs some up and in.
func newBystanders(t *testing.T, p *stage.Post, quiet, watched *client.Client, count int) []*bystander {
	t.Helper()
	all := make([]*bystander, count)
	for i := range all {
		b := &bystander{cl: watched, email: fmt.Sprintf("bystander%d@example.com", i), password: "a bystander's own password"}
		member(t, quiet, p, b.email, b.password)
		b.tokens = signIn(t, quiet, b.email, b.password)
		all[i] = b
	}
	return all
}

// try asks once for each thing that one may want, in any order: where all have to wait, some wait for each.
func (b *bystander) try() {
	ctx := context.Background() // the answer is the witness's to judge
	for _, what := range rand.Perm(3) {
		switch what {
		case 0:
			if tokens, err := b.cl.Refresh(ctx, b.tokens.RefreshToken); err == nil {
				b.tokens = tokens
			}
		case 1:
			_, _ = b.cl.SignIn(ctx, api.SignInRequest{Email: b.email, Password: b.password})
		case 2:
			_, _ = b.cl.UserInfo(ctx, b.tokens.AccessToken)
		}
	}
}

// crowd is everybody at work.
type crowd struct {
	stop chan struct{}
	once sync.Once
	all  sync.WaitGroup
}

// gather lets accounts and bystanders use the server until they are dismissed, with the test at the latest.
func gather(t *testing.T, accounts []*account, bystanders []*bystander) *crowd {
	c := &crowd{stop: make(chan struct{})}
	t.Cleanup(c.dismiss)
	for _, a := range accounts {
		a.stop = c.stop
		c.all.Go(a.work)
	}
	for _, b := range bystanders {
		c.all.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				case <-time.After(20 * time.Millisecond):
					b.try()
				}
			}
		})
	}
	return c
}

// dismiss ends the work and waits until everybody has their answer. It may be called twice.
func (c *crowd) dismiss() {
	c.once.Do(func() { close(c.stop) })
	c.all.Wait()
}
