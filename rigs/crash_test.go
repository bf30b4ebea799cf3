package rigs

// The server is killed while fifty users work with it, by the API, in browsers and through an app, just before a commit,
// just after one or anywhere, and started again: nothing that it acknowledged is lost or undone (I1-I6, I10, I13, I19).

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"latchkey/client"
	"latchkey/rigs/stage"
)

const users = 50

func TestCrash(t *testing.T) {
	t.Parallel()
	for _, engine := range []struct {
		name string
		url  func(testing.TB) string
		crashes
	}{
		{"sqlite", func(testing.TB) string { return "" }, stage.Lane(t, crashes{6, 120, 0}, crashes{150, 120, 0}, crashes{500, 260, 80_000})},
		{"postgres", postgres, stage.Lane(t, crashes{3, 120, 0}, crashes{30, 120, 0}, crashes{100, 400, 20_000})},
	} {
		t.Run(engine.name, func(t *testing.T) {
			t.Parallel()
			crash(t, engine.url(t), engine.crashes)
		})
	}
}

// crashes are how many kills there are, how many operations lie between two of them on average, and how
// many must have been acknowledged in the end, or the run proves too little.
type crashes struct {
	kills, apart, acknowledged int
}

// crash runs the cycles: work, kill, start, verify.
func crash(t *testing.T, databaseURL string, want crashes) {
	p := stage.NewPost(t)
	n := stage.StartNode(t, stage.Settings{
		"DATABASE_URL":      databaseURL,
		"SMTP_URL":          p.URL(),
		"ACCESS_TTL":        "12h", // an access token that is refused must not be refused for its age
		"SESSIONS_PER_USER": "10000",
		"CLIENTS_FILE":      appFile(t),
	})
	l := newLedger(t)
	accounts := signUpAll(t, n.Client(), p, l)
	t.Logf("%d users signed up in %.1f s", users, time.Since(l.began).Seconds())
	kills := map[moment]int{}
	for l.cycle < want.kills && !t.Failed() {
		at := []moment{sent, answered, anywhere}[l.cycle%3]
		l.nextCycle()
		n.Race = stage.UnderRace() && stage.Lane(t, false, true, true) && l.cycle%30 == 1 // the life that follows
		kills[interrupt(n, accounts, at, 1+rand.Int64N(2*int64(want.apart)))]++
		for rand.IntN(4) == 0 { // a start may be cut short as well
			n.Spawn()
			time.Sleep(rand.N(150 * time.Millisecond))
			n.Kill()
		}
		n.Start()
		each(accounts, func(a *account) { a.verify(l.cycle == want.kills) })
	}
	t.Logf("kills: %v", kills)
	if stage.Lane(t, false, true, true) { // in a short run chance may leave one out
		l.mustHaveSeen(t, "exchange", "refresh by "+string(byApp), "visit", "sign-out by "+string(byPage))
	}
	if kills[sent] == 0 || kills[answered] == 0 {
		t.Error("no kill came just before a commit, or none just after one")
	}
	began := time.Now()
	drain(t, n)
	t.Logf("the outbox was empty after %.1f s", time.Since(began).Seconds())
	verifyMail(t, p, accounts)
	if found, said, code := n.Command("", "audit", "database"); code != 0 {
		t.Errorf("the auditor: %s%s", said, found)
	}
	verifyAudit(t, n, accounts)
	if stage.UnderRace() && strings.Contains(n.Log(), "WARNING: DATA RACE") {
		t.Errorf("the server has a data race: see %s", n.LogFile)
	}
	t.Log(l)
	l.mustHold(t, want)
}

// signUpAll makes the accounts, through their mailboxes.
func signUpAll(t *testing.T, cl *client.Client, p *stage.Post, l *ledger) []*account {
	accounts := make([]*account, users)
	for i := range accounts {
		accounts[i] = &account{cl: cl, post: p, ledger: l, fail: t.Errorf, email: fmt.Sprintf("user%d@example.com", i), password: fmt.Sprintf("the first password of user %d", i)}
	}
	each(accounts, func(a *account) { member(t, cl, p, a.email, a.password) })
	return accounts
}

// each does something for all accounts, some at once.
func each(accounts []*account, do func(*account)) {
	var all sync.WaitGroup
	turn := make(chan struct{}, 16)
	for _, a := range accounts {
		all.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			do(a)
		})
	}
	all.Wait()
}

// interrupt lets everybody work, and kills the server at a moment of the nth request. It returns the moment
// at which that was.
func interrupt(n *stage.Node, accounts []*account, at moment, nth int64) moment {
	cl, trap := layAmbush(n, at, nth)
	stop, idle := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	for _, a := range accounts {
		a.stop, a.cl, a.web = stop, cl, &website{n.URL, trap}
		all.Go(a.work)
	}
	go func() {
		defer close(idle)
		all.Wait()
	}()
	select {
	case <-trap.sprung:
	case <-idle: // everybody was told to come back later
		at = anywhere
	}
	if at == anywhere {
		time.Sleep(rand.N(30 * time.Millisecond))
	}
	n.Kill()
	close(stop)
	<-idle
	return at
}

