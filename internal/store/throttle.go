package store

// The counters of the throttle. What they mean is internal/auth's: see throttle.go there.

import (
	"errors"
	"time"
)

// Attempts are the wrong passwords in a row of an account or a device.
type Attempts struct {
	Failures  int64
	NotBefore time.Time
	LastAt    time.Time
}

func scanAttempts(scan scanner) (a Attempts, err error) {
	err = scan(&a.Failures, &a.NotBefore, &a.LastAt)
	return a, err
}

// Attempts reads a counter; the zero Attempts where there is none.
func (tx *Tx) Attempts(key []byte) (Attempts, error) {
	a, err := one(tx, scanAttempts, `SELECT failures, not_before, last_at FROM attempts WHERE key = $1`, key)
	if errors.Is(err, ErrNotFound) {
		return Attempts{}, nil
	}
	return a, err
}

// CountFailure adds one to a counter, up to most, and returns the sum; one that was last touched before
// decayed, and stands below stop, begins anew. The row stays locked until the transaction ends.
func (tx *Tx) CountFailure(key []byte, decayed time.Time, stop, most int64, now time.Time) (failures int64, err error) {
	return one(tx, column[int64], `
		INSERT INTO attempts (key, failures, not_before, last_at)
		VALUES ($1, 1, $5, $5)
		ON CONFLICT (key) DO UPDATE
		SET failures = CASE
				WHEN attempts.last_at < $2 AND attempts.failures < $3 THEN 1
				WHEN attempts.failures < $4 THEN attempts.failures + 1
				ELSE attempts.failures
			END,
			last_at = $5
		RETURNING failures`, key, decayed, stop, most, now)
}

// DelayAttempts lets nobody in before the given time.
func (tx *Tx) DelayAttempts(key []byte, notBefore time.Time) error {
	return tx.mustChange(`UPDATE attempts SET not_before = $2 WHERE key = $1`, key, notBefore)
}

// ClearAttempts forgets a counter.
func (tx *Tx) ClearAttempts(key []byte) error {
	return tx.post(`DELETE FROM attempts WHERE key = $1`, key)
}

// Rate reads when the next event would arrive if all came evenly; the zero time where none came.
func (tx *Tx) Rate(key []byte) (tat time.Time, err error) {
	tat, err = one(tx, column[time.Time], `SELECT tat FROM rates WHERE key = $1`, key)
	if errors.Is(err, ErrNotFound) {
		return time.Time{}, nil
	}
	return tat, err
}

// TakeRate counts an event that arrives every `every`, unless that would put the next arrival beyond
// latest: false then, and nothing has changed.
func (tx *Tx) TakeRate(key []byte, every time.Duration, latest, now time.Time) (bool, error) {
	n, err := tx.exec(`
		INSERT INTO rates (key, tat)
		VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE
		SET tat = CASE WHEN rates.tat < $3 THEN $2 ELSE rates.tat + $4 END
		WHERE rates.tat + $4 <= $5`, key, now.Add(every), now, every.Microseconds(), latest)
	return n == 1, err
}

// SweepAttempts removes at most limit counters below stop that were last touched before the given time.
func (tx *Tx) SweepAttempts(before time.Time, stop, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM attempts
		WHERE key IN (SELECT key FROM attempts WHERE last_at < $1 AND failures < $2 ORDER BY last_at LIMIT $3)`, before, stop, limit)
}

// SweepRates removes at most limit rates whose events have all arrived.
func (tx *Tx) SweepRates(now time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM rates
		WHERE key IN (SELECT key FROM rates WHERE tat < $1 ORDER BY tat LIMIT $2)`, now, limit)
}
