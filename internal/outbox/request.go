package outbox

// Asking for a mail: what its row remembers, and how many a mailbox may be asked for.

import (
	"encoding/json"
	"fmt"
	"time"

	"latchkey/internal/address"
	"latchkey/internal/ids"
	"latchkey/internal/mail"
	"latchkey/internal/store"
)

const (
	budgetGap = time.Minute // one asked-for mail a minute,

	// BudgetWindow is an hour: five asked-for mails fit into it, for a mailbox and kind. A count is needed for so long.
	BudgetWindow = time.Hour

	budgetTagged mail.Kind = "verify, names with a +" // stands for a kind: all such names of one mailbox together

	noticeTTL = 72 * time.Hour // a notice that could not be delivered by then is given up
)

// Labels of what is derived from, or sealed under, a master key (HKDF info).
const (
	labelBudget  = "mail budget v1"
	labelAddress = "mail address v1"
	labelPayload = "mail payload v1"
	labelDomain  = "mail domain v1"
)

// Request is what an outbox row has to remember of a mail that is to be written, sealed. No token, body or link is
// among it.
type Request struct {
	To       string `json:"to"`
	Client   string `json:"client,omitempty"`   // alias
	Base     string `json:"base,omitempty"`     // where the link leads; the release before wrote any path of a registered origin
	Alias    string `json:"alias,omitempty"`    // the alias the request named, repeated in the link
	Hosted   bool   `json:"hosted,omitempty"`   // the link leads to our own pages
	Flow     string `json:"flow,omitempty"`     // handle of the flow that goes on there
	Platform string `json:"platform,omitempty"` // as asked for; the release before wrote what was no client's name
	Logo     string `json:"logo,omitempty"`
	NewEmail string `json:"newEmail,omitempty"`
	Lang     string `json:"lang,omitempty"`    // which whoever asked for the mail reads
	User     string `json:"user,omitempty"`    // a notice: whose account
	Session  string `json:"session,omitempty"` // and which session its link ends; empty: all until then
	Browser  string `json:"browser,omitempty"`
	OS       string `json:"os,omitempty"`
	Addr     string `json:"addr,omitempty"`
}

// Ask puts an asked-for mail into the outbox, to be given up after ttl, unless the mailbox's budget is used up: then
// nothing happens. The budget is kept by the address alone. Wake is to be called once the transaction has committed.
func (b *Outbox) Ask(tx *store.Tx, kind mail.Kind, r Request, ttl time.Duration, now time.Time) error {
	row, err := b.seal(kind, r, now, now.Add(ttl))
	if err != nil {
		return err
	}
	key, err := b.budgetKey(kind, r.To)
	if err != nil {
		return err
	}
	due, err := tx.TakeMailBudget(key, budgetGap, BudgetWindow, now)
	if err != nil || !due {
		return err
	}
	tx.InsertMail(row)
	return nil
}

// Notify puts a notice into the outbox, in the transaction of what it tells. Notices are neither counted nor coalesced.
// It wakes the deliverers: one that comes before the commit finds nothing and polls.
func (b *Outbox) Notify(tx *store.Tx, kind mail.Kind, r Request, now time.Time) error {
	row, err := b.seal(kind, r, now, now.Add(noticeTTL))
	if err != nil {
		return err
	}
	tx.InsertMail(row)
	b.Wake()
	return nil
}

// ClearBudget forgets how many mails of a kind were asked for.
func (b *Outbox) ClearBudget(tx *store.Tx, kind mail.Kind, email string) error {
	key, err := b.budgetKey(kind, email)
	if err != nil {
		return err
	}
	tx.ClearMailBudget(key)
	return nil
}

// CapTagged says whether a verification mail goes to a name with a + whose mailbox has had five in an hour under such
// names, however many of them a stranger thinks up. A row counts at its first try. The plain address and reset mails
// are no part of it, so that nobody can close them by asking for others.
func (b *Outbox) CapTagged(tx *store.Tx, row store.Mail, r Request) (capped bool, err error) {
	mailbox, tagged := address.Untagged(r.To)
	if !tagged || row.Tries > 1 {
		return false, nil
	}
	key, err := b.budgetKey(budgetTagged, mailbox)
	if err != nil {
		return false, err
	}
	due, err := tx.TakeMailBudget(key, -BudgetWindow, BudgetWindow, b.o.Now()) // no gap: five may come at once
	return err == nil && !due, err
}

// budgetKey names a mailbox and a kind of mail without naming the mailbox.
func (b *Outbox) budgetKey(kind mail.Kind, email string) ([]byte, error) {
	return b.o.Master.MAC(b.o.Master.Current(), labelBudget, []byte(kind), []byte(email))
}

func (b *Outbox) seal(kind mail.Kind, r Request, now, expires time.Time) (store.Mail, error) {
	id := ids.New()
	text, err := json.Marshal(r)
	if err != nil {
		return store.Mail{}, fmt.Errorf("encode mail request: %w", err)
	}
	kid, sealed, err := b.o.Master.Seal(labelPayload, text, []byte(id))
	if err != nil {
		return store.Mail{}, err
	}
	mac, err := b.addressMAC(kid, r.To)
	if err != nil {
		return store.Mail{}, err
	}
	domain, err := b.domainName(kid, r.To)
	if err != nil {
		return store.Mail{}, err
	}
	return store.Mail{
		ID:         id,
		Kind:       string(kind),
		KeyID:      kid,
		AddressMAC: mac,
		Payload:    sealed,
		Domain:     domain,
		CreatedAt:  now,
		ExpiresAt:  expires,
	}, nil
}

func (b *Outbox) unseal(m store.Mail) (Request, error) {
	text, err := b.o.Master.Open(m.KeyID, labelPayload, m.Payload, []byte(m.ID))
	if err != nil {
		return Request{}, fmt.Errorf("open payload: %w", err)
	}
	var r Request
	if err := json.Unmarshal(text, &r); err != nil {
		return Request{}, fmt.Errorf("decode mail request: %w", err)
	}
	return r, nil
}

// addressMAC names an address without telling it.
func (b *Outbox) addressMAC(kid, email string) ([]byte, error) {
	return b.o.Master.MAC(kid, labelAddress, []byte(email))
}

// addressMACs are the names of an address under every master key: a row names its own under the key of its day.
func (b *Outbox) addressMACs(email string) (macs [][]byte, err error) {
	for _, kid := range b.o.Master.IDs() {
		mac, err := b.addressMAC(kid, email)
		if err != nil {
			return nil, err
		}
		macs = append(macs, mac)
	}
	return macs, nil
}

// SettleAccount moves the requests of an account whose last change a clock wrote that was ahead: see
// store.SettleMailTo.
func (b *Outbox) SettleAccount(tx *store.Tx, a store.AccountAhead, now time.Time) error {
	macs, err := b.addressMACs(a.Email)
	if err != nil {
		return err
	}
	for _, mac := range macs {
		tx.SettleMailTo(a, mac, now)
	}
	return nil
}
