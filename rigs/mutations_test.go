package rigs

// Each promise is taken out of the code, one condition at a time, in a copy of the tree: the test that
// SECURITY.md names for it must go red. A test that stays green proves nothing.

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutation breaks one rule: the edits together, since what carries a promise may stand in several places,
// each of which holds it up alone.
type mutation struct {
	invariant string // or edge
	what      string // the rule, as it is once broken
	pkg, test string // what must go red
	edits     []edit
}

// edge stands for the rules of SECURITY.md's second table.
const edge = "edge"

// edit: in file, was becomes now.
type edit struct{ file, was, now string }

// The places that several mutations break.
var (
	spendAgain = edit{"internal/store/tokens.go", "AND hash = $3 AND used_at IS NULL AND", "AND hash = $3 AND"}
	reviveOnce = edit{"internal/store/rotation.go",
		"WHERE id = $1 AND generation = $2 AND ended_at IS NULL\n\t\t\tAND idle", "WHERE id = $1 AND generation = $2\n\t\t\tAND idle"}
)

var mutations = []mutation{
	{"I1", "an end is acknowledged and not written", "./internal/server", "TestEndSession", []edit{{"internal/store/sessions.go",
		"SET ended_at = $4, end_reason = $3\n\t\tWHERE id = $1 AND user_id = $2", "SET ended_at = ended_at + 0 * $4, end_reason = $3\n\t\tWHERE id = $1 AND user_id = $2"}}},
	{"I1", "a refresh revives a session that was signed out", "./internal/store", "TestRotateOnlyTheLivingAndJudged", []edit{reviveOnce}},
	{"I1", "a refresh revives a session that is signed out just now", "./internal/server", "TestSignOutAgainstRefresh", []edit{reviveOnce}},
	{"I1", "what a sign-out ended is not looked at", "./internal/auth", "TestModel", []edit{{"internal/store/sessions.go",
		"return s.EndedAt.IsZero() && now.Before(s.ExpiresAt())", "return now.Before(s.ExpiresAt())"}}},
	{"I1", "a page goes on in a session that has ended", "./internal/auth", "TestPageSessionEnds", []edit{{"internal/auth/tokens.go",
		"case session.UserID != userID, !session.AliveAt(now):", "case session.UserID != userID:"}}},
	{"I2", "each of several refreshes at once rotates", "./internal/auth", "TestRefreshAtOnce", []edit{{"internal/store/rotation.go",
		"SET generation = $4,", "SET generation = generation + 1 + 0 * $4,"}, {"internal/store/rotation.go",
		"WHERE id = $1 AND generation = $2 AND ended_at IS NULL\n\t\t\tAND idle", "WHERE id = $1 AND $2 > 0 AND ended_at IS NULL\n\t\t\tAND idle"}}},
	{"I2", "an old generation rotates", "./internal/store", "TestRotateHasOneWinner", []edit{{"internal/store/rotation.go",
		"WHERE id = $1 AND generation = $2 AND ended_at IS NULL\n\t\t\tAND idle", "WHERE id = $1 AND $2 > 0 AND ended_at IS NULL\n\t\t\tAND idle"}}},
	{"I3", "reuse is never noticed", "./internal/auth", "TestJudge", []edit{{"internal/auth/policy.go",
		"\t}\n\treturn verdictReuse\n}", "\t}\n\treturn verdictSuperseded\n}"}}},
	{"I3", "the refusal rolls the ending of a reused session back", "./internal/auth", "TestRefreshReuseEndsTheSession", []edit{{"internal/auth/refresh.go",
		"err = s.endReused(tx, session, about, peer, now)", "if err = s.endReused(tx, session, about, peer, now); err == nil {\nerr = refuse(CodeInvalidRefreshToken)\n}"}}},
	{"I4", "a reset token is spent more than once", "./internal/store", "TestSpendOneTime", []edit{spendAgain}},
	{"I4", "a reset token is spent by several at once", "./internal/server", "TestResetTokenAtOnce", []edit{spendAgain, {"internal/auth/evaluate.go",
		"if err := tx.DropOneTime(purpose, email); err != nil {", "if err := error(nil); err != nil {"}}},
	{"I4", "an older request's link replaces a newer one's", "./internal/store", "TestPutOneTimeNewestWins", []edit{{"internal/store/tokens.go",
		"WHERE one_time_tokens.requested_at < excluded.requested_at", "WHERE one_time_tokens.requested_at <> excluded.requested_at"}}},
	{"I5", "a sign-in reads the user's row and does not take it", "./internal/store", "TestTheUsersRowIsTheLock", []edit{{"internal/store/users.go",
		"UPDATE users\n\t\tSET epoch = epoch\n\t\tWHERE id = $1 AND epoch = $2 AND disabled_at IS NULL\n\t\tRETURNING `+userColumns, id, epoch)",
		"SELECT `+userColumns+`\n\t\tFROM users\n\t\tWHERE id = $1 AND epoch = $2 AND disabled_at IS NULL`, id, epoch)"}}},
	{"I5", "a sign-in that was running makes a session with the old password", "./internal/server", "TestPasswordChangeAgainstSignIns", []edit{{"internal/store/users.go",
		"WHERE id = $1 AND epoch = $2 AND disabled_at IS NULL", "WHERE id = $1 AND $2 > 0 AND disabled_at IS NULL"}}},
	{"I5", "a password change leaves older sessions alive", "./internal/auth", "TestModel", []edit{{"internal/auth/evaluate.go",
		"if _, err := tx.EndSessions(u.ID, keep, reason, now); err != nil {", "if err := error(nil); err != nil {"}}},
	{"I6", "the end of a long password does not count", "./internal/password", "TestHashVerifiesItsPasswordAlone", []edit{{"internal/password/hash.go",
		"argon2.IDKey([]byte(pw),", "argon2.IDKey([]byte(pw[:min(len(pw), 72)]),"}}},
	{"I6", "a rehash may bring an older password back", "./internal/store", "TestChangingAUser", []edit{{"internal/store/users.go",
		"WHERE id = $1 AND password_hash = $2`, id, from, to)", "WHERE id = $1 AND $2 <> ''`, id, from, to)"}}},
	{"I7", "a label may name the key of another use", "./internal/token", "TestNoKeyServesTwoUses", []edit{{"internal/token/master.go",
		"hkdf.Expand(sha256.New, key.prk, use, sha256.Size)", "hkdf.Expand(sha256.New, key.prk, strings.TrimPrefix(use, \"mac \"), sha256.Size)"}}},
	{"I7", "a token of one purpose is accepted for another", "./internal/server", "TestVerify", []edit{{"internal/auth/register.go",
		"hash, ok := token.OneTimeHash(purposeVerify, code)\n\tif !ok", "hash, ok := token.OneTimeHash(purposeReset, code)\n\tif !ok"}}},
	{"I7", "any issuer's access token is accepted", "./internal/token", "TestParseAccessAsksForIssuerAndAudience", []edit{{"internal/token/access.go",
		"c.Issuer != issuer", "false"}}},
	{"I8", "guesses are not checked under the permit", "./internal/auth", "TestThrottleCountsParallelGuesses", []edit{{"internal/auth/evaluate.go",
		"\t\tif err := s.checkGuess(ctx, g); err != nil {\n\t\t\treturn err\n\t\t}\n", ""}}},
	{"I8", "guesses are checked before the permit", "./internal/auth", "TestThrottleCountsParallelGuesses", []edit{{"internal/auth/evaluate.go",
		"\terr = s.withPermit(ctx, g.turn(), func() error {\n\t\tif err := s.checkGuess(ctx, g); err != nil {\n\t\t\treturn err\n\t\t}\n",
		"\tif err := s.checkGuess(ctx, g); err != nil {\n\t\treturn evaluation{}, err\n\t}\n\terr = s.withPermit(ctx, g.turn(), func() error {\n"}}},
	{"I8", "a stranger's guesses are counted against a known device", "./internal/auth", "TestThrottleKnownDevice", []edit{{"internal/auth/throttle.go",
		"if g.own != nil {\n\t\treturn g.own\n\t}\n\treturn g.account", "return g.account"}}},
	{"I9", "an unknown account costs no hash", "./internal/auth", "TestTimingKnownAgainstUnknown", []edit{{"internal/auth/evaluate.go",
		"\tright, err := password.Verify(phc, pw.text)", "\tif u.ID == \"\" {\n\t\treturn evaluation{}\n\t}\n\tright, err := password.Verify(phc, pw.text)"}}},
	{"I10", "what failed is committed with its neighbours", "./internal/store", "TestAFailureHarmsNoNeighbour", []edit{{"internal/store/sqlite_writer.go",
		"if _, undo := w.conn.exec(ctx, \"ROLLBACK TO one\"); undo != nil {", "if undo := error(nil); undo != nil {"}}},
	{"I10", "a commit that failed is acknowledged", "./internal/store", "TestAFailedCommitIsEverybodys", []edit{{"internal/store/sqlite_writer.go",
		"return w.fail(group, fmt.Errorf(\"commit: %w\", err))", "return -1"}}},
	{"I10", "SQLite acknowledges before the disk has it", "./internal/store", "TestLyingDisk", []edit{{"internal/store/sqlite_conn.go",
		`{"synchronous", "FULL", "2"}`, `{"synchronous", "NORMAL", "1"}`}}},
	{"I11", "a Bearer is accepted when the session cannot be read", "./internal/server", "TestUnavailable", []edit{{"internal/auth/tokens.go",
		"\tcase err != nil:\n\t\treturn store.Session{}, err\n\tcase session.UserID", "\tcase err != nil:\n\t\treturn session, nil\n\tcase session.UserID"}}},
	{"I11", "an outage signs people out of the pages", "./rigs", "TestDatabaseLocked", []edit{{"internal/server/pages.go",
		"if e.Code == auth.CodeInvalidToken {", "if e.Code == auth.CodeInvalidToken || e.Code == auth.CodeUnavailable {"}}},
	{"I12", "two spellings of an address are two accounts", "./internal/auth", "TestParseEmail", []edit{{"internal/auth/email.go",
		"canonical = lowerASCII(local)", "canonical = local"}}},
	{"I12", "several sign-ups at once each make the account", "./internal/server", "TestSignUpsAtOnce", []edit{spendAgain, {"internal/store/users.go",
		"ON CONFLICT (email) DO NOTHING", "ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash"}}},
	{"I13", "a link leads to where an origin of ours is only the beginning", "./internal/auth", "TestEndpoint", []edit{{"internal/auth/clients.go",
		"return slices.Contains(among, origin)", "return slices.ContainsFunc(among, func(o string) bool { return strings.HasPrefix(origin, o) })"}}},
	{"I13", "a link is mailed for a request from before a password change", "./internal/auth", "TestLinkFromBeforeAChangeIsNotMailed", []edit{{"internal/auth/deliver.go",
		"\t\tcase !row.CreatedAt.After(user.ChangedAt):\n\t\t\tm.outcome = mailSuperseded\n\t\t\treturn nil\n\t\t}\n\t\tm.reads = user.Language\n\t\tm.link, m.outcome, err = s.putLink(tx, row, l, \"/reset", "\t\t}\n\t\tm.reads = user.Language\n\t\tm.link, m.outcome, err = s.putLink(tx, row, l, \"/reset"}}},
	{"I14", "a master key prints", "./internal/token", "TestKeysNeverPrint", []edit{{"internal/token/master.go",
		"\tkeys []masterKey\n}\n", "\tkeys []masterKey\n}\n\nfunc (m MasterKeys) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.keys) }\n"}}},
	{"I14", "a mail's address lies open in the outbox", "./rigs", "TestStolenDatabase", []edit{{"internal/auth/letters.go",
		"\t\tAddressMAC: mac,", "\t\tAddressMAC: append(mac, l.To...),"}}},
	{"I15", "one more hashes than there are permits", "./internal/password", "TestPoolUnderFlood", []edit{{"internal/password/pool.go",
		"p.running < p.workers", "p.running <= p.workers"}}},
	{"I15", "the queue for hashes has no end", "./internal/password", "TestPoolServesInOrderAndShedsTheRest", []edit{{"internal/password/pool.go",
		"p.waiting() > p.queue", "false"}}},
	{"I16", "a refresh moves the overall limit", "./internal/store", "TestNoStatementMovesTheOverallLimit", []edit{{"internal/store/rotation.go",
		"\t\t\tlate_now   = FALSE\n", "\t\t\tlate_now   = FALSE,\n\t\t\toverall_expires_at = overall_expires_at + 1\n"}}},
	{"I17", "an unverified account gets a session", "./internal/server", "TestSignIn", []edit{{"internal/auth/sign_in.go",
		"if user.VerifiedAt.IsZero() {", "if false {"}}},
	{"I18", "one user ends another's session", "./internal/server", "TestEndSession", []edit{{"internal/store/sessions.go",
		"WHERE id = $1 AND user_id = $2 AND ended_at IS NULL`, id, userID, reason, now)", "WHERE id = $1 AND $2 <> '' AND ended_at IS NULL`, id, userID, reason, now)"}}},
	{"I19", "a sign-in is not audited", "./internal/auth", "TestAuditTellsEverythingOnce", []edit{{"internal/auth/sign_in.go",
		"return s.audit(tx, now, event{Kind: eventSignIn, Outcome: outcomeOK, UserID: user.ID, SessionID: session.ID}, peer)", "return nil"}}},
	{"I20", "a page's session is not counted under its cookie's key", "./internal/auth", "TestPageSessionOverMasterKeys", []edit{{"internal/auth/page_session.go",
		"KeyID:         p.kid,", "KeyID:         s.o.Master.Current(),"}}},
	{"I20", "a retiring key is believed no longer", "./internal/token", "TestParseAccessOverKeyRotation", []edit{{"internal/token/keys.go",
		"return !k.RetireAt.IsZero() && !now.Before(k.RetireAt)", "return !k.RetireAt.IsZero()"}}},
	{"I20", "a key that retires is gone before its tokens are", "./internal/auth", "TestKeyRotationKeepsTokens", []edit{{"internal/auth/keys.go",
		"k.RetireAt = next.UseFrom.Add(s.o.AccessTTL + retireAfter)", "k.RetireAt = next.UseFrom"}}},
	{edge, "another site posts a page's form", "./internal/server", "TestPagesRefuseOtherSites", []edit{{"internal/server/routes.go",
		"x.s.cookies.allowed && x.s.cross.Check(x.r) != nil", "false"}}},
	{edge, "a page sends people on to anywhere", "./internal/server", "TestReturnTo", []edit{{"internal/auth/clients.go",
		"if !ok || !c.registered(alias, originOf(u)) {", "if !ok {"}}},
	{edge, "a page elsewhere makes its visitors open dead links", "./internal/server", "TestLinksAreOpenedByPeople", []edit{{"internal/server/cors.go",
		"return !goes && !calls", "return !goes && !calls && false"}}},
	{edge, "script reads the cookie of a session", "./internal/server", "TestCookiesByPublicURL", []edit{{"internal/server/cookies.go",
		"HttpOnly: true,", "HttpOnly: false,"}}},
	{edge, "looking at a link spends it", "./internal/auth", "TestVerifyLinkAlive", []edit{{"internal/auth/links.go",
		"\tif kind != mail.Verify || !s.o.SignupOpen {", "\tif kind == mail.Verify {\n\t\tif err := s.VerifyEmail(ctx, email, code, peer); err != nil {\n\t\t\treturn false, err\n\t\t}\n\t}\n\tif kind != mail.Verify || !s.o.SignupOpen {"}}},
}

