package main

// A filled database with a server on it, and the clients of that server: sessions with their tokens.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"latchkey/bench/load"
)

// site is one engine's.
type site struct {
	*bench
	target
	place place
	data  dataset
	warm  []*chain // sessions that are refreshed again and again
	apps  []*chain // likewise, of an app
	parts parts

	browsers []*visitor // that are signed in to the pages

	device    string // that the flooded user has signed in from
	attackers int    // addresses that have flooded
}

// parts shares the users out, so that no scenario meets what another one left.
type parts struct {
	steady, ending, apps, signingIn, flooded span
	ended                                    int // users of ending that are used up
}

// span is a range of users.
type span struct{ from, to int }

func (s span) size() int { return s.to - s.from }

// at is a user of the span, round and round.
func (s span) at(i int) int { return s.from + i%s.size() }

func shareOut(users int) parts {
	a, b, c, d := users*25/100, users*80/100, users*85/100, users*95/100
	return parts{steady: span{0, a}, ending: span{a, b}, apps: span{b, c}, signingIn: span{c, d}, flooded: span{d, users}}
}

// newSite fills a database and starts a server on it.
func (b *bench) newSite(ctx context.Context, engine string, users int) (*site, seeded, error) {
	p, err := b.newPlace(engine)
	if err != nil {
		return nil, seeded{}, err
	}
	filled, err := seed(ctx, b.binary, p, users)
	if err != nil {
		return nil, seeded{}, fmt.Errorf("fill %s: %w", engine, err)
	}
	b.say("%s: %d users and %d sessions in %.1f s", engine, users, filled.data.sessions(), filled.took.Seconds())
	s := &site{bench: b, place: p, data: filled.data, parts: shareOut(users)}
	return s, filled, s.serve(ctx, "LATCHKEY_THROTTLE="+b.throttle)
}

// serve starts a server, with what settings say beside the defaults.
func (s *site) serve(ctx context.Context, settings ...string) error {
	clients, err := s.writeClients()
	if err != nil {
		return err
	}
	running, err := startLatchkey(ctx, s.binary, append(append(s.place.env(), clients), settings...))
	if err != nil {
		return err
	}
	postmaster, err := s.place.postmaster()
	if err != nil {
		return errors.Join(err, running.stop())
	}
	s.target = target{server: running, engine: s.place.engine, postmaster: postmaster}
	return nil
}

// restart stops the server and starts it with the settings of the run.
func (s *site) restart(ctx context.Context) error {
	if err := s.server.stop(); err != nil {
		return err
	}
	return s.serve(ctx, "LATCHKEY_THROTTLE="+s.throttle)
}

// close stops the server and removes the database.
func (s *site) close(ctx context.Context) error {
	return errors.Join(s.server.stop(), s.place.remove(context.WithoutCancel(ctx)))
}

// chain is a session and its current tokens. One caller at a time.
type chain struct {
	session int
	user    int
	refresh string
	access  string
	since   time.Time // of access
}

// chainOf is session n with the token that it began with.
func (s *site) chainOf(n int) (*chain, error) {
	t, err := s.data.refreshToken(n)
	return &chain{session: n, user: n % s.data.users, refresh: t}, err
}

// turn refreshes the session.
func (c *chain) turn(conn *load.Conn) error {
	a, err := ask(conn, load.Request{
		Method: http.MethodPost, Path: "/auth/refresh-token", Body: `{"refreshToken":"` + c.refresh + `"}`,
	})
	if err != nil {
		return err
	}
	refresh, access := textField(a.Body, "refresh_token"), textField(a.Body, "access_token")
	if refresh == "" || access == "" || refresh == c.refresh {
		return fmt.Errorf("no new tokens in %s", a.Body)
	}
	c.refresh, c.access, c.since = refresh, access, time.Now()
	return nil
}

// textField reads a field whose value has no escapes. It parses no JSON: the load program must be light.
func textField(body []byte, name string) string {
	_, rest, found := bytes.Cut(body, []byte(`"`+name+`":"`))
	end := bytes.IndexByte(rest, '"')
	if !found || end < 0 {
		return ""
	}
	return string(rest[:end])
}

// warmChains returns sessions of steady users, spread over the whole table, each refreshed once: from
// then on a refresh changes a row and adds none.
func (s *site) warmChains(ctx context.Context) ([]*chain, error) {
	if s.warm != nil {
		return s.warm, nil
	}
	users := s.parts.steady.size()
	n := min(warmSessions, users*sessionsPerUser)
	chains := make([]*chain, n)
	for i := range chains {
		user := int(int64(i) * int64(users) / int64(n))
		c, err := s.chainOf(i%sessionsPerUser*s.data.users + s.parts.steady.at(user))
		if err != nil {
			return nil, err
		}
		chains[i] = c
	}
	if err := s.turnAll(ctx, chains); err != nil {
		return nil, fmt.Errorf("warm sessions up: %w", err)
	}
	s.warm = chains
	return chains, nil
}

// turnAll refreshes each session once.
func (s *site) turnAll(ctx context.Context, chains []*chain) error {
	return s.eachOnce(ctx, chains, (*chain).turn)
}

// eachOnce does something to each session once.
func (s *site) eachOnce(ctx context.Context, chains []*chain, do func(*chain, *load.Conn) error) error {
	const callers = 64
	group, groupCtx := errgroup.WithContext(ctx)
	for i := range min(callers, len(chains)) {
		group.Go(func() error {
			conn := load.NewConn(s.addr, nil)
			defer conn.Close()
			for n := i; n < len(chains) && groupCtx.Err() == nil; n += callers {
				if err := do(chains[n], conn); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return errors.Join(group.Wait(), ctx.Err())
}

// live returns sessions with access tokens that stay good for the next minutes.
func (s *site) live(ctx context.Context) ([]*chain, error) {
	chains, err := s.warmChains(ctx)
	if err != nil {
		return nil, err
	}
	chains = chains[:min(liveTokens, len(chains))]
	var old []*chain
	for _, c := range chains {
		if time.Since(c.since) > 5*time.Minute {
			old = append(old, c)
		}
	}
	return chains, s.turnAll(ctx, old)
}
