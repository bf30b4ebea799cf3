package main

// Where the server's CPU time goes and what it allocates: the same load once more, under its profilers,
// so that the figures themselves are taken without.

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"latchkey/bench/load"
	"latchkey/bench/report"
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
	const callers = 64
	refresh, err := s.refreshActs(ctx, callers)
	if err != nil {
		return err
	}
	live, err := s.live(ctx)
	if err != nil {
		return err
	}
	ending, err := s.endingChains(ctx)
	if err != nil {
		return err
	}
	for _, p := range []struct {
		op   string
		acts []load.Act
	}{
		{"refresh", refresh},
		{"bearer", each(live, callers, "bearer", userinfo)},
		{"list", each(live, callers, "list", s.list)},
		{"sign-out", once(ending, "sign-out", signOutOf)},
		{"sign-in", s.signInActs(signers)},
	} {
		k := report.Key{Scenario: p.op, Engine: s.engine, Case: callersCase(len(p.acts))}
		if err := s.profiled(ctx, k, load.Window{Addr: s.addr}, p.acts); err != nil {
			return fmt.Errorf("profile %s: %w", p.op, err)
		}
	}
	return nil
}

// profiled notes a CPU profile and an allocation profile of a closed loop, both of the same seconds.
func (s *site) profiled(ctx context.Context, k report.Key, w load.Window, acts []load.Act) error {
	cpu, allocs := filepath.Join(s.dir, "cpu.pprof"), filepath.Join(s.dir, "allocs.pprof")
	var fetching errgroup.Group
	w.For = profileFor + time.Second/2
	w.Began = func() {
		fetching.Go(func() error { return s.fetchProfile(ctx, "profile", cpu) })
		fetching.Go(func() error { return s.fetchProfile(ctx, "allocs", allocs) })
	}
	done := load.Closed(ctx, w, acts)
	if err := fetching.Wait(); err != nil {
		return err
	}
	operations := 0.0
	for _, samples := range done {
		operations += float64(len(samples.Done)) * min(1, profileFor.Seconds()/samples.Window.Seconds())
	}
	p, err := readProfiles(ctx, cpu, allocs, operations)
	if err != nil {
		return err
	}
	p.Key = k
	s.results.Profiles = append(s.results.Profiles, p)
	s.say("profiled %s: %.0f bytes and %.0f objects an operation", k, p.Bytes, p.Objects)
	return nil
}

func readProfiles(ctx context.Context, cpu, allocs string, operations float64) (p report.Profile, err error) {
	traces, errTraces := pprof(ctx, cpu, "-traces")
	top, errTop := pprof(ctx, cpu, "-top", "-unit=ms")
	bytes, errBytes := pprof(ctx, allocs, "-top", "-sample_index=alloc_space", "-unit=B")
	objects, errObjects := pprof(ctx, allocs, "-top", "-sample_index=alloc_objects")
	p.Shares = sharesOf(traces)
	p.Functions = hottest(flatOf(top))
	flatBytes, flatObjects := flatOf(bytes), flatOf(objects)
	p.Bytes, p.Objects = sum(flatBytes)/max(operations, 1), sum(flatObjects)/max(operations, 1)
	p.Allocators = heaviest(flatBytes, flatObjects, operations)
	return p, errors.Join(errTraces, errTop, errBytes, errObjects)
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