// What SECURITY.md names first for a promise is seen to go red, and so is nothing that it does not name.
func TestEachPromiseIsBroken(t *testing.T) {
	security, err := os.ReadFile("../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile(`(?m)^\| (I\d+) \|[^|]*\| (.*) \|$`).FindAllSubmatch(security, -1)
	named := map[string][]string{} // tests, by invariant
	for _, row := range rows {
		named[string(row[1])] = regexp.MustCompile(`\w+`).FindAllString(string(row[2]), -1)
	}
	for _, row := range regexp.MustCompile(`(?m)^\| [A-Z][a-z ][^|]*\| (.*) \|$`).FindAllSubmatch(security, -1) {
		named[edge] = append(named[edge], regexp.MustCompile(`\w+`).FindAllString(string(row[1]), -1)...)
	}
	for _, m := range mutations {
		if !slices.Contains(named[m.invariant], m.test) {
			t.Errorf("SECURITY.md does not name %s for %s", m.test, m.invariant)
		}
	}
	for invariant, tests := range named {
		if invariant != edge && !slices.ContainsFunc(mutations, func(m mutation) bool { return m.invariant == invariant && m.test == tests[0] }) {
			t.Errorf("no mutation of %s is aimed at %s", invariant, tests[0])
		}
	}
	if len(named) < 21 {
		t.Errorf("SECURITY.md has %d promises", len(named))
	}
}

func TestMutations(t *testing.T) {
	if lane(t, true, false, false) {
		t.Skip("LATCHKEY_RIG=long runs this: a few minutes of builds")
	}
	trees := make(chan string, 2) // each is being broken by one mutation at a time
	for range cap(trees) {
		trees <- copyTree(t)
	}
	greenWithout(t, <-trees, trees)
	for _, m := range mutations {
		t.Run(m.invariant+" "+m.what, func(t *testing.T) {
			t.Parallel()
			tree := <-trees
			defer func() { trees <- tree }()
			m.mustTurnRed(t, tree)
		})
	}
}

// greenWithout runs every test that must go red on the code as it is, and gives the tree back.
func greenWithout(t *testing.T, tree string, trees chan<- string) {
	t.Helper()
	tests := map[string][]string{} // by package
	for _, m := range mutations {
		if !slices.Contains(tests[m.pkg], m.test) {
			tests[m.pkg] = append(tests[m.pkg], m.test)
		}
	}
	for pkg, names := range tests {
		out, err := runTest(t, tree, pkg, strings.Join(names, "|"))
		for _, name := range names {
			if err != nil || !bytes.Contains(out, []byte("\n--- PASS: "+name+" (")) {
				t.Fatalf("%s %s is not green before anything is broken: %v\n%s", pkg, name, err, out)
			}
		}
	}
	trees <- tree
}

const racesToLose = 9

// mustTurnRed breaks the rule in the tree, runs the test, and mends the tree.
func (m mutation) mustTurnRed(t *testing.T, tree string) {
	t.Helper()
	for _, e := range m.edits {
		defer e.apply(t, tree)()
	}
	out, err := runTest(t, tree, m.pkg, m.test)
	for range racesToLose { // what only a race shows is not lost at each try
		if err != nil {
			break
		}
		out, err = runTest(t, tree, m.pkg, m.test)
	}
	failed := bytes.Contains(out, []byte("\n--- FAIL: "+m.test+" ("))
	switch {
	case err == nil:
		t.Errorf("%s %s stays green without it", m.pkg, m.test)
	case !failed || bytes.Contains(out, []byte("PostgreSQL is part of")):
		t.Errorf("it does not build, or the test did not run: %v\n%s", err, out)
	default:
		t.Logf("%s: %s", m.test, complaint.Find(out))
	}
}

var complaint = regexp.MustCompile(`\w+_test\.go:\d+: .*`)

// apply makes the edit, in the one place where the file says so, and returns what unmakes it.
func (e edit) apply(t *testing.T, tree string) (unmake func()) {
	t.Helper()
	file := filepath.Join(tree, e.file)
	original, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(original), e.was); n != 1 {
		t.Fatalf("%s says %d times %q: name the rule's words here", e.file, n, e.was)
	}
	write := func(content []byte) {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Error(err)
		}
	}
	write([]byte(strings.Replace(string(original), e.was, e.now, 1)))
	return func() { write(original) }
}

// runTest runs tests of the tree in their short form.
func runTest(t *testing.T, tree, pkg, tests string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-vet=off", "-trimpath", "-timeout=2m", "-run", "^("+tests+")$", pkg)
	cmd.Dir = tree
	// As the server's binary is built, and wherever the tree lies: most packages are in the build cache.
	cmd.Env = append(os.Environ(), "LATCHKEY_RIG=", "CGO_ENABLED=0")
	return cmd.CombinedOutput()
}

// copyTree copies the sources next to nothing else, so that a mutation never touches the checkout.
func copyTree(t *testing.T) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel("..", path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == ".git" || name == "bin" || name == "data" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		content, err := os.ReadFile(path)
		return errors.Join(err, os.WriteFile(filepath.Join(to, name), content, 0o600))
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}
