package rigs

// Users who go on trying while something is wrong. The accounts of the ledger stop at the first request
// that is not answered, since they must know what was acknowledged; bystanders only keep the load up,
// and a witness sees what they are told.

import (
	"context"
	"fmt"
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

// try asks once for each thing that one may want.
func (b *bystander) try() {
	ctx := context.Background() // the answer is the witness's to judge
	if tokens, err := b.cl.Refresh(ctx, b.tokens.RefreshToken); err == nil {
		b.tokens = tokens
	}
	_, _ = b.cl.SignIn(ctx, api.SignInRequest{Email: b.email, Password: b.password})
	_, _ = b.cl.UserInfo(ctx, b.tokens.AccessToken)
}

// crowd is everybody at work.
type crowd struct {
	stop chan struct{}
	all  sync.WaitGroup
}

// gather lets accounts and bystanders use the server until they are dismissed.
func gather(accounts []*account, bystanders []*bystander) *crowd {
	c := &crowd{stop: make(chan struct{})}
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

// dismiss ends the work and waits until everybody has their answer.
func (c *crowd) dismiss() {
	close(c.stop)
	c.all.Wait()
}
