package rigs

// PostgreSQL under load whose backends are killed, and one that stands still: what cannot be answered
// is answered 503 with Retry-After, soon, and nothing that was acknowledged is lost (I1-I6, I10, I11).

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"latchkey/internal/authtest"
	"latchkey/rigs/stage"
)

// ordeal is a node on one PostgreSQL server, and those who use it.
type ordeal struct {
	node       *stage.Node
	ledger     *ledger
	accounts   []*account
	bystanders []*bystander
	everybody  *witness
}

func newOrdeal(t *testing.T, p *stage.Post, databaseURL string) *ordeal {
	o := &ordeal{ledger: newLedger(t)}
	o.node = stage.StartNode(t, stage.Settings{
		"DATABASE_URL":      databaseURL,
		"SMTP_URL":          p.URL(),
		"ACCESS_TTL":        "12h", // an access token that is refused must not be refused for its age
		"SESSIONS_PER_USER": "10000",
	})
	cl, w := watch(o.node)
	o.everybody = w
	o.accounts = signUpAll(t, cl, p, o.ledger)
	o.bystanders = newBystanders(t, p, o.node.Client(), cl, 8)
	return o
}

// recover waits until the server has settled and no statement of the bad time runs any more: what nobody
// waited for may still take effect, but not behind the back of those who look now.
func (o *ordeal) recover(t *testing.T, db *database) {
	t.Helper()
	o.node.Settle()
	const running = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'latchkey' AND state <> 'idle' AND query_start < now() - interval '1 second'`
	for end := time.Now().Add(10 * time.Second); db.number(running) != 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("statements of the bad time still run")
		}
	}
}

func (o *ordeal) finish(t *testing.T, p *stage.Post) {
	t.Helper()
	noneAhead(t, o.node)
	drain(t, o.node)
	verifyMail(t, p, o.accounts)
	verifyAudit(t, o.node, o.accounts)
	t.Log(o.ledger)
}

// noneAhead: nobody, bystanders included, ever showed a refresh token newer than the database knew: such
// a token was acknowledged, and what it was acknowledged for is gone.
func noneAhead(t *testing.T, n *stage.Node) {
	t.Helper()
	metrics := string(n.Body(n.Admin + "/metrics"))
	if !strings.Contains(metrics, `latchkey_refreshes_total{outcome="rotated"}`) {
		t.Error("/metrics does not count refreshes")
	}
	if found := ahead.FindStringSubmatch(metrics); found != nil && found[1] != "0" {
		t.Errorf("%s refresh tokens were ahead of the database: acknowledged refreshes are lost", found[1])
	}
}

var ahead = regexp.MustCompile(`(?m)^latchkey_refreshes_total\{outcome="ahead"\} (\d+)$`)

func TestBackendsKilled(t *testing.T) {
	t.Parallel()
	p := stage.NewPost(t)
	o := newOrdeal(t, p, postgres(t))
	db := openDatabase(t, o.node)
	refused := 0
	rounds := lane(t, 2, 10, 100)
	for i := range rounds {
		o.ledger.nextCycle()
		began := time.Now()
		everybody := gather(o.accounts, o.bystanders)
		killed := int64(0)
		for time.Since(began) < time.Second {
			time.Sleep(15 * time.Millisecond)
			killed += db.number(`
				SELECT count(pg_terminate_backend(pid))
				FROM (
					SELECT pid
					FROM pg_stat_activity
					WHERE datname = current_database() AND application_name = 'latchkey'
					ORDER BY random()
					LIMIT 1
				) AS victim`)
		}
		everybody.dismiss()
		t.Logf("%d backends killed", killed)
		answers := o.everybody.within(began, time.Now())
		refused += answers.onlyRefused(t, "while backends were killed")
		if answers.successes() == 0 {
			t.Error("nothing succeeded between the kills")
		}
		o.recover(t, db)
		each(o.accounts, func(a *account) { a.verify(i == rounds-1) })
		if t.Failed() {
			return
		}
	}
	if refused == 0 {
		t.Error("no request met a killed backend, so nothing is proven")
	}
	o.finish(t, p)
}

func TestDatabaseFrozen(t *testing.T) {
	t.Parallel()
	cluster, err := authtest.StartCluster()
	if err != nil {
		t.Fatalf("PostgreSQL is part of the rigs: %v", err)
	}
	closeLater(t, cluster)
	p := stage.NewPost(t)
	o := newOrdeal(t, p, newDatabase(t, cluster, "frozen"))
	db := openDatabase(t, o.node)
	rounds := lane(t, 1, 1, 5)
	for i := range rounds {
		o.ledger.nextCycle()
		everybody := gather(o.accounts, o.bystanders)
		time.Sleep(500 * time.Millisecond)
		try(t, cluster.Freeze)
		frozen := time.Now()
		if got := o.node.Status(o.node.Admin + "/readyz"); got != http.StatusServiceUnavailable {
			t.Errorf("readyz of a node whose database stands still: status %d", got)
		}
		if got := o.node.Status(o.node.URL + "/healthz"); got != http.StatusOK {
			t.Errorf("healthz: status %d: the process lives", got)
		}
		// The store's patience is 5 s: a shorter pause only makes everybody wait.
		time.Sleep(time.Until(frozen.Add(lane(t, 6500*time.Millisecond, 30*time.Second, 30*time.Second))))
		thawing := time.Now()
		try(t, cluster.Thaw)
		thawed := time.Now()
		time.Sleep(500 * time.Millisecond)
		everybody.dismiss()
		during := func(s sighting) bool { return s.ended.After(frozen.Add(time.Second)) && s.ended.Before(thawing) }
		o.everybody.filter(during).allRefused(t, "while the database stood still")
		o.everybody.filter(func(s sighting) bool { return s.ended.After(thawed) }).onlyRefused(t, "afterwards")
		o.recover(t, db)
		each(o.accounts, func(a *account) { a.verify(i == rounds-1) })
		if t.Failed() {
			return
		}
	}
	o.finish(t, p)
}
