package fields

import "testing"

// Names lose what nobody sees, and are trimmed; what is left is asked for.
func TestPersonNames(t *testing.T) {
	for raw, want := range map[string]string{"Ada": "Ada", " A\u202ed\u200ba\u2066 ": "Ada", "\u200b Ada\u00a0": "Ada", "O’Brien-Müller": "O’Brien-Müller"} {
		var f Validator
		if got := f.PersonName("firstName", raw); got != want || f.Err() != nil {
			t.Errorf("%q is %q, %v; want %q", raw, got, f.Err(), want)
		}
	}
	for raw, code := range map[string]string{"": "required", "\u202e\u200b ": "required", "A\x00da": "invalid_format", "\n": "invalid_format"} {
		var f Validator
		if f.PersonName("firstName", raw); len(f.problems) != 1 || f.problems[0].Code != code {
			t.Errorf("%q: %+v, want %s", raw, f.problems, code)
		}
	}
}
