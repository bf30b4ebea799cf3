package keyring

// What an operator is told of the keys.

import (
	"context"
	"time"

	"latchkey/internal/store"
	"latchkey/internal/token"
)

// Report is what `latchkey key list` shows.
type Report struct {
	Signing []SigningKey
	Master  []MasterKey
}

// SigningKey is a signing key of a Report.
type SigningKey struct {
	ID        string
	Alg       string
	State     string // next, active, retiring, retired (kept for hints alone)
	CreatedAt time.Time
	UseFrom   time.Time
	RetireAt  time.Time // zero: not retiring
}

// MasterKey counts what still needs one master key; at 0 it may be dropped from the configuration.
type MasterKey struct {
	ID          string
	Given       bool // this process has it
	Sessions    int64
	Mails       int64
	SigningKeys int64
	SealedKeys  int64 // others: that of the throttle
}

// Report lists the signing keys and counts what needs each master key.
func (k *Keys) Report(ctx context.Context) (Report, error) {
	var report Report
	now := k.o.Now()
	err := k.o.Store.Read(ctx, func(tx *store.Tx) error {
		report = Report{}
		rows, err := tx.SigningKeys()
		if err != nil {
			return err
		}
		active, _ := k.current.Load().Active(now)
		for _, row := range rows {
			report.Signing = append(report.Signing, describe(row, active.ID, now))
		}
		ids, err := tx.MasterKeyIDs()
		if err != nil {
			return err
		}
		for _, id := range ids {
			use, err := tx.KeyUse(id, now)
			if err != nil {
				return err
			}
			report.Master = append(report.Master, MasterKey{
				ID: id, Given: k.o.Master.Has(id), Sessions: use.Sessions, Mails: use.Mails, SigningKeys: use.SigningKeys, SealedKeys: use.SealedKeys,
			})
		}
		return nil
	})
	return report, err
}

func describe(row store.SigningKey, active string, now time.Time) SigningKey {
	k := SigningKey{ID: row.ID, Alg: row.Alg, State: "retiring", CreatedAt: row.CreatedAt, UseFrom: row.UseFrom, RetireAt: row.RetireAt}
	switch {
	case row.ID == active:
		k.State = "active"
	case !row.RetireAt.IsZero() && !row.RetireAt.After(now):
		k.State = "retired"
	case row.UseFrom.After(now):
		k.State = "next"
	}
	if row.UseFrom.Equal(token.Unscheduled) {
		k.UseFrom = time.Time{}
	}
	return k
}
