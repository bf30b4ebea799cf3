package store_test

// How the engines find their rows: what is done often, or on a large table, walks none.

import (
	"slices"
	"strings"
	"testing"
	"time"

	"latchkey/internal/store"
)

// What every request does must find its rows by an index, whatever the tables' size.
func TestHotStatementsScanNoTable(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		u, session := fill(t, s)
		token := store.OneTimeToken{Purpose: "reset", Email: u.Email, Hash: []byte("h"), RequestID: newID(), RequestedAt: now.Add(time.Hour), ExpiresAt: now.Add(2 * time.Hour)}
		var claimed store.Mail
		var due []store.DueMail
		long := now.Add(-40 * 24 * time.Hour)
		hot := []hotStatement{
			{"rotate", func(tx *store.Tx) error {
				_, err := tx.Rotate(rotateParams(session.ID, 1, 1, now), now)
				return err
			}},
			{"refreshed by id", func(tx *store.Tx) error { _, err := tx.RefreshStateByID(session.ID); return err }},
			{"mark late", func(tx *store.Tx) error { return tx.MarkLate(session.ID, 2) }},
			{"session by id", func(tx *store.Tx) error { _, err := tx.SessionByID(session.ID); return err }},
			{"live sessions", func(tx *store.Tx) error { _, err := tx.LiveSessions(u.ID, now); return err }},
			{"ended sessions", func(tx *store.Tx) error { _, err := tx.EndedSessions(u.ID, long, 20, now); return err }},
			{"user by email", func(tx *store.Tx) error { _, err := tx.UserByEmail(u.Email); return err }},
			{"user by id", func(tx *store.Tx) error { _, err := tx.UserByID(u.ID); return err }},
			{"take user", func(tx *store.Tx) error { _, err := tx.TakeUser(u.ID, 1); return err }},
			{"hold user", func(tx *store.Tx) error { _, err := tx.HoldUser(u.ID); return err }},
			{"hold user by email", func(tx *store.Tx) error { _, err := tx.HoldUserByEmail(u.Email); return err }},
			{"evict", func(tx *store.Tx) error { _, err := tx.EvictBrowsers(u.ID, session.ID, 50, "evicted", now); return err }},
			{"end reused", func(tx *store.Tx) error { return tx.EndReused(session.ID, 2, "refresh_reuse", now) }},
			{"end session", func(tx *store.Tx) error {
				if _, err := tx.EndSession(session.ID, u.ID, "revoked", now); !isNotFound(err) {
					return err
				}
				return nil
			}},
			{"end sessions", func(tx *store.Tx) error { _, err := tx.EndSessions(u.ID, "", "revoked", now); return err }},
			{"walk sessions", func(tx *store.Tx) error {
				_, _, err := tx.WalkSessions(session.ID, 10, 10, store.Age{Expired: now, Ended: now})
				return err
			}},
			{"sweep sessions", func(tx *store.Tx) error {
				return tx.SweepSessions(session.ID, session.ID, store.Age{Expired: now, Ended: now})
			}},
			{"put one-time", func(tx *store.Tx) error { return tx.PutOneTime(token) }},
			{"one-time", func(tx *store.Tx) error { _, err := tx.OneTime("reset", u.Email, token.Hash); return err }},
			{"shown one-times", func(tx *store.Tx) error { _, err := tx.ShownOneTimes("reset", u.Email); return err }},
			{"spend one-times", func(tx *store.Tx) error { tx.SpendOneTimes("verify", u.Email, now); return nil }},
			{"note verified", func(tx *store.Tx) error { return tx.NoteVerified("reset", u.Email, token.Hash, "net", now) }},
			{"spend one-time", func(tx *store.Tx) error { return tx.SpendOneTime("reset", u.Email, token.Hash, "", now) }},
			{"drop one-time", func(tx *store.Tx) error { tx.DropOneTime("reset", u.Email); return nil }},
			{"take mail budget", func(tx *store.Tx) error {
				_, err := tx.TakeMailBudget([]byte("key"), time.Minute, time.Hour, now)
				return err
			}},
			{"clear mail budget", func(tx *store.Tx) error { tx.ClearMailBudget([]byte("key")); return nil }},
			{"attempts", func(tx *store.Tx) error { _, err := tx.Attempts(key); return err }},
			{"count failure", func(tx *store.Tx) error { _, err := tx.CountFailure(key, now, 100, 100, now); return err }},
			{"delay attempts", func(tx *store.Tx) error { return tx.DelayAttempts(key, now) }},
			{"note network", func(tx *store.Tx) error { tx.NoteNetwork(key, key, 1); return nil }},
			{"take back", func(tx *store.Tx) error { tx.TakeBack(key, key); return nil }},
			{"clear attempts", func(tx *store.Tx) error { tx.ClearAttempts(key); return nil }},
			{"rate", func(tx *store.Tx) error { _, err := tx.Rates(store.Rate{Key: key}); return err }},
			{"take rate", func(tx *store.Tx) error { _, err := takeRate(tx, key, time.Minute, now, now); return err }},
			{"audit events", func(tx *store.Tx) error { _, err := tx.AuditEvents(now.Add(time.Hour), "", 100); return err }},
			{"audit events of a user", func(tx *store.Tx) error { _, err := tx.AuditEventsOf(u.ID, never, "", 100); return err }},
			{"count audit", func(tx *store.Tx) error { tx.CountAudit(newEvent(u.ID, now)); return nil }},
			{"set language", func(tx *store.Tx) error { return tx.SetLanguage(u.ID, "en") }},
			{"note sign-in", func(tx *store.Tx) error { return tx.NoteSignIn(u.ID, now) }},
			{"note notified", func(tx *store.Tx) error { _, err := tx.NoteNotified(u.ID, time.Hour, time.Minute, now); return err }},
			{"due mails", func(tx *store.Tx) (err error) {
				due, err = tx.DueMails(now, 50)
				return err
			}},
			{"due mail of a domain", func(tx *store.Tx) error { _, err := tx.DueMailOf("b", false, now); return err }},
			{"first try of a domain", func(tx *store.Tx) error { _, err := tx.DueMailOf("b", true, now); return err }},
			{"domains due", func(tx *store.Tx) error { _, err := tx.DomainsDue(false, "", 50); return err }},
			{"domains of first tries", func(tx *store.Tx) error { _, err := tx.DomainsDue(true, "", 50); return err }},
			{"claim mail", func(tx *store.Tx) (err error) {
				claimed, err = tx.ClaimMail(due[0], now.Add(time.Minute))
				return err
			}},
			{"end mail", func(tx *store.Tx) error { return tx.EndMail(claimed, "sent", "", now) }},
			{"mails to", func(tx *store.Tx) error { _, err := tx.MailsTo([]byte("mac"), false, 10); return err }},
			{"wipe mail", func(tx *store.Tx) error { _, err := tx.WipeMail(long, 10); return err }},
			{"waiting mail", func(tx *store.Tx) error { _, _, err := tx.WaitingMail(); return err }},
			{"all sessions", func(tx *store.Tx) error { _, err := tx.AllSessions(u.ID); return err }},
			{"end sessions before", func(tx *store.Tx) error {
				_, err := tx.EndSessionsBefore(u.ID, "", now, "revoked", time.Minute, now)
				return err
			}},
			{"hash prefixes", func(tx *store.Tx) error { _, _, err := tx.HashPrefixes("m", 10); return err }},
			{"walk signed in", func(tx *store.Tx) error {
				_, err := tx.WalkSignedIn(store.SignedIn{UserID: "m", ID: "m"}, "", now, time.Minute, now, 20)
				return err
			}},
			{"count live sessions", func(tx *store.Tx) error { _, _, err := tx.CountLiveSessions("m", 20, now); return err }},
			{"users after", func(tx *store.Tx) error { _, err := tx.UsersAfter("m", 10); return err }},
			{"sweep mail", func(tx *store.Tx) error { _, err := tx.SweepMail(long, 10); return err }},
			{"sweep one-time", func(tx *store.Tx) error { _, err := tx.SweepOneTime(long, 10); return err }},
			{"sweep mail budgets", func(tx *store.Tx) error { _, err := tx.SweepMailBudgets(long, 10); return err }},
			{"sweep audit", func(tx *store.Tx) error { _, err := tx.SweepAudit(long, 10); return err }},
			{"sweep attempts", func(tx *store.Tx) error { _, err := tx.SweepAttempts(long, 100, 10); return err }},
			{"sweep rates", func(tx *store.Tx) error { _, err := tx.SweepRates(long, 10); return err }},
		}
		for _, c := range slices.Concat(hot, hotOfApps(u, session, key), hotOfThePast(u, session), hotOfLogouts()) {
			var plan string
			write(t, s, func(tx *store.Tx) (err error) {
				plan, err = store.Explain(tx, c.run)
				return err
			})
			for _, walk := range walks(plan) {
				t.Errorf("%s walks: %s\nin\n%s", c.name, walk, plan)
			}
		}
		slow := read(t, s, func(tx *store.Tx) (string, error) {
			return store.Explain(tx, func(tx *store.Tx) error { _, err := tx.KeyUse("k1", now); return err })
		})
		if len(walks(slow)) == 0 {
			t.Errorf("counting all sessions walks no table? The plans were misread:\n%s", slow)
		}
	})
}

