package store

// Mail to be sent, claimed by one worker at a time; and the budget of mails one mailbox may be asked
// for.

import "time"

// Mail is a row of the outbox. Payload is sealed, and nil once the row has ended.
type Mail struct {
	ID         string
	Kind       string
	KeyID      string
	AddressMAC []byte
	Payload    []byte
	CreatedAt  time.Time
	ExpiresAt  time.Time
	NextTryAt  time.Time // also the end of a lease
	Tries      int64
	EndedAt    time.Time
	Outcome    string
	LastError  string
}

const mailColumns = `id, kind, kid, address_mac, payload, created_at, expires_at, next_try_at, tries, ended_at, outcome, last_error`

func scanMail(scan scanner) (m Mail, err error) {
	err = scan(&m.ID, &m.Kind, &m.KeyID, &m.AddressMAC, &m.Payload, &m.CreatedAt, &m.ExpiresAt,
		&m.NextTryAt, &m.Tries, &m.EndedAt, &m.Outcome, &m.LastError)
	return m, err
}

// InsertMail puts a mail into the outbox, due at once.
func (tx *Tx) InsertMail(m Mail) error {
	return tx.post(`
		INSERT INTO outbox (`+mailColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $6, 0, NULL, '', '')`,
		m.ID, m.Kind, m.KeyID, m.AddressMAC, m.Payload, m.CreatedAt, m.ExpiresAt)
}

// ClaimMail leases the mail that has been due longest until leaseEnd. ErrNotFound when none is due,
// or when another worker was faster. The lease is named by its end: see the calls below.
func (tx *Tx) ClaimMail(now, leaseEnd time.Time) (Mail, error) {
	return one(tx, scanMail, `
		UPDATE outbox
		SET next_try_at = $2, tries = tries + 1
		WHERE ended_at IS NULL AND next_try_at <= $1 AND id = (
			SELECT id
			FROM outbox
			WHERE ended_at IS NULL AND next_try_at <= $1
			ORDER BY next_try_at
			LIMIT 1)
		RETURNING `+mailColumns, now, leaseEnd)
}

// EndMail ends a mail whose lease is still held, wiping its payload. ErrNotFound when it is not.
func (tx *Tx) EndMail(m Mail, outcome, lastError string, now time.Time) error {
	return tx.mustChange(`
		UPDATE outbox
		SET ended_at = $5, outcome = $3, last_error = $4, payload = NULL
		WHERE id = $1 AND next_try_at = $2 AND ended_at IS NULL`, m.ID, m.NextTryAt, outcome, lastError, now)
}

// PostponeMail gives a lease back, or moves a mail that nobody has: it is due again at next.
func (tx *Tx) PostponeMail(m Mail, next time.Time, lastError string) error {
	return tx.mustChange(`
		UPDATE outbox
		SET next_try_at = $3, last_error = $4
		WHERE id = $1 AND next_try_at = $2 AND ended_at IS NULL`, m.ID, m.NextTryAt, next, lastError)
}

// MailByID finds a mail.
func (tx *Tx) MailByID(id string) (Mail, error) {
	return one(tx, scanMail, `SELECT `+mailColumns+` FROM outbox WHERE id = $1`, id)
}

// Mails lists the newest mails; only those that wait, if asked.
func (tx *Tx) Mails(waiting bool, limit int64) ([]Mail, error) {
	return many(tx, scanMail, `
		SELECT `+mailColumns+`
		FROM outbox
		WHERE NOT $1 OR ended_at IS NULL
		ORDER BY id DESC
		LIMIT $2`, waiting, limit)
}

// WaitingMail says how many mails wait and since when the oldest does (zero: none).
func (tx *Tx) WaitingMail() (depth int64, oldest time.Time, err error) {
	type waiting struct {
		depth  int64
		oldest time.Time
	}
	w, err := one(tx, func(scan scanner) (w waiting, err error) {
		err = scan(&w.depth, &w.oldest)
		return w, err
	}, `
		SELECT count(*), min(created_at)
		FROM outbox
		WHERE ended_at IS NULL AND next_try_at > 0`) // all of them: by the index of those that wait
	return w.depth, w.oldest, err
}

// SweepMail removes at most limit rows that ended before the given time.
func (tx *Tx) SweepMail(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM outbox
		WHERE id IN (SELECT id FROM outbox WHERE ended_at IS NOT NULL AND ended_at < $1 ORDER BY ended_at LIMIT $2)`, before, limit)
}

// TakeMailBudget counts an asked-for mail, unless the mailbox's last is younger than gap or its
// fifth last younger than window: false then, and nothing has changed.
func (tx *Tx) TakeMailBudget(key []byte, gap, window time.Duration, now time.Time) (bool, error) {
	never := time.Unix(0, 0)
	n, err := tx.exec(`
		INSERT INTO mail_budgets (key, sent_1, sent_2, sent_3, sent_4, sent_5)
		VALUES ($1, $2, $3, $3, $3, $3)
		ON CONFLICT (key) DO UPDATE
		SET sent_1 = $2,
			sent_2 = mail_budgets.sent_1,
			sent_3 = mail_budgets.sent_2,
			sent_4 = mail_budgets.sent_3,
			sent_5 = mail_budgets.sent_4
		WHERE mail_budgets.sent_1 <= $4 AND mail_budgets.sent_5 <= $5`,
		key, now, never, now.Add(-gap), now.Add(-window))
	return n == 1, err
}

// ClearMailBudget forgets a mailbox's count.
func (tx *Tx) ClearMailBudget(key []byte) error {
	return tx.post(`DELETE FROM mail_budgets WHERE key = $1`, key)
}

// SweepMailBudgets removes at most limit counts that no longer refuse anything.
func (tx *Tx) SweepMailBudgets(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM mail_budgets
		WHERE key IN (SELECT key FROM mail_budgets WHERE sent_1 < $1 ORDER BY sent_1 LIMIT $2)`, before, limit)
}
