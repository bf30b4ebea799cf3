package ceiling

// A server without rules, as a process of its own, like the one it is compared with. POST /echo decodes
// and encodes JSON. POST /refresh does the work of a refresh that nobody can do without: JSON in and
// out, one MAC check, one durable UPDATE … RETURNING that shares its commit with whoever waits, one
// ES256 signature. It knows no generations, no users, no refusals, no log, no headers.

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// key is no secret: it protects nothing.
var key = []byte("a key for measuring only")

// updater makes one durable change to a row and returns what the row says.
type updater interface {
	update(id string, now int64) (generation int64, err error)
	close() error
}

// Where says what the server of /refresh writes to: an empty SQLite file or PostgreSQL database that it
// fills, and with how many rows.
type Where struct {
	Path string // SQLite file
	URL  string // or PostgreSQL
	Rows int
}

// RowID is the id of a row.
func RowID(n int) string {
	return fmt.Sprintf("0199aaaa-%04x-7000-8000-%012x", n>>16&0xffff, n)
}

// Token is what a caller presents for a row: it is good for ever.
func Token(id string) string { return id + "." + hex.EncodeToString(mac(id)) }

func mac(id string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(id))
	return h.Sum(nil)
}

// Serve answers on addr until its standard input ends: it goes when its parent does.
func Serve(ctx context.Context, addr string, w Where) (err error) {
	rows, err := open(ctx, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.close()) }()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("POST /refresh", refresh(rows, private))
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	if err := srv.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func open(ctx context.Context, w Where) (updater, error) {
	if w.URL != "" {
		return openPostgres(ctx, w.URL, w.Rows)
	}
	return openSQLite(w.Path, w.Rows)
}

// tokens has the shape and size of Latchkey's answer to a refresh.
type tokens struct {
	AccessToken      string `json:"access_token"`
	TokenType        string `json:"token_type"`
	ExpiresIn        int    `json:"expires_in"`
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int64  `json:"refresh_expires_in"`
	SessionID        string `json:"sessionId"`
	SessionState     string `json:"session_state"`
	Scope            string `json:"scope"`
}

type answer[T any] struct {
	StatusCode int    `json:"statusCode"`
	Message    string `json:"message"`
	Data       T      `json:"data"`
}

func write[T any](w http.ResponseWriter, data T) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer[T]{http.StatusOK, "Done.", data})
}

func echo(w http.ResponseWriter, r *http.Request) {
	var in tokens
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	write(w, in)
}

// EchoBody is about 1 KiB of JSON for /echo.
func EchoBody() string {
	text, _ := json.Marshal(tokens{ // strings and numbers always encode
		AccessToken: strings.Repeat("a", 640), TokenType: "Bearer", ExpiresIn: 600,
		RefreshToken: strings.Repeat("r", 320), SessionID: RowID(1), SessionState: RowID(1), Scope: "email profile",
	})
	return string(text)
}

func refresh(rows updater, private *ecdsa.PrivateKey) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			RefreshToken string `json:"refreshToken"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id, given, _ := strings.Cut(in.RefreshToken, ".")
		sum, err := hex.DecodeString(given)
		if err != nil || !hmac.Equal(sum, mac(id)) {
			http.Error(w, "wrong MAC", http.StatusUnauthorized)
			return
		}
		now := time.Now()
		generation, err := rows.update(id, now.UnixMicro())
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		access, err := sign(private, id, generation, now)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		write(w, tokens{
			AccessToken: access, TokenType: "Bearer", ExpiresIn: 600,
			RefreshToken: in.RefreshToken, RefreshExpiresIn: 1209600,
			SessionID: id, SessionState: id, Scope: "email profile",
		})
	}
}

// sign makes a token as long as Latchkey's access tokens.
func sign(private *ecdsa.PrivateKey, id string, generation int64, now time.Time) (string, error) {
	claims := fmt.Sprintf(`{"sid":%q,"jti":"%d","iat":%d,"fill":%q}`, id, generation, now.Unix(), fill)
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"at+jwt","kid":"0123456789"}`)) +
		"." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, private, sum[:])
	if err != nil {
		return "", err
	}
	var signature [64]byte
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return text + "." + base64.RawURLEncoding.EncodeToString(signature[:]), nil
}

const fill = "................................................................................................................................................................................................................................"