// hotStatement is a statement, or a few, that must walk no table.
type hotStatement struct {
	name string
	run  func(*store.Tx) error
}

// hotOfApps are those of apps and the page sessions that they come from.
func hotOfApps(u store.User, session store.Session, key []byte) []hotStatement {
	long := now.Add(-40 * 24 * time.Hour)
	return []hotStatement{
		{"evict children", func(tx *store.Tx) error {
			_, err := tx.EvictChildren(u.ID, session.ID, "shop", session.ID, 10, "evicted", now)
			return err
		}},
		{"end children", func(tx *store.Tx) error { _, err := tx.EndChildren(u.ID, session.ID, "revoked", now); return err }},
		{"end orphans", func(tx *store.Tx) error { _, err := tx.EndOrphans(u.ID, "revoked", now); return err }},
		{"end other browsers", func(tx *store.Tx) error {
			_, err := tx.EndOtherBrowsers(u.ID, session.ID, "revoked", now)
			return err
		}},
		{"take over", func(tx *store.Tx) error { tx.TakeOver(u.ID, "another", session.ID); return nil }},
		{"note app end", func(tx *store.Tx) error { tx.NoteAppEnd(session.ID, "shop", now); return nil }},
		{"app ended", func(tx *store.Tx) error { _, err := tx.AppEnded(session.ID, "shop"); return err }},
		{"forget app end", func(tx *store.Tx) error { tx.ForgetAppEnd(session.ID, "shop"); return nil }},
		{"sweep app ends", func(tx *store.Tx) error { _, err := tx.SweepAppEnds(long, 10); return err }},
		{"code by hash", func(tx *store.Tx) error {
			if _, err := tx.CodeByHash(key); !isNotFound(err) {
				return err
			}
			return nil
		}},
		{"spend code", func(tx *store.Tx) error {
			if _, err := tx.SpendCode(key, session.ID, now); !isNotFound(err) {
				return err
			}
			return nil
		}},
		{"drop codes", func(tx *store.Tx) error { tx.DropCodes(u.ID, "shop", ""); return nil }},
		{"sweep codes", func(tx *store.Tx) error { _, err := tx.SweepCodes(long, 10); return err }},
		{"flow by hash", func(tx *store.Tx) error { _, err := tx.FlowByHash([]byte(u.ID)); return err }},
		{"sweep flows", func(tx *store.Tx) error { _, err := tx.SweepFlows(long, 10); return err }},
		{"consents", func(tx *store.Tx) error { _, err := tx.Consents(u.ID); return err }},
		{"end sessions of", func(tx *store.Tx) error {
			_, err := tx.EndSessionsOf(u.ID, "shop", "oauth", "revoked", now)
			return err
		}},
	}
}

