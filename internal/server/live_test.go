package server_test

// The admin listener and the pages, on a whole server.

import (
	"io"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"latchkey/internal/authtest"
	"latchkey/internal/server"
)

// scrape reads /metrics of the admin listener.
func scrape(a *app) string {
	a.Helper()
	w := httptest.NewRecorder()
	server.NewAdmin(a.ServerOptions()).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		a.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func TestAdminListener(t *testing.T) {
	s := newNode(t, authtest.SQLite(t), nil).enter(t)
	s.forgot(members{"email": s.user()}).is("200")
	text := scrape(s)
	for _, want := range []string{
		"latchkey_database_up 1\n", "latchkey_outbox_mails 1\n", "latchkey_outbox_oldest_seconds ",
		"latchkey_password_hashes_running 0\n", "latchkey_password_hashes_waiting 0\n", "latchkey_password_hashes_shed_total 0\n",
		"latchkey_build_info{",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s", want)
		}
	}
	listening, stopping := make(chan struct{}), make(chan struct{})
	o := s.ServerOptions()
	o.Listening, o.Stopping = listening, stopping
	admin := server.NewAdmin(o)
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		admin.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if h := w.Header(); h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: headers %v", path, h)
		}
		return w.Code, w.Body.String()
	}
	if status, body := get("/readyz"); status != 503 || !strings.Contains(body, "starting") {
		t.Errorf("/readyz before the public listener accepts: %d %s", status, body)
	}
	close(listening)
	for _, path := range []string{"/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/goroutine?debug=1"} {
		if status, _ := get(path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
	public := server.New(o)
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/cmdline"} {
		w := httptest.NewRecorder()
		public.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 404 {
			t.Errorf("the public listener answers %s with %d", path, w.Code)
		}
	}
	close(stopping)
	if status, body := get("/readyz"); status != 503 || !strings.Contains(body, "shutting down") {
		t.Errorf("/readyz while stopping: %d %s", status, body)
	}
	if status, _ := get("/healthz"); status != 200 {
		t.Errorf("/healthz while stopping: %d", status)
	}
}

// A page elsewhere must not read /metrics or pprof through a browser on the operator's machine.
func TestAdminListenerAnswersTheOperatorAlone(t *testing.T) {
	s := newNode(t, authtest.SQLite(t), nil).enter(t)
	for _, tt := range []struct {
		bind, host, site string
		status           int
	}{
		{"127.0.0.1:9090", "localhost:9090", "", 200},
		{"127.0.0.1:9090", "127.0.0.1:9090", "", 200},
		{"127.0.0.1:9090", "127.0.0.1", "none", 200},
		{"127.0.0.1:9090", "[::1]:19090", "same-origin", 200},
		{"localhost:9090", "localhost:1", "", 200},
		{"[::1]:9090", "[::1]", "", 200},
		{"127.0.0.1:9090", "rebound.example:9090", "", 403},
		{"127.0.0.1:9090", "rebound.example:9090", "same-origin", 403},
		{"127.0.0.1:9090", "localhost.rebound.example", "", 403},
		{"127.0.0.1:9090", "localhost.:9090", "", 403},
		{"127.0.0.2:9090", "127.0.0.2:9090", "", 200},
		{"127.0.0.2:9090", "127.0.0.2", "", 200},
		{"127.0.0.2:9090", "127.0.0.2:9090", "cross-site", 403},
		{"127.0.0.1:9090", "127.0.0.2:9090", "", 200},
		{"127.0.0.2:9090", "10.0.0.5:9090", "", 403},
		{"127.0.0.2:9090", "127.0.0.2.rebound.example:9090", "", 403},
		{"127.0.0.1:9090", "", "", 403},
		{"localhost:9090", "rebound.example", "", 403},
		{"[::1]:9090", "rebound.example", "", 403},
		{"127.0.0.1:9090", "localhost:9090", "cross-site", 403},
		{"127.0.0.1:9090", "localhost:9090", "same-site", 403},
		{"10.0.0.5:9090", "metrics.internal:9090", "", 200},
		{"0.0.0.0:9090", "10.0.0.5:9090", "none", 200},
		{":9090", "metrics.internal:9090", "cross-site", 403},
		{":9090", "metrics.internal:9090", "same-site", 403},
	} {
		o := s.ServerOptions()
		o.AdminAddr = tt.bind
		admin := server.NewAdmin(o)
		for _, path := range []string{"/metrics", "/healthz", "/readyz", "/debug/pprof/cmdline", "/nothing"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Host = tt.host
			if tt.site != "" {
				r.Header.Set("Sec-Fetch-Site", tt.site)
			}
			w := httptest.NewRecorder()
			admin.ServeHTTP(w, r)
			want := tt.status
			if path == "/nothing" && want == 200 {
				want = 404
			}
			if w.Code != want {
				t.Errorf("%s on %s as %q, Sec-Fetch-Site %q: %d, want %d", path, tt.bind, tt.host, tt.site, w.Code, want)
			}
			if want == 403 && strings.Contains(w.Body.String(), "latchkey_") {
				t.Errorf("%s says %s", path, w.Body)
			}
		}
	}
}

// The pages do what the mailed link is for, once their button is pressed.
func TestPagesAct(t *testing.T) {
	s := newNode(t, authtest.SQLite(t), nil).enter(t)
	known, unknown := s.user(), s.email()
	post := func(path string, form url.Values) (int, string) {
		t.Helper()
		res, err := s.HTTP.Client().PostForm(s.HTTP.URL+path, form)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		body, _ := io.ReadAll(res.Body)
		return res.StatusCode, string(body)
	}
	form := url.Values{"email": {known}, "verificationCode": {s.ForgotCode(t, known)}, "password": {"password"}}
	if status, body := post("/reset-password", form); status != 400 || !strings.Contains(body, form.Get("verificationCode")) {
		t.Errorf("a refused password: %d, want the form again: %s", status, body)
	}
	form.Set("password", newPassword)
	if status, body := post("/reset-password", form); status != 200 || strings.Contains(body, form.Get("verificationCode")) {
		t.Errorf("reset: %d %s", status, body)
	}
	s.signIn(known, newPassword).is("200")
	if status, body := post("/reset-password", form); status != 400 || strings.Contains(body, `name="password"`) {
		t.Errorf("the link once more: %d %s", status, body)
	}
	s.verifyMail(members{"email": unknown}).is("201")
	form = url.Values{"email": {unknown}, "verificationCode": {s.Code(t, unknown)}}
	if status, body := post("/verify-email-success", form); status != 200 || strings.Contains(body, `name="verificationCode"`) {
		t.Errorf("verify: %d %s", status, body)
	}
	form.Set("verificationCode", "x")
	if status, _ := post("/verify-email-success", form); status != 400 {
		t.Errorf("verify with a wrong code: %d", status)
	}
}
