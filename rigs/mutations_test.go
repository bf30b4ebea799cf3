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
	"strings"
	"testing"
	"time"
)

// mutation breaks one rule: in file, was becomes now.
type mutation struct {
	invariant string
	what      string // the rule, as it is once broken
	file      string
	was, now  string
	pkg, test string // what must go red
}

var mutations = []mutation{
	{"I1", "a refresh revives a session that was signed out", "internal/store/rotation.go",
		"WHERE id = $1 AND generation = $2 AND ended_at IS NULL\n\t\t\tAND idle", "WHERE id = $1 AND generation = $2\n\t\t\tAND idle",
		"./internal/store", "TestRotateOnlyTheLivingAndJudged"},
	{"I1", "what a sign-out ended is not looked at", "internal/store/sessions.go",
		"return s.EndedAt.IsZero() && now.Before(s.ExpiresAt())", "return now.Before(s.ExpiresAt())",
		"./internal/auth", "TestModel"},
	{"I2", "two refreshes of one generation both rotate", "internal/store/rotation.go",
		"WHERE id = $1 AND generation = $2 AND ended_at", "WHERE id = $1 AND $2 = $2 AND ended_at",
		"./internal/auth", "TestRefreshAtOnce"},
	{"I3", "the refusal rolls the ending of a reused session back", "internal/auth/refresh.go",
		"err = s.endReused(tx, session, about, peer)", "if err = s.endReused(tx, session, about, peer); err == nil {\nerr = refuse(CodeInvalidRefreshToken)\n}",
		"./internal/auth", "TestRefreshReuseEndsTheSession"},
	{"I3", "reuse is never noticed", "internal/auth/policy.go",
		"\t}\n\treturn verdictReuse\n}", "\t}\n\treturn verdictSuperseded\n}",
		"./internal/auth", "TestJudge"},
	{"I4", "a reset token is spent more than once", "internal/store/tokens.go",
		"AND hash = $3 AND used_at IS NULL AND", "AND hash = $3 AND",
		"./internal/store", "TestSpendOneTime"},
	{"I4", "an older request's link replaces a newer one's", "internal/store/tokens.go",
		"WHERE one_time_tokens.requested_at < excluded.requested_at", "WHERE one_time_tokens.requested_at <> excluded.requested_at",
		"./internal/store", "TestPutOneTimeNewestWins"},
	{"I5", "a sign-in that was running makes a session with the old password", "internal/store/users.go",
		"WHERE id = $1 AND epoch = $2 AND disabled_at IS NULL", "WHERE id = $1 AND $2 = $2 AND disabled_at IS NULL",
		"./internal/server", "TestPasswordChangeAgainstSignIns"},
	{"I5", "a password change leaves older sessions alive", "internal/auth/evaluate.go",
		"if _, err := tx.EndSessions(u.ID, keep, reason, now); err != nil {", "if err := error(nil); err != nil {",
		"./internal/auth", "TestModel"},
	{"I6", "a rehash may bring an older password back", "internal/store/users.go",
		"WHERE id = $1 AND password_hash = $2`, id, from, to)", "WHERE id = $1 AND $2 = $2`, id, from, to)",
		"./internal/store", "TestChangingAUser"},
	{"I7", "a token of one purpose is accepted for another", "internal/auth/register.go",
		"hash, ok := token.OneTimeHash(purposeVerify, code)\n\tif !ok", "hash, ok := token.OneTimeHash(purposeReset, code)\n\tif !ok",
		"./internal/server", "TestVerify"},
	{"I7", "any issuer's access token is accepted", "internal/token/access.go",
		"c.Issuer != issuer", "false",
		"./internal/token", "TestParseAccessAsksForIssuerAndAudience"},
	{"I8", "guesses are counted after the permit is given back", "internal/auth/evaluate.go",
		"\t\tif err := s.checkGuess(ctx, g); err != nil {\n\t\t\treturn err\n\t\t}\n", "",
		"./internal/auth", "TestThrottleCountsParallelGuesses"},
	{"I8", "a stranger's guesses are counted against a known device", "internal/auth/throttle.go",
		"if g.own != nil {\n\t\treturn g.own\n\t}\n\treturn g.account", "return g.account",
		"./internal/auth", "TestThrottleKnownDevice"},
	{"I9", "an unknown account costs no hash", "internal/auth/evaluate.go",
		"\tright, err := password.Verify(phc, pw.text)", "\tif u.ID == \"\" {\n\t\treturn evaluation{}\n\t}\n\tright, err := password.Verify(phc, pw.text)",
		"./internal/auth", "TestTimingKnownAgainstUnknown"},
	{"I10", "SQLite acknowledges before the disk has it", "internal/store/sqlite.go",
		`{"synchronous", "FULL", "2"}`, `{"synchronous", "NORMAL", "1"}`,
		"./internal/store", "TestPragmasOnEachConnection|TestLyingDisk"},
	{"I11", "a Bearer is accepted when the session cannot be read", "internal/auth/tokens.go",
		"\tcase err != nil:\n\t\treturn token.Access{}, store.Session{}, err\n\tcase session.UserID", "\tcase err != nil:\n\t\treturn access, session, nil\n\tcase session.UserID",
		"./internal/server", "TestUnavailable"},
	{"I12", "two spellings of an address are two accounts", "internal/auth/email.go",
		"lowerASCII(", "string(",
		"./internal/auth", "TestParseEmail"},
	{"I13", "a link is mailed for a request from before a password change", "internal/auth/deliver.go",
		"\t\tcase !row.CreatedAt.After(user.ChangedAt):\n\t\t\toutcome = mailSuperseded\n\t\t\treturn nil\n\t\t}\n\t\tlink, outcome, err = s.putLink(tx, row, l, \"/reset", "\t\t}\n\t\tlink, outcome, err = s.putLink(tx, row, l, \"/reset",
		"./internal/auth", "TestLinkFromBeforeAChangeIsNotMailed"},
	{"I14", "a mail's address lies open in the outbox", "internal/auth/letters.go",
		"\t\tPayload:    sealed,", "\t\tPayload:    append(sealed, text...),",
		"./rigs", "TestStolen"},
	{"I15", "the queue for hashes has no end", "internal/password/pool.go",
		"p.waiting.Len() >= p.queue", "false",
		"./internal/password", "TestPoolServesInOrderAndShedsTheRest"},
	{"I16", "a refresh moves the overall limit", "internal/store/rotation.go",
		"\t\t\tlate_now   = FALSE\n", "\t\t\tlate_now   = FALSE,\n\t\t\toverall_expires_at = overall_expires_at + 1\n",
		"./internal/store", "TestNoStatementMovesTheOverallLimit"},
	{"I17", "an unverified account gets a session", "internal/auth/sign_in.go",
		"if user.VerifiedAt.IsZero() {", "if false {",
		"./internal/server", "TestSignIn"},
	{"I18", "one user ends another's session", "internal/store/sessions.go",
		"WHERE id = $1 AND user_id = $2 AND ended_at IS NULL`, id, userID, reason, now)", "WHERE id = $1 AND $2 = $2 AND ended_at IS NULL`, id, userID, reason, now)",
		"./internal/server", "TestEndSession"},
	{"I19", "a sign-in is not audited", "internal/auth/sign_in.go",
		"return s.audit(tx, now, event{Kind: eventSignIn, Outcome: outcomeOK, UserID: user.ID, SessionID: session.ID}, peer)", "return nil",
		"./internal/auth", "TestAuditTellsEverythingOnce"},
	{"I20", "a key that retires is gone before its tokens are", "internal/auth/keys.go",
		"k.RetireAt = next.UseFrom.Add(s.o.AccessTTL + retireAfter)", "k.RetireAt = next.UseFrom",
		"./internal/auth", "TestKeyRotationKeepsTokens"},
}

func TestMutations(t *testing.T) {
	if lane(t, true, false, false) {
		t.Skip("LATCHKEY_RIG=long runs this: a few minutes of builds")
	}
	tree := copyTree(t)
	for _, m := range mutations {
		t.Run(m.invariant+" "+m.what, func(t *testing.T) {
			file := filepath.Join(tree, m.file)
			original, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(original), m.was); n == 0 {
				t.Fatalf("%s no longer says %q: name the rule's new words here", m.file, m.was)
			}
			broken := strings.Replace(string(original), m.was, m.now, 1)
			if err := os.WriteFile(file, []byte(broken), 0o600); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := os.WriteFile(file, original, 0o600); err != nil {
					t.Fatal(err)
				}
			})
			out, err := runTest(t, tree, m.pkg, m.test)
			switch {
			case err == nil:
				t.Errorf("%s %s stays green without it", m.pkg, m.test)
			case !bytes.Contains(out, []byte("--- FAIL")):
				t.Errorf("it does not build, or the test did not run: %v\n%s", err, out)
			}
		})
	}
}

// runTest runs a test of the tree; it has a minute.
func runTest(t *testing.T, tree, pkg, test string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-timeout=60s", "-run", "^("+test+")", pkg)
	cmd.Dir = tree
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