// hotOfThePast are those about where a user has signed in and what has ended.
func hotOfThePast(u store.User, session store.Session) []hotStatement {
	long := now.Add(-40 * 24 * time.Hour)
	return []hotStatement{
		{"devices", func(tx *store.Tx) error { _, err := tx.Devices(u.ID); return err }},
		{"insert device", func(tx *store.Tx) error { tx.InsertDevice(newDevice(u.ID, now), 50); return nil }},
		{"see device", func(tx *store.Tx) error {
			if err := tx.SeeDevice(newDevice(u.ID, now)); !isNotFound(err) {
				return err
			}
			return nil
		}},
		{"session ever", func(tx *store.Tx) error {
			if _, err := tx.SessionEverByID("nobody's"); !isNotFound(err) {
				return err
			}
			return nil
		}},
		{"set kind", func(tx *store.Tx) error {
			if err := tx.SetKind(session.ID, "x", "y"); !isNotFound(err) {
				return err
			}
			return nil
		}},
		{"trim ended", func(tx *store.Tx) error { _, err := tx.TrimEnded(u.ID, 1, 100, now.Add(time.Hour)); return err }},
		{"recent ends", func(tx *store.Tx) error { _, err := tx.RecentEnds(now, 10_001); return err }},
		{"walk ended", func(tx *store.Tx) error { _, _, err := tx.WalkEnded(u.ID, 10, 200); return err }},
		{"sweep ended", func(tx *store.Tx) error { _, err := tx.SweepEnded(long, 10); return err }},
	}
}

