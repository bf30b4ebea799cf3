package store

// One-time tokens: at most one lives per purpose and address, and it is spent at most once.

import "time"

// OneTimeToken is an outstanding or spent token; the token itself is nowhere.
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

// PutOneTime makes t the token of its purpose and address, unless a newer request has made one:
// ErrNotFound then. The same request again changes nothing and succeeds.
func (tx *Tx) PutOneTime(t OneTimeToken) error {
	return tx.mustChange(`
		INSERT INTO one_time_tokens (`+oneTimeColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, '')
		ON CONFLICT (purpose, email) DO UPDATE
		SET hash = excluded.hash,
			request_id = excluded.request_id,
			requested_at = excluded.requested_at,
			expires_at = excluded.expires_at,
			client = excluded.client,
			used_at = CASE WHEN one_time_tokens.request_id = excluded.request_id THEN one_time_tokens.used_at END,
			verified_at = CASE WHEN one_time_tokens.request_id = excluded.request_id THEN one_time_tokens.verified_at END,
			verified_from = CASE WHEN one_time_tokens.request_id = excluded.request_id THEN one_time_tokens.verified_from ELSE '' END
		WHERE one_time_tokens.requested_at < excluded.requested_at
			OR (one_time_tokens.requested_at = excluded.requested_at AND one_time_tokens.request_id <= excluded.request_id)`,
		t.Purpose, t.Email, t.Hash, t.RequestID, t.RequestedAt, t.ExpiresAt, t.Client)
}

// OneTime finds the token of a purpose and address, spent and expired ones included.
func (tx *Tx) OneTime(purpose, email string) (OneTimeToken, error) {
	return one(tx, scanOneTime, `
		SELECT `+oneTimeColumns+`
		FROM one_time_tokens
		WHERE purpose = $1 AND email = $2`, purpose, email)
}

// SpendOneTime uses a token up: one caller wins, the others get ErrNotFound, and so does who comes
// with another token or too late.
func (tx *Tx) SpendOneTime(purpose, email string, hash []byte, now time.Time) error {
	return tx.mustChange(`
		UPDATE one_time_tokens
		SET used_at = $4
		WHERE purpose = $1 AND email = $2 AND hash = $3 AND used_at IS NULL AND expires_at > $4`,
		purpose, email, hash, now)
}

// NoteVerified remembers when and from which network a verification code was last shown. Each showing
// proves the mailbox; the first is often a mail scanner's, and must not stand for its owner's.
func (tx *Tx) NoteVerified(purpose, email string, hash []byte, from string, now time.Time) error {
	return tx.mustChange(`
		UPDATE one_time_tokens
		SET verified_from = $4, verified_at = $5
		WHERE purpose = $1 AND email = $2 AND hash = $3 AND expires_at > $5`,
		purpose, email, hash, from, now)
}

// DropOneTime removes the token of a purpose and address.
func (tx *Tx) DropOneTime(purpose, email string) error {
	return tx.post(`DELETE FROM one_time_tokens WHERE purpose = $1 AND email = $2`, purpose, email)
}

// SweepOneTime removes at most limit tokens that expired before the given time.
func (tx *Tx) SweepOneTime(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM one_time_tokens
		WHERE (purpose, email) IN (
			SELECT purpose, email FROM one_time_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, before, limit)
}
