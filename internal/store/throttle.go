package store

// The rows of the counters that internal/throttle keeps, which says what they mean.

import (
	"errors"
	"fmt"
	"strings"
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

// NoteNetwork adds one to what a network has added to a counter, which CountFailure has put at failures: at
// one it began anew, and nothing of before counts.
func (tx *Tx) NoteNetwork(key, network []byte, failures int64) {
	if failures == 1 {
		tx.execDeferred(`DELETE FROM attempt_networks WHERE key = $1`, key)
	}
	tx.execDeferred(`
		INSERT INTO attempt_networks (key, network, failures)
		VALUES ($1, $2, 1)
		ON CONFLICT (key, network) DO UPDATE
		SET failures = attempt_networks.failures + 1`, key, network)
}

// TakeBack takes from a counter what a network has added to it. The counter's row is locked first, by a
// statement of its own, so that the next one sees what others have added until then.
func (tx *Tx) TakeBack(key, network []byte) {
	tx.execDeferred(`UPDATE attempts SET failures = failures WHERE key = $1`, key)
	tx.execDeferred(`
		UPDATE attempts
		SET failures = failures - (SELECT failures FROM attempt_networks WHERE key = $1 AND network = $2)
		WHERE key = $1 AND EXISTS (SELECT 1 FROM attempt_networks WHERE key = $1 AND network = $2)`, key, network)
	tx.execDeferred(`DELETE FROM attempt_networks WHERE key = $1 AND network = $2`, key, network)
	tx.execDeferred(`DELETE FROM attempts WHERE key = $1 AND failures <= 0`, key)
}

// DelayAttempts lets nobody in before the given time.
func (tx *Tx) DelayAttempts(key []byte, notBefore time.Time) error {
	return tx.mustChange(`UPDATE attempts SET not_before = $2 WHERE key = $1`, key, notBefore)
}

// ClearAttempts forgets a counter.
func (tx *Tx) ClearAttempts(key []byte) {
	tx.execDeferred(`DELETE FROM attempts WHERE key = $1`, key)
}

// Rate is a counter of events, by the generic cell rate algorithm.
type Rate struct {
	Key              []byte
	EmissionInterval time.Duration // between two events that come evenly
}

// Rates reads the theoretical arrival times of at most three counters: when each one's next event would come if all came
// evenly. Counters that no event came to are left out.
func (tx *Tx) Rates(of ...Rate) (arrivals map[string]time.Time, err error) {
	keys := make([]any, 3)
	for i := range keys {
		keys[i] = of[min(i, len(of)-1)].Key
	}
	arrivals = map[string]time.Time{}
	err = tx.query(func(scan scanner) error {
		var key []byte
		var arrival time.Time
		err := scan(&key, &arrival)
		arrivals[string(key)] = arrival
		return err
	}, `SELECT key, tat FROM rates WHERE key IN ($1, $2, $3)`, keys...)
	return arrivals, err
}

// TakeRates counts an event in each of the counters, in one statement, except in those whose theoretical arrival time
// that would put beyond latest. It returns the keys of those that took it. Two callers name what they share in the same order.
func (tx *Tx) TakeRates(latest, now time.Time, of ...Rate) (taken [][]byte, err error) {
	args := []any{now, latest, latest.Sub(now).Microseconds()}
	var rows []string
	for _, r := range of {
		args = append(args, r.Key, now.Add(r.EmissionInterval))
		rows = append(rows, fmt.Sprintf("($%d, $%d, $3)", len(args)-1, len(args)))
	}
	return many(tx, column[[]byte], `
		INSERT INTO rates (key, tat, reach)
		VALUES `+strings.Join(rows, ", ")+`
		ON CONFLICT (key) DO UPDATE
		SET tat = CASE WHEN rates.tat < $1 THEN excluded.tat ELSE rates.tat + (excluded.tat - $1) END,
			reach = excluded.reach
		WHERE rates.tat + (excluded.tat - $1) <= $2
		RETURNING key`, args...)
}

// GiveRate takes an event back that TakeRates counted.
func (tx *Tx) GiveRate(r Rate) {
	tx.execDeferred(`UPDATE rates SET tat = tat - $2 WHERE key = $1`, r.Key, r.EmissionInterval.Microseconds())
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
