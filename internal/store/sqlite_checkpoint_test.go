package store_test

// The log is copied back beside the commits: it stays short, nothing is lost, and nobody waits.

import (
	"os"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

func TestCheckpointKeepsTheLogShort(t *testing.T) {
	db := authtest.SQLite(t)
	s := db.Open(t)
	path := db.Options.Path
	write := func() {
		t.Helper()
		write(t, s, func(tx *store.Tx) error {
			for range 100 {
				if err := tx.InsertUser(newUser()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	write()
	before := sizeOf(t, path)
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if after := sizeOf(t, path); after <= before {
		t.Errorf("the file has %d bytes after the checkpoint, %d before", after, before)
	}
	log := sizeOf(t, path+"-wal")
	for range 20 {
		write()
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	if got := sizeOf(t, path+"-wal"); got > 4*log { // twenty times as much was written; pages that are full part
		t.Errorf("the log has grown to %d bytes over 20 checkpoints, %d before", got, log)
	}

	// A transaction that reads goes on seeing its moment, and the checkpoint does not wait for it.
	err := s.Read(ctx, func(tx *store.Tx) error {
		count := func() int64 {
			n, err := store.Column[int64](tx, `SELECT count(*) FROM users`)
			if err != nil {
				t.Fatal(err)
			}
			return n[0]
		}
		if err := tx.Script("BEGIN"); err != nil {
			return err
		}
		was := count()
		write()
		if err := s.Checkpoint(); err != nil {
			return err
		}
		if now := count(); now != was {
			t.Errorf("a reader saw %d users, then %d", was, now)
		}
		return tx.Script("COMMIT")
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, s, func(tx *store.Tx) ([]int64, error) { return store.Column[int64](tx, `SELECT count(*) FROM users`) }); got[0] != 2200 {
		t.Errorf("%d users, want 2200", got[0])
	}
}

// Where nothing was committed there is nothing to copy, and after closing nothing to do it with.
func TestCheckpointAtRest(t *testing.T) {
	db := authtest.SQLite(t)
	s := db.Open(t)
	for range 3 {
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Checkpoint(); err != nil {
		t.Errorf("after closing: %v", err)
	}
}