// hotOfLogouts are those about what apps are to be told.
func hotOfLogouts() []hotStatement {
	var claimed store.Logout
	return []hotStatement{
		{"clients due", func(tx *store.Tx) error { _, err := tx.ClientsDue(); return err }},
		{"claim logout", func(tx *store.Tx) (err error) {
			claimed, err = tx.ClaimLogout("shop", now, now.Add(time.Minute))
			return err
		}},
		{"end logout", func(tx *store.Tx) error { return tx.EndLogout(claimed, "delivered", "", now) }},
		{"end logouts of a client", func(tx *store.Tx) error { _, err := tx.EndLogoutsOf("shop", "none", now, 10); return err }},
		{"waiting logouts", func(tx *store.Tx) error { _, _, err := tx.WaitingLogouts(); return err }},
		{"settle logouts", func(tx *store.Tx) error { _, err := tx.SettleLogouts(now.Add(time.Hour), now, 10); return err }},
		{"sweep logouts", func(tx *store.Tx) error { _, err := tx.SweepLogouts(never.Add(time.Second), 10); return err }},
	}
}

// walks are the lines of a plan that visit more than a condition on an index selects. SQLite says SEARCH
// where it goes straight to the rows, PostgreSQL gives such a scan an Index Cond.
func walks(plan string) (found []string) {
	lines := strings.Split(plan, "\n")
	for i, line := range lines {
		index := strings.Contains(line, "Index Scan") || strings.Contains(line, "Index Only Scan")
		switch {
		case strings.Contains(line, "Seq Scan"),
			strings.HasPrefix(line, "SCAN ") && !strings.HasPrefix(line, "SCAN CONSTANT") && !strings.HasPrefix(line, "SCAN next"),
			index && (i+1 == len(lines) || !strings.Contains(lines[i+1], "Index Cond")):
			found = append(found, line)
		}
	}
	return found
}

