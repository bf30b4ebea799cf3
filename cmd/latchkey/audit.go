package main

// latchkey audit: what happened to whose account, and whether the database keeps its invariants.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/audit"
	"latchkey/internal/auth"
	"latchkey/internal/store"
)

const (
	auditPage   = 500              // events read at once
	tailEvery   = 1 * time.Second  // between two looks for new events
	tailOverlap = 10 * time.Second // how long a commit takes at most, and how far two nodes' clocks may differ
)

func (a *app) auditCommands() *cobra.Command {
	return group("audit", "Audit log: list, follow, export; check the database",
		a.auditList(), a.auditTail(), a.auditExport(), a.auditDatabase())
}

// happening is an audit event as it is printed.
type happening struct {
	ID        string   `json:"id"`
	At        api.Time `json:"at"`
	Kind      string   `json:"kind"`
	Outcome   string   `json:"outcome"`
	UserID    string   `json:"userId,omitempty"`
	SessionID string   `json:"sessionId,omitempty"`
	Addr      string   `json:"addr,omitempty"`
	UserAgent string   `json:"userAgent,omitempty"`
	RequestID string   `json:"requestId,omitempty"`
	Times     int64    `json:"times"`
}

func happeningOf(e store.AuditEvent) happening {
	return happening{e.ID, at(e.At), e.Kind, e.Outcome, e.UserID, e.SessionID, e.Addr, e.UserAgent, e.RequestID, e.Times}
}

func (h happening) columns() []string {
	return []string{stamp(h.At), h.Kind, h.Outcome, fmt.Sprint(h.Times), h.UserID, h.SessionID, h.Addr, h.RequestID}
}

const auditHeading = "AT KIND OUTCOME TIMES USER SESSION ADDRESS REQUEST"

// auditFlags are what list, tail and export take alike.
func auditFlags(cmd *cobra.Command) (query func() (audit.Query, error)) {
	since := cmd.Flags().String("since", "", "only what came later: a time (2026-11-23T08:00:00Z) or so long ago (36h)")
	user := cmd.Flags().String("user", "", "only the account with this email address or user `id`; an account that is deleted has only its id")
	kind := cmd.Flags().String("kind", "", "only this kind, such as sign_in; several with a comma between")
	address := cmd.Flags().String("address", "", "only from this network address or range (203.0.113.7, 203.0.113.0/24, 2001:db8::/48)")
	return func() (audit.Query, error) {
		q := audit.Query{User: *user, Limit: auditPage}
		err := narrow(&q, *kind, *address)
		if err == nil {
			q.Since, err = moment("since", *since)
		}
		return q, err
	}
}

// narrow reads what an event must be of and from.
func narrow(q *audit.Query, kind, address string) error {
	if kind != "" {
		for name := range strings.SplitSeq(kind, ",") {
			if !slices.Contains(audit.Kinds(), name) {
				return usageError{fmt.Errorf("--kind has %q: there are %s", name, strings.Join(audit.Kinds(), ", "))}
			}
			q.Kinds = append(q.Kinds, name)
		}
	}
	if address == "" {
		return nil
	}
	prefix, err := parsePrefix(address)
	if err != nil {
		return usageError{fmt.Errorf("--address is %q: write a network address or range, such as 203.0.113.7 or 203.0.113.0/24", address)}
	}
	q.From = prefix
	return nil
}

// moment reads a time, or how long ago; the zero time for nothing.
func moment(flag, value string) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(value); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, usageError{fmt.Errorf("--%s is %q: write a time like 2026-11-23T08:00:00Z, or how long ago like 36h", flag, value)}
	}
	return at, nil
}

// eachEvent hands every event that fits to do, page by page, and returns where a next look goes on.
func eachEvent(ctx context.Context, svc *auth.Service, q audit.Query, do func(happening) error) (audit.Query, error) {
	for {
		page, err := svc.AuditEvents(ctx, q)
		if err != nil {
			return q, err
		}
		for _, e := range page {
			if !q.Until.IsZero() && e.At.After(q.Until) {
				return q, nil
			}
			q.Since, q.After = e.At, e.ID
			if !q.Fits(e) {
				continue
			}
			if err := do(happeningOf(e)); err != nil {
				return q, err
			}
		}
		if len(page) < q.Limit {
			return q, nil
		}
	}
}

