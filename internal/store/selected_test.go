package store_test

// Which sessions an end of many selects, where some came from others.

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/store"
)

// A page session that is selected takes along what came from it, however it has ended, and whatever that is: selected by
// the walk, and ended. Nothing else is.
func TestSelectedBrowsersEndWhole(t *testing.T) {
	then, before := now.Add(-time.Hour), now.Add(-2*time.Hour)
	engines(t, func(t *testing.T, s *store.Store) {
		for _, page := range []struct {
			name string
			edit func(*store.Session)
		}{
			{"alive", func(*store.Session) {}},
			{"has run out", func(x *store.Session) { x.IdleExpiresAt = now.Add(-time.Minute) }},
			{"is marked so", func(x *store.Session) { x.EndedAt, x.EndReason = now, "expired_idle" }},
			{"is marked so by the overall limit", func(x *store.Session) { x.EndedAt, x.EndReason = now, "expired_overall" }},
			{"was signed out of at a node of v0.0.1", func(x *store.Session) { x.EndedAt, x.EndReason = now, "signed_out" }},
		} {
			for _, tt := range []struct {
				name, client string
				made         time.Time
				want         []string // of the page session, its two apps, another page session, its app
			}{
				{"everything", "", now, []string{"page", "a", "b", "other", "other a"}},
				{"the page session's client", "web", now, []string{"page", "a", "b"}},
				{"an app's", "a", now, []string{"a", "other a"}},
				{"nobody's", "c", now, nil},
				{"by then", "", then, []string{"page", "a", "b"}},
				{"by then with the client of an app from later", "a", then, nil},
				{"before then", "", before.Add(-time.Second), nil},
			} {
				user := newID()
				made := func(client string, at time.Time) func(*store.Session) {
					return func(x *store.Session) { x.Kind, x.Client, x.CreatedAt = "page", client, at }
				}
				names := map[string]string{}
				add := func(name string, edit ...func(*store.Session)) store.Session {
					x := addSession(t, s, user, edit...)
					if x.EndedAt.IsZero() {
						names[x.ID] = name
					}
					return x
				}
				parent := add("page", made("web", before), page.edit)
				add("a", child(parent, "a"))
				add("b", child(parent, "b"))
				add("other a", child(add("other", made("elsewhere", now)), "a"))
				foreign := addSession(t, s, newID(), child(parent, "foreign"))

				want := slices.DeleteFunc(slices.Clone(tt.want), func(name string) bool {
					return name == "page" && names[parent.ID] == ""
				})
				named := func(ids []string) (list []string) {
					for _, id := range ids {
						list = append(list, names[id])
					}
					slices.Sort(list)
					return list
				}
				slices.Sort(want)
				seen := read(t, s, func(tx *store.Tx) (selected []string, err error) {
					all, err := tx.WalkSignedIn(store.SignedIn{UserID: user}, tt.client, tt.made, time.Minute, now, 10)
					for _, x := range all {
						if x.UserID == user && x.Selected {
							selected = append(selected, x.ID)
						}
					}
					return selected, err
				})
				var ids []string
				write(t, s, func(tx *store.Tx) (err error) {
					ids, err = tx.EndSessionsBefore(user, tt.client, tt.made, "admin", time.Minute, now)
					return err
				})
				if diff := cmp.Diff(want, named(ids)); diff != "" {
					t.Errorf("the page session %s; %s: ended (-want +got):\n%s", page.name, tt.name, diff)
				}
				if diff := cmp.Diff(named(ids), named(seen)); diff != "" {
					t.Errorf("the page session %s; %s: ended, and selected by the walk (-ended +selected):\n%s", page.name, tt.name, diff)
				}
				if got := sessionByID(t, s, foreign.ID).EndReason; got != "" {
					t.Errorf("another user's ended for %q", got)
				}
			}
		}
	})
}
