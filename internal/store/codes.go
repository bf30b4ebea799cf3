package store

// Authorization codes (RFC 6749 §1.3.1). A row outlives its code, so that a code which is shown again can be told from
// one that never was.

import "time"

// Code is what an authorization code stands for; the code itself is nowhere.
type Code struct {
	Hash        []byte // SHA-256
	Client      string
	RedirectURI string
	Challenge   string // RFC 7636, S256
	Nonce       string
	Scope       string // space-delimited
	Resource    string
	UserID      string
	Epoch       int64 // of the user, when it was made
	PageSession string
	AuthTime    time.Time // when the user had proved who they are, and how
	AMR, ACR    string

	CreatedAt time.Time
	ExpiresAt time.Time
	SpentAt   time.Time // zero: not spent
	SessionID string    // that it was spent for

	Browser, BrowserVersion, OS, DeviceType, UserAgent, Addr string // of the person's browser
}

const codeColumns = `hash, client, redirect_uri, challenge, nonce, scope, resource, user_id, epoch, page_session,
	auth_time, amr, acr, created_at, expires_at, spent_at, session_id,
	browser, browser_version, os, device_type, user_agent, addr`

func scanCode(scan scanner) (c Code, err error) {
	err = scan(&c.Hash, &c.Client, &c.RedirectURI, &c.Challenge, &c.Nonce, &c.Scope, &c.Resource, &c.UserID, &c.Epoch, &c.PageSession,
		&c.AuthTime, &c.AMR, &c.ACR, &c.CreatedAt, &c.ExpiresAt, &c.SpentAt, &c.SessionID,
		&c.Browser, &c.BrowserVersion, &c.OS, &c.DeviceType, &c.UserAgent, &c.Addr)
	return c, err
}

// InsertCode adds a code.
func (tx *Tx) InsertCode(c Code) {
	tx.execDeferred(`
		INSERT INTO codes (`+codeColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, NULL, '', $16, $17, $18, $19, $20, $21)`,
		c.Hash, c.Client, c.RedirectURI, c.Challenge, c.Nonce, c.Scope, c.Resource, c.UserID, c.Epoch, c.PageSession,
		c.AuthTime, c.AMR, c.ACR, c.CreatedAt, c.ExpiresAt,
		c.Browser, c.BrowserVersion, c.OS, c.DeviceType, c.UserAgent, c.Addr)
}

// CodeByHash finds a code, spent and expired ones included.
func (tx *Tx) CodeByHash(hash []byte) (Code, error) {
	return one(tx, scanCode, `SELECT `+codeColumns+` FROM codes WHERE hash = $1`, hash)
}

// SpendCode uses a code up for a session: one caller wins, the others get ErrNotFound, and so does who comes too late.
// It returns the page session that the code belongs to now.
func (tx *Tx) SpendCode(hash []byte, sessionID string, now time.Time) (pageSession string, err error) {
	return one(tx, column[string], `
		UPDATE codes
		SET spent_at = $3, session_id = $2
		WHERE hash = $1 AND spent_at IS NULL AND expires_at > $3
		RETURNING page_session`, hash, sessionID, now)
}

// DropCodes removes a held user's codes of a client that are not spent: those of one page session, or all of them where
// that is empty.
func (tx *Tx) DropCodes(userID, client, pageSession string) {
	tx.execDeferred(`
		DELETE FROM codes
		WHERE user_id = $1 AND client = $2 AND ($3 = '' OR page_session = $3) AND spent_at IS NULL`, userID, client, pageSession)
}

// SweepCodes removes at most limit codes that expired before the given time.
func (tx *Tx) SweepCodes(before time.Time, limit int64) (int64, error) {
	return tx.exec(`
		DELETE FROM codes
		WHERE hash IN (SELECT hash FROM codes WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, before, limit)
}