// fill makes tables large enough that PostgreSQL thinks before it chooses, and returns one user with
// one of its sessions.
func fill(t *testing.T, s *store.Store) (u store.User, session store.Session) {
	t.Helper()
	const rows, bites = 1000, 40 // so that each transaction ends in time on a busy machine
	for bite := range bites {
		write(t, s, func(tx *store.Tx) error {
			for i := range rows / bites {
				u = newUser()
				session = newSession(u.ID)
				mail := newMail(now.Add(time.Duration(bite%10*rows/bites+i) * time.Second))
				token := store.OneTimeToken{Purpose: "reset", Email: u.Email, Hash: []byte(mail.ID), RequestID: mail.ID, RequestedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)}
				if _, err := tx.CountFailure([]byte(u.ID), now, 100, 100, now); err != nil {
					return err
				}
				tx.NoteNetwork([]byte(u.ID), []byte("network"), 2)
				if _, err := takeRate(tx, []byte(u.ID), time.Minute, now.Add(time.Hour), now); err != nil {
					return err
				}
				if _, err := tx.TakeMailBudget([]byte(u.ID), time.Minute, time.Hour, now); err != nil {
					return err
				}
				if err := tx.InsertUser(u); err != nil {
					return err
				}
				tx.InsertSession(session)
				app := newSession(u.ID)
				app.Kind, app.Parent, app.Client = "oauth", session.ID, "shop"
				tx.InsertSession(app)
				tx.InsertCode(newCode(u.ID, session.ID))
				tx.PutConsent(u.ID, store.Consent{Client: "shop", GrantedAt: now})
				tx.NoteAppEnd(session.ID, "shop", now)
				tx.InsertFlow([]byte(u.ID), "sealed", now.Add(time.Hour))
				tx.InsertDevice(newDevice(u.ID, now), 50)
				tx.InsertMail(mail)
				tx.InsertAudit(newEvent(u.ID, now))
				if err := tx.PutOneTime(token); err != nil {
					return err
				}
			}
			return nil
		})
	}
	write(t, s, func(tx *store.Tx) error {
		_, err := tx.Exec(`INSERT INTO ended_sessions (id, user_id, ended_at, end_reason) SELECT 'e' || id, user_id, created_at, 'admin' FROM sessions`)
		return err
	})
	write(t, s, func(tx *store.Tx) error { // each is known to a node of v0.0.1, too
		const columns = `purpose, email, hash, request_id, requested_at, expires_at, client, used_at, verified_at, verified_from`
		_, err := tx.Exec(`INSERT INTO one_time_tokens (` + columns + `) SELECT ` + columns + ` FROM one_time_links`)
		return err
	})
	write(t, s, func(tx *store.Tx) error { // most apps have been told
		_, err := tx.Exec(`
			INSERT INTO logouts (session_id, user_id, client, created_at, next_try_at, tries, ended_at, outcome, last_error)
			SELECT id, user_id, CASE WHEN id < user_id THEN 'desk' ELSE 'shop' END, created_at, created_at, 1, created_at, 'delivered', ''
			FROM sessions`)
		if err != nil {
			return err
		}
		_, err = tx.Exec(`UPDATE logouts SET ended_at = NULL, outcome = '' WHERE session_id LIKE '%0'`)
		return err
	})
	write(t, s, func(tx *store.Tx) error { // most mails have been sent
		_, err := tx.Exec(`UPDATE outbox SET ended_at = next_try_at, outcome = 'sent' WHERE next_try_at > $1`, now.Add(500*time.Millisecond))
		return err
	})
	analyze(t, s)
	return u, session
}

// analyze tells the engine what its tables hold: the test's own, since other tests have theirs in the same
// PostgreSQL database.
func analyze(t *testing.T, s *store.Store) {
	t.Helper()
	write(t, s, func(tx *store.Tx) error {
		own := []string{""} // all of the file
		if s.Engine() == "postgres" {
			var err error
			if own, err = store.Column[string](tx, `SELECT tablename FROM pg_tables WHERE schemaname = current_schema()`); err != nil {
				return err
			}
		}
		for _, table := range own {
			if _, err := tx.Exec("ANALYZE " + table); err != nil {
				return err
			}
		}
		return nil
	})
}
