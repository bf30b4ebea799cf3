package links

// The link of a notice, which ends sessions in one step. It is a signed claim, good for one purpose, so nothing is stored
// for it; using it twice ends nothing that its first use would not have ended.

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

const (
	labelEnd     = "end sessions v1"
	labelEndOnly = "end sessions, no reset v1" // of the notice that may lie in a mailbox which is the account's no more

	endTTL = 7 * 24 * time.Hour
)

// End says which sessions a link ends: one, or all that a user had made by then; and whether it does that only, and asks
// for no reset mail.
type End struct {
	UserID, SessionID string // without a session: all
	Made              time.Time
	Only              bool
}

// ParseEnd reads the token of a notice's link in its one spelling: ErrDead when it is malformed or a week old. With
// token.ErrUnknownMasterKey comes the id of the key, which another node may have.
func (l *Links) ParseEnd(raw string) (e End, keyID string, err error) {
	fields, keyID, err := l.o.Master.ParseClaim(labelEnd, raw, 3)
	only := errors.Is(err, token.ErrMalformed)
	if only {
		fields, keyID, err = l.o.Master.ParseClaim(labelEndOnly, raw, 3)
	}
	if errors.Is(err, token.ErrMalformed) {
		return End{}, "", ErrDead
	}
	if err != nil {
		return End{}, keyID, err
	}
	made, err := strconv.ParseInt(fields[2], 36, 64)
	if err != nil || l.o.Now().After(time.UnixMicro(made).Add(endTTL)) {
		return End{}, "", ErrDead
	}
	return End{UserID: fields[0], SessionID: fields[1], Made: time.UnixMicro(made), Only: only}, keyID, nil
}

// endLink is the link of a notice; none for kinds whose row names no user.
func (l *Links) endLink(row store.Mail, r outbox.Request) (string, error) {
	if r.User == "" {
		return "", nil
	}
	label := labelEnd
	if row.Kind == string(mail.EmailChanged) {
		label = labelEndOnly
	}
	raw, err := l.o.Master.SignClaim(row.KeyID, label, r.User, r.Session, strconv.FormatInt(row.CreatedAt.UnixMicro(), 36))
	if err != nil {
		return "", fmt.Errorf("%w: sign a notice's link: %w", store.ErrUnavailable, err)
	}
	return l.home() + "/end-session?token=" + url.QueryEscape(raw), nil
}
