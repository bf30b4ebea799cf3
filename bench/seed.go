package main

// Filling a database: one account and one session are made as an operator and a browser make them, and
// copied by the million through internal/store.

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"latchkey/bench/load"
	"latchkey/internal/store"
	"latchkey/internal/token"
)

const (
	passwordText    = "correct horse battery staple"
	templateEmail   = "template@bench.example.com"
	sessionsPerUser = 5
	seedBatch       = 4000 // rows a transaction
	seedersAtOnce   = 4
)

// dataset knows what is in a filled database without keeping it: ids are a function of the row's
// number. Session n is of user n mod users, so that a user's sessions lie as far apart as real ones.
type dataset struct {
	users   int
	began   time.Time
	user    store.User    // what was copied
	session store.Session // what was copied
	master  *token.MasterKeys
}

func (d dataset) sessions() int { return d.users * sessionsPerUser }

func (d dataset) email(user int) string { return fmt.Sprintf("user%08d@bench.example.com", user) }

func (d dataset) userID(user int) string { return d.id("user", user, d.users) }

func (d dataset) sessionID(n int) string { return d.id("session", n, d.sessions()) }

// made is when row n of so many was made: all in the hour before.
func (d dataset) made(n, of int) time.Time {
	return d.began.Add(-time.Hour + time.Duration(float64(time.Hour)*float64(n)/float64(of))).Truncate(time.Microsecond)
}

// id is a UUIDv7 (RFC 9562 §5.7) in the order of n.
func (d dataset) id(kind string, n, of int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", kind, n, d.began.UnixNano()))
	var id uuid.UUID
	copy(id[:], sum[:])
	var at [8]byte
	binary.BigEndian.PutUint64(at[:], uint64(d.made(n, of).UnixMilli()))
	copy(id[:6], at[2:])
	id[6] = 0x70 | id[6]&0x0f
	id[8] = 0x80 | id[8]&0x3f
	return id.String()
}

// refreshToken is the first one of session n.
func (d dataset) refreshToken(n int) (string, error) {
	return d.master.SignRefresh(token.Refresh{
		KeyID: d.session.KeyID, Issuer: "bench", SessionID: d.sessionID(n), Client: d.session.Client,
		Generation: 1, IssuedAt: d.began, ExpiresAt: d.began.Add(24 * time.Hour),
	})
}

// seeded says what filling took and what rows weigh.
type seeded struct {
	data         dataset
	took         time.Duration
	userBytes    float64 // a user, with its indexes
	sessionBytes float64 // a session, with its indexes
}

// seed fills an empty place.
func seed(ctx context.Context, binary string, p place, users int) (seeded, error) {
	d, err := template(ctx, binary, p)
	if err != nil {
		return seeded{}, fmt.Errorf("make the template: %w", err)
	}
	d.users = users
	began := time.Now()
	before, err := p.size(ctx)
	if err != nil {
		return seeded{}, err
	}
	withUsers, err := fill(ctx, p, users, d.insertUser)
	if err != nil {
		return seeded{}, fmt.Errorf("add users: %w", err)
	}
	withAll, err := fill(ctx, p, d.sessions(), d.insertSession)
	if err != nil {
		return seeded{}, fmt.Errorf("add sessions: %w", err)
	}
	return seeded{
		data: d, took: time.Since(began),
		userBytes:    float64(withUsers-before) / float64(users),
		sessionBytes: float64(withAll-withUsers) / float64(d.sessions()),
	}, nil
}

// template makes a user and a session the way they are made, and reads their rows.
func template(ctx context.Context, binary string, p place) (d dataset, err error) {
	add := exec.CommandContext(ctx, binary, "user", "add", "--email", templateEmail, "--first-name", "Ada", "--last-name", "Lovelace", "--password-stdin")
	add.Env = append(bareEnv(), p.env()...)
	add.Stdin = strings.NewReader(passwordText)
	if out, err := add.CombinedOutput(); err != nil {
		return d, fmt.Errorf("latchkey user add: %w: %s", err, out)
	}
	s, err := startLatchkey(ctx, binary, p.env())
	if err != nil {
		return d, err
	}
	conn := load.NewConn(s.addr, nil)
	_, _, err = signIn(conn, templateEmail, "")
	conn.Close()
	if err := errors.Join(err, s.stop()); err != nil {
		return d, err
	}
	db, err := p.open(ctx)
	if err != nil {
		return d, err
	}
	d = dataset{began: time.Now().UTC(), master: p.master}
	err = db.Read(ctx, func(tx *store.Tx) error {
		if d.user, err = tx.UserByEmail(templateEmail); err != nil {
			return err
		}
		all, err := tx.AllSessions(d.user.ID)
		if err == nil && len(all) == 0 {
			err = errors.New("no session was made")
		}
		if err == nil {
			d.session = all[0]
		}
		return err
	})
	return d, errors.Join(err, db.Close())
}

func (d dataset) insertUser(tx *store.Tx, n int) error {
	u := d.user
	u.ID, u.Email, u.CreatedAt = d.userID(n), d.email(n), d.made(n, d.users)
	u.ChangedAt, u.VerifiedAt = u.CreatedAt, u.CreatedAt
	return tx.InsertUser(u)
}

func (d dataset) insertSession(tx *store.Tx, n int) error {
	s := d.session
	made := d.made(n, d.sessions())
	s.ID, s.UserID, s.CreatedAt, s.RotatedAt = d.sessionID(n), d.userID(n%d.users), made, made
	s.IdleExpiresAt = made.Add(d.session.IdleExpiresAt.Sub(d.session.CreatedAt))
	s.OverallExpiresAt = made.Add(d.session.OverallExpiresAt.Sub(d.session.CreatedAt))
	if apps := shareOut(d.users).apps; n%d.users >= apps.from && n%d.users < apps.to {
		s.Kind, s.Client = "oauth", appAlias
	}
	tx.InsertSession(s)
	return nil
}

// fill adds rows in large transactions and returns the size of the database at rest.
func fill(ctx context.Context, p place, rows int, insert func(*store.Tx, int) error) (size int64, err error) {
	db, err := p.open(ctx)
	if err != nil {
		return 0, err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(seedersAtOnce)
	for from := 0; from < rows && groupCtx.Err() == nil; from += seedBatch {
		group.Go(func() error {
			return db.Write(groupCtx, func(tx *store.Tx) error {
				for n := from; n < min(from+seedBatch, rows); n++ {
					if err := insert(tx, n); err != nil {
						return fmt.Errorf("row %d: %w", n, err)
					}
				}
				return nil
			})
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err(), db.Close(), p.settle(ctx)); err != nil {
		return 0, err
	}
	return p.size(ctx)
}

// ask sends a request whose answer must be 200.
func ask(conn *load.Conn, r load.Request) (load.Answer, error) {
	a, err := conn.Do(r)
	if err == nil {
		err = wantStatus(a, http.StatusOK)
	}
	return a, err
}

func wantStatus(a load.Answer, want int) error {
	if a.Status != want {
		return fmt.Errorf("status %d: %s", a.Status, a.Body[:min(len(a.Body), 300)])
	}
	return nil
}

// signIn returns the body of the answer and the device token.
func signIn(conn *load.Conn, email, device string) (body []byte, newDevice string, err error) {
	a, err := ask(conn, load.Request{
		Method: http.MethodPost, Path: "/auth/signin", Device: device,
		Body: `{"email":"` + email + `","password":"` + passwordText + `"}`,
	})
	return a.Body, a.Header.Get("X-Latchkey-Device"), err
}