// drain sees to it that every mail of the outbox reaches its end. What a killed process had under way is
// leased for two minutes, and what was put off waits longer: where that is all there is left, the rig sets
// the rows' times back instead of waiting.
func drain(t *testing.T, n *stage.Node) {
	t.Helper()
	db := openDatabase(t, n)
	defer db.close()
	for range 60 {
		for range 100 {
			if waitingMails(t, n) == 0 {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		db.exec("UPDATE outbox SET next_try_at = next_try_at - 120000000 WHERE ended_at IS NULL")
	}
	t.Errorf("mails still wait in the outbox:\n%s", n.Must("", "mail", "list", "--waiting"))
}

var outboxGauge = regexp.MustCompile(`(?m)^latchkey_outbox_mails (\d+)$`)

func waitingMails(t *testing.T, n *stage.Node) int {
	t.Helper()
	found := outboxGauge.FindSubmatch(n.Body(n.Admin + "/metrics"))
	if found == nil {
		t.Fatal("/metrics does not say how many mails wait")
	}
	var waiting int
	if _, err := fmt.Sscan(string(found[1]), &waiting); err != nil {
		t.Fatal(err)
	}
	return waiting
}

// verifyMail: each password change that took effect was told of in exactly one mail (I4), however
// often that was sent; and a mail sent again is the same mail.
func verifyMail(t *testing.T, p *stage.Post, accounts []*account) {
	told := map[string]map[string]bool{} // address -> Message-IDs of notices
	first := map[string]stage.Mail{}
	repeats := 0
	for _, mail := range p.All() {
		if old, ok := first[mail.MessageID]; ok {
			repeats++
			if bodyOf(old) != bodyOf(mail) {
				t.Errorf("Message-ID %s stands on two different mails", mail.MessageID)
			}
		} else {
			first[mail.MessageID] = mail
		}
		if strings.Contains(mail.Subject, "password was changed") {
			if told[mail.To] == nil {
				told[mail.To] = map[string]bool{}
			}
			told[mail.To][mail.MessageID] = true
		}
	}
	changes := 0
	for _, a := range accounts {
		changes += a.changes
		if got := len(told[a.email]); got != a.changes {
			t.Errorf("%s: %d password changes took effect, %d notices were mailed", a.email, a.changes, got)
		}
	}
	t.Logf("%d mails, %d of them repeats; %d password changes, each told of once", len(p.All()), repeats, changes)
}

var boundary = regexp.MustCompile(`[0-9a-f]{40,}`)

// bodyOf is a mail without what MIME makes up anew each time.
func bodyOf(e stage.Mail) string { return boundary.ReplaceAllString(e.Raw, "boundary") }

// verifyAudit: what took effect is in the audit log once (I19), and nothing else is: as many sign-ins as
// sessions, and each password change by its event. The auditor has looked into the rows.
func verifyAudit(t *testing.T, n *stage.Node, accounts []*account) {
	if code := n.Stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	db := openDatabase(t, n)
	for kind, which := range map[string]string{"sign_in": "kind <> 'oauth'", "app_sign_in": "kind = 'oauth'"} {
		sessions := db.number("SELECT count(*) FROM sessions WHERE " + which)
		if events := db.number("SELECT count(*) FROM audit_events WHERE kind = $1 AND outcome = 'ok'", kind); events != sessions {
			t.Errorf("%d sessions of which %s, %d times %s in the audit log", sessions, which, events, kind)
		}
	}
	for _, a := range accounts {
		events := db.number(`SELECT count(*) FROM audit_events JOIN users ON users.id = audit_events.user_id
			WHERE users.email = $1 AND kind IN ('password_changed', 'password_reset') AND outcome = 'ok'`, a.email)
		if events != int64(a.changes) {
			t.Errorf("%s: %d password changes took effect, %d are in the audit log", a.email, a.changes, events)
		}
	}
}

// A first start may be cut short anywhere: the next one finds a folder it can work with, and makes no
// second key beside what is there.
func TestKilledWhileStartingFirst(t *testing.T) {
	t.Parallel()
	for range stage.Lane(t, 4, 40, 200) {
		n := stage.NewNode(t, nil)
		for range 1 + rand.IntN(3) {
			n.Spawn()
			time.Sleep(rand.N(250 * time.Millisecond))
			n.Kill()
		}
		key, _ := os.ReadFile(n.Data + "/master.key") // there or not
		n.Start()
		if now, err := os.ReadFile(n.Data + "/master.key"); err != nil || len(key) > 0 && string(now) != string(key) {
			t.Errorf("the master key was replaced (%v)", err)
		}
		if got := n.Status(n.URL + "/.well-known/jwks.json"); got != http.StatusOK {
			t.Errorf("key set: status %d", got)
		}
		if err := n.Client().Ready(context.Background()); err != nil {
			t.Error(err)
		}
		n.Kill()
	}
}
