package store

// What running servers know of one another.

import "time"

// Node is a running server.
type Node struct {
	ID       string
	Settings string // a line each: name, blank, hash
	SeenAt   time.Time
}

func scanNode(scan scanner) (n Node, err error) {
	err = scan(&n.ID, &n.Settings, &n.SeenAt)
	return n, err
}

// PutNode says that a server runs, and with which settings.
func (tx *Tx) PutNode(n Node) error {
	return tx.mustChange(`
		INSERT INTO nodes (id, settings, seen_at)
		VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE
		SET settings = excluded.settings,
			seen_at = excluded.seen_at`, n.ID, n.Settings, n.SeenAt)
}

// ProbeNode writes something to a server's own row, to find out whether that works.
func (tx *Tx) ProbeNode(id string, something []byte, now time.Time) error {
	return tx.mustChange(`
		INSERT INTO nodes (id, settings, seen_at, probe)
		VALUES ($1, '', $2, $3)
		ON CONFLICT (id) DO UPDATE
		SET probe = excluded.probe`, id, now, something)
}

// NodesSeen lists the servers that have said since then that they run.
func (tx *Tx) NodesSeen(since time.Time) ([]Node, error) {
	return many(tx, scanNode, `
		SELECT id, settings, seen_at
		FROM nodes
		WHERE seen_at >= $1 AND settings <> ''
		ORDER BY id`, since)
}

// DropNode forgets a server that ends.
func (tx *Tx) DropNode(id string) error {
	_, err := tx.exec(`DELETE FROM nodes WHERE id = $1`, id)
	return err
}

// SweepNodes removes at most limit servers that have not been seen since the given time.
func (tx *Tx) SweepNodes(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM nodes
		WHERE id IN (SELECT id FROM nodes WHERE seen_at < $1 ORDER BY seen_at LIMIT $2)`, before, limit)
}
