package ceiling

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"latchkey/internal/authtest"
)

// both runs a test on a ceiling's table of three rows on each engine.
func both(t *testing.T, test func(t *testing.T, rows updater)) {
	t.Run("SQLite", func(t *testing.T) {
		rows, err := open(t.Context(), Where{Path: filepath.Join(t.TempDir(), "rows.db"), Rows: 3})
		run(t, rows, err, test)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		cluster, err := authtest.StartCluster()
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		url, err := cluster.CreateDatabase("ceiling")
		if err != nil {
			t.Fatal(err)
		}
		rows, err := open(t.Context(), Where{URL: url, Rows: 3})
		run(t, rows, err, test)
	})
}

func run(t *testing.T, rows updater, err error, test func(t *testing.T, rows updater)) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	test(t, rows)
	if err := rows.close(); err != nil {
		t.Error(err)
	}
}

// The ceiling does all that a refresh cannot do without: it checks the MAC, changes the row, and signs.
func TestRefreshDoesTheWork(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	both(t, func(t *testing.T, rows updater) {
		handler := refresh(rows, private)
		ask := func(token string) *httptest.ResponseRecorder {
			w := httptest.NewRecorder()
			handler(w, httptest.NewRequest(http.MethodPost, "/refresh", strings.NewReader(`{"refreshToken":"`+token+`"}`)))
			return w
		}
		for want := int64(2); want < 5; want++ {
			w := ask(Token(RowID(2)))
			var got answer[tokens]
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%d %s: %v", w.Code, w.Body, err)
			}
			if generation := verified(t, &private.PublicKey, got.Data.AccessToken); generation != want {
				t.Errorf("generation %d, want %d", generation, want)
			}
		}
		if w := ask(RowID(2) + "." + strings.Repeat("00", 32)); w.Code != http.StatusUnauthorized {
			t.Errorf("a wrong MAC is answered %d", w.Code)
		}
		if w := ask(Token(RowID(3))); w.Code == http.StatusOK {
			t.Error("a row that is not there was changed")
		}
	})
}

// verified checks the signature (RFC 7518 §3.4) and returns the generation that was signed.
func verified(t *testing.T, key *ecdsa.PublicKey, token string) int64 {
	t.Helper()
	at := strings.LastIndexByte(token, '.')
	signature, err := base64.RawURLEncoding.DecodeString(token[at+1:])
	if err != nil || len(signature) != 64 {
		t.Fatalf("a signature of %d bytes: %v", len(signature), err)
	}
	sum := sha256.Sum256([]byte(token[:at]))
	if !ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		t.Error("the signature is wrong")
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var in struct {
		JTI int64 `json:"jti,string"`
	}
	if err := json.Unmarshal(claims, &in); err != nil {
		t.Fatal(err)
	}
	return in.JTI
}

// Changes that wait together are all made, each by itself.
func TestGroupsLoseNothing(t *testing.T) {
	both(t, func(t *testing.T, rows updater) {
		const each = 200
		failed := make(chan error, 8)
		for range cap(failed) {
			go func() {
				var err error
				for range each {
					_, one := rows.update(RowID(1), time.Now().UnixMicro())
					err = errors.Join(err, one)
				}
				failed <- err
			}()
		}
		for range cap(failed) {
			if err := <-failed; err != nil {
				t.Error(err)
			}
		}
		last, err := rows.update(RowID(1), 1)
		if _, sqlite := rows.(*sqliteRows); err != nil || sqlite && last != int64(cap(failed)*each)+2 {
			t.Errorf("generation %d, %v", last, err)
		}
	})
}

// FULL is asserted: a ceiling that does not wait for the disk would be no ceiling.
func TestCeilingIsDurable(t *testing.T) {
	conn, err := sqlite3.Open(filepath.Join(t.TempDir(), "rows.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Exec(pragmas); err != nil {
		t.Fatal(err)
	}
	if err := assertDurable(conn); err != nil {
		t.Error(err)
	}
	for _, weaker := range []string{"synchronous = NORMAL", "journal_mode = DELETE"} {
		if err := conn.Exec(pragmas + "; PRAGMA " + weaker); err != nil {
			t.Fatal(err)
		}
		if assertDurable(conn) == nil {
			t.Errorf("%s was taken", weaker)
		}
	}
}
