package upkeep

// A clock that was ahead and is put right. What it wrote would put people, mails and keys off for as long as
// it was wrong: whatever lies further ahead than anything of its kind ever does is set to that distance.

import (
	"context"
	"errors"
	"time"

	"latchkey/internal/keyring"
	"latchkey/internal/logouts"
	"latchkey/internal/mail"
	"latchkey/internal/node"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
	"latchkey/internal/throttle"
)

// SettleClock sets right what a clock that was ahead has put off too far, and logs how much that was. Every
// server does so each 30 s.
func (u *Upkeep) SettleClock(ctx context.Context) error {
	if !u.o.Node.ClockTrusted() {
		return nil
	}
	now := u.o.Node.Now()
	for _, rule := range []struct {
		what   string
		settle func(*store.Tx) (int64, error)
	}{
		{"waits after wrong passwords", func(tx *store.Tx) (int64, error) {
			return throttle.SettleAttempts(tx, now.Add(node.ClockSlack), now, store.Bite)
		}},
		{"rates", func(tx *store.Tx) (int64, error) { return tx.SettleRates(node.ClockSlack, now, store.Bite) }},
		{"mail budgets", func(tx *store.Tx) (int64, error) {
			return tx.SettleMailBudgets(now.Add(node.ClockSlack), now, store.Bite)
		}},
		{"mails", func(tx *store.Tx) (int64, error) {
			next := now.Add(outbox.LongestWait)
			return tx.SettleMail(next.Add(node.ClockSlack), next, store.Bite)
		}},
		{"logouts", func(tx *store.Tx) (int64, error) {
			next := now.Add(logouts.LongestWait)
			return tx.SettleLogouts(next.Add(node.ClockSlack), next, store.Bite)
		}},
		{"accounts", func(tx *store.Tx) (int64, error) { return u.settleAccounts(tx, now) }},
		// Only then what was asked for of no account, or of one that was changed before: see settleAccounts.
		{"requests for links", func(tx *store.Tx) (int64, error) { return tx.SettleRequests(now.Add(node.ClockSlack), now, store.Bite) }},
		{"links", func(tx *store.Tx) (int64, error) { return tx.SettleLinks(now.Add(node.ClockSlack), now, store.Bite) }},
		{"nodes", func(tx *store.Tx) (int64, error) { return tx.SettleNodes(now.Add(node.ClockSlack), now, store.Bite) }},
		{"signing keys", func(tx *store.Tx) (int64, error) { return keyring.SettleClock(tx, now, node.ClockSlack) }},
	} {
		if err := u.settle(ctx, rule.what, rule.settle); err != nil {
			return err
		}
	}
	return nil
}

// settle takes bites until nothing is left.
func (u *Upkeep) settle(ctx context.Context, what string, fn func(*store.Tx) (int64, error)) error {
	var rows int64
	for n := int64(store.Bite); n >= store.Bite && ctx.Err() == nil; rows += n {
		err := u.o.Store.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = fn(tx)
			return err
		})
		if err != nil {
			return err
		}
	}
	if rows > 0 {
		u.o.Log.Warn("a clock was ahead: what it put off too far was set right", "what", what, "rows", rows)
	}
	return nil
}

// settleAccounts lets the last change of an account be now: links that are asked for from now on work. What was
// asked for by the same clock keeps its place before the change or after it, so that a link from before it
// stays dead.
func (u *Upkeep) settleAccounts(tx *store.Tx, now time.Time) (int64, error) {
	ahead, err := tx.AccountsAhead(now.Add(node.ClockSlack), store.Bite)
	if err != nil {
		return 0, err
	}
	for _, a := range ahead {
		if err := u.settleAccount(tx, a, now); err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
	}
	return int64(len(ahead)), nil
}

func (u *Upkeep) settleAccount(tx *store.Tx, a store.AccountAhead, now time.Time) error {
	if err := tx.SettleAccount(a, now); err != nil {
		return err
	}
	for _, kind := range mail.LinkKinds {
		tx.SettleLinksOf(a, string(kind), now)
	}
	return u.o.Outbox.SettleAccount(tx, a, now)
}
