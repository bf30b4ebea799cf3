package store

// Mailed links: each mail has its own, which lives until it expires, is spent, or is dropped with all others
// of its address. They are in one_time_links. A node of v0.0.1 beside this one keeps the newest of a purpose and
// address in one_time_tokens, too, and takes a link for spent where either table says so: of that table only
// DropOneTime knows. The next release drops it.

import "time"

// OneTimeToken is a link outstanding or spent; the token in it is nowhere.
type OneTimeToken struct {
	Purpose      string
	Email        string // canonical form
	Hash         []byte
	RequestID    string
	RequestedAt  time.Time
	ExpiresAt    time.Time
	Client       string
	UsedAt       time.Time
	VerifiedAt   time.Time
	VerifiedFrom string
}

const oneTimeColumns = `purpose, email, hash, request_id, requested_at, expires_at, client, used_at, verified_at, verified_from`

func scanOneTime(scan scanner) (t OneTimeToken, err error) {
	err = scan(&t.Purpose, &t.Email, &t.Hash, &t.RequestID, &t.RequestedAt, &t.ExpiresAt, &t.Client,
		&t.UsedAt, &t.VerifiedAt, &t.VerifiedFrom)
	return t, err
}

// PutOneTime makes t one more link of its purpose and address. The same request again changes nothing and
// succeeds: what was noted of its link stays.
func (tx *Tx) PutOneTime(t OneTimeToken) error {
	_, err := tx.exec(`
		INSERT INTO one_time_links (`+oneTimeColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, '')
		ON CONFLICT (hash) DO NOTHING`,
		t.Purpose, t.Email, t.Hash, t.RequestID, t.RequestedAt, t.ExpiresAt, t.Client)
	return err
}

// OneTime finds the link of a purpose and address with that hash, spent and expired ones included.
func (tx *Tx) OneTime(purpose, email string, hash []byte) (OneTimeToken, error) {
	return one(tx, scanOneTime, `
		SELECT `+oneTimeColumns+`
		FROM one_time_links
		WHERE purpose = $1 AND email = $2 AND hash = $3`, purpose, email, hash)
}

// ShownOneTimes lists the links of a purpose and address that have been shown (NoteVerified), the spent and
// expired ones included.
func (tx *Tx) ShownOneTimes(purpose, email string) ([]OneTimeToken, error) {
	return many(tx, scanOneTime, `
		SELECT `+oneTimeColumns+`
		FROM one_time_links
		WHERE purpose = $1 AND email = $2 AND verified_at IS NOT NULL`, purpose, email)
}

// SpendOneTime uses a link up: one caller wins, the others get ErrNotFound, and so does who comes with
// another token, too late, or with a link from before the account's last change. An account that the same
// transaction made, if any, is no such change: its id is made.
func (tx *Tx) SpendOneTime(purpose, email string, hash []byte, made string, now time.Time) error {
	return tx.mustChange(`
		UPDATE one_time_links
		SET used_at = $4
		WHERE purpose = $1 AND email = $2 AND hash = $3 AND used_at IS NULL AND expires_at > $4
			AND NOT EXISTS (
				SELECT 1
				FROM users
				WHERE users.email = one_time_links.email AND users.id <> $5 AND users.changed_at >= one_time_links.requested_at)`,
		purpose, email, hash, now, made)
}

// SpendOneTimes uses up whatever else is left of a purpose and address, and keeps it: who shows one of them
// again can be told why it does nothing.
func (tx *Tx) SpendOneTimes(purpose, email string, now time.Time) {
	tx.execDeferred(`
		UPDATE one_time_links
		SET used_at = $3
		WHERE purpose = $1 AND email = $2 AND used_at IS NULL`, purpose, email, now)
}

// NoteVerified remembers when and from which network a verification code was last shown. Each showing
// proves the mailbox; the first is often a mail scanner's, and must not stand for its owner's.
func (tx *Tx) NoteVerified(purpose, email string, hash []byte, from string, now time.Time) error {
	return tx.mustChange(`
		UPDATE one_time_links
		SET verified_from = $4, verified_at = $5
		WHERE purpose = $1 AND email = $2 AND hash = $3 AND expires_at > $5`,
		purpose, email, hash, from, now)
}

// DropOneTime removes the links of a purpose and address. It removes what v0.0.1 keeps of them, too: a node of v0.0.1
// inserts that into one_time_links again, unspent. Where the address has no account any more (it was deleted, or moved
// to another address) SpendOneTime finds no later change to refuse it by, and a spent sign-up link could be spent
// again (I4).
func (tx *Tx) DropOneTime(purpose, email string) {
	for _, statement := range []string{ // in v0.0.1's order: no two nodes each wait for the other
		`DELETE FROM one_time_links WHERE purpose = $1 AND email = $2`,
		`DELETE FROM one_time_tokens WHERE purpose = $1 AND email = $2`,
	} {
		tx.execDeferred(statement, purpose, email)
	}
}

// SweepOneTime removes at most limit links that expired before the given time.
func (tx *Tx) SweepOneTime(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM one_time_links
		WHERE hash IN (SELECT hash FROM one_time_links WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, before, limit)
}
