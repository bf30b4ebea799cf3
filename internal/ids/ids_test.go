package ids

import (
	"strings"
	"testing"
)

func TestParseID(t *testing.T) {
	const id = "0199a1b2-c3d4-7e5f-8a6b-0123456789ab"
	for _, raw := range []string{id, strings.ToUpper(id), "0199A1b2-C3D4-7e5f-8A6B-0123456789aB"} {
		if got, ok := Parse(raw); got != id || !ok {
			t.Errorf("parseID(%q) = %q, %v", raw, got, ok)
		}
	}
	for _, raw := range []string{
		"", "x", "{" + id + "}", "urn:uuid:" + id, "URN:UUID:" + strings.ToUpper(id), strings.ReplaceAll(id, "-", ""),
		id + " ", " " + id, id + "\n", id[1:], strings.Replace(id, "b", "g", 1), strings.Replace(id, "-", "_", 1),
		strings.Replace(id, "0199", "\uff10199", 1), // a fullwidth digit
	} {
		if got, ok := Parse(raw); ok || got != "" {
			t.Errorf("parseID(%q) = %q", raw, got)
		}
	}
}
