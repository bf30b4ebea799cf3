package store_test

// Browsers: what ends, moves and counts together.

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

// page and child edit a session into a page session, and into one that came from it.
func page(x *store.Session) { x.Kind = "page" }

func child(of store.Session, client string) func(*store.Session) {
	return func(x *store.Session) { x.Kind, x.Parent, x.Client = "oauth", of.ID, client }
}

// reasons says why each session ended; empty for one that lives.
func reasons(t *testing.T, s *store.Store, ids ...string) (list []string) {
	t.Helper()
	for _, id := range ids {
		list = append(list, sessionByID(t, s, id).EndReason)
	}
	return list
}

func TestChildrenEndWithTheirPage(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		mine, others := addSession(t, s, user, page), addSession(t, s, user, page)
		a, b := addSession(t, s, user, child(mine, "a")), addSession(t, s, user, child(mine, "b"))
		c, api := addSession(t, s, user, child(others, "c")), addSession(t, s, user)
		foreign := addSession(t, s, newID(), child(mine, "a"))
		all := []string{mine.ID, others.ID, a.ID, b.ID, c.ID, api.ID, foreign.ID}
		var ids []string
		write(t, s, func(tx *store.Tx) (err error) {
			ids, err = tx.EndChildren(user, mine.ID, "signed_out_elsewhere", now)
			return err
		})
		slices.Sort(ids)
		if diff := cmp.Diff([]string{a.ID, b.ID}, ids); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		want := []string{"", "", "signed_out_elsewhere", "signed_out_elsewhere", "", "", ""}
		if diff := cmp.Diff(want, reasons(t, s, all...)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { _, err := tx.EndChildren(user, "", "x", now); return err })
		if diff := cmp.Diff(want, reasons(t, s, all...)); diff != "" {
			t.Errorf("of no page (-want +got):\n%s", diff)
		}
	})
}

// A page session that expired leaves its children alone; one that anything else ended takes them along, whoever ended it.
func TestEndOrphans(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		var ended, left []string
		for _, reason := range []string{"signed_out", "revoked", "admin", "evicted", "", "expired_idle", "expired_overall"} {
			parent := addSession(t, s, user, page, func(x *store.Session) {
				if x.EndReason = reason; reason != "" {
					x.EndedAt = now
				}
			})
			id := addSession(t, s, user, child(parent, "a")).ID
			if reason == "" || reason == "expired_idle" || reason == "expired_overall" {
				left = append(left, id)
			} else {
				ended = append(ended, id)
			}
		}
		var ids []string
		write(t, s, func(tx *store.Tx) (err error) {
			ids, err = tx.EndOrphans(user, "signed_out_elsewhere", now)
			return err
		})
		slices.Sort(ids)
		if diff := cmp.Diff(ended, ids); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"", "", ""}, reasons(t, s, left...)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// The sweep ends what a server of the release before left behind.
