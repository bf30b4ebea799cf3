package main

// Where the server's CPU time goes and what it allocates: the same load once more, under its profilers, so that
// the figures themselves are taken without. The profiles stay beside the report, for `go tool pprof`.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"latchkey/bench/load"
)

const profileFor = 2 * time.Second

// profiles takes a profile of each operation that a goal speaks of; the flood takes its own. Sign-in is
// the last: what it leaves to the collector would be counted to the next.
func (s *site) profiles(ctx context.Context) error {
	if !s.profile {
		return nil
	}
	if err := s.restart(ctx); err != nil { // the flood had settings of its own
		return err
	}
	for _, op := range []string{"refresh", "bearer", "list", "sign-out", "sign-in"} {
		acts, err := s.profiledActs(ctx, op)
		if err == nil {
			err = s.profiled(ctx, op, load.Window{Addr: s.addr}, acts)
		}
		if err != nil {
			return fmt.Errorf("profile %s: %w", op, err)
		}
	}
	return nil
}

func (s *site) profiledActs(ctx context.Context, op string) ([]load.Act, error) {
	switch op {
	case "sign-out":
		ending, err := s.endingChains(ctx)
		return once(ending, op, signOutOf), err
	case "sign-in":
		return s.signInActs(signers), nil
	}
	return s.actsOf(ctx, op, 64)
}

// profiled keeps a CPU profile and an allocation profile of a closed loop, both of the same seconds.
func (s *site) profiled(ctx context.Context, name string, w load.Window, acts []load.Act) error {
	dir := filepath.Join(s.out, "profiles")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, strings.NewReplacer(", ", "-", " ", "-").Replace(name+", "+s.engine))
	var fetching errgroup.Group
	w.For = profileFor + time.Second/2
	w.Began = func() {
		fetching.Go(func() error { return s.fetchProfile(ctx, "profile", file+".cpu.pprof") })
		fetching.Go(func() error { return s.fetchProfile(ctx, "allocs", file+".allocs.pprof") })
	}
	load.Closed(ctx, w, acts)
	s.say("profiled %s: %s.*", name, file)
	return fetching.Wait()
}

// fetchProfile asks the admin listener for what happens in the next seconds.
func (s *site) fetchProfile(ctx context.Context, name, file string) error {
	ctx, cancel := context.WithTimeout(ctx, profileFor+30*time.Second)
	defer cancel()
	url := fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", s.admin, name, int(profileFor.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, res.Body)
	return errors.Join(err, f.Close())
}
