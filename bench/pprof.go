package main

// Reading what `go tool pprof` prints.

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"latchkey/bench/report"
)

// pprof prints a profile in one of its forms. What is left out is what
// looking at the server costs.
func pprof(ctx context.Context, file string, form ...string) (string, error) {
	args := append([]string{"tool", "pprof", "-ignore=/pprof[.]|/promhttp[.]", "-nodefraction=0", "-edgefraction=0", "-nodecount=1000000"}, form...)
	out, err := exec.CommandContext(ctx, "go", append(args, file)...).Output()
	if err != nil {
		return "", fmt.Errorf("go tool pprof: %w", err)
	}
	return string(out), nil
}

// flatOf reads the output of pprof -top: what each function took by itself, in the unit printed.
func flatOf(top string) map[string]float64 {
	flat := map[string]float64{}
	_, lines, _ := strings.Cut(top, "cum%")
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if len(words) < 6 {
			continue
		}
		value, err := strconv.ParseFloat(strings.TrimRight(words[0], "Bms"), 64)
		if err == nil && value > 0 {
			flat[shortName(strings.Join(words[5:], " "))] += value
		}
	}
	return flat
}

// shortName leaves out a function's type parameters, which may be long.
func shortName(name string) string {
	name = strings.TrimSuffix(name, " (inline)")
	if from, to := strings.Index(name, "[go.shape."), strings.LastIndex(name, "]"); from >= 0 && to > from {
		name = name[:from] + "[…]" + name[to+1:]
	}
	return name
}

func sum(values map[string]float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// kept is how many functions of a profile go into the report.
const kept = 12

// hottest are the functions that took the most CPU time, by their shares.
func hottest(flat map[string]float64) []report.Site {
	total := max(sum(flat), 1e-9)
	var sites []report.Site
	for name, value := range flat {
		sites = append(sites, report.Site{Name: name, Share: value / total})
	}
	return largest(sites)
}

// heaviest are the functions that allocated the most bytes, for each of so many operations.
func heaviest(bytes, objects map[string]float64, operations float64) []report.Site {
	operations = max(operations, 1)
	var sites []report.Site
	for name, value := range bytes {
		sites = append(sites, report.Site{Name: name, Bytes: value / operations, Objects: objects[name] / operations})
	}
	return largest(sites)
}

func largest(sites []report.Site) []report.Site {
	slices.SortFunc(sites, func(a, b report.Site) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Name, b.Name))
	})
	return sites[:min(kept, len(sites))]
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
