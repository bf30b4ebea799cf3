package main

// latchkey audit: what happened to whose account, and whether the database keeps its invariants.

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
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

func happeningOf(e auth.AuditEvent) happening {
	return happening{e.ID, at(e.At), e.Kind, e.Outcome, e.UserID, e.SessionID, e.Addr, e.UserAgent, e.RequestID, e.Times}
}

func (h happening) columns() []string {
	return []string{stamp(h.At), h.Kind, h.Outcome, fmt.Sprint(h.Times), h.UserID, h.SessionID, h.Addr, h.RequestID}
}

const auditHeading = "AT KIND OUTCOME TIMES USER SESSION ADDRESS REQUEST"

// auditFlags are what list, tail and export take alike.
func auditFlags(cmd *cobra.Command) (query func() (auth.AuditQuery, error)) {
	since := cmd.Flags().String("since", "", "only what came later: a time (2026-11-23T08:00:00Z) or so long ago (36h)")
	user := cmd.Flags().String("user", "", "only the account with this e-mail address or user `id`; an account that is deleted has only its id")
	return func() (auth.AuditQuery, error) {
		q := auth.AuditQuery{User: *user, Limit: auditPage}
		if *since == "" {
			return q, nil
		}
		if ago, err := time.ParseDuration(*since); err == nil && ago >= 0 {
			q.Since = time.Now().Add(-ago)
			return q, nil
		}
		at, err := time.Parse(time.RFC3339, *since)
		if err != nil {
			return q, usageError{fmt.Errorf("--since is %q: write a time like 2026-11-23T08:00:00Z, or how long ago like 36h", *since)}
		}
		q.Since = at
		return q, nil
	}
}

// eachEvent hands every event that fits to do, page by page, and returns where a next look goes on.
func eachEvent(ctx context.Context, svc *auth.Service, q auth.AuditQuery, do func(happening) error) (auth.AuditQuery, error) {
	for {
		page, err := svc.AuditEvents(ctx, q)
		if err != nil {
			return q, err
		}
		for _, e := range page {
			if err := do(happeningOf(e)); err != nil {
				return q, err
			}
			q.Since, q.After = e.At, e.ID
		}
		if len(page) < q.Limit {
			return q, nil
		}
	}
}

func (a *app) auditList() *cobra.Command {
	cmd := leaf("list", "List the audit log, oldest first", nil)
	query, asJSON := auditFlags(cmd), jsonFlag(cmd)
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		q, err := query()
		if err != nil {
			return err
		}
		var list []happening
		_, err = eachEvent(ctx, svc, q, func(h happening) error {
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
	cmd.RunE = a.withService(wantCurrent, func(ctx context.Context, svc *auth.Service) error {
		q, err := query()
		if err != nil {
			return err
		}
		_, err = eachEvent(ctx, svc, q, func(h happening) error { return a.printEvent(h, true) })
		return err
	})
	return cmd
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
	query auth.AuditQuery
	seen  map[string]time.Time // when it was, by id
}

// newFollower begins with what is there since the query's time; without one, with what comes to light
// from now on.
func newFollower(ctx context.Context, svc *auth.Service, q auth.AuditQuery) (*follower, error) {
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
		err = listing(a, *asJSON, "INVARIANT ID WHAT", each(found, func(v auth.Violation) breach { return breach(v) }))
		if err == nil && len(found) > 0 {
			err = fmt.Errorf("%d rows break an invariant", len(found))
		}
		return err
	})
	return cmd
}
