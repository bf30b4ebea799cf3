package auth

// What an operator is told of the keys.

import (
	"context"
	"time"

	"latchkey/internal/store"
)

// Keys lists the signing keys and counts what needs each master key.
func (s *Service) Keys(ctx context.Context) (KeyReport, error) {
	var report KeyReport
	now := s.now()
	err := s.read(ctx, func(tx *store.Tx) error {
		report = KeyReport{}
		rows, err := tx.SigningKeys()
		if err != nil {
			return err
		}
		active, _ := s.keys.ring().Active(now)
		for _, row := range rows {
			report.Signing = append(report.Signing, describeKey(row, active.ID, now))
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
				ID: id, Given: s.o.Master.Has(id), Sessions: use.Sessions, Mails: use.Mails, SigningKeys: use.SigningKeys,
			})
		}
		return nil
	})
	return report, err
}

func describeKey(row store.SigningKey, active string, now time.Time) SigningKey {
	k := SigningKey{ID: row.ID, Alg: row.Alg, State: "retiring", CreatedAt: row.CreatedAt, UseFrom: row.UseFrom, RetireAt: row.RetireAt}
	switch {
	case row.ID == active:
		k.State = "active"
	case row.UseFrom.After(now) && (row.RetireAt.IsZero() || row.RetireAt.After(now)):
		k.State = "next"
	}
	if row.UseFrom.Equal(unscheduled) {
		k.UseFrom = time.Time{}
	}
	return k
}
