package store

// Flows that a mailed link leads back to, by a handle.

import "time"

// InsertFlow keeps a sealed flow.
func (tx *Tx) InsertFlow(hash []byte, sealed string, expires time.Time) {
	tx.execDeferred(`
		INSERT INTO flows (hash, flow, expires_at)
		VALUES ($1, $2, $3)`, hash, sealed, expires)
}

// KeptFlow is a flow as it was kept.
type KeptFlow struct {
	Sealed    string
	ExpiresAt time.Time
}

// FlowByHash finds a flow, also one that has expired and is not swept yet.
func (tx *Tx) FlowByHash(hash []byte) (KeptFlow, error) {
	return one(tx, func(scan scanner) (f KeptFlow, err error) {
		err = scan(&f.Sealed, &f.ExpiresAt)
		return f, err
	}, `SELECT flow, expires_at FROM flows WHERE hash = $1`, hash)
}

// SweepFlows removes at most limit flows that expired before the given time.
func (tx *Tx) SweepFlows(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM flows
		WHERE hash IN (SELECT hash FROM flows WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, before, limit)
}
