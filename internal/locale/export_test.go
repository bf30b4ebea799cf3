package locale

import (
	"maps"
	"slices"
	"testing"
)

// Entry is a message as its file has it.
type Entry = entry

// Messages reads a language's file.
func Messages(t *testing.T, tag string) map[string]Entry {
	t.Helper()
	messages, err := readMessages(files, tag)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

// Forms are the plural forms that a message has; nil: it is one text.
func Forms(e Entry) []string {
	if e.forms == nil {
		return nil
	}
	return slices.Collect(maps.Keys(e.forms))
}

// SameShape says whether a translation has the placeholders of English, and forms where English has them.
func SameShape(got, english Entry) bool {
	if (got.forms == nil) != (english.forms == nil) {
		return false
	}
	for _, text := range got.texts() {
		if !sameVerbs(text, english) {
			return false
		}
	}
	return true
}
