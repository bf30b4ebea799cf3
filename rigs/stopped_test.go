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
	await(t, "no statement of the bad time runs", func() bool { return db.number(running) == 0 })
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
	rounds := stage.Lane(t, 2, 10, 100)
	for i := range rounds {
		o.ledger.nextCycle()
		began := time.Now()
		everybody := gather(t, o.accounts, o.bystanders)
		killed := int64(0)
		met := func(which func(sighting) bool) bool { return len(o.everybody.filter(since(began, which))) > 0 }
		for end := began.Add(seenWithin); time.Since(began) < time.Second || !met(sighting.refused) || !met(sighting.succeeded); {
			if time.Now().After(end) {
				t.Fatalf("within %v no request met a killed backend, or none succeeded", seenWithin)
			}
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
		o.everybody.within(began, time.Now()).onlyRefused(t, "while backends were killed")
		o.recover(t, db)
		each(o.accounts, func(a *account) { a.verify(i == rounds-1) })
		if t.Failed() {
			return
		}
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
	rounds := stage.Lane(t, 1, 1, 5)
	for i := range rounds {
		o.ledger.nextCycle()
		began := time.Now()
		everybody := gather(t, o.accounts, o.bystanders)
		o.ledger.awaitMore(t, 2*users)
		o.everybody.awaitEach(t, "before the database stands still", since(began, sighting.succeeded), everything...)
		try(t, cluster.Freeze)
		frozen := time.Now()
		if got := o.node.Status(o.node.Admin + "/readyz"); got != http.StatusServiceUnavailable {
			t.Errorf("readyz of a node whose database stands still: status %d", got)
		}
		if got := o.node.Status(o.node.URL + "/healthz"); got != http.StatusOK {
			t.Errorf("healthz: status %d: the process lives", got)
		}
		during := func(s sighting) bool { return s.ended.After(frozen.Add(time.Second)) }
		// The store's patience is 5 s: a shorter pause only makes everybody wait. Who signs in waits for a permit before.
		time.Sleep(time.Until(frozen.Add(stage.Lane(t, 0, 30*time.Second, 30*time.Second))))
		o.everybody.awaitEach(t, "while the database stands still", during, "/auth/refresh-token", "/auth/userinfo")
		thawing := time.Now()
		try(t, cluster.Thaw)
		thawed := time.Now()
		o.everybody.awaitEach(t, "after the database goes on", since(thawed, sighting.succeeded), everything...)
		everybody.dismiss()
		o.everybody.filter(func(s sighting) bool { return during(s) && s.ended.Before(thawing) }).allRefused(t, "while the database stood still")
		o.everybody.filter(func(s sighting) bool { return s.ended.After(thawed) }).onlyRefused(t, "afterwards")
		o.recover(t, db)
		each(o.accounts, func(a *account) { a.verify(i == rounds-1) })
		if t.Failed() {
			return
		}
	}
	o.finish(t, p)
}
