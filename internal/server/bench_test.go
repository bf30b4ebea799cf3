package server_test

// What a refresh costs through the whole handler, on SQLite, without a network.

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"latchkey/api"
	"latchkey/internal/authtest"
	"latchkey/internal/server"
)

func BenchmarkRefreshRequest(b *testing.B) {
	r := authtest.New(b, authtest.SQLite(b))
	handler := server.New(r.ServerOptions())
	r.AddUser(b, "ada@example.com")
	token := r.In(b, "ada@example.com").RefreshToken
	b.ReportAllocs()
	for b.Loop() {
		req := httptest.NewRequest("POST", "/auth/refresh-token", strings.NewReader(`{"refreshToken":"`+token+`"}`))
		req.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, req)
		var answer api.Response[api.Tokens]
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
			b.Fatalf("%d %s: %v", w.Code, w.Body, err)
		}
		token = answer.Data.RefreshToken
	}
}
