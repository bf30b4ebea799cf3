package store_test

// What lies between us and PostgreSQL, and what its user may do there.

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"latchkey/internal/authtest"
	"latchkey/internal/store"
)

func startCluster(t *testing.T) (c *authtest.Cluster, url string) {
	t.Helper()
	authtest.NeedsPostgres(t)
	c, err := authtest.StartCluster()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	if url, err = c.CreateDatabase("latchkey"); err != nil {
		t.Fatal(err)
	}
	return c, url
}

// A pooler in session mode keeps what a connection is given; one that hands connections on is refused at the start,
// and so is one that cannot give as many as are needed.
func TestPooler(t *testing.T) {
	t.Parallel()
	c, _ := startCluster(t)
	for _, lines := range [][]string{
		{"pool_mode=session", "default_pool_size=40"},
		{"pool_mode=session", "default_pool_size=40", "ignore_startup_parameters=lock_timeout,statement_timeout,default_transaction_isolation"},
	} {
		url := c.Pooler(t, "latchkey", lines...) + "&search_path=public,pg_catalog"
		s := authtest.Database{Engine: "postgres", Options: store.Options{URL: url}}.Open(t)
		for name, want := range map[string]string{"statement_timeout": "30s", "lock_timeout": "4s", "idle_in_transaction_session_timeout": "10s",
			"transaction_isolation": "read committed", "synchronous_commit": "on", "TimeZone": "UTC", "search_path": "public,pg_catalog"} {
			if got := read(t, s, setting(name)); got != want {
				t.Errorf("%q: %s is %q, want %q", lines, name, got, want)
			}
		}
	}
	for _, test := range []struct{ mode, want string }{
		{"pool_mode=transaction", "after each transaction"},
		{"pool_mode=statement", "after each transaction"},
		{"pool_mode=session\ndefault_pool_size=1\nquery_wait_timeout=1", "default_pool_size"},
	} {
		url := c.Pooler(t, "latchkey", test.mode)
		s, err := store.Open(t.Context(), store.Options{URL: url})
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want one with %q", test.mode, err, test.want)
		}
	}
}

// Whoever may not make or change the tables hears it at the start, in a sentence.
func TestPostgresRights(t *testing.T) {
	t.Parallel()
	c, url := startCluster(t)
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context())
	as := func(user string) string { return strings.Replace(c.URL("latchkey"), "user=latchkey", "user="+user, 1) }
	say := func(sql string) {
		t.Helper()
		if _, err := admin.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	migrate := func(url string) error {
		s, err := store.Open(t.Context(), store.Options{URL: url})
		if err != nil {
			return err
		}
		defer s.Close()
		_, err = s.Migrate(t.Context())
		return err
	}
	refused := func(name, url, want string) {
		t.Helper()
		if err := migrate(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one with %q", name, err, want)
		}
	}
	say("REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE guest LOGIN; CREATE ROLE reader LOGIN")
	refused("may not make tables", as("guest"), "GRANT USAGE, CREATE ON SCHEMA public")
	refused("no schema", url+"&search_path=missing", "is missing a privilege")
	if err := migrate(url); err != nil {
		t.Fatal(err)
	}
	refused("tables of another", as("guest"), "may not read and change table")
	say("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
	refused("may only read", as("reader"), "which is latchkey's")
	say("GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader; CREATE TABLE of_somebody_else (a int)")
	if err := migrate(as("reader")); err != nil {
		t.Errorf("with the rights that are needed: %v", err)
	}
}
