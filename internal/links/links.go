// Package links owns what a mail says when it is delivered, and the links in it: how their tokens are made and read, where
// they lead, and whether one is alive.
//
// It promises: a link's origin is always from the configuration (I13 of internal/auth); a mailed token lives for its
// whole life or until one of its kind is spent (I4), and none outlives the account's last change; mail is written for the
// account as it stands at delivery, in its owner's language. It never decides who is sent a mail, or what following a
// link changes.
package links

// What links are made of.

import (
	"errors"
	"log/slog"
	"strings"
	"time"

	"latchkey/internal/clients"
	"latchkey/internal/mail"
	"latchkey/internal/outbox"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

// ErrDead: a token that is unknown, expired, spent, from before the account's last change, or no token at all.
var ErrDead = errors.New("the link is dead")

// Options are what Links work with. Every field must be set.
type Options struct {
	Store     *store.Store
	Master    *token.MasterKeys
	Outbox    *outbox.Outbox
	Templates *mail.Templates
	Clients   func() *clients.Set // as registered now

	Issuer     string // the public URL, under which our own pages are
	MailFrom   string // the sender where a client has none of its own: an RFC 5322 mailbox
	SignupOpen bool

	Now func() time.Time // the time of the database
	Log *slog.Logger
}

// Links are those of one database. Any number of goroutines may use them.
type Links struct{ o Options }

// New returns the links of these options.
func New(o Options) *Links { return &Links{o: o} }

// home is the address of our own pages.
func (l *Links) home() string { return strings.TrimSuffix(l.o.Issuer, "/") }
