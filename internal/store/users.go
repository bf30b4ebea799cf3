package store

// Accounts. The row is also the lock of everything done to its user: what makes something of a user
// takes it with TakeUser, what ends something with HoldUser, before any session row.

import (
	"errors"
	"time"
)

// User is an account.
type User struct {
	ID           string
	Email        string // canonical form
	FirstName    string
	LastName     string
	PasswordHash string    // PHC; empty while there is none
	Epoch        int64     // grows with each password, email or disable change
	ChangedAt    time.Time // when Epoch last grew
	CreatedAt    time.Time
	VerifiedAt   time.Time // zero: not verified
	DisabledAt   time.Time // zero: enabled
	SignedInAt   time.Time // the last sign-in; zero: none yet
	Language     string    // set by the owner; empty: none
}

const userColumns = `id, email, first_name, last_name, password_hash, epoch, changed_at, created_at, verified_at, disabled_at, signed_in_at, language`

func scanUser(scan scanner) (u User, err error) {
	err = scan(&u.ID, &u.Email, &u.FirstName, &u.LastName, &u.PasswordHash, &u.Epoch,
		&u.ChangedAt, &u.CreatedAt, &u.VerifiedAt, &u.DisabledAt, &u.SignedInAt, &u.Language)
	return u, err
}

// InsertUser adds an account. ErrConflict when its email is taken; the transaction goes on.
func (tx *Tx) InsertUser(u User) error {
	err := tx.mustChange(`
		INSERT INTO users (`+userColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (email) DO NOTHING`,
		u.ID, u.Email, u.FirstName, u.LastName, u.PasswordHash, u.Epoch,
		u.ChangedAt, u.CreatedAt, u.VerifiedAt, u.DisabledAt, u.SignedInAt, u.Language)
	if errors.Is(err, ErrNotFound) {
		return ErrConflict
	}
	return err
}

// UserByEmail finds an account by its canonical email.
func (tx *Tx) UserByEmail(email string) (User, error) {
	return one(tx, scanUser, `SELECT `+userColumns+` FROM users WHERE email = $1`, email)
}

// UserByID finds an account.
func (tx *Tx) UserByID(id string) (User, error) {
	return one(tx, scanUser, `SELECT `+userColumns+` FROM users WHERE id = $1`, id)
}

// UsersAfter pages through the accounts by email.
func (tx *Tx) UsersAfter(email string, limit int64) ([]User, error) {
	return many(tx, scanUser, `
		SELECT `+userColumns+`
		FROM users
		WHERE email > $1
		ORDER BY email
		LIMIT $2`, email, limit)
}

// TakeUser locks an enabled account whose epoch is still the given one; ErrNotFound otherwise.
func (tx *Tx) TakeUser(id string, epoch int64) (User, error) {
	return one(tx, scanUser, `
		UPDATE users
		SET epoch = epoch
		WHERE id = $1 AND epoch = $2 AND disabled_at IS NULL
		RETURNING `+userColumns, id, epoch)
}

// HoldUser locks an account, whatever its state.
func (tx *Tx) HoldUser(id string) (User, error) {
	return one(tx, scanUser, `
		UPDATE users
		SET epoch = epoch
		WHERE id = $1
		RETURNING `+userColumns, id)
}

// HoldUserByEmail is HoldUser by canonical email.
func (tx *Tx) HoldUserByEmail(email string) (User, error) {
	return one(tx, scanUser, `
		UPDATE users
		SET epoch = epoch
		WHERE email = $1
		RETURNING `+userColumns, email)
}

// newEpoch runs what ends an epoch of a held account, or the account: the devices of the epoch end with it.
func (tx *Tx) newEpoch(id, sql string, args ...any) error {
	if err := tx.mustChange(sql, args...); err != nil {
		return err
	}
	tx.dropDevices(id)
	return nil
}

// SetPassword changes the password of a held account and starts a new epoch.
func (tx *Tx) SetPassword(id, phc string, now time.Time) error {
	return tx.newEpoch(id, `
		UPDATE users
		SET password_hash = $2, epoch = epoch + 1, changed_at = $3
		WHERE id = $1`, id, phc, now)
}

// Rehash replaces a hash by a stronger one of the same password, in the same epoch.
func (tx *Tx) Rehash(id, from, to string) {
	tx.execDeferred(`
		UPDATE users
		SET password_hash = $3
		WHERE id = $1 AND password_hash = $2`, id, from, to)
}

// SetNames changes what the account's owner is called.
func (tx *Tx) SetNames(id, first, last string) error {
	return tx.mustChange(`UPDATE users SET first_name = $2, last_name = $3 WHERE id = $1`, id, first, last)
}

// SetLanguage changes which language an account's owner reads.
func (tx *Tx) SetLanguage(id, tag string) error {
	return tx.mustChange(`UPDATE users SET language = $2 WHERE id = $1`, id, tag)
}

// SetEmail moves a held account to another address and starts a new epoch. ErrConflict when it is
// taken; the transaction is then lost.
func (tx *Tx) SetEmail(id, email string, now time.Time) error {
	return tx.newEpoch(id, `
		UPDATE users
		SET email = $2, epoch = epoch + 1, changed_at = $3
		WHERE id = $1`, id, email, now)
}

// MarkVerified notes that the mailbox was proven, unless that is known already.
func (tx *Tx) MarkVerified(id string, now time.Time) {
	tx.execDeferred(`UPDATE users SET verified_at = $2 WHERE id = $1 AND verified_at IS NULL`, id, now)
}

// SetDisabled disables a held account (at is not zero) or enables it, and starts a new epoch.
func (tx *Tx) SetDisabled(id string, at, now time.Time) error {
	return tx.newEpoch(id, `
		UPDATE users
		SET disabled_at = $2, epoch = epoch + 1, changed_at = $3
		WHERE id = $1`, id, at, now)
}

// NoteSignIn remembers the last sign-in of a taken account.
func (tx *Tx) NoteSignIn(id string, now time.Time) error {
	return tx.mustChange(`UPDATE users SET signed_in_at = $2 WHERE id = $1`, id, now)
}

// NoteNotified says whether the owner of a taken account was last told of a new device longer than gap ago, and
// if so that it is told now. A time that lies ahead by more than slack counts as none.
func (tx *Tx) NoteNotified(id string, gap, slack time.Duration, now time.Time) (bool, error) {
	n, err := tx.exec(`
		UPDATE users
		SET notified_at = $4
		WHERE id = $1 AND (notified_at IS NULL OR notified_at < $2 OR notified_at > $3)`, id, now.Add(-gap), now.Add(slack), now)
	return n == 1, err
}

// DeleteUser removes a held account; its ended sessions stay until they are swept.
func (tx *Tx) DeleteUser(id string) error {
	return tx.newEpoch(id, `DELETE FROM users WHERE id = $1`, id)
}
