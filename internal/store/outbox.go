package store

// Mail to be sent, claimed by one worker at a time; and the budget of mails one mailbox may be asked
// for.

import "time"

// Mail is a row of the outbox. Payload is sealed, and nil once the row has ended; of a refused one, once it has
// expired.
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
	Domain     string // a keyed name of the recipient's domain
	Told
}

// Told is what is noted of a mail when it was tried.
type Told struct {
	Answer    string // the server's last
	MessageID string
	UserID    string // whose account it is about; empty: not known
}

const mailColumns = `id, kind, kid, address_mac, payload, created_at, expires_at, next_try_at, tries, ended_at, outcome, last_error, domain,
	answer, message_id, user_id`

func scanMail(scan scanner) (m Mail, err error) {
	err = scan(&m.ID, &m.Kind, &m.KeyID, &m.AddressMAC, &m.Payload, &m.CreatedAt, &m.ExpiresAt,
		&m.NextTryAt, &m.Tries, &m.EndedAt, &m.Outcome, &m.LastError, &m.Domain,
		&m.Answer, &m.MessageID, &m.UserID)
	return m, err
}

// InsertMail puts a mail into the outbox, due at once.
func (tx *Tx) InsertMail(m Mail) {
	tx.execDeferred(`
		INSERT INTO outbox (`+mailColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $6, 0, NULL, '', '', $8, '', '', '')`,
		m.ID, m.Kind, m.KeyID, m.AddressMAC, m.Payload, m.CreatedAt, m.ExpiresAt, m.Domain)
}

// EndMail ends a mail whose lease is still held, wiping its payload. ErrNotFound when it is not.
func (tx *Tx) EndMail(m Mail, outcome, lastError string, now time.Time) error {
	return tx.mustChange(`
		UPDATE outbox
		SET ended_at = $5, outcome = $3, last_error = $4, payload = NULL, domain = '-', answer = $6, message_id = $7, user_id = $8
		WHERE id = $1 AND next_try_at = $2 AND ended_at IS NULL`, m.ID, m.NextTryAt, outcome, lastError, now, m.Answer, m.MessageID, m.UserID)
}

// RefuseMail is EndMail for a mail that may be revived: its payload stays until WipeMail.
func (tx *Tx) RefuseMail(m Mail, outcome, lastError string, now time.Time) error {
	return tx.mustChange(`
		UPDATE outbox
		SET ended_at = $5, outcome = $3, last_error = $4, answer = $6, message_id = $7, user_id = $8
		WHERE id = $1 AND next_try_at = $2 AND ended_at IS NULL`, m.ID, m.NextTryAt, outcome, lastError, now, m.Answer, m.MessageID, m.UserID)
}

// ReviveMail makes a mail that was refused due again, while its payload is there. ErrNotFound when it is not.
func (tx *Tx) ReviveMail(id string, now time.Time) error {
	return tx.mustChange(`
		UPDATE outbox
		SET ended_at = NULL, outcome = '', next_try_at = $2
		WHERE id = $1 AND ended_at IS NOT NULL AND payload IS NOT NULL AND expires_at > $2`, id, now)
}

// WipeMail wipes the payloads of at most limit refused mails that have expired.
func (tx *Tx) WipeMail(now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE outbox
		SET payload = NULL, domain = '-'
		WHERE id IN (
			SELECT id
			FROM outbox
			WHERE ended_at IS NOT NULL AND payload IS NOT NULL AND expires_at <= $1
			ORDER BY expires_at
			LIMIT $2)`, now, limit)
}

// PostponeMail gives a lease back, or moves a mail that nobody has: it is due again at next.
func (tx *Tx) PostponeMail(m Mail, next time.Time, lastError string) error {
	return tx.mustChange(`
		UPDATE outbox
		SET next_try_at = $3, last_error = $4, answer = $5, message_id = $6, user_id = $7
		WHERE id = $1 AND next_try_at = $2 AND ended_at IS NULL`, m.ID, m.NextTryAt, next, lastError, m.Answer, m.MessageID, m.UserID)
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

// MailsTo lists the newest mails to an address, by its MAC; only those that wait, if asked.
func (tx *Tx) MailsTo(addressMAC []byte, waiting bool, limit int64) ([]Mail, error) {
	return many(tx, scanMail, `
		SELECT `+mailColumns+`
		FROM outbox
		WHERE address_mac = $1 AND (NOT $2 OR ended_at IS NULL)
		ORDER BY id DESC
		LIMIT $3`, addressMAC, waiting, limit)
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
func (tx *Tx) ClearMailBudget(key []byte) {
	tx.execDeferred(`DELETE FROM mail_budgets WHERE key = $1`, key)
}

// SweepMailBudgets removes at most limit counts that no longer refuse anything.
func (tx *Tx) SweepMailBudgets(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM mail_budgets
		WHERE key IN (SELECT key FROM mail_budgets WHERE sent_1 < $1 ORDER BY sent_1 LIMIT $2)`, before, limit)
}