func TestSweepEndsOrphans(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		parent := addSession(t, s, user, page, func(x *store.Session) { x.EndedAt, x.EndReason = now, "signed_out" })
		orphan, other := addSession(t, s, user, child(parent, "a")), addSession(t, s, user)
		old := store.Age{Expired: now.Add(-time.Hour), Ended: now.Add(-time.Hour), Now: now}
		var stale []string
		write(t, s, func(tx *store.Tx) (err error) {
			_, stale, err = tx.WalkSessions("", 100, 100, old)
			return err
		})
		if diff := cmp.Diff([]string{orphan.ID}, stale); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		write(t, s, func(tx *store.Tx) error { return tx.SweepSessions(orphan.ID, orphan.ID, old) })
		if diff := cmp.Diff([]string{"signed_out", "signed_out_elsewhere", ""}, reasons(t, s, parent.ID, orphan.ID, other.ID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// What a rule keeps alone goes on without its page session; what keeps a browser keeps its children.
func TestKeptSessions(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		for _, tt := range []struct {
			name string
			end  func(tx *store.Tx, user, page, child string) error
			want []string // page, the child, another child, another session
			left string   // the child's parent, where it lives
		}{
			{"all but a child", func(tx *store.Tx, user, _, child string) error {
				_, err := tx.EndSessions(user, child, "revoked", now)
				return err
			}, []string{"revoked", "", "revoked", "revoked"}, ""},
			{"all but a page", func(tx *store.Tx, user, page, _ string) error {
				_, err := tx.EndSessions(user, page, "revoked", now)
				return err
			}, []string{"", "revoked", "revoked", "revoked"}, "page"},
			{"all but a browser", func(tx *store.Tx, user, page, _ string) error {
				_, err := tx.EndOtherBrowsers(user, page, "revoked", now)
				return err
			}, []string{"", "", "", "revoked"}, "page"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				user := newID()
				parent := addSession(t, s, user, page)
				one, two, other := addSession(t, s, user, child(parent, "a")), addSession(t, s, user, child(parent, "b")), addSession(t, s, user)
				write(t, s, func(tx *store.Tx) error { return tt.end(tx, user, parent.ID, one.ID) })
				if diff := cmp.Diff(tt.want, reasons(t, s, parent.ID, one.ID, two.ID, other.ID)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				want := ""
				if tt.left == "page" {
					want = parent.ID
				}
				if got := sessionByID(t, s, one.ID).Parent; got != want {
					t.Errorf("the child's parent is %q, want %q", got, want)
				}
			})
		}
	})
}

func TestTakeOver(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := addUser(t, s)
		from, to := addSession(t, s, user.ID, page), addSession(t, s, user.ID, page)
		live := addSession(t, s, user.ID, child(from, "a"))
		over := addSession(t, s, user.ID, child(from, "a"), func(x *store.Session) { x.EndedAt, x.EndReason = now, "revoked" })
		foreign := addSession(t, s, newID(), child(from, "a"))
		open, spent := newCode(user.ID, from.ID), newCode(user.ID, from.ID)
		write(t, s, func(tx *store.Tx) error {
			tx.InsertCode(open)
			tx.InsertCode(spent)
			tx.NoteAppEnd(from.ID, "b", now)
			_, err := tx.SpendCode(spent.Hash, over.ID, now)
			return err
		})
		write(t, s, func(tx *store.Tx) error { tx.TakeOver(user.ID, from.ID, to.ID); return nil })
		for id, want := range map[string]string{live.ID: to.ID, over.ID: to.ID, from.ID: to.ID, to.ID: "", foreign.ID: from.ID} {
			if got := sessionByID(t, s, id).Parent; got != want {
				t.Errorf("the parent of %s is %q, want %q", id, got, want)
			}
		}
		for hash, want := range map[string]string{string(open.Hash): to.ID, string(spent.Hash): from.ID} {
			if got := read(t, s, func(tx *store.Tx) (store.Code, error) { return tx.CodeByHash([]byte(hash)) }); got.PageSession != want {
				t.Errorf("a code belongs to %q, want %q", got.PageSession, want)
			}
		}
		if ended := read(t, s, func(tx *store.Tx) (bool, error) { return tx.AppEnded(to.ID, "b") }); !ended {
			t.Error("it is forgotten that the app's session was ended")
		}
	})
}

// A browser counts once, by the latest use of any of its sessions, and is evicted whole.
func TestEvictBrowsers(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		used := func(ago time.Duration) func(*store.Session) {
			return func(x *store.Session) { x.RotatedAt = now.Add(-ago) }
		}
		idle := addSession(t, s, user, page, used(10*time.Hour)) // its child is busy
		busy := addSession(t, s, user, child(idle, "a"), used(time.Minute))
		api := addSession(t, s, user, used(2*time.Hour))
		stale := addSession(t, s, user, page, used(3*time.Hour))
		staleChild := addSession(t, s, user, child(stale, "a"), used(3*time.Hour))
		over := addSession(t, s, user, child(stale, "a"), used(0), func(x *store.Session) { x.EndedAt, x.EndReason = now, "revoked" })
		made := addSession(t, s, user, page, used(20*time.Hour)) // the clock was set back meanwhile
		evict := func(most int64) (ids []string) {
			write(t, s, func(tx *store.Tx) (err error) {
				ids, err = tx.EvictBrowsers(user, made.ID, most, "evicted", now)
				return err
			})
			return slices.Sorted(slices.Values(ids))
		}
		for _, step := range []struct {
			most    int64
			evicted []string
		}{{4, nil}, {3, []string{stale.ID, staleChild.ID}}, {2, []string{api.ID}}, {1, []string{idle.ID, busy.ID}}} {
			if diff := cmp.Diff(step.evicted, evict(step.most)); diff != "" {
				t.Errorf("at most %d (-want +got):\n%s", step.most, diff)
			}
		}
		if diff := cmp.Diff([]string{"", "revoked"}, reasons(t, s, made.ID, over.ID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestEvictChildren(t *testing.T) {
	engines(t, func(t *testing.T, s *store.Store) {
		user := newID()
		parent := addSession(t, s, user, page)
		used := func(ago time.Duration) func(*store.Session) {
			return func(x *store.Session) { x.RotatedAt = now.Add(-ago) }
		}
		old, recent := addSession(t, s, user, child(parent, "a"), used(time.Hour)), addSession(t, s, user, child(parent, "a"), used(time.Minute))
		made, other := addSession(t, s, user, child(parent, "a"), used(2*time.Hour)), addSession(t, s, user, child(parent, "b"), used(time.Hour))
		var ids []string
		write(t, s, func(tx *store.Tx) (err error) {
			ids, err = tx.EvictChildren(user, parent.ID, "a", made.ID, 2, "evicted", now)
			return err
		})
		if diff := cmp.Diff([]string{old.ID}, ids); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"", "", "", ""}, reasons(t, s, recent.ID, made.ID, other.ID, parent.ID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}
