package rigs

// Someone who calls from an address of their own choosing and looks at the whole answer, headers too.

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"latchkey/api"
	"latchkey/rigs/stage"
)

// caller is one client. The zero caller has no address but the rig's, and no device token.
type caller struct {
	address, device string
}

// answer is what a caller was told; no status when there was no answer.
type answer struct {
	status     int
	code       string
	retryAfter time.Duration
	device     string // a device token
	took       time.Duration
}

// signIn tries a password on a node.
func (c caller) signIn(t testing.TB, on *stage.Node, email, password string) answer {
	t.Helper()
	return c.post(t, on, "/auth/signin", api.SignInRequest{Email: email, Password: password})
}

func (c caller) post(t testing.TB, on *stage.Node, path string, in any) (a answer) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, on.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", c.address)
	if c.device != "" {
		req.Header.Set("X-Latchkey-Device", c.device)
	}
	direct := http.Client{Timeout: on.HTTP.Timeout, Transport: on.HTTP.Transport.(stage.Elsewhere).RoundTripper}
	began := time.Now()
	res, err := direct.Do(req)
	a.took = time.Since(began)
	if err != nil {
		t.Errorf("POST %s: %v", path, err)
		return a
	}
	defer res.Body.Close()
	var said api.Error
	_ = json.NewDecoder(res.Body).Decode(&said) // a success has no code
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	a.status, a.code, a.device = res.StatusCode, said.Code, res.Header.Get("X-Latchkey-Device")
	a.retryAfter = time.Duration(seconds) * time.Second
	return a
}
