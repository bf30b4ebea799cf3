package rigs

// Each promise is taken out of the code, one condition at a time, in a copy of the tree: the test that
// docs/proofs.csv names for it must go red. A test that stays green proves nothing.

import (
	"bytes"
	"context"
	"encoding/csv"
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

	"latchkey/rigs/stage"
)

// mutation breaks one rule: the edits together, since what carries a promise may stand in several places,
// each of which holds it up alone.
type mutation struct {
	invariant string // or edge
	what      string // the rule, as it is once broken
	test      string // what must go red
	edits     []edit
}

// edge stands for SECURITY.md's further rules.
const edge = "edge"

// edit: was, which stands in one place of the code, becomes now.
type edit struct{ was, now string }

// The places that several mutations break.
var (
	spendAgain  = edit{"AND hash = $3 AND used_at IS NULL AND", "AND hash = $3 AND"}
	afterChange = edit{"AND users.changed_at >= one_time_links.requested_at)`,\n\t\tpurpose", "AND users.changed_at < 0)`,\n\t\tpurpose"}
	reviveOnce  = edit{"WHERE id = $1 AND generation = $2 AND ended_at IS NULL\n\t\t\tAND idle", "WHERE id = $1 AND generation = $2\n\t\t\tAND idle"}
)

var mutations = []mutation{
	{"I1", "an end is acknowledged and not written", "TestEndSession", []edit{{"SET ended_at = $4, end_reason = $3\n\t\tWHERE id = $1 AND user_id = $2", "SET ended_at = ended_at + 0 * $4, end_reason = $3\n\t\tWHERE id = $1 AND user_id = $2"}}},
	{"I1", "a refresh revives a session that was signed out", "TestRotateOnlyTheLivingAndJudged", []edit{reviveOnce}},
	{"I1", "a refresh revives a session that is signed out just now", "TestSignOutAgainstRefresh", []edit{reviveOnce}},
	{"I1", "what a sign-out ended is not looked at", "TestModel", []edit{{"return s.EndedAt.IsZero() && now.Before(s.ExpiresAt())", "return now.Before(s.ExpiresAt())"}}},
	{"I1", "a page goes on in a session that has ended", "TestPageSessionEnds", []edit{{"case session.UserID != userID, !session.AliveAt(now):", "case session.UserID != userID:"}}},
	{"I2", "each of several refreshes at once rotates", "TestRefreshAtOnce", []edit{{"SET generation = $4,", "SET generation = generation + 1 + 0 * $4,"}, {"WHERE id = $1 AND generation = $2 AND ended_at IS NULL\n\t\t\tAND idle", "WHERE id = $1 AND $2 > 0 AND ended_at IS NULL\n\t\t\tAND idle"}}},
	{"I2", "an old generation rotates", "TestRotateHasOneWinner", []edit{{"WHERE id = $1 AND generation = $2 AND ended_at IS NULL\n\t\t\tAND idle", "WHERE id = $1 AND $2 > 0 AND ended_at IS NULL\n\t\t\tAND idle"}}},
	{"I3", "reuse is never noticed", "TestJudge", []edit{{"\t}\n\treturn VerdictReuse\n}", "\t}\n\treturn VerdictSuperseded\n}"}}},
	{"I3", "the refusal rolls the ending of a reused session back", "TestRefreshReuseEndsTheSession", []edit{{"err = s.endReused(tx, session, about, peer, now)", "if err = s.endReused(tx, session, about, peer, now); err == nil {\nerr = refuse(CodeInvalidRefreshToken)\n}"}}},
	{"I3", "signing in over and over washes a reuse away", "TestEndedSessionsShrink", []edit{{"FROM ended_sessions WHERE id = $1`", "FROM ended_sessions WHERE id = $1 AND end_reason <> 'refresh_reuse'`"}}},
	{"I4", "a reset token is spent more than once", "TestSpendOneTime", []edit{spendAgain}},
	{"I4", "a reset token is spent by several at once", "TestResetTokenAtOnce", []edit{spendAgain, afterChange, {"tx.DropOneTime(string(kind), email)", ""}}},
	{"I4", "a link from before the account's last change is spent", "TestSpendOneTimeAsksForTheLastChange", []edit{afterChange}},
	{"I4", "a newer request ends the links mailed before", "TestStrangersCampaign", []edit{{"t.RequestedAt, t.ExpiresAt, t.Client)\n\treturn err\n", "t.RequestedAt, t.ExpiresAt, t.Client)\n\tif err == nil {\n\t\t_, err = tx.exec(`DELETE FROM one_time_links WHERE purpose = $1 AND email = $2 AND hash <> $3`, t.Purpose, t.Email, t.Hash)\n\t}\n\treturn err\n"}}},
	{"I4", "an older request's link replaces a newer one's", "TestPutOneTimeKeepsEach", []edit{{"t.RequestedAt, t.ExpiresAt, t.Client)\n\treturn err\n", "t.RequestedAt, t.ExpiresAt, t.Client)\n\tif err == nil {\n\t\t_, err = tx.exec(`DELETE FROM one_time_links WHERE purpose = $1 AND email = $2 AND hash <> $3 AND requested_at > $4`, t.Purpose, t.Email, t.Hash, t.RequestedAt)\n\t}\n\treturn err\n"}}},
	{"I4", "a node of v0.0.1 revives what was dropped here", "TestLinksBesideTheReleaseBefore", []edit{{"\t\t`DELETE FROM one_time_tokens WHERE purpose = $1 AND email = $2`,\n", ""}}},
	{"I5", "a sign-in reads the user's row and does not take it", "TestTheUsersRowIsTheLock", []edit{{"UPDATE users\n\t\tSET epoch = epoch\n\t\tWHERE id = $1 AND epoch = $2 AND disabled_at IS NULL\n\t\tRETURNING `+userColumns, id, epoch)",
		"SELECT `+userColumns+`\n\t\tFROM users\n\t\tWHERE id = $1 AND epoch = $2 AND disabled_at IS NULL`, id, epoch)"}}},
	{"I5", "a sign-in that was running makes a session with the old password", "TestPasswordChangeAgainstSignIns", []edit{{"WHERE id = $1 AND epoch = $2 AND disabled_at IS NULL", "WHERE id = $1 AND $2 > 0 AND disabled_at IS NULL"}}},
	{"I5", "a password change leaves older sessions alive", "TestModel", []edit{{"if _, err := tx.EndSessions(u.ID, keep, reason, now); err != nil {", "if err := error(nil); err != nil {"}}},
	{"I6", "the end of a long password does not count", "TestHashVerifiesItsPasswordAlone", []edit{{"argon2.IDKey([]byte(pw),", "argon2.IDKey([]byte(pw[:min(len(pw), 72)]),"}}},
	{"I6", "a rehash may bring an older password back", "TestChangingAUser", []edit{{"WHERE id = $1 AND password_hash = $2`, id, from, to)", "WHERE id = $1 AND $2 <> ''`, id, from, to)"}}},
	{"I7", "a label may name the key of another use", "TestNoKeyServesTwoUses", []edit{{"hkdf.Expand(sha256.New, key.prk, use, sha256.Size)", "hkdf.Expand(sha256.New, key.prk, strings.TrimPrefix(use, \"mac \"), sha256.Size)"}}},
	{"I7", "a token of one purpose is accepted for another", "TestVerify", []edit{{"hash, wellFormed := token.OneTimeHash(string(kind), raw)", "hash, wellFormed := token.OneTimeHash(string(mail.Reset), raw)"}}},
	{"I7", "any issuer's access token is accepted", "TestParseAccessAsksForItsIssuer", []edit{{"c.Issuer != issuer", "false"}}},
	{"I7", "any issuer's ID token is a hint", "TestParseHintAsksForItsIssuer", []edit{{"claims.Issuer != issuer", "false"}}},
	{"I7", "a token for another resource opens what is under /auth", "TestTokensForOthersOpenNothing", []edit{{"session.Kind == kindAuth && access.Audience != s.o.Audience {", "session.Kind == kindAuth && access.Audience == \"\" {"}}},
	{"I7", "an access token of no session is another subject's than its client", "TestAccessIsOfASessionOrTheClient", []edit{{"c.SessionID == \"\" && c.Subject == c.ClientID", "c.SessionID == \"\""}}},
	{"I7", "a JWT of ours that names a client_id is a hint", "TestParseHintRefusesOtherKinds", []edit{{"return o.ClientID != nil || o.TokenID", "return o.TokenID"}}},
	{"I7", "a JWT of ours, of any kind but an access token's type, is a hint", "TestIDTokensAndAccessTokensAreApart", []edit{{"c.Audience != \"\" && c.Authorized == c.Audience && c.SessionID != \"\" &&\n\t\tc.AccessHash != \"\" &&", "c.SessionID != \"\" &&"}, {"|| claims.said() ||", "||"}}},
	{"I7", "any plain JWT of ours is an access token", "TestAccessTypes", []edit{{"kind == PlainType && c.Use != accessUse", "kind == PlainType && c.Use == \"-\""}}},
	{"I7", "a refresh looks at no session's kind", "TestTokensOpenTheirOwnKindAlone", []edit{{"AND overall_expires_at > $5 AND kind = $9", "AND overall_expires_at > $5 AND $9 <> ''"}}},
	{"I7", "a refresh token of a session of an unknown kind is called active", "TestTokensOpenTheirOwnKindAlone", []edit{{"if session.Kind != kindAuth && session.Kind != kindOAuth {", "if session.Kind == kindPage {"}}},
	{"I7", "a page's cookie opens what it does not know", "TestPageTokenOpensPagesAlone", []edit{{"case !slices.Contains(kinds, session.Kind):", "case len(kinds) == 0 && !slices.Contains(kinds, session.Kind):"}}},
	{"I8", "guesses are not checked under the permit", "TestThrottleCountsParallelGuesses", []edit{{"\t\tif err := s.throttle.Check(ctx, a); err != nil {\n\t\t\treturn err\n\t\t}\n", ""}}},
	{"I8", "guesses are checked before the permit", "TestThrottleCountsParallelGuesses", []edit{{"\treturn s.withPermit(ctx, callerOf(a), func() error {\n\t\tif err := s.throttle.Check(ctx, a); err != nil {\n\t\t\treturn err\n\t\t}\n",
		"\tif err := s.throttle.Check(ctx, a); err != nil {\n\t\treturn err\n\t}\n\treturn s.withPermit(ctx, callerOf(a), func() error {\n"}}},
	{"I8", "a stranger's guesses are counted against a known device", "TestThrottleKnownDevice", []edit{{"if a.own != nil {\n\t\treturn a.own\n\t}\n\treturn a.Account", "return a.Account"}}},
	{"I9", "a success takes back what strangers added", "TestASuccessDoesNotTellOfAnAccount", []edit{{"tx.TakeBack(a.Account, a.network)", "tx.ClearAttempts(a.Account)"}}},
	{"I9", "an unknown account costs no hash", "TestTimingKnownAgainstUnknown", []edit{{"\tfor _, cost := range slices.Sorted(", "\tif hash == \"\" {\n\t\treturn false, nil\n\t}\n\tfor _, cost := range slices.Sorted("}}},
	{"I9", "a cost that half of the accounts have is not computed for the others", "TestCommonCostsAreComputedForEverybody", []edit{{"row.Accounts*commonShare < all", "row.Accounts < all"}}},
	{"I9", "what was encrypted for transport is compared before the old password is right", "TestChangeTellsNothingOfTheEncrypted", []edit{{"if !old.wrapped && !fresh.wrapped {", "if true {"}}},
	{"I10", "a refused sign-up proves no address", "TestSignUpProvesTheAddress", []edit{{"if user.ID != \"\" && user.VerifiedAt.IsZero() {", "if false {"}}},
	{"I10", "what failed is committed with its neighbours", "TestAFailureHarmsNoNeighbour", []edit{{"if _, undo := w.conn.exec(ctx, \"ROLLBACK TO one\"); undo != nil {", "if undo := error(nil); undo != nil {"}}},
	{"I10", "a commit that failed is acknowledged", "TestAFailedCommitIsEverybodys", []edit{{"return w.fail(group, fmt.Errorf(\"commit: %w\", err))", "return -1"}}},
	{"I10", "SQLite acknowledges before the disk has it", "TestLyingDisk", []edit{{`{"synchronous", "FULL", "2"}`, `{"synchronous", "NORMAL", "1"}`}}},
	{"I11", "a Bearer is accepted when the session cannot be read", "TestUnavailable", []edit{{"\tcase err != nil:\n\t\treturn store.Session{}, err\n\tcase session.UserID", "\tcase err != nil:\n\t\treturn session, nil\n\tcase session.UserID"}}},
	{"I11", "an outage signs people out of the pages", "TestDatabaseLocked", []edit{{"if e.Code == auth.CodeInvalidToken {", "if e.Code == auth.CodeInvalidToken || e.Code == auth.CodeUnavailable {"}}},
	{"I12", "two spellings of an address are two accounts", "TestParseEmail", []edit{{"canonical = LowerASCII(local)", "canonical = local"}}},
	{"I12", "several sign-ups at once each make the account", "TestSignUpsAtOnce", []edit{spendAgain, afterChange, {"ON CONFLICT (email) DO NOTHING", "ON CONFLICT (email) DO UPDATE SET password_hash = excluded.password_hash"}}},
	{"I13", "a link leads to a path of the caller's", "TestEndpoint", []edit{{"base = registered\n", "base = asked\n"}}},
	{edge, "a page sends people on to where an origin of ours is only the beginning", "TestReturnToIsRegistered", []edit{{"return slices.Contains(among, origin)", "return slices.ContainsFunc(among, func(o string) bool { return strings.HasPrefix(origin, o) })"}}},
	{"I13", "a link is mailed for a request from before a password change", "TestLinkFromBeforeAChangeIsNotMailed", []edit{{"\t\tcase !row.CreatedAt.After(user.ChangedAt):\n\t\t\tm.outcome = outbox.Superseded\n\t\t\treturn nil\n\t\t}\n\t\tm.reads = user.Language\n\t\tm.link, m.hosted, err", "\t\t}\n\t\tm.reads = user.Language\n\t\tm.link, m.hosted, err"}}},
	{"I13", "an app's session ends, and nothing says that the app is to be told", "TestEveryEndOfAnAppIsToldOnce", []edit{{"if e.Kind == kindOAuth {", "if e.Kind == \"\" {"}}},
	{"I13", "a session that has run out is told of to nobody", "TestAnEndByItselfIsToBeTold", []edit{{"return tx.tellEnded(from, to, old.Now)", "return tx.tellEnded(to, from, old.Now)"}}},
	{"I13", "each try has a jti of its own", "TestAnAppIsAway", []edit{{"TokenID: tokenID(row.SessionID),", "TokenID: tokenID(row.SessionID + now.String()),"}}},
	{"I13", "one domain's mail holds up everybody's", "TestOneDomainHoldsHalf", []edit{{"return held < heldAtMost && (", "return held < Deliverers && ("}}},
	{"I14", "a master key prints", "TestKeysNeverPrint", []edit{{"\tkeys []masterKey\n}\n", "\tkeys []masterKey\n}\n\nfunc (m MasterKeys) Format(f fmt.State, _ rune) { fmt.Fprint(f, m.keys) }\n"}}},
	{"I14", "a mail's address lies open in the outbox", "TestStolenDatabase", []edit{{"\t\tAddressMAC: mac,", "\t\tAddressMAC: append(mac, r.To...),"}}},
	{"I15", "one more hashes than there are permits", "TestPoolUnderFlood", []edit{{"p.running < p.workers", "p.running <= p.workers"}}},
	{"I15", "the queue for hashes has no end", "TestPoolServesInOrderAndShedsTheRest", []edit{{"p.waiting() > p.queue", "false"}}},
	{"I15", "a flood from one /48 has a turn for each account that it makes up", "TestFloodFromOneNetwork", []edit{{"if level < len(w.networks) {\n\t\tat = max", "if level > 0 && level < len(w.networks) {\n\t\tat = max"}}},
	{"I16", "a refresh moves the overall limit", "TestNoStatementMovesTheOverallLimit", []edit{{"\t\t\tlate_now   = FALSE\n", "\t\t\tlate_now   = FALSE,\n\t\t\toverall_expires_at = overall_expires_at + 1\n"}}},
	{"I17", "an unverified account gets a session", "TestSignIn", []edit{{"if user.VerifiedAt.IsZero() {", "if false {"}}},
	{"I18", "one user ends another's session", "TestEndSession", []edit{{"WHERE id = $1 AND user_id = $2 AND ended_at IS NULL`, id, userID, reason, now)", "WHERE id = $1 AND $2 <> '' AND ended_at IS NULL`, id, userID, reason, now)"}}},
	{"I19", "a sign-in is not audited", "TestAuditTellsEverythingOnce", []edit{{"audit.Write(tx, now, audit.Event{Kind: audit.SignIn, Outcome: audit.OK, UserID: user.ID, SessionID: session.ID}, peer)", ""}}},
	{"I20", "a page's session is not counted under its cookie's key", "TestPageSessionOverMasterKeys", []edit{{"KeyID:              p.kid,", "KeyID:              s.o.Master.Current(),"}}},
	{"I20", "a retiring key is believed no longer", "TestParseAccessOverKeyRotation", []edit{{"return !k.RetireAt.IsZero() && !now.Before(k.RetireAt)", "return !k.RetireAt.IsZero()"}}},
	{"I20", "a key that retires is gone before its tokens are", "TestKeyRotationKeepsTokens", []edit{{"key.RetireAt = next.UseFrom.Add(k.o.AccessTTL + retireAfter)", "key.RetireAt = next.UseFrom"}}},
	{"I20", "a retired key is gone before hints of its sessions are", "TestHintsOutliveTheirKey", []edit{{"tx.DropSigningKeys(now.Add(-forHints))", "tx.DropSigningKeys(now.Add(-0 * forHints))"}}},
	{"I20", "hints under a key that was replaced at once are believed", "TestKeysDroppedAtOnceAreNotKeptForHints", []edit{{"case how == atOnce, isNext(key):", "case how == atOnce:\n\t\t\tkey.UseFrom, key.RetireAt = now, now\n\t\t\terr = k.put(tx, key)\n\t\tcase isNext(key):"}}},
	{"I20", "a token that was found right once is believed when its key has retired", "TestVerifiedTokenKeepsItsTimes", []edit{{"return err == nil && !tooEarly(access.IssuedAt, now)", "return (err == nil || true) && !tooEarly(access.IssuedAt, now)"}}},
	{edge, "an app sends logout tokens on to anywhere", "TestWhatAnswersMean", []edit{{"CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },", "CheckRedirect: nil,"}}},
	{edge, "at_hash is the whole hash", "TestAccessHash", []edit{{"hash[:len(hash)/2]", "hash"}}},
	{edge, "a retired key is believed of no hint", "TestHintsOutliveTheirTimeAndKey", []edit{{"r.open(raw, time.Time{}, PlainType)", "r.open(raw, time.Unix(1<<40, 0), PlainType)"}}},
	{edge, "another site posts a page's form", "TestPagesRefuseOtherSites", []edit{{"x.s.cookies.allowed && !fromAnywhere[t.path] && x.s.cross.Check(x.r) != nil", "false"}}},
	{edge, "a page sends people on to anywhere", "TestReturnTo", []edit{{"if !ok || !c.registered(alias, address.OriginOf(u)) {", "if !ok {"}}},
	{edge, "a redirect URI need only begin with a registered one", "TestRedirectURIsAreComparedByteForByte", []edit{{"return uri == registered", "return strings.HasPrefix(uri, registered)"}}},
	{edge, "a name's port is free, too", "TestRedirectURIsAreComparedByteForByte", []edit{{`[]string{"http://127.0.0.1", "http://[::1]"}`, `[]string{"http://127.0.0.1", "http://[::1]", "http://localhost"}`}}},
	{edge, "any text may stand where the port of a loopback address does", "TestRedirectURIsAreComparedByteForByte", []edit{{"if !isPort(after[:len(after)-len(rest)]) {", "if rest = after[max(0, strings.IndexByte(after, '/')):]; rest == \"\" {"}}},
	{edge, "script may be registered as a redirect URI", "TestRedirectURIsThatMayBeRegistered", []edit{{"case slices.Contains(neverSchemes, u.Scheme):", "case u.Scheme == \"-\" && slices.Contains(neverSchemes, u.Scheme):"}, {`case !strings.Contains(u.Scheme, "."):`, `case u.Scheme == "-":`}}},
	{edge, "answers cross the network in the clear", "TestRedirectURIsThatMayBeRegistered", []edit{{`case u.Scheme == "http" && !slices.Contains(`, `case u.Scheme == "-" && !slices.Contains(`}}},
	{edge, "a third party may have the whole account", "TestMistakesOfApps", []edit{{"case c.Account && c.Consent:", "case c.Account && c.Consent && c.Feed:"}}},
	{edge, "an alias may be the id of a user", "TestMistakesOfApps", []edit{{"if _, is := ids.Parse(alias); is {", "if _, is := ids.Parse(alias); is && alias == \"\" {"}}},
	{edge, "an alias may be the audience of access tokens", "TestFitsServer", []edit{{"if client.Alias == audience {", "if client.Alias == \"\" && audience == \"\" {"}}},
	{edge, "a page elsewhere makes its visitors open dead links", "TestLinksAreOpenedByPeople", []edit{{"return !goes && !calls", "return !goes && !calls && false"}}},
	{edge, "a page elsewhere makes its visitors prefetch dead links", "TestPrefetchesAreNotCounted", []edit{{"if prefetches(x.r) {\n\t\treturn refuse(auth.CodeUnavailable)", "if prefetches(x.r) && false {\n\t\treturn refuse(auth.CodeUnavailable)"}}},
	{edge, "dead links close the way to sign in", "TestDeadLinksLockNobodyOut", []edit{{"t.Count(ctx, linkLimit,", "t.Count(ctx, addressLimit,"}}},
	{edge, "script reads the cookie of a session", "TestCookiesByPublicURL", []edit{{"HttpOnly: true,", "HttpOnly: false,"}}},
	{"I8", "right passwords have no rate", "TestRightPasswordsHaveARate", []edit{{"if wait > 0 {\n\t\t\ttx.CountAudit(", "if wait < 0 {\n\t\t\ttx.CountAudit("}}},
	{"I3", "what has just ended shrinks, although its access token may still be shown", "TestWhatHasJustEndedStaysWhole", []edit{{"now.Add(-u.o.AccessTTL-TrimAfter)", "now"}}},
	{edge, "a request reads the clients of a later moment", "TestOneRequestReadsOneSetOfClients", []edit{{"if peer.Clients != nil {", "if peer.Clients == noClients {"}}},
	{edge, "an address in a mail or page becomes a link", "TestMailboxLeavesNothingToLink", []edit{{"if tag == \"\" || strings.Trim(tag, tagChars) != \"\" || Plain(tag) == \"\" {", "if tag == \"\" {"}}},
	{edge, "one session's cookie opens another", "TestSessionDetailsAreForTheCookiesOwner", []edit{{"if s.unwrapID(in.SessionID) != named {", "if s.unwrapID(in.SessionID) == \"\" {"}}},
	{edge, "any key opens the dev inbox", "TestDevInboxNeedsItsKey", []edit{{"return k != \"\" && subtle.ConstantTimeCompare([]byte(k), []byte(shown)) == 1", "return k != \"\" && subtle.ConstantTimeCompare([]byte(k), []byte(shown)) >= 0"}}},
	{edge, "the admin listener answers a name that a page elsewhere gave us", "TestAdminListenerAnswersTheOperatorAlone", []edit{{"case loopback && !localHost(r.Host) && !loopbackLiteral(r.Host):", "case loopback && r.Host == \"\":"}}},
	{edge, "any app refreshes another's session", "TestRefreshAtTheWrongEndpoint", []edit{{"($10 = '' OR client = $10)", "($10 = '' OR client <> '')"}}},
	{edge, "a refresh token in the wrong place is judged like any other", "TestRefreshAtTheWrongEndpoint", []edit{{"if !at.takes(session.Session) {", "if false {"}}},
	{edge, "a code is spent more than once", "TestSpendCode", []edit{{"WHERE hash = $1 AND spent_at IS NULL AND expires_at > $3", "WHERE hash = $1 AND expires_at > $3"}}},
	{edge, "a code that has run out is spent", "TestExchangeRefuses", []edit{{"WHERE hash = $1 AND spent_at IS NULL AND expires_at > $3", "WHERE hash = $1 AND spent_at IS NULL AND $3 > 0"}}},
	{edge, "a code from before a change of the password is spent", "TestExchangeRefuses", []edit{{"tx.TakeUser(code.UserID, code.Epoch)", "tx.HoldUser(code.UserID)"}}},
	{edge, "a code is spent after its page session was signed out", "TestExchangeRefuses", []edit{{"parent.Kind != kindPage || !parent.AliveAt(now) {", "parent.Kind != kindPage {"}}},
	{edge, "whoever has stolen a code spends it without its verifier", "TestExchangeRefuses", []edit{{", !proves(in.Verifier, code.Challenge):", ":"}, {"return s.appTokens(ctx, session, in.Client, code.Scope, code.Nonce, now)", "if !proves(in.Verifier, code.Challenge) {\n\t\treturn Tokens{}, refuse(CodeInvalidGrant)\n\t}\n\treturn s.appTokens(ctx, session, in.Client, code.Scope, code.Nonce, now)"}}},
	{edge, "a library that tries a code twice is signed out", "TestCodeShownAgain", []edit{{"if now.Sub(code.SpentAt) <= repeatAllowed {", "if now.Before(code.SpentAt) {"}}},
	{edge, "a copy of a code is shown, and its session goes on", "TestCodeShownAgain", []edit{{"if now.Sub(code.SpentAt) <= repeatAllowed {", "if !now.Before(code.SpentAt) {"}}},
	{"I1", "a sign-out on a page leaves its apps signed in", "TestAppsEndWithTheirPage", []edit{{"return s.endChildren(tx, userID, named.ID, ReasonSignedOutElsewhere, peer, now)", "return nil"}}},
	{"I1", "what came from a page session that was ended goes on", "TestEndOrphans", []edit{{"WHERE user_id = $1 AND ended_at IS NULL AND `+orphaned, userID, reason, now)", "WHERE user_id = $1 AND ended_at < 0 AND `+orphaned, userID, reason, now)"}}},
	{"I1", "a page session that has run out takes nothing along when its user ends it", "TestAppsEndWithTheirPage", []edit{{"if err != nil || !hasRunOut(session, now) {", "if err != nil || session.ID != \"\" {"}}},
	{"I1", "the link of a notice leaves the apps of a browser that has run out", "TestNoticeLinkEndsABrowser", []edit{{"return s.endChildren(tx, userID, named.ID, ReasonSignedOutElsewhere, peer, now)", "return s.endOrphans(tx, userID, ReasonSignedOutElsewhere, peer, now)"}}},
	{"I1", "a sign-out with the cookie from before a new proof leaves the apps signed in", "TestAppsEndWithTheirPage", []edit{{"if err == nil && session.Kind == kindPage && session.Parent != \"\" {", "if err == nil && session.Kind == \"\" {"}}},
	{"I1", "a new proof loses what came from the one before", "TestAppsEndWithTheirPage", []edit{{"\ttx.TakeOver(held.ID, old.ID, by)\n", "\t_ = by\n"}}},
	{"I1", "another user's sign-in leaves the first one's apps signed in", "TestAppsEndWithTheirPage", []edit{{"if err == nil && held.user != \"\" && held.user != user.ID {", "if err == nil && held.user == \"-\" {"}}},
	{"I1", "an operator's end leaves the apps of a page session that has run out", "TestSelectedBrowsersEndWhole", []edit{{"WHERE parents.id = sessions.parent\n\t\t\tAND ($2", "WHERE parents.id = sessions.parent AND parents.ended_at IS NULL\n\t\t\tAND ($2"}}},
	{edge, "a page session that runs out takes its apps along", "TestAppsEndWithTheirPage", []edit{{"\n\t\tAND parents.end_reason NOT IN ('expired_idle', 'expired_overall'))`", "\n\t\tAND parents.end_reason <> '')`"}}},
	{edge, "a sign-in evicts its own browser", "TestEvictBrowsers", []edit{{"`+browserOf+` <> $2 AND ended_at IS NULL", "`+browserOf+` <> $2 || '-' AND ended_at IS NULL"}}},
	{edge, "each app of a browser counts against the limit", "TestEvictBrowsers", []edit{{"const browserOf = `CASE WHEN parent = '' THEN id ELSE parent END`", "const browserOf = `CASE WHEN parent = '' THEN id ELSE id END`"}}},
	{edge, "an app's session outlives the sign-in that it came from", "TestNoChainPassesThirtyDays", []edit{{"overall := code.AuthTime.Add(s.o.RefreshOverall)", "overall := now.Add(s.o.RefreshOverall)"}, {"if parent.OverallExpiresAt.Before(overall) {", "if parent.OverallExpiresAt.Equal(overall) {"}}},
	{edge, "a code outlives the proof behind it", "TestCodeOutlivesNoProof", []edit{{"if !session.AliveAt(now) { // the proof", "if session.ID == \"\" { // the proof"}}},
	{edge, "a local program gets a code without a press", "TestAuthorizeNeeds", []edit{{"clients.Claimable(r.RedirectURI, s.o.Issuer):", "clients.Claimable(r.RedirectURI, s.o.Issuer) && r.HasMaxAge:"}}},
	{edge, "a press in one page session counts in another", "TestAuthorizeNeeds", []edit{{"session.ID != \"\" && flow.Continued == session.ID", "session.ID != \"\" && flow.Continued != \"\""}}},
	{edge, "a password given in one page session counts in another", "TestAuthorizeNeeds", []edit{{"session.ID != \"\" && flow.Proved == session.ID", "session.ID != \"\" && flow.Proved != \"\""}}},
	{edge, "an app that was signed out of signs in again without a press", "TestEndedAppNeedsAPress", []edit{{"\t\ttx.NoteAppEnd(over.Parent, over.Client, now)\n", ""}}},
	{edge, "an app that was signed out of comes back by a code that it has", "TestEndedAppNeedsAPress", []edit{{"\t\ttx.DropCodes(caller.UserID, over.Client, over.Parent)\n", ""}}},
	{edge, "a third party gets what nobody allowed", "TestConsent", []edit{{"if allowed, err := s.allows(tx, session.UserID, r.Client, r.Scopes); err != nil || !allowed {", "if _, err := s.allows(tx, session.UserID, r.Client, r.Scopes); err != nil {"}}},
	{edge, "a third party comes back by a code from before it was disallowed", "TestConsent", []edit{{"\t\ttx.DropCodes(caller.UserID, client, \"\")\n", ""}, {"err != nil || !allowed {\n\t\t\treturn cmp.Or(err, store.ErrNotFound)", "err != nil {\n\t\t\t_ = allowed\n\t\t\treturn cmp.Or(err, store.ErrNotFound)"}}},
	{edge, "any token of an app opens what is under /auth", "TestAppTokensOpenTheirOwn", []edit{{"return a.Audience == s.o.Audience && oidc.Has(a.Scope, oidc.ScopeAccount)", "return a.Audience == s.o.Audience"}}},
	{edge, "an app's token for its own API opens what is under /auth", "TestAppTokensOpenTheirOwn", []edit{{"return a.Audience == s.o.Audience && oidc.Has(a.Scope, oidc.ScopeAccount)", "return oidc.Has(a.Scope, oidc.ScopeAccount)"}}},
	{edge, "a request goes on in another browser", "TestFlowOfAnotherBrowser", []edit{{"\tcase flow.Browser == now:\n", "\tcase flow.Browser != \"\":\n"}}},
	{edge, "an app is answered in a frame of another site", "TestFramed", []edit{{"if x.r.Header.Get(\"Sec-Fetch-Site\") == \"cross-site\" {", "if x.r.Header.Get(\"Sec-Fetch-Site\") == \"-\" {"}}},
	{edge, "a page is shown in a frame", "TestFramed", []edit{{"\t\trequest.Prompt |= oidc.PromptNone\n", ""}}},
	{edge, "a code is made for a click that may never come", "TestFramed", []edit{{"if prefetches(x.r) { // a code", "if prefetches(x.r) && x.r == nil { // a code"}}},
	{edge, "an app elsewhere signs this browser out", "TestLogout", []edit{{"named.Parent == page.session && ", ""}}},
	{edge, "looking at a link spends it", "TestVerifyLinkAlive", []edit{{"\tif kind != mail.Verify || !s.o.SignupOpen {", "\tif kind == mail.Verify {\n\t\tif err := s.VerifyEmail(ctx, email, code, peer); err != nil {\n\t\t\treturn false, err\n\t\t}\n\t}\n\tif kind != mail.Verify || !s.o.SignupOpen {"}}},
}

