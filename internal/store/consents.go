package store

// What people allowed the apps that ask for it.

import "time"

// Consent is what a user allowed a client.
type Consent struct {
	Client    string
	Scope     string // space-delimited
	GrantedAt time.Time
}

const consentColumns = `client, scope, granted_at`

func scanConsent(scan scanner) (c Consent, err error) {
	err = scan(&c.Client, &c.Scope, &c.GrantedAt)
	return c, err
}

// Consents lists what a user allowed, by client.
func (tx *Tx) Consents(userID string) ([]Consent, error) {
	return many(tx, scanConsent, `SELECT `+consentColumns+` FROM consents WHERE user_id = $1 ORDER BY client`, userID)
}

// Consent finds what a user allowed a client.
func (tx *Tx) Consent(userID, client string) (Consent, error) {
	return one(tx, scanConsent, `SELECT `+consentColumns+` FROM consents WHERE user_id = $1 AND client = $2`, userID, client)
}

// PutConsent keeps what a held user allows a client, in place of what was.
func (tx *Tx) PutConsent(userID string, c Consent) {
	tx.execDeferred(`
		INSERT INTO consents (user_id, client, scope, granted_at)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (user_id, client) DO UPDATE
		SET scope = excluded.scope, granted_at = excluded.granted_at`, userID, c.Client, c.Scope, c.GrantedAt)
}

// DropConsent forgets what a held user allowed a client: ErrNotFound where that is nothing.
func (tx *Tx) DropConsent(userID, client string) error {
	return tx.mustChange(`DELETE FROM consents WHERE user_id = $1 AND client = $2`, userID, client)
}

// EndSessionsOf ends a held user's sessions of one kind with a client, and returns their ids.
func (tx *Tx) EndSessionsOf(userID, client, kind, reason string, now time.Time) (ids []string, err error) {
	return tx.endAll(`
		UPDATE sessions
		SET ended_at = $5, end_reason = $4
		WHERE user_id = $1 AND client = $2 AND kind = $3 AND ended_at IS NULL`, userID, client, kind, reason, now)
}
