// Package hashcosts compares passwords with hashes in a time that tells nothing of the account. After the cost of new
// hashes was changed, accounts with the old one are left until their owners sign in; a comparison does the work of every
// common cost each time, so that nobody sees from outside who has signed in since (I9 of internal/auth).
//
// It promises one count of the costs for every server of a database, at most an hour old, taken in small steps. It never
// says when a password may be compared, or makes a hash for keeping.
package hashcosts

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"latchkey/internal/password"
	"latchkey/internal/store"
)

const (
	commonShare = 100       // a cost is common when at least one account in so many has it
	countEvery  = time.Hour // how often the accounts of each cost are counted
)

// Costs are what this process knows of them, and how far its own count has come.
type Costs struct {
	store *store.Store
	fresh password.Params // of new hashes

	mu     sync.RWMutex
	common map[password.Cost]string // to a decoy; among them the cost of new hashes

	after   string // the last account counted
	counted map[password.Cost]int64
}

// New knows nothing yet: Load. fresh are the parameters of new hashes.
func New(s *store.Store, fresh password.Params) *Costs { return &Costs{store: s, fresh: fresh} }

// Decoys returns a decoy of every common cost.
func (c *Costs) Decoys() map[password.Cost]string {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return maps.Clone(c.common)
}

// Matches says whether a hash is of this password. Whatever the hash, or none (empty), it computes one of each common
// cost: the account's own in its place, decoys for the rest. An account whose cost is rare takes one more. The error says
// why a hash cannot be used; it matches nothing.
func (c *Costs) Matches(hash string, pw password.Plaintext) (right bool, err error) {
	var own password.Cost
	if hash != "" {
		own, err = password.CostOf(hash)
	}
	work := c.Decoys()
	if hash != "" && err == nil {
		work[own] = hash
	}
	for _, cost := range slices.Sorted(maps.Keys(work)) {
		matches, verifyErr := password.Verify(work[cost], pw)
		right = right || matches && verifyErr == nil && cost == own
	}
	return right, err
}

// Load reads the last count, whichever process made it; countedAt is zero where there is none.
func (c *Costs) Load(ctx context.Context) (countedAt time.Time, err error) {
	var rows []store.HashCost
	err = c.store.Read(ctx, func(tx *store.Tx) error {
		rows, err = tx.HashCosts()
		return err
	})
	if err != nil {
		return time.Time{}, err
	}
	common := map[password.Cost]string{c.fresh.Cost(): c.fresh.Decoy()}
	var all int64
	for _, row := range rows {
		all += row.Accounts
		countedAt = row.CountedAt
	}
	for _, row := range rows {
		cost := password.Cost(row.Cost)
		if row.Accounts*commonShare < all || common[cost] != "" {
			continue
		}
		if decoy, err := cost.Decoy(); err == nil { // else a later release's, which this one cannot compute
			common[cost] = decoy
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.common = common
	return countedAt, nil
}

// Count takes a step through all accounts when the last count is old, and reads the last count
// otherwise. Only the sweep calls it, one at a time.
func (c *Costs) Count(ctx context.Context, now time.Time) (again bool, err error) {
	if c.after == "" {
		countedAt, err := c.Load(ctx)
		if err != nil || now.Sub(countedAt).Abs() < countEvery {
			return false, err
		}
		c.counted = map[password.Cost]int64{}
	}
	var last string
	var prefixes []string
	err = c.store.Read(ctx, func(tx *store.Tx) (err error) {
		last, prefixes, err = tx.HashPrefixes(c.after, store.Stride)
		return err
	})
	if err != nil {
		return false, err
	}
	for _, prefix := range prefixes {
		if cost, err := password.CostOf(prefix); err == nil { // no password, or none that can be used
			c.counted[cost]++
		}
	}
	if c.after = last; last != "" {
		return true, nil
	}
	return false, c.keep(ctx, now)
}

// keep keeps a count that has come to its end, for every process.
func (c *Costs) keep(ctx context.Context, now time.Time) error {
	rows := []store.HashCost{{Cost: string(c.fresh.Cost()), Accounts: c.counted[c.fresh.Cost()], CountedAt: now}}
	for cost, accounts := range c.counted {
		if cost != c.fresh.Cost() {
			rows = append(rows, store.HashCost{Cost: string(cost), Accounts: accounts, CountedAt: now})
		}
	}
	err := c.store.Write(ctx, func(tx *store.Tx) error { return tx.ReplaceHashCosts(rows) })
	if err != nil {
		return err
	}
	_, err = c.Load(ctx)
	return err
}