// The test that docs/proofs.csv names first for a promise is seen to go red, and so is none that it does not name.
func TestEachPromiseIsBroken(t *testing.T) {
	file, err := os.Open("../docs/proofs.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	named := map[string][]string{} // tests, by invariant
	for _, line := range lines {
		if invariant := line[1]; line[0] == "SECURITY.md" {
			if !regexp.MustCompile(`^I\d+$`).MatchString(invariant) {
				invariant = edge
			}
			named[invariant] = append(named[invariant], strings.Fields(line[2])...)
		}
	}
	for _, m := range mutations {
		if !slices.Contains(named[m.invariant], m.test) {
			t.Errorf("docs/proofs.csv does not name %s for %s", m.test, m.invariant)
		}
	}
	for invariant, tests := range named {
		if invariant != edge && !slices.ContainsFunc(mutations, func(m mutation) bool { return m.invariant == invariant && m.test == tests[0] }) {
			t.Errorf("no mutation of %s is aimed at %s", invariant, tests[0])
		}
	}
	if len(named) < 21 {
		t.Errorf("docs/proofs.csv has %d promises", len(named))
	}
}

func TestMutations(t *testing.T) {
	if stage.Lane(t, true, false, false) {
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
		if pkg := packageOf(t, m.test); !slices.Contains(tests[pkg], m.test) {
			tests[pkg] = append(tests[pkg], m.test)
		}
	}
	for pkg, names := range tests {
		out, err := runTests(t, tree, pkg, names...)
		for _, name := range names {
			if err != nil || !bytes.Contains(out, []byte("\n--- PASS: "+name+" (")) {
				t.Fatalf("%s %s is not green before anything is broken: %v\n%s", pkg, name, err, out)
			}
		}
	}
	trees <- tree
}

const racesToLose = 9

// mustTurnRed breaks the rule in the tree, runs the test, and restores the tree.
func (m mutation) mustTurnRed(t *testing.T, tree string) {
	t.Helper()
	for _, e := range m.edits {
		defer e.apply(t, tree)()
	}
	pkg := packageOf(t, m.test)
	out, err := runTests(t, tree, pkg, m.test)
	for range racesToLose { // what only a race shows is not lost at each try
		if err != nil {
			break
		}
		out, err = runTests(t, tree, pkg, m.test)
	}
	failed := bytes.Contains(out, []byte("\n--- FAIL: "+m.test+" ("))
	switch {
	case err == nil:
		t.Errorf("%s %s stays green without it", pkg, m.test)
	case !failed || bytes.Contains(out, []byte("PostgreSQL is part of")):
		t.Errorf("it does not build, or the test did not run: %v\n%s", err, out)
	default:
		t.Logf("%s: %s", m.test, complaint.Find(out))
	}
}

var complaint = regexp.MustCompile(`\w+_test\.go:\d+: .*`)

// goFiles are the Go files of the tree for which want holds of their names.
func goFiles(t *testing.T, tree string, want func(name string) bool) (files []string) {
	t.Helper()
	for _, top := range []string{"api", "client", "cmd", "internal", "rigs"} {
		err := filepath.WalkDir(filepath.Join(tree, top), func(path string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(path, ".go") && want(d.Name()) {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func isTestFile(name string) bool { return strings.HasSuffix(name, "_test.go") }

// packageOf is the package that has the test, as go test takes it.
func packageOf(t *testing.T, test string) string {
	t.Helper()
	var found []string
	for _, file := range goFiles(t, "..", isTestFile) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if pkg := "./" + filepath.ToSlash(filepath.Dir(strings.TrimPrefix(file, "../"))); bytes.Contains(content, []byte("\nfunc "+test+"(")) {
			found = append(found, pkg)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%s is in %q, want one package", test, found)
	}
	return found[0]
}

// place finds the one file of the tree that says what the edit changes, and what is in it.
func (e edit) place(t *testing.T, tree string) (file string, content []byte) {
	t.Helper()
	times := 0
	for _, path := range goFiles(t, tree, func(name string) bool { return !isTestFile(name) }) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte(e.was)); n > 0 {
			times, file, content = times+n, path, text
		}
	}
	if times != 1 {
		t.Fatalf("the code says %d times %q: name the rule's words here", times, e.was)
	}
	return file, content
}

// Each rule that is broken stands in one place, and each test in one package, wherever that may be now.
func TestMutationsHaveTheirPlace(t *testing.T) {
	for _, m := range mutations {
		t.Run(m.invariant+" "+m.what, func(t *testing.T) {
			packageOf(t, m.test)
			for _, e := range m.edits {
				e.place(t, "..")
			}
		})
	}
}

// apply makes the edit and returns what unmakes it.
func (e edit) apply(t *testing.T, tree string) (unmake func()) {
	t.Helper()
	file, original := e.place(t, tree)
	write := func(content []byte) {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Error(err)
		}
	}
	write(bytes.Replace(original, []byte(e.was), []byte(e.now), 1))
	return func() { write(original) }
}

// runTests runs tests of the tree in their short form. One failure is enough: a second engine is not asked.
func runTests(t *testing.T, tree, pkg string, tests ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-v", "-count=1", "-vet=off", "-trimpath", "-timeout=2m", "-failfast", "-run", "^("+strings.Join(tests, "|")+")$", pkg)
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
