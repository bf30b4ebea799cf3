package auth_test

// How sessions are grouped by the browser that they are in.

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/auth"
)

func TestBrowsers(t *testing.T) {
	for _, tt := range []struct {
		name string
		list [][2]string // id, parent
		want [][]string
	}{
		{"none", nil, nil},
		{"each alone", [][2]string{{"b", ""}, {"a", ""}}, [][]string{{"b"}, {"a"}}},
		{"apps newer and older than their page session", [][2]string{{"d", "b"}, {"c", ""}, {"b", ""}, {"a", "b"}}, [][]string{{"c"}, {"b", "d", "a"}}},
		{"a page session that is not listed", [][2]string{{"c", "gone"}, {"b", ""}, {"a", "gone"}}, [][]string{{"c"}, {"b"}, {"a"}}},
		{"one that was replaced", [][2]string{{"c", ""}, {"b", "c"}, {"a", "c"}}, [][]string{{"c", "b", "a"}}},
		{"one below another", [][2]string{{"c", ""}, {"b", "c"}, {"a", "b"}}, [][]string{{"c", "b"}, {"a"}}},
	} {
		var list []auth.Session
		for _, s := range tt.list {
			list = append(list, auth.Session{ID: s[0], Parent: s[1]})
		}
		var got [][]string
		for _, browser := range auth.Browsers(list) {
			var ids []string
			for _, s := range browser {
				ids = append(ids, s.ID)
			}
			got = append(got, ids)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
