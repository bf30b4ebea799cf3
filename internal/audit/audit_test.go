package audit_test

import (
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"latchkey/internal/audit"
	"latchkey/internal/store"
)

// A query may name every kind that there is.
func TestKindsAreAllListed(t *testing.T) {
	source, err := os.ReadFile("audit.go")
	if err != nil {
		t.Fatal(err)
	}
	_, kinds, _ := strings.Cut(string(source), "const (\n")
	kinds, _, _ = strings.Cut(kinds, "\n\n")
	found := regexp.MustCompile(`(?m)^\t[A-Z]\w+\s+= "([a-z_]+)"`).FindAllStringSubmatch(kinds, -1)
	if len(found) != len(audit.Kinds()) {
		t.Errorf("%d kinds are declared, %d listed", len(found), len(audit.Kinds()))
	}
	for _, kind := range found {
		if !slices.Contains(audit.Kinds(), kind[1]) {
			t.Errorf("Kinds has no %s", kind[1])
		}
	}
}

// A range means what its bits say.
func TestQueryFits(t *testing.T) {
	e := store.AuditEvent{Kind: "sign_in", Addr: "203.0.113.7"}
	for _, test := range []struct {
		kinds []string
		from  string
		addr  string
		want  bool
	}{
		{nil, "", "203.0.113.7", true},
		{[]string{"sign_up", "sign_in"}, "", "203.0.113.7", true},
		{[]string{"sign_up"}, "", "203.0.113.7", false},
		{nil, "203.0.113.0/24", "203.0.113.7", true},
		{nil, "203.0.113.0/24", "203.0.114.7", false},
		{nil, "203.0.113.7/32", "203.0.113.77", false},
		{nil, "2001:db8::/48", "2001:db8:0:1::7", true},
		{nil, "0.0.0.0/0", "", false},
		{[]string{"sign_up"}, "203.0.113.0/24", "203.0.113.7", false},
	} {
		e.Addr = test.addr
		q := audit.Query{Kinds: test.kinds}
		if test.from != "" {
			q.From = netip.MustParsePrefix(test.from)
		}
		if got := q.Fits(e); got != test.want {
			t.Errorf("%+v of %q: %v, want %v", test, test.addr, got, test.want)
		}
	}
}
