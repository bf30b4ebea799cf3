package main

// Values that are taken as text: a stray character in them would name another folder, another audience, another
// key, and nobody would see it.

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"latchkey/internal/store"
)

// quotes are what a shell or an editor puts around a value; an environment file keeps them.
const quotes = "\"'`\u2018\u2019\u201C\u201D\u201E"

// text takes a value as it stands, if nothing in it is stray.
func text(into *string) func(string) error {
	return func(value string) error {
		if i := strings.IndexAny(value, quotes); i >= 0 {
			return strayAt(value, i)
		}
		*into = value
		return nil
	}
}

// audience is one word: a verifier that is told "a,b" compares it as a whole.
func audience(into *string) func(string) error {
	return func(value string) error {
		if i := strings.IndexFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }); i >= 0 {
			return fmt.Errorf("%w; a token has one audience", strayAt(value, i))
		}
		return text(into)(value)
	}
}

// path is text where the parser goes on with the file.
func path(read func(string) error) func(string) error {
	return func(value string) error {
		var file string
		if err := text(&file)(value); err != nil {
			return err
		}
		return read(file)
	}
}

// checkStray refuses, in any value, what no key takes: control characters, invisible ones, and space at an edge.
func checkStray(value string) error {
	for i, r := range value {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(value[i:], "\uFFFD"):
			return fmt.Errorf("byte %d is not UTF-8: take it out", i+1)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == '\u2028', r == '\u2029':
			return strayAt(value, i)
		}
	}
	if trimmed := strings.TrimLeftFunc(value, unicode.IsSpace); trimmed != value {
		return strayAt(value, 0)
	}
	if trimmed := strings.TrimRightFunc(value, unicode.IsSpace); trimmed != value {
		return strayAt(value, len(trimmed))
	}
	return nil
}

// strayAt names the character at byte i of value, and nothing else of it: the value may be a secret.
func strayAt(value string, i int) error {
	r, _ := utf8.DecodeRuneInString(value[i:])
	place := "in it"
	switch {
	case i == 0:
		place = "at its beginning"
	case i+utf8.RuneLen(r) == len(value):
		place = "at its end"
	}
	fix := "take it out"
	if r == '\r' {
		fix = "the file it comes from has the line ends of Windows: write it with LF alone"
	}
	return fmt.Errorf("there is %s %s: %s", characterName(r), place, fix)
}

func characterName(r rune) string {
	names := map[rune]string{'\r': "a carriage return", '\n': "a line feed", '\t': "a tab", ' ': "a space", '"': "a double quote", '\'': "a single quote",
		'`': "a backquote", ',': "a comma", 0x00A0: "a no-break space", 0xFEFF: "a byte order mark", 0x200B: "a zero-width space"}
	name, ok := names[r]
	switch {
	case ok:
	case unicode.IsPrint(r):
		name = "the character " + string(r)
	default:
		name = "an invisible character"
	}
	return fmt.Sprintf("%s (U+%04X)", name, r)
}

// fromWindows says whether the variables come from a file with the line ends of Windows that a shell has read: each
// of several values ends in a carriage return then. In one value alone it is a stray character.
func fromWindows(values map[string]string) bool {
	for _, value := range values {
		if !strings.HasSuffix(value, "\r") {
			return false
		}
	}
	return len(values) > 1
}

// databaseURL is read by the store's parser alone, so that nothing is understood in two ways.
func databaseURL(into *string) func(string) error {
	return func(value string) error {
		if first, _ := utf8.DecodeRuneInString(value); strings.ContainsRune(quotes, first) {
			return strayAt(value, 0)
		}
		if last, size := utf8.DecodeLastRuneInString(value); strings.ContainsRune(quotes, last) {
			return strayAt(value, len(value)-size)
		}
		if i := strings.IndexFunc(value, unicode.IsSpace); i >= 0 {
			return strayAt(value, i)
		}
		if !strings.HasPrefix(value, "postgres://") && !strings.HasPrefix(value, "postgresql://") {
			return errors.New("write postgres://user:password@host/database, or leave it out for SQLite in the data folder")
		}
		if _, err := store.ParseURL(value); err != nil {
			return err
		}
		*into = value
		return nil
	}
}
