package links

// One-time tokens: how a mail's is kept, whether one is alive, and how all of an address end.

import (
	"context"
	"errors"
	"fmt"

	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// Find returns the row of a mailed token that has not expired, spent or not: ErrDead where there is none. It changes
// nothing.
func (l *Links) Find(ctx context.Context, kind mail.Kind, email, raw string) (store.OneTimeToken, error) {
	hash, wellFormed := token.OneTimeHash(string(kind), raw)
	if !wellFormed {
		return store.OneTimeToken{}, ErrDead
	}
	row, err := l.o.Store.OneTime(ctx, string(kind), email, hash)
	if errors.Is(err, store.ErrNotFound) || err == nil && !l.o.Now().Before(row.ExpiresAt) {
		return store.OneTimeToken{}, ErrDead
	}
	return row, err
}

// FindAlive is Find of a token that can still be spent.
func (l *Links) FindAlive(ctx context.Context, kind mail.Kind, email, raw string) (store.OneTimeToken, error) {
	row, err := l.Find(ctx, kind, email, raw)
	if err != nil {
		return store.OneTimeToken{}, err
	}
	if !row.UsedAt.IsZero() {
		return store.OneTimeToken{}, ErrDead
	}
	if kind != mail.Reset {
		return row, nil
	}
	// One from before the account's last change is dead, whoever forgot to drop it.
	user, err := l.o.Store.UserByEmail(ctx, email)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.OneTimeToken{}, err
	}
	if !row.RequestedAt.After(user.ChangedAt) {
		return store.OneTimeToken{}, ErrDead
	}
	return row, nil
}

// Drop ends the outstanding links of an address, of every kind or of those given, and forgets how many were asked for.
func (l *Links) Drop(tx *store.Tx, email string, kinds ...mail.Kind) error {
	if len(kinds) == 0 {
		kinds = mail.LinkKinds[:]
	}
	for _, kind := range kinds {
		tx.DropOneTime(string(kind), email)
		if err := l.o.Outbox.ClearBudget(tx, kind, email); err != nil {
			return err
		}
	}
	return nil
}

// put commits the hash of a request's token before the mail goes out, as one more live link of its address: links
// mailed before stay as good as they were (I4). hosted is the same link to our own pages, empty where link leads there
// anyway: a client's page may be gone, and the person must get on all the same.
func (l *Links) put(tx *store.Tx, row store.Mail, r outbox.Request, clients *clients.Set) (link, hosted string, err error) {
	raw, err := l.o.Master.OneTime(row.KeyID, row.Kind, row.ID)
	if err != nil {
		return "", "", fmt.Errorf("%w: sign a link: %w", store.ErrUnavailable, err)
	}
	hash, ok := token.OneTimeHash(row.Kind, raw)
	if !ok {
		return "", "", fmt.Errorf("hash one-time token of mail %s", row.ID)
	}
	err = tx.PutOneTime(store.OneTimeToken{
		Purpose:     row.Kind,
		Email:       r.To,
		Hash:        hash,
		RequestID:   row.ID,
		RequestedAt: row.CreatedAt,
		ExpiresAt:   row.ExpiresAt,
		Client:      r.Client,
	})
	base := l.leadsTo(r, clients)
	kind := mail.Kind(row.Kind)
	link = linkTo(base, kind, raw, r, r.Hosted || kind == mail.Reset)
	if base != l.home() {
		hosted = linkTo(l.home(), kind, raw, r, true)
	}
	return link, hosted, err
}
