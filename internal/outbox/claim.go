package outbox

// Claiming a mail, and the keyed names by which rows tell its domain.

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"golang.org/x/net/publicsuffix"

	"latchkey/internal/store"
)

// claim leases the mail that has been due longest among those whose domain may have another deliverer:
// nil when there is none. The flight is to be ended by the caller.
func (b *Outbox) claim(ctx context.Context, first bool) (store.Mail, *flight, error) {
	b.lanes.choosing.Lock()
	defer b.lanes.choosing.Unlock()
	for ctx.Err() == nil {
		now := b.o.Now()
		var due store.DueMail
		err := b.o.Store.Read(ctx, func(tx *store.Tx) (err error) {
			due, err = b.lanes.next(tx, first, now)
			return err
		})
		if errors.Is(err, store.ErrNotFound) {
			return store.Mail{}, nil, nil
		}
		if err != nil {
			return store.Mail{}, nil, err
		}
		row, err := b.o.Store.ClaimMail(ctx, due, now.Add(lease))
		if errors.Is(err, store.ErrNotFound) { // another node was faster
			continue
		}
		if err != nil {
			return store.Mail{}, nil, err
		}
		return row, b.lanes.begin(b.domainNames(row)...), nil
	}
	return store.Mail{}, nil, nil
}

// domainNames are the names of a claimed mail's domain under every master key. Rows of the release before have
// none: they take turns as if they were of one domain, and count for their own as well once they are under way.
func (b *Outbox) domainNames(row store.Mail) []string {
	names := []string{row.Domain}
	r, err := b.unseal(row)
	if err != nil {
		return names
	}
	for _, kid := range b.o.Master.IDs() {
		if name, err := b.domainName(kid, r.To); err == nil && name != row.Domain {
			names = append(names, name)
		}
	}
	return names
}

// domainName names the registrable domain of an address without telling it.
func (b *Outbox) domainName(kid, email string) (string, error) {
	mac, err := b.o.Master.MAC(kid, labelDomain, []byte(registrable(email)))
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(mac[:16]), nil
}

// registrable is the domain of an address as somebody registers it: the label below a registry's suffix. The
// suffixes under which a company gives names away count as its own domain, or anybody had any number.
func registrable(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	suffix, icann := publicsuffix.PublicSuffix(domain)
	for !icann && strings.Contains(suffix, ".") {
		_, suffix, _ = strings.Cut(suffix, ".")
		suffix, icann = publicsuffix.PublicSuffix(suffix)
	}
	below, found := strings.CutSuffix(domain, "."+suffix)
	if !found {
		return domain
	}
	return below[strings.LastIndexByte(below, '.')+1:] + "." + suffix
}
