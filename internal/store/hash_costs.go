package store

// How many accounts have a password hash of each scheme and cost.

import "time"

// HashCost is how many accounts have a hash of one scheme and cost.
type HashCost struct {
	Cost      string
	Accounts  int64
	CountedAt time.Time
}

// HashPrefixes returns the prefixes of the password hashes of the next `stride` accounts after the id
// `after`, long enough to hold scheme and cost, and the last of their ids: empty at the end of the table.
func (tx *Tx) HashPrefixes(after string, stride int64) (last string, prefixes []string, err error) {
	prefixes, err = many(tx, func(scan scanner) (prefix string, err error) {
		err = scan(&last, &prefix)
		return prefix, err
	}, `
		SELECT id, substr(password_hash, 1, 64)
		FROM users
		WHERE id > $1
		ORDER BY id
		LIMIT $2`, after, stride)
	return last, prefixes, err
}

// HashCosts reads the last count, the most frequent cost first.
func (tx *Tx) HashCosts() ([]HashCost, error) {
	return many(tx, func(scan scanner) (c HashCost, err error) {
		err = scan(&c.Cost, &c.Accounts, &c.CountedAt)
		return c, err
	}, `SELECT cost, accounts, counted_at FROM hash_costs ORDER BY accounts DESC, cost`)
}

// ReplaceHashCosts keeps a new count in the place of the last one.
func (tx *Tx) ReplaceHashCosts(counted []HashCost) error {
	if _, err := tx.exec(`DELETE FROM hash_costs`); err != nil {
		return err
	}
	for _, c := range counted {
		tx.execDeferred(`
			INSERT INTO hash_costs (cost, accounts, counted_at)
			VALUES ($1, $2, $3)
			ON CONFLICT (cost) DO UPDATE
			SET accounts = excluded.accounts, counted_at = excluded.counted_at`, c.Cost, c.Accounts, c.CountedAt)
	}
	return nil
}
