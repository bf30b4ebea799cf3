package server

import "testing"

// What clients make of the address in a mailed link, read from a query or a form.
func TestPastedEmail(t *testing.T) {
	for raw, want := range map[string]string{
		"email=ada%2Bx%40example.com":     "ada+x@example.com", // as it was mailed
		"email=ada+x@example.com":         "ada+x@example.com", // read from the link and pasted back
		"email=ada+x%40example.com":       "ada+x@example.com",
		"email=ada%20x@example.com":       "ada+x@example.com",
		"email=ada++x@example.com":        "ada++x@example.com",
		"email=ada%252Bx%2540example.com": "ada+x@example.com", // encoded twice
		"email=ada%252bx%2540example.com": "ada+x@example.com",
		"email=ada+x%2540example.com":     "ada+x@example.com",
		"email=+ada@example.com":          " ada@example.com", // space around an address is no plus
		"email=ada@example.com%20":        "ada@example.com ",
		"email=ada%252Bx@example.com":     "ada+x@example.com", // the plus alone encoded twice
		"email=ada%252bx%40example.com":   "ada+x@example.com",
		"email=a%252Cb@example.com":       "a%2Cb@example.com", // an address may hold a percent sign
		"email=a%2540b@example.com":       "a%40b@example.com",
		"email=%25":                       "%",
		"email=ada%2540example.com%25zz":  "ada%40example.com%zz",
		"email=%2540%25ff":                "%40%ff",
		"email=":                          "",
	} {
		values, err := parseValues(raw)
		if err != nil || values.Get("email") != want {
			t.Errorf("%s is %q, %v; want %q", raw, values.Get("email"), err, want)
		}
	}
}
