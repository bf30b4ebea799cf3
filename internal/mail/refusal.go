package mail

// What a server's refusal is about. Most of them are about us (who we are, what we may, how much), and end
// when the operator fixes something: no mail is to be lost to that.

import (
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strings"
)

// refused is an answer other than the one hoped for.
type refused struct {
	step   string // the command that was answered
	answer *textproto.Error
}

func (r *refused) Error() string { return r.step + ": " + r.answer.Error() }

func (r *refused) Unwrap() error { return r.answer }

// enhanced is RFC 3463 §2 at the beginning of an answer's text (RFC 2034 §4).
var enhanced = regexp.MustCompile(`^([245])\.(\d{1,3})\.(\d{1,3})(?:\s|$)`)

// aboutUs are words by which servers without enhanced codes tell that a recipient was refused for the sake of
// the sender: a relay that is not ours, a missing sign-in, a sender or address that is not wanted.
var aboutUs = regexp.MustCompile(`(?i)relay|sender|authenticat|block|blacklist|spam|policy|reputation|quota|too many`)

// final says whether no later try can help: the recipient's address is bad (RFC 3463 §3.2, X.1.x, but for those
// about the sender's), said at RCPT, where nothing else of the mail is known. Without an enhanced code 550, 551
// and 553 mean that (RFC 5321 §4.2.3), unless the words say otherwise.
func (r *refused) final() bool {
	if r.step != "RCPT" || r.answer.Code < 500 || r.answer.Code > 599 {
		return false
	}
	if code := enhanced.FindStringSubmatch(r.answer.Msg); code != nil {
		return code[1] == "5" && code[2] == "1" && code[3] != "7" && code[3] != "8"
	}
	switch r.answer.Code {
	case 550, 551, 553:
		return !aboutUs.MatchString(r.answer.Msg)
	}
	return false
}

// Answer is the server's answer in an error of Send's; empty where it gave none.
func Answer(err error) string {
	r, ok := errors.AsType[*refused](err)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d %s", r.answer.Code, r.answer.Msg)
}

// aloud is what a server said, fit for a log and for the outbox: one line, not too long, and without the
// recipient, whose address is wiped from the outbox when the mail has reached its end.
func aloud(err error, to string) string {
	s := recipient(to).ReplaceAllString(err.Error(), "(recipient)")
	s = strings.Map(func(r rune) rune {
		if isUnprintable(r) {
			return ' '
		}
		return r
	}, s)
	if runes := []rune(singleSpaced(s)); len(runes) > 300 {
		return string(runes[:300]) + "..."
	}
	return singleSpaced(s)
}

// wordFirst matches what begins with a letter, a digit or an underscore.
var wordFirst = regexp.MustCompile(`^\w`)

// recipient finds an address in any case, also where a relay has rewritten its domain or encoded the @, and
// its local part as a word.
func recipient(to string) *regexp.Regexp {
	local, _, _ := strings.Cut(to, "@")
	before, local, host := `(?i)(?:^|\b)`, regexp.QuoteMeta(local), `(?:@|=40|%40|\+40|=)[a-z0-9._-]*[a-z0-9]`
	if !wordFirst.MatchString(local) {
		before = `(?i)` // no word begins with it
	}
	if len(local) < 3 { // "a" or "me" alone would leave nothing to read
		return regexp.MustCompile(before + local + host)
	}
	return regexp.MustCompile(before + local + `(?:` + host + `|\b|$)`)
}
