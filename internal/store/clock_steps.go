package store

// What a clock that was ahead has put off further than anything is ever put off. Each is found by an index,
// and set right once.

import "time"

// FailuresAhead is a counter of wrong passwords that was last touched in the future.
type FailuresAhead struct {
	Key      []byte
	Failures int64
}

// AttemptsAhead lists at most limit counters that were last touched after the given time.
func (tx *Tx) AttemptsAhead(after time.Time, limit int64) ([]FailuresAhead, error) {
	return many(tx, func(scan scanner) (f FailuresAhead, err error) {
		err = scan(&f.Key, &f.Failures)
		return f, err
	}, `
		SELECT key, failures
		FROM attempts
		WHERE last_at > $1
		ORDER BY last_at
		LIMIT $2`, after, limit)
}

// SettleAttempts says when a counter was last touched and until when nobody is let in, unless a failure has
// come meanwhile.
func (tx *Tx) SettleAttempts(f FailuresAhead, notBefore, now time.Time) error {
	_, err := tx.exec(`
		UPDATE attempts
		SET not_before = $3, last_at = $4
		WHERE key = $1 AND failures = $2`, f.Key, f.Failures, notBefore, now)
	return err
}

// SettleRates sets at most limit rates that reach further than theirs may, by more than slack, to that.
func (tx *Tx) SettleRates(slack time.Duration, now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE rates
		SET tat = $1 + reach
		WHERE key IN (
			SELECT key
			FROM rates
			WHERE tat - reach > $2
			ORDER BY tat - reach
			LIMIT $3)`, now, now.Add(slack), limit)
}

// SettleMailBudgets sets at most limit counts of mails that were sent after the given time to now.
func (tx *Tx) SettleMailBudgets(after, now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE mail_budgets
		SET sent_1 = $2,
			sent_2 = CASE WHEN sent_2 > $2 THEN $2 ELSE sent_2 END,
			sent_3 = CASE WHEN sent_3 > $2 THEN $2 ELSE sent_3 END,
			sent_4 = CASE WHEN sent_4 > $2 THEN $2 ELSE sent_4 END,
			sent_5 = CASE WHEN sent_5 > $2 THEN $2 ELSE sent_5 END
		WHERE key IN (SELECT key FROM mail_budgets WHERE sent_1 > $1 ORDER BY sent_1 LIMIT $3)`, after, now, limit)
}

// SettleMail makes at most limit mails that wait until after the given time due at next.
func (tx *Tx) SettleMail(after, next time.Time, limit int64) (int64, error) {
	return tx.exec(`
		UPDATE outbox
		SET next_try_at = $2
		WHERE ended_at IS NULL AND id IN (
			SELECT id
			FROM outbox
			WHERE ended_at IS NULL AND next_try_at > $1
			ORDER BY next_try_at
			LIMIT $3)`, after, next, limit)
}

// SettleSigningKeys sets keys that were made after the given time to now, and lets those sign from next on that
// were to sign later still; but not at unscheduled.
func (tx *Tx) SettleSigningKeys(after, now, late, next, unscheduled time.Time) (int64, error) {
	return tx.exec(`
		UPDATE signing_keys
		SET created_at = CASE WHEN created_at > $1 THEN $2 ELSE created_at END,
			use_from = CASE WHEN use_from > $3 AND use_from < $5 THEN $4 ELSE use_from END
		WHERE created_at > $1 OR use_from > $3 AND use_from < $5`, after, now, late, next, unscheduled)
}
