package main

// Where the server's CPU time goes: the same load once more, under its profiler, so that the figures
// themselves are taken without.

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"latchkey/bench/load"
	"latchkey/bench/report"
)

const profileFor = 3 * time.Second

func (s *site) profiles(ctx context.Context) error {
	if !s.profile {
		return nil
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
	for _, p := range []struct {
		op   string
		acts []load.Act
	}{
		{"refresh", refresh},
		{"bearer", each(live, callers, "bearer", userinfo)},
		{"list", each(live, callers, "list", s.list)},
	} {
		parts, err := s.profiled(ctx, p.op, p.acts)
		if err != nil {
			return fmt.Errorf("profile %s: %w", p.op, err)
		}
		s.results.Profiles = append(s.results.Profiles, report.Profile{Key: report.Key{Scenario: p.op, Engine: s.engine, Case: callersCase(callers)}, Shares: parts})
	}
	return nil
}

func (s *site) profiled(ctx context.Context, op string, acts []load.Act) (map[string]float64, error) {
	file := filepath.Join(s.dir, op+"-"+strings.ToLower(s.engine)+".pprof")
	got := make(chan error, 1)
	go func() { got <- s.fetchProfile(ctx, file) }()
	load.Closed(ctx, load.Window{Addr: s.addr, For: profileFor + time.Second/2}, acts)
	if err := <-got; err != nil {
		return nil, err
	}
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", file).Output()
	if err != nil {
		return nil, fmt.Errorf("go tool pprof: %w", err)
	}
	return sharesOf(string(out)), nil
}

func (s *site) fetchProfile(ctx context.Context, file string) error {
	ctx, cancel := context.WithTimeout(ctx, profileFor+30*time.Second)
	defer cancel()
	url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", s.admin, int(profileFor.Seconds()))
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
	defer f.Close()
	_, err = io.Copy(f, res.Body)
	return err
}

// charged names who is charged for a sample: the innermost frame that begins with one of these.
var charged = []struct{ prefix, part string }{
	{"runtime.mallocgc", "memory"}, {"runtime.gc", "memory"}, {"runtime.bgsweep", "memory"}, {"runtime.bgscavenge", "memory"},
	{"runtime.growslice", "memory"}, {"runtime.newobject", "memory"}, {"runtime.makeslice", "memory"},
	{"runtime.schedule", "scheduling"}, {"runtime.findRunnable", "scheduling"}, {"runtime.mcall", "scheduling"},
	{"runtime.mstart", "scheduling"}, {"runtime.goready", "scheduling"}, {"runtime.ready", "scheduling"},
	{"github.com/ncruces/", "SQLite"}, {"github.com/jackc/", "pgx"},
	{"crypto/", "cryptography"}, {"golang.org/x/crypto/", "cryptography"},
	{"github.com/go-json-experiment/", "JSON"}, {"encoding/json", "JSON"}, {"encoding/base64", "cryptography"},
	{"github.com/go-jose/", "cryptography"}, {"github.com/google/uuid", "cryptography"},
	{"log/slog", "log"}, {"github.com/prometheus/", "metrics"}, {"github.com/mileusna/", "user agent"},
	{"net.(*conn)", "network"}, {"net.(*netFD)", "network"}, {"net/http.", "net/http"}, {"net/textproto.", "net/http"},
	{"latchkey/internal/store", "internal/store"}, {"latchkey/internal/auth", "internal/auth"},
	{"latchkey/internal/token", "internal/token"}, {"latchkey/internal/server", "internal/server"},
}

// sharesOf reads the output of pprof -traces: for each sample its time and its stack, innermost first.
func sharesOf(traces string) map[string]float64 {
	shares, total := map[string]float64{}, 0.0
	for trace := range strings.SplitSeq(traces, "-----------+") {
		lines := strings.Split(trace, "\n")[1:]
		var took time.Duration
		part := "other"
		for i, line := range lines {
			words := strings.Fields(line)
			if len(words) > 1 && i == 0 {
				took, _ = time.ParseDuration(words[0])
				words = words[1:]
			}
			if len(words) == 0 {
				continue
			}
			if p := partOf(words[0]); p != "" {
				part = p
				break
			}
		}
		shares[part] += took.Seconds()
		total += took.Seconds()
	}
	for part := range shares {
		shares[part] /= max(total, 1e-9)
	}
	return shares
}

func partOf(frame string) string {
	for _, p := range charged {
		if strings.HasPrefix(frame, p.prefix) {
			return p.part
		}
	}
	return ""
}
