package store

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What is read in two ways is refused, and no part of a password is said.
func TestParseURLRefusesTwoReadings(t *testing.T) {
	for _, url := range []string{
		"postgres://latchkey:first@secondpart@db.example.com/latchkey",
		"postgres://latchkey:first@secondpart@h1,h2/latchkey",
		"postgres://latchkey:@secondpart@db.example.com/latchkey",
		"postgres://latchkey:first/secondpart@db.example.com/latchkey",
		"postgres://latchkey:1234/secondpart@db.example.com/latchkey",
		"postgres://latchkey:first?secondpart@db.example.com/latchkey",
		"postgres://latchkey:1234?secondpart@db.example.com",
		"postgres://latchkey:12/x?secondpart@db.example.com/latchkey",
		"postgres://latchkey:first#secondpart@db.example.com/latchkey",
		"postgres://latchkey:first%secondpart@db.example.com/latchkey",
		"postgres://latchkey:first%4@db.example.com/latchkey",
		"postgres://latchkey:first^secondpart@db.example.com/latchkey",
		"postgres://latchkey:first\\secondpart@db.example.com/latchkey",
		"postgres://latchkey:first<secondpart@db.example.com/latchkey",
		"postgres://latchkey:fírstsecondpart@db.example.com/latchkey",
		"postgres://latchkey:secondpart/latchkey",
		"postgres://latchkey:secondpart",
		"postgres://db.example.com?user=first@secondpart",
	} {
		_, err := ParseURL(url)
		if err == nil || !strings.Contains(err.Error(), "percent-encode the password") || strings.Contains(err.Error(), "second") || strings.Contains(err.Error(), "first") {
			t.Errorf("%s: error %v, want a refusal without the password", url, err)
		}
	}
	for url, want := range map[string]string{
		"postgres://latchkey:secondpart@db.example.com/latchkey?sslmode=bogus":                              "sslmode",
		"postgres://latchkey:secondpart@db.example.com/latchkey?sslmode=verify-full&sslrootcert=/no/ca.pem": "/no/ca.pem",
		"postgres://latchkey:secondpart@db.example.com/latchkey?pool_max_conns=many":                        "pool_max_conns",
	} {
		if _, err := ParseURL(url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secondpart") {
			t.Errorf("%s: error %v, want one about %s", url, err, want)
		}
	}
}

func TestParseURL(t *testing.T) {
	t.Setenv("PGSSLMODE", "disable")
	plain := func(hosts ...string) (list []Server) {
		for _, host := range hosts {
			list = append(list, Server{Host: host, Socket: strings.HasPrefix(host, "/")})
		}
		return list
	}
	for url, want := range map[string][]Server{
		"postgres://u:p%40ss%2F@db.example.com/latchkey":                      plain("db.example.com"),
		"postgresql://u:p@db.example.com:5433/latchkey":                       plain("db.example.com"),
		"postgres://u:p@h1,h2/latchkey":                                       plain("h1", "h2"),
		"postgres://u:p@h1:5432,h2:5433,[::1]:5434/latchkey":                  plain("h1", "h2", "::1"),
		"postgres:///latchkey?host=/run/postgresql":                           plain("/run/postgresql"),
		"postgres:///latchkey?host=db.example.com&user=u&password=a@b":        plain("db.example.com"),
		"postgres://u@%2Frun%2Fpostgresql/latchkey":                           plain("/run/postgresql"),
		"postgres://u:a:b@db.example.com/latchkey":                            plain("db.example.com"),
		"postgres://u:p@db.example.com/latchkey?sslmode=require":              {{Host: "db.example.com"}},
		"postgres://u:p@db.example.com,h2/latchkey?sslmode=verify-full":       {{Host: "db.example.com", Verified: true}, {Host: "h2", Verified: true}},
		"postgres:///latchkey?host=db.example.com&sslmode=verify-full":        {{Host: "db.example.com", Verified: true}},
		"postgres://u:p@db.example.com/latchkey?sslmode=prefer&search_path=a": {{Host: "db.example.com"}, {Host: "db.example.com"}},
	} {
		got, err := ParseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", url, diff)
		}
	}
}
