package store_test

// Every number in the schema that may be a moment, and what becomes of one that a clock ahead has written, once the
// clock is put right. A new column fails the test until somebody has decided.

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

const (
	settled  = "settled: SettleClock of internal/upkeep has a rule for it"
	within   = "bounded: whoever compares it takes a distance in either direction, or what lies ahead for none"
	shown    = "shown or sorted by only: it is read late for a while, and nothing waits for it"
	isNull   = "compared with NULL only: that it is set counts, not when"
	longer   = "an end: what it ends is kept, or lives, longer by as much as the clock was ahead"
	nobody   = "a clock set back makes nobody late: judge of internal/auth, and Rotate"
	unread   = "read by nodes of v0.0.1 alone, which believe one_time_links first, where it is settled"
	noMoment = "no moment: a count, a number or a distance"
)

var moments = map[string]string{
	"schema_migrations.version":    noMoment,
	"schema_migrations.applied_at": shown,

	"users.epoch":        noMoment,
	"users.changed_at":   settled, // links have to be newer
	"users.created_at":   shown,
	"users.verified_at":  isNull,
	"users.disabled_at":  isNull,
	"users.signed_in_at": isNull,
	"users.notified_at":  within, // NoteNotified

	"sessions.generation":         noMoment,
	"sessions.burst_from":         noMoment,
	"sessions.prev_from":          noMoment,
	"sessions.late_run":           noMoment,
	"sessions.rotated_at":         nobody, // the next refresh writes it anew
	"sessions.burst_at":           nobody,
	"sessions.prev_at":            nobody,
	"sessions.idle_expires_at":    longer, // the next refresh writes it anew
	"sessions.overall_expires_at": longer, // I16: no statement updates it
	"sessions.created_at":         within, // EndSessionsBefore
	"sessions.ended_at":           longer, // kept for 30 days from then
	"sessions.auth_time":          within, // a max_age asks once more; the overall limit is the row's own

	"codes.epoch":         noMoment,
	"codes.auth_time":     shown,
	"codes.created_at":    shown,
	"codes.expires_at":    longer, // and no longer than its page session and the user's epoch
	"codes.spent_at":      within, // refuseSpent of internal/auth: a repeat of the future is forgiven
	"consents.granted_at": shown,
	"app_ends.ended_at":   longer,
	"flows.expires_at":    longer,

	"logouts.created_at":  longer, // a day to tell, and a month to be remembered
	"logouts.next_try_at": settled,
	"logouts.tries":       noMoment,
	"logouts.ended_at":    isNull,

	"ended_sessions.ended_at": longer,
	"devices.seen_at":         shown, // the longest unseen goes: one seen ahead stays longer

	"one_time_links.requested_at":  settled,
	"one_time_links.expires_at":    settled, // with requested_at
	"one_time_links.used_at":       isNull,
	"one_time_links.verified_at":   within, // shownJustNow of internal/auth
	"one_time_tokens.requested_at": unread,
	"one_time_tokens.expires_at":   unread,
	"one_time_tokens.used_at":      unread,
	"one_time_tokens.verified_at":  unread,

	"outbox.created_at":  settled, // of requests; a notice tells when something was
	"outbox.expires_at":  settled, // with created_at
	"outbox.next_try_at": settled,
	"outbox.tries":       noMoment,
	"outbox.ended_at":    longer,

	"mail_budgets.sent_1": settled,
	"mail_budgets.sent_2": settled,
	"mail_budgets.sent_3": settled,
	"mail_budgets.sent_4": settled,
	"mail_budgets.sent_5": settled,

	"attempts.failures":         noMoment,
	"attempts.not_before":       settled,
	"attempts.last_at":          settled,
	"attempt_networks.failures": noMoment,
	"rates.tat":                 settled,
	"rates.reach":               noMoment,

	"signing_keys.created_at":   settled,
	"signing_keys.use_from":     settled,
	"signing_keys.retire_at":    longer, // of a key that signs no more
	"master_keys.first_seen_at": shown,

	"audit_events.at":       longer, // read late in `audit export`, and swept later
	"audit_events.times":    noMoment,
	"nodes.seen_at":         settled,
	"hash_costs.accounts":   noMoment,
	"hash_costs.counted_at": within, // Costs.Count of internal/hashcosts
}

func TestEveryMomentIsDecided(t *testing.T) {
	const catalogueSQLite = `
		SELECT tables.name || '.' || columns.name
		FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
		WHERE tables.type = 'table' AND columns.type = 'BIGINT'`
	const cataloguePostgres = `
		SELECT table_name || '.' || column_name
		FROM information_schema.columns
		WHERE table_schema = current_schema() AND data_type NOT IN ('text', 'bytea', 'boolean')`
	var decided []string
	for column := range moments {
		decided = append(decided, column)
	}
	slices.Sort(decided)
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		s := db.Open(t)
		catalogue := catalogueSQLite
		if s.Engine() == "postgres" {
			catalogue = cataloguePostgres
		}
		columns := read(t, s, func(tx *store.Tx) ([]string, error) { return store.Column[string](tx, catalogue) })
		slices.Sort(columns)
		if diff := cmp.Diff(decided, columns); diff != "" {
			t.Errorf("(-decided +in the schema): say of each column what becomes of a moment that lies ahead\n%s", diff)
		}
	})
}
