package oidc

// The flow: a request on its way through the pages of a sign-in, sealed, so that nothing of it is kept here and nobody
// else can have made it.

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/internal/clients"
	"latchkey/internal/token"
)

// FlowLife is how long a flow goes on after its request came.
const FlowLife = time.Hour

// ErrRunOut is for a flow that is right in everything but its age.
var ErrRunOut = errors.New("the flow has run out")

// labelFlow keeps what is sealed here from opening as anything else (HKDF info).
const labelFlow = "flow v1"

// maxFlow is the longest flow that is looked at, in bytes. The longest request there may be, all of characters that are
// sealed as two, fits.
const maxFlow = 12 << 10

// Flow is a request that Read has taken, and what has been done about it in one browser.
type Flow struct {
	Query     string    // the request, spelt by Request.Query
	At        time.Time // when it came, to the microsecond: what a flow lives by, and nothing else
	Browser   string    // text that stands for the browser: whatever opens in another is not this flow
	Proved    string    // id of the page session that began by a proof given for this request; empty: none
	Continued string    // id of the page session whose user pressed "Continue as"; empty: none
	Consented string    // id of the page session whose user consented; empty: none
}

// sealedFlow is what is sealed. The request's parameters lie in it decoded, since in a URL's spelling, sealed and then
// in base64, a long one would be too long for the URLs that servers in front of us let pass.
type sealedFlow struct {
	Request   map[string]string `json:"request"`
	At        int64             `json:"at"` // microseconds since 1970
	Browser   string            `json:"browser,omitempty"`
	Proved    string            `json:"proved,omitempty"`
	Continued string            `json:"continued,omitempty"`
	Consented string            `json:"consented,omitempty"`
}

// Seal returns the flow as pages and links carry it: base64url, different each time. The error is that a field is not
// text, or that Query is not in its one spelling.
func (f Flow) Seal(m *token.MasterKeys) (string, error) {
	text, err := f.encode()
	if err != nil {
		return "", fmt.Errorf("seal flow: %w", err)
	}
	keyID, sealed, err := m.Seal(labelFlow, text, nil)
	if err != nil {
		return "", fmt.Errorf("seal flow: %w", err)
	}
	id, err := hex.DecodeString(keyID)
	if err != nil {
		return "", fmt.Errorf("seal flow: id of the master key: %w", err)
	}
	return encoding.EncodeToString(append(id, sealed...)), nil
}

func (f Flow) encode() ([]byte, error) {
	query, err := url.ParseQuery(f.Query)
	if err != nil || query.Encode() != f.Query {
		return nil, errors.New("the query is not as Request.Query spells it")
	}
	s := sealedFlow{map[string]string{}, f.At.UnixMicro(), f.Browser, f.Proved, f.Continued, f.Consented}
	texts := []string{f.Browser, f.Proved, f.Continued, f.Consented}
	for name, values := range query {
		if len(values) > 1 {
			return nil, errors.New("the query has a parameter twice")
		}
		s.Request[name] = values[0]
		texts = append(texts, name, values[0])
	}
	if !utf8.ValidString(strings.Join(texts, " ")) { // JSON would hold other bytes
		return nil, errors.New("a field is not UTF-8")
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// FlowKeyID is the id of the master key that a flow says it was sealed under; empty where it says none.
func FlowKeyID(m *token.MasterKeys, raw string) string {
	idSize := hex.DecodedLen(len(m.Current()))
	sealed, ok := decode(raw)
	if !ok || len(sealed) < idSize {
		return ""
	}
	return hex.EncodeToString(sealed[:idSize])
}

// OpenFlow returns what Seal was given. The error is ErrRunOut for a flow that is an hour old, which is returned all the
// same; token.ErrUnknownMasterKey for one under a key that is not in the ring, but that other nodes may have; and
// token.ErrMalformed for whatever was not sealed here as a flow. With the last two the Flow is empty.
func OpenFlow(m *token.MasterKeys, raw string, now time.Time) (Flow, error) {
	idSize := hex.DecodedLen(len(m.Current())) // the id of a master key stands in front
	sealed, ok := decode(raw[:min(len(raw), maxFlow)])
	if !ok || len(raw) > maxFlow || len(sealed) < idSize {
		return Flow{}, fmt.Errorf("open flow: %w", token.ErrMalformed)
	}
	text, err := m.Open(hex.EncodeToString(sealed[:idSize]), labelFlow, sealed[idSize:], nil)
	if err != nil {
		return Flow{}, fmt.Errorf("open flow: %w", err)
	}
	f, err := decodeFlow(text)
	if err != nil {
		return Flow{}, fmt.Errorf("open flow: %w", token.ErrMalformed)
	}
	if !now.Before(f.At.Add(FlowLife)) {
		return f, ErrRunOut
	}
	return f, nil
}

func decodeFlow(text []byte) (Flow, error) {
	var s sealedFlow
	if err := json.Unmarshal(text, &s); err != nil {
		return Flow{}, err
	}
	query := url.Values{}
	for name, value := range s.Request {
		query.Set(name, value)
	}
	return Flow{query.Encode(), time.UnixMicro(s.At).UTC(), s.Browser, s.Proved, s.Continued, s.Consented}, nil
}

// Request reads the request again, by the clients file of this moment. The errors are those of Read.
func (f Flow) Request(registered *clients.Set) (Request, error) {
	query, err := url.ParseQuery(f.Query)
	if err != nil {
		return Request{}, fmt.Errorf("read the request of a flow: %w", err)
	}
	return Read(query, registered)
}
