package verify_test

// Attacks on JWTs, as a table: testdata/attacks.json, which every verifier of ours is held to. This file reads it; who
// writes it is in attacks_made_test.go.

import (
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"latchkey/verify"
)

var update = flag.Bool("update", false, "write testdata/attacks.json anew, with other keys")

const attacksFile = "testdata/attacks.json"

// attacks are tokens, and what a verifier with that configuration says of each at that time.
type attacks struct {
	Now      int64           `json:"now"`
	Issuer   string          `json:"issuer"`
	Audience string          `json:"audience"`
	JWKS     json.RawMessage `json:"jwks"`
	Cases    []attack        `json:"cases"`
}

type attack struct {
	Name  string `json:"name"`
	RFC   string `json:"rfc"`
	Token string `json:"token"`
	Code  string `json:"code"` // none: the token is good
}

func TestAttacks(t *testing.T) {
	if *update {
		writeAttacks(t)
	}
	var table attacks
	text, err := os.ReadFile(attacksFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(table.JWKS) }))
	t.Cleanup(keys.Close)
	now := time.Unix(table.Now, 0)
	v := newVerifier(t, verify.Config{
		Issuer: table.Issuer, Audience: table.Audience, HTTP: leadingTo(keys), Now: func() time.Time { return now },
	})
	good := 0
	for _, tt := range table.Cases {
		t.Run(tt.Name, func(t *testing.T) {
			claims, err := v.Verify(t.Context(), tt.Token, verify.Require{})
			code := ""
			if refused, ok := errors.AsType[*verify.Error](err); ok {
				code = refused.Code
			}
			if code != tt.Code || (err == nil) != (tt.Code == "") || (claims.Subject != "") != (tt.Code == "") {
				t.Errorf("%v, %+v; want %q", err, claims, tt.Code)
			}
		})
		if tt.Code == "" {
			good++
		}
	}
	if good < 5 || len(table.Cases)-good < 60 {
		t.Errorf("%d tokens, %d of them good: the table is not whole", len(table.Cases), good)
	}
}
