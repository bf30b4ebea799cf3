package verify

// JOSE headers: what one says, read once for all the tokens that begin with it.

import (
	"encoding/base64"
	"maps"
	"sync/atomic"

	"github.com/go-json-experiment/json"
)

// head is what is read of a header. All else in it is as if it were not there (RFC 8725 §3.10).
type head struct{ key, alg, kind string }

// heads remembers headers that the issuer has signed: what each of a key's tokens of one type begins with.
type heads struct {
	known atomic.Pointer[map[string]head]
}

const mostHeads = 64 // an issuer has few

// read returns what a header says; the zero head where it is none, names no key, or says something that changes how the
// rest is read (RFC 7515 §4.1.11, RFC 7797).
func (h *heads) read(text string) (said head, remembered bool) {
	if known := h.known.Load(); known != nil {
		if said, remembered = (*known)[text]; remembered {
			return said, true
		}
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return head{}, false
	}
	f := fields{}
	if json.Unmarshal(raw, &f.all) != nil { // a member that comes twice, too
		return head{}, false
	}
	_, critical := f.all["crit"]
	_, encoding := f.all["b64"]
	said = head{key: f.text("kid"), alg: f.text("alg"), kind: f.text("typ")}
	if f.wrong || critical || encoding || said.key == "" {
		return head{}, false
	}
	return said, false
}

// remember is for a header that was found signed.
func (h *heads) remember(text string, said head) {
	for {
		before := h.known.Load()
		after := map[string]head{text: said}
		if before != nil && len(*before) < mostHeads {
			maps.Copy(after, *before)
		}
		if h.known.CompareAndSwap(before, &after) {
			return
		}
	}
}
