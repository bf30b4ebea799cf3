package oidc

// Whatever is sent: no answer goes anywhere else, and no flow opens that is not ours. The seeds are in testdata/fuzz.

import (
	"errors"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/clients"
	"latchkey/internal/token"
)

// An answer begins with a redirect URI of the client that was named, byte for byte, and what stands behind it says what
// was meant, to whoever reads the whole as a URL too. A request that is taken is the same when it is read from its flow.
func FuzzRead(f *testing.F) {
	registered, m := set(f, shop(), desk()), keys(f, testKey)
	f.Fuzz(func(t *testing.T, raw, code, description string) {
		query, _ := url.ParseQuery(raw) // what cannot be read is left out, as net/http does
		r, err := Read(query, registered)
		if isUnknown(err) {
			if diff := cmp.Diff(Request{}, r, sameClient); diff != "" {
				t.Errorf("%q is unknown, but not empty (-want +got):\n%s", raw, diff)
			}
			return
		}
		refusal, refused := errors.AsType[*Refusal](err)
		if err != nil && !refused {
			t.Fatalf("%q: %v", raw, err)
		}
		if alias := query["client_id"]; len(alias) != 1 || alias[0] != r.Client.Alias || !isRegistered(r.Client, r.RedirectURI) {
			t.Fatalf("%q: client %q, redirect URI %q", raw, r.Client.Alias, r.RedirectURI)
		}
		if len(r.State) > 2048 || !utf8.ValidString(r.State) || r.State != "" && !slices.Equal(query["state"], []string{r.State}) {
			t.Errorf("%q is answered with the state %q", raw, r.State)
		}
		told := []Field{{"state", r.State}, {"iss", issuer}}
		if r.State == "" {
			told = told[1:]
		}
		if refused {
			want := append([]Field{{"error", refusal.Code}, {"error_description", refusal.Description}}, told...)
			checkAnswer(t, r, r.Refuse(refusal.Code, refusal.Description, issuer), want)
			return
		}
		checkAnswer(t, r, r.Grant(code, issuer), append([]Field{{"code", code}}, told...))
		want := append([]Field{{"error", AccessDenied}, {"error_description", strings.Map(describing, description)}}, told...)
		if description == "" {
			want = slices.Delete(want, 1, 2)
		}
		checkAnswer(t, r, r.Refuse(AccessDenied, description, issuer), want)
		checkFlow(t, r, registered, m)
	})
}

var port = regexp.MustCompile(`^(http://(?:127\.0\.0\.1|\[::1\])):[0-9]{1,5}/`)

// isRegistered compares the slow way: as they stand, or both without their port where they are on loopback.
func isRegistered(c clients.Client, uri string) bool {
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool {
		return registered == uri || port.ReplaceAllString(registered, "$1/") == port.ReplaceAllString(uri, "$1/")
	})
}

func checkAnswer(t *testing.T, r Request, got Answer, want []Field) {
	t.Helper()
	if r.ResponseMode == ModeFormPost {
		if diff := cmp.Diff(Answer{Action: r.RedirectURI, Form: want}, got); diff != "" {
			t.Errorf("by a form (-want +got):\n%s", diff)
		}
		return
	}
	rest, ok := strings.CutPrefix(got.URL, r.RedirectURI)
	if !ok || got.Action != "" || got.Form != nil {
		t.Fatalf("%+v does not begin with %q", got, r.RedirectURI)
	}
	fields := url.Values{}
	for _, field := range want {
		fields.Add(field.Name, field.Value)
	}
	added, err := url.ParseQuery(rest[1:])
	if diff := cmp.Diff(fields, added); err != nil || diff != "" {
		t.Errorf("%q is read as %v (-want +got):\n%s", rest, err, diff)
	}
	whole, err := url.Parse(got.URL)
	if err != nil || whole.Fragment != "" || whole.User != nil {
		t.Fatalf("%q is %+v, %v", got.URL, whole, err)
	}
	own, _ := url.Parse(r.RedirectURI)
	for name, values := range own.Query() {
		fields[name] = append(values, fields[name]...)
	}
	if diff := cmp.Diff(fields, whole.Query()); diff != "" || whole.Host != own.Host || whole.Path != own.Path {
		t.Errorf("%q as a whole (-want +got):\n%s", got.URL, diff)
	}
}

func checkFlow(t *testing.T, r Request, registered *clients.Set, m *token.MasterKeys) {
	t.Helper()
	sent, err := Flow{Query: r.Query(), At: at, Browser: "b"}.Seal(m)
	if err != nil {
		t.Fatalf("%q: %v", r.Query(), err)
	}
	flow, err := OpenFlow(m, sent, at)
	if err != nil {
		t.Fatalf("%q: %v", r.Query(), err)
	}
	again, err := flow.Request(registered)
	if diff := cmp.Diff(r, again, sameClient); err != nil || diff != "" || again.Query() != r.Query() {
		t.Errorf("from its flow, %v (-want +got):\n%s", err, diff)
	}
}

// What opens has one spelling, and can be sealed again.
func FuzzOpenFlow(f *testing.F) {
	m := keys(f, testKey)
	f.Add(sealed(f, testFlow(), m))
	f.Add(sealed(f, Flow{At: at.Add(-FlowLife)}, m))
	f.Fuzz(func(t *testing.T, raw string) {
		flow, err := OpenFlow(m, raw, at)
		if errors.Is(err, token.ErrMalformed) || errors.Is(err, token.ErrUnknownMasterKey) {
			if flow != (Flow{}) {
				t.Errorf("%q is refused with %+v", raw, flow)
			}
			return
		}
		if err != nil && (!errors.Is(err, ErrRunOut) || at.Sub(flow.At) < FlowLife) {
			t.Fatalf("%q: %v", raw, err)
		}
		if bytes, ok := decode(raw); !ok || encoding.EncodeToString(bytes) != raw {
			t.Errorf("%q opens, and is not how its bytes are spelt", raw)
		}
		if again, err := OpenFlow(m, sealed(t, flow, m), flow.At); err != nil || again != flow {
			t.Errorf("%+v, sealed again, is %+v, %v", flow, again, err)
		}
	})
}
