package store

// Which mail is sent next. Whoever claims first looks, without keeping writers waiting, then decides by
// the domains, then takes the row that it has chosen on condition that nobody was faster.

import "time"

// DueMail is what decides whether a mail may be claimed now.
type DueMail struct {
	ID        string
	Domain    string
	NextTryAt time.Time
}

func scanDue(scan scanner) (d DueMail, err error) {
	err = scan(&d.ID, &d.Domain, &d.NextTryAt)
	return d, err
}

// DueMails lists the mails that have been due longest.
func (tx *Tx) DueMails(now time.Time, limit int64) ([]DueMail, error) {
	return many(tx, scanDue, `
		SELECT id, domain, next_try_at
		FROM outbox
		WHERE ended_at IS NULL AND next_try_at <= $1
		ORDER BY next_try_at
		LIMIT $2`, now, limit)
}

// DueMailOf finds the mail to one domain that has been due longest: ErrNotFound.
func (tx *Tx) DueMailOf(domain string, firstTry bool, now time.Time) (DueMail, error) {
	return one(tx, scanDue, `
		SELECT id, domain, next_try_at
		FROM outbox
		WHERE domain = $1 AND next_try_at <= $2 AND `+waits(firstTry)+`
		ORDER BY next_try_at
		LIMIT 1`, domain, now)
}

// DomainDue is a domain with waiting mail, and when the first of that is due.
type DomainDue struct {
	Domain string
	At     time.Time
}

// DomainsDue lists the domains with waiting mail that come after one, in their order; only those of mails
// that were never tried, if asked. It looks at one row of each, however many wait.
func (tx *Tx) DomainsDue(firstTry bool, after string, limit int64) ([]DomainDue, error) {
	return many(tx, func(scan scanner) (d DomainDue, err error) {
		err = scan(&d.Domain, &d.At)
		return d, err
	}, `
		WITH RECURSIVE next(domain) AS (
			SELECT min(domain) FROM outbox WHERE domain > $1 AND `+waits(firstTry)+`
			UNION ALL
			SELECT (SELECT min(outbox.domain) FROM outbox WHERE outbox.domain > next.domain AND `+waits(firstTry)+`)
			FROM next
			WHERE next.domain IS NOT NULL)
		SELECT domain, (SELECT min(next_try_at) FROM outbox WHERE outbox.domain = next.domain AND `+waits(firstTry)+`)
		FROM next
		WHERE domain IS NOT NULL
		LIMIT $2`, after, limit)
}

// waits is the condition of the partial index to go by.
func waits(firstTry bool) string {
	if firstTry {
		return `ended_at IS NULL AND tries = 0`
	}
	return `ended_at IS NULL`
}

// ClaimMail leases a due mail until leaseEnd: ErrNotFound when another worker was faster. The lease is
// named by its end: see EndMail and PostponeMail.
func (tx *Tx) ClaimMail(due DueMail, leaseEnd time.Time) (Mail, error) {
	return one(tx, scanMail, `
		UPDATE outbox
		SET next_try_at = $3, tries = tries + 1
		WHERE id = $1 AND next_try_at = $2 AND ended_at IS NULL
		RETURNING `+mailColumns, due.ID, due.NextTryAt, leaseEnd)
}
