package store

// Accounts that a clock ahead has changed, and the requests for links that have to be older or newer than that. All
// that lies ahead becomes one moment: what was asked for after the change stays after it, by a microsecond, and
// keeps the length of its life.

import "time"

// tick is the least that two moments in the database differ by.
const tick = time.Microsecond

// AccountAhead is an account whose last change lies in the future.
type AccountAhead struct {
	ID        string
	Email     string // canonical form
	ChangedAt time.Time
}

// AccountsAhead lists at most limit accounts that were last changed after the given time.
func (tx *Tx) AccountsAhead(after time.Time, limit int64) ([]AccountAhead, error) {
	return many(tx, func(scan scanner) (a AccountAhead, err error) {
		err = scan(&a.ID, &a.Email, &a.ChangedAt)
		return a, err
	}, `
		SELECT id, email, changed_at
		FROM users
		WHERE changed_at > $1
		ORDER BY changed_at
		LIMIT $2`, after, limit)
}

// SettleAccount says that an account was last changed now. ErrNotFound when it has been changed meanwhile.
func (tx *Tx) SettleAccount(a AccountAhead, now time.Time) error {
	return tx.mustChange(`
		UPDATE users
		SET changed_at = $3
		WHERE id = $1 AND changed_at = $2`, a.ID, a.ChangedAt, now)
}

// settled is what becomes of the moment in a column that lies after $3: that, or $2 where it came after $1.
func settled(column string) string {
	return `CASE WHEN ` + column + ` > $1 THEN CAST($2 AS BIGINT) ELSE CAST($3 AS BIGINT) END`
}

// SettleLinksOf sets the links of a settled account's purpose that were asked for, or spent, after now.
func (tx *Tx) SettleLinksOf(a AccountAhead, purpose string, now time.Time) {
	asked := `CASE WHEN requested_at > $3 THEN ` + settled("requested_at") + ` ELSE requested_at END`
	tx.execDeferred(`
		UPDATE one_time_links
		SET requested_at = `+asked+`,
			expires_at = expires_at - requested_at + `+asked+`,
			used_at = CASE WHEN used_at > $3 THEN $3 ELSE used_at END
		WHERE email = $4 AND purpose = $5 AND (requested_at > $3 OR used_at > $3)`,
		a.ChangedAt, now.Add(tick), now, a.Email, purpose)
}

// SettleMailTo sets the requests of a settled account, by the MAC of its address, that were made after now and
// may still be sent.
func (tx *Tx) SettleMailTo(a AccountAhead, addressMAC []byte, now time.Time) {
	tx.execDeferred(`
		UPDATE outbox
		SET created_at = `+settled("created_at")+`,
			expires_at = expires_at - created_at + `+settled("created_at")+`
		WHERE address_mac = $4 AND payload IS NOT NULL AND created_at > $3 AND `+asksForLink,
		a.ChangedAt, now.Add(tick), now, addressMAC)
}

// asksForLink is true of a mail that somebody asked for. A notice tells when something was, which its link repeats.
const asksForLink = `kind IN ('reset', 'verify')`

// SettleRequests makes at most limit requests that wait and were made after the given time such that came right
// after now: the account of each was last changed before.
func (tx *Tx) SettleRequests(after, now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE outbox
		SET created_at = $2, expires_at = expires_at - created_at + $2
		WHERE ended_at IS NULL AND id IN (
			SELECT id
			FROM outbox
			WHERE ended_at IS NULL AND created_at > $1 AND `+asksForLink+`
			ORDER BY created_at
			LIMIT $3)`, after, now.Add(tick), limit)
}

// SettleLinks does the same to links.
func (tx *Tx) SettleLinks(after, now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE one_time_links
		SET requested_at = $2, expires_at = expires_at - requested_at + $2
		WHERE hash IN (SELECT hash FROM one_time_links WHERE requested_at > $1 ORDER BY requested_at LIMIT $3)`,
		after, now.Add(tick), limit)
}

// SettleNodes makes at most limit servers that were seen after the given time seen now.
func (tx *Tx) SettleNodes(after, now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE nodes
		SET seen_at = $2
		WHERE id IN (SELECT id FROM nodes WHERE seen_at > $1 ORDER BY seen_at LIMIT $3)`, after, now, limit)
}