func (a *app) auditList() *cobra.Command {
	cmd := leaf("list", "List the audit log, oldest first", nil)
	query, asJSON := auditFlags(cmd), jsonFlag(cmd)
	limit := cmd.Flags().Int("limit", 0, "only so many, the newest; 0: all")
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		if *limit < 0 {
			return usageError{fmt.Errorf("--limit is %d: write a number from 1, or 0 for all", *limit)}
		}
		q, err := query()
		if err != nil {
			return err
		}
		var list []happening
		_, err = eachEvent(ctx, svc, q, func(h happening) error {
			if *limit > 0 && len(list) == *limit {
				list = slices.Delete(list, 0, 1)
			}
			list = append(list, h)
			return nil
		})
		if err != nil {
			return err
		}
		return listing(a, *asJSON, auditHeading, list)
	})
	return cmd
}

func (a *app) auditExport() *cobra.Command {
	cmd := leaf("export", "Write the audit log as JSON, an object a line", nil)
	query := auditFlags(cmd)
	after := cmd.Flags().String("after", "", "go on after the event with this `id`, the last of the export before; empty: from the beginning")
	cmd.Long = cmd.Short + `.

An event comes to light when its transaction commits, up to ten seconds after its time. With --after the last ten seconds
are left to the next export, so that a chain of exports, each going on after the last id of the one before, has every
event once. Begin the chain with --after "".`
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		q, err := query()
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("after") {
			if !q.Since.IsZero() {
				return usageError{errors.New("--after and --since are both given: keep one")}
			}
			if q, err = goOn(ctx, svc, q, *after); err != nil {
				return err
			}
		}
		_, err = eachEvent(ctx, svc, q, func(h happening) error { return a.printEvent(h, true) })
		return err
	})
	return cmd
}

// goOn makes q a link in a chain of exports: after the event with this id, up to what can no longer be preceded by an
// event that has yet to commit.
func goOn(ctx context.Context, svc *auth.Service, q audit.Query, id string) (audit.Query, error) {
	q.Until = time.Now().Add(-tailOverlap)
	err := svc.GoOnAfter(ctx, &q, id)
	return q, err
}

func (a *app) auditTail() *cobra.Command {
	cmd := leaf("tail", "Write the audit log as it grows, until interrupted", nil)
	query, asJSON := auditFlags(cmd), jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		q, err := query()
		if err != nil {
			return err
		}
		log, err := newFollower(ctx, svc, q)
		if err != nil {
			return err
		}
		for {
			if err := log.look(ctx, func(h happening) error { return a.printEvent(h, *asJSON) }); err != nil {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(tailEvery):
			}
		}
	})
	return cmd
}

// follower reads the log as it grows. An event's time is taken before its transaction commits, so one may
// come to light after others that are younger: what is not older than tailOverlap is read again at each
// look, and each event is handed over once.
type follower struct {
	svc   *auth.Service
	query audit.Query
	seen  map[string]time.Time // when it was, by id
}

// newFollower begins with what is there since the query's time; without one, with what comes to light
// from now on.
func newFollower(ctx context.Context, svc *auth.Service, q audit.Query) (*follower, error) {
	f := &follower{svc, q, map[string]time.Time{}}
	if !q.Since.IsZero() {
		return f, nil
	}
	f.query.Since = time.Now().Add(-tailOverlap)
	return f, f.look(ctx, func(happening) error { return nil })
}

// look hands over what has come to light since the last look.
func (f *follower) look(ctx context.Context, do func(happening) error) error {
	overlap := time.Now().Add(-tailOverlap)
	_, err := eachEvent(ctx, f.svc, f.query, func(h happening) error {
		if _, again := f.seen[h.ID]; again {
			return nil
		}
		f.seen[h.ID] = h.At.Time
		return do(h)
	})
	if err == nil && overlap.After(f.query.Since) {
		f.query.Since = overlap
		maps.DeleteFunc(f.seen, func(_ string, at time.Time) bool { return at.Before(overlap) })
	}
	return err
}

func (a *app) printEvent(h happening, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(a.stdout).Encode(h)
	}
	return a.say("%s %s %s x%d user=%s session=%s from=%s request=%s",
		stamp(h.At), h.Kind, h.Outcome, h.Times, h.UserID, h.SessionID, h.Addr, h.RequestID)
}

// breach is a broken invariant as it is printed.
type breach struct {
	Invariant string `json:"invariant"`
	What      string `json:"what"`
	ID        string `json:"id"`
}

func (b breach) columns() []string { return []string{b.Invariant, b.ID, b.What} }

func (a *app) auditDatabase() *cobra.Command {
	cmd := leaf("database", "Check that every row keeps the invariants; exit code 1 where one does not", nil)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		found, err := svc.Violations(ctx)
		if err != nil {
			return err
		}
		if len(found) == 0 && !*asJSON {
			return a.say("Every row keeps the invariants.")
		}
		err = listing(a, *asJSON, "INVARIANT ID WHAT", each(found, func(v store.Violation) breach { return breach(v) }))
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("%d rows break an invariant", len(found))
		}
		return err
	})
	return cmd
}
