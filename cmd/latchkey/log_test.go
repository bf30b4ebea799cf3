package main

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"

	"latchkey/internal/auth"
	"latchkey/internal/fields"
)

func TestTextLogCanBeCopied(t *testing.T) {
	var out bytes.Buffer
	log := newLog("text", &out)
	log.Info(`try: curl -d '{"a":"b"}'`)
	log.With("part", "outbox").WithGroup("mail").Warn("late", "tries", 3, "why", "no answer")
	want := regexp.MustCompile(`^\d\d:\d\d:\d\d INFO try: curl -d '\{"a":"b"\}'
\d\d:\d\d:\d\d WARN late part=outbox mail.tries=3 mail.why="no answer"
$`)
	if !want.Match(out.Bytes()) {
		t.Errorf("log:\n%s", out.String())
	}
}

func TestLogIsJSONUnlessAPersonReads(t *testing.T) {
	var out bytes.Buffer
	newLog("", &out).Info("hint")
	if !strings.HasPrefix(out.String(), "{") {
		t.Errorf("log to a pipe: %s", out.String())
	}
}

func TestSentence(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("plain"), "plain"},
		{auth.ErrNoUser, auth.ErrNoUser.Error()},
		{&auth.Error{Code: auth.CodeInvalidRequest, Fields: []fields.Problem{{Name: "email", Message: "Enter it."}, {Name: "lastName", Message: "Enter a name."}}}, "email: Enter it; lastName: Enter a name"},
		{&auth.Error{Code: auth.CodeUnavailable, Cause: errors.New("disk is full")}, "disk is full"},
	} {
		if got := sentence(test.err).Error(); got != test.want {
			t.Errorf("sentence(%v) = %q, want %q", test.err, got, test.want)
		}
	}
}
