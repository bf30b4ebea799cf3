package store

// Mailed links: each mail has its own, which lives until it expires, is spent, or is dropped with all others
// of its address. They are in one_time_links. A node of the release before knows one_time_tokens alone, which
// holds the newest of a purpose and address: so the newest is written there, too, what is read is read from
// both, and what is spent or dropped here is so there. The next release needs one_time_links only.

import (
	"bytes"
	"time"
)

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
	tx.adoptOneTime(t.Purpose, t.Email) // a newer one takes its place in the other table
	_, err := tx.exec(`
		INSERT INTO one_time_links (`+oneTimeColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, NULL, '')
		ON CONFLICT (hash) DO NOTHING`,
		t.Purpose, t.Email, t.Hash, t.RequestID, t.RequestedAt, t.ExpiresAt, t.Client)
	if err != nil {
		return err
	}
	return tx.putNewest(t)
}

// putNewest shows t to nodes of the release before, unless a newer request's link is there.
func (tx *Tx) putNewest(t OneTimeToken) error {
	_, err := tx.exec(`
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
	return err
}

// adoptOneTime takes over what a node of the release before knows of a purpose and address: a link that it
// mailed, or what it noted of one that was mailed here.
func (tx *Tx) adoptOneTime(purpose, email string) {
	tx.execDeferred(`
		INSERT INTO one_time_links (`+oneTimeColumns+`)
		SELECT `+oneTimeColumns+`
		FROM one_time_tokens
		WHERE purpose = $1 AND email = $2
		ON CONFLICT (hash) DO UPDATE
		SET used_at = COALESCE(one_time_links.used_at, excluded.used_at),
			verified_at = COALESCE(excluded.verified_at, one_time_links.verified_at),
			verified_from = CASE WHEN excluded.verified_at IS NULL THEN one_time_links.verified_from ELSE excluded.verified_from END`,
		purpose, email)
}

// OneTime finds the link of a purpose and address with that hash, spent and expired ones included.
func (tx *Tx) OneTime(purpose, email string, hash []byte) (OneTimeToken, error) {
	found, err := many(tx, scanOneTime, `
		SELECT `+oneTimeColumns+`
		FROM one_time_links
		WHERE purpose = $1 AND email = $2 AND hash = $3
		UNION ALL
		SELECT `+oneTimeColumns+`
		FROM one_time_tokens
		WHERE purpose = $1 AND email = $2 AND hash = $3`, purpose, email, hash)
	if err != nil {
		return OneTimeToken{}, err
	}
	if found = joinOneTime(found); len(found) == 0 {
		return OneTimeToken{}, ErrNotFound
	}
	return found[0], nil
}

// ShownOneTimes lists the links of a purpose and address that have been shown (NoteVerified), the spent and
// expired ones included.
func (tx *Tx) ShownOneTimes(purpose, email string) ([]OneTimeToken, error) {
	found, err := many(tx, scanOneTime, `
		SELECT `+oneTimeColumns+`
		FROM one_time_links
		WHERE purpose = $1 AND email = $2 AND verified_at IS NOT NULL
		UNION ALL
		SELECT `+oneTimeColumns+`
		FROM one_time_tokens
		WHERE purpose = $1 AND email = $2 AND verified_at IS NOT NULL`, purpose, email)
	return joinOneTime(found), err
}

// joinOneTime makes one of the two rows that a link may have: spent where either is, shown where it was last.
func joinOneTime(rows []OneTimeToken) (links []OneTimeToken) {
next:
	for _, row := range rows {
		for i := range links {
			link := &links[i]
			if !bytes.Equal(link.Hash, row.Hash) {
				continue
			}
			if link.UsedAt.IsZero() {
				link.UsedAt = row.UsedAt
			}
			if row.VerifiedAt.After(link.VerifiedAt) {
				link.VerifiedAt, link.VerifiedFrom = row.VerifiedAt, row.VerifiedFrom
			}
			continue next
		}
		links = append(links, row)
	}
	return links
}

// SpendOneTime uses a link up: one caller wins, the others get ErrNotFound, and so does who comes with
// another token, too late, or with a link from before the account's last change. An account that the same
// transaction made, if any, is no such change: its id is made.
func (tx *Tx) SpendOneTime(purpose, email string, hash []byte, made string, now time.Time) error {
	tx.adoptOneTime(purpose, email)
	err := tx.mustChange(`
		UPDATE one_time_links
		SET used_at = $4
		WHERE purpose = $1 AND email = $2 AND hash = $3 AND used_at IS NULL AND expires_at > $4
			AND NOT EXISTS (
				SELECT 1
				FROM users
				WHERE users.email = one_time_links.email AND users.id <> $5 AND users.changed_at >= one_time_links.requested_at)`,
		purpose, email, hash, now, made)
	if err != nil {
		return err
	}
	tx.execDeferred(`
		UPDATE one_time_tokens
		SET used_at = $4
		WHERE purpose = $1 AND email = $2 AND hash = $3 AND used_at IS NULL`,
		purpose, email, hash, now)
	return nil
}

// SpendOneTimes uses up whatever else is left of a purpose and address, and keeps it: who shows one of them
// again can be told why it does nothing.
func (tx *Tx) SpendOneTimes(purpose, email string, now time.Time) {
	for _, statement := range []string{
		`UPDATE one_time_links SET used_at = $3 WHERE purpose = $1 AND email = $2 AND used_at IS NULL`,
		`UPDATE one_time_tokens SET used_at = $3 WHERE purpose = $1 AND email = $2 AND used_at IS NULL`,
	} {
		tx.execDeferred(statement, purpose, email, now)
	}
}

// NoteVerified remembers when and from which network a verification code was last shown. Each showing
// proves the mailbox; the first is often a mail scanner's, and must not stand for its owner's.
func (tx *Tx) NoteVerified(purpose, email string, hash []byte, from string, now time.Time) error {
	tx.adoptOneTime(purpose, email)
	err := tx.mustChange(`
		UPDATE one_time_links
		SET verified_from = $4, verified_at = $5
		WHERE purpose = $1 AND email = $2 AND hash = $3 AND expires_at > $5`,
		purpose, email, hash, from, now)
	if err != nil {
		return err
	}
	tx.execDeferred(`
		UPDATE one_time_tokens
		SET verified_from = $4, verified_at = $5
		WHERE purpose = $1 AND email = $2 AND hash = $3`,
		purpose, email, hash, from, now)
	return nil
}

// DropOneTime removes the links of a purpose and address.
func (tx *Tx) DropOneTime(purpose, email string) {
	for _, statement := range []string{
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

// SweepNewest does the same to what the release before knows.
func (tx *Tx) SweepNewest(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM one_time_tokens
		WHERE (purpose, email) IN (
			SELECT purpose, email FROM one_time_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, before, limit)
}
