package store

// Signing keys, sealed; and the ids of every master key ever given.

import "time"

// SigningKey is a private key sealed under a master key.
type SigningKey struct {
	ID        string // RFC 7638 thumbprint
	Alg       string
	KeyID     string // the master key that seals it
	Sealed    []byte
	CreatedAt time.Time
	UseFrom   time.Time
	RetireAt  time.Time // zero: not retiring
}

const signingKeyColumns = `id, alg, kid, sealed, created_at, use_from, retire_at`

func scanSigningKey(scan scanner) (k SigningKey, err error) {
	err = scan(&k.ID, &k.Alg, &k.KeyID, &k.Sealed, &k.CreatedAt, &k.UseFrom, &k.RetireAt)
	return k, err
}

// LockKeys keeps other processes from changing keys until the transaction ends.
func (tx *Tx) LockKeys() error {
	_, err := tx.exec(`
		INSERT INTO master_keys (id, first_seen_at)
		VALUES ('', 0)
		ON CONFLICT (id) DO UPDATE
		SET first_seen_at = 0`)
	return err
}

// SigningKeys lists the signing keys, oldest first.
func (tx *Tx) SigningKeys() ([]SigningKey, error) {
	return many(tx, scanSigningKey, `SELECT `+signingKeyColumns+` FROM signing_keys ORDER BY use_from, id`)
}

// PutSigningKey adds a signing key, or changes its seal and dates.
func (tx *Tx) PutSigningKey(k SigningKey) error {
	return tx.mustChange(`
		INSERT INTO signing_keys (`+signingKeyColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE
		SET kid = excluded.kid,
			sealed = excluded.sealed,
			use_from = excluded.use_from,
			retire_at = excluded.retire_at`,
		k.ID, k.Alg, k.KeyID, k.Sealed, k.CreatedAt, k.UseFrom, k.RetireAt)
}

// DropSigningKey removes a key. One that is gone already is no error.
func (tx *Tx) DropSigningKey(id string) error {
	_, err := tx.exec(`DELETE FROM signing_keys WHERE id = $1`, id)
	return err
}

// DropSigningKeys removes keys that retired before the given time.
func (tx *Tx) DropSigningKeys(before time.Time) (int64, error) {
	return tx.exec(`DELETE FROM signing_keys WHERE retire_at < $1`, before)
}

// SealedKey is a random key of another use than signing, sealed under a master key.
type SealedKey struct {
	Name   string
	KeyID  string // the master key that seals it
	Sealed []byte
}

// SealedKey reads a key by its name.
func (tx *Tx) SealedKey(name string) (SealedKey, error) {
	return one(tx, func(scan scanner) (k SealedKey, err error) {
		err = scan(&k.Name, &k.KeyID, &k.Sealed)
		return k, err
	}, `SELECT name, kid, sealed FROM sealed_keys WHERE name = $1`, name)
}

// PutSealedKey adds a key, or changes its seal.
func (tx *Tx) PutSealedKey(k SealedKey) error {
	return tx.mustChange(`
		INSERT INTO sealed_keys (name, kid, sealed)
		VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE
		SET kid = excluded.kid,
			sealed = excluded.sealed`, k.Name, k.KeyID, k.Sealed)
}

// NoteMasterKey remembers that a server of this database was given a master key.
func (tx *Tx) NoteMasterKey(id string, now time.Time) error {
	_, err := tx.exec(`
		INSERT INTO master_keys (id, first_seen_at)
		VALUES ($1, $2)
		ON CONFLICT (id) DO NOTHING`, id, now)
	return err
}

// MasterKeyIDs lists the ids of all master keys that servers of this database have ever been given: what is sealed or
// signed here is under one of them.
func (tx *Tx) MasterKeyIDs() ([]string, error) {
	return many(tx, column[string], `SELECT id FROM master_keys WHERE id <> '' ORDER BY first_seen_at, id`)
}

// KeyUse counts what still needs a master key.
type KeyUse struct {
	Sessions, Mails, SigningKeys, SealedKeys int64
}

// KeyUse counts the live sessions, mails that wait or could be revived, signing keys and other sealed keys that need a master key.
func (tx *Tx) KeyUse(id string, now time.Time) (KeyUse, error) {
	return one(tx, func(scan scanner) (u KeyUse, err error) {
		err = scan(&u.Sessions, &u.Mails, &u.SigningKeys, &u.SealedKeys)
		return u, err
	}, `
		SELECT
			(SELECT count(*) FROM sessions
			 WHERE (kid = $1 OR prev_kid = $1) AND ended_at IS NULL AND idle_expires_at > $2 AND overall_expires_at > $2),
			(SELECT count(*) FROM outbox WHERE kid = $1 AND payload IS NOT NULL),
			(SELECT count(*) FROM signing_keys WHERE kid = $1),
			(SELECT count(*) FROM sealed_keys WHERE kid = $1)`, id, now)
}
