package apps

// mod_auth_openidc, as Debian builds it, in an Apache of the test's own. Behind it stands an application that knows
// nothing of sign-in and reads who it is from headers.

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"

	"latchkey/internal/authtest"
)

func TestModAuthOpenIDC(t *testing.T) {
	authtest.Engines(t, func(t *testing.T, db authtest.Database) {
		app := onServer(t, "apache")
		app.callback = app.URL + "/app/callback"
		app.Redirects = []string{app.callback}
		p := newProvider(t, db, nil, app)
		liveBehindApache(t, p, app)
		// The exchange, a refresh, and one or both of those at once.
		if got := p.answered(t, tokenRoute); len(got) != 1 || got["200"] < 3 || got["200"] > 4 {
			t.Errorf("answers of %s by status: %v, want 3 or 4 with 200", tokenRoute, got)
		}
	})
}

// liveBehindApache is an application's life with one person.
func liveBehindApache(t *testing.T, p *provider, app registration) {
	t.Helper()
	startApache(t, app, apacheRecipe(t, p, app))
	if end := refusedBehindApache(newVisitor(t, ""), app); !strings.HasPrefix(end.at.String(), app.callback+"?") {
		t.Errorf("a refusal ended at %s, want the callback:\n%s", end.at, end.text)
	}

	v := newVisitor(t, "")
	first, pages := behindApache(v, p.person, app)
	if diff := cmp.Diff([]string{"/signin"}, pages); diff != "" {
		t.Errorf("pages on the way in, want and got:\n%s", diff)
	}
	want := signedIn{Subject: p.person.ID, Email: p.person.Email, Name: firstName + " " + lastName, Access: first.Access}
	if diff := cmp.Diff(want, first); diff != "" || first.Access == "" {
		t.Fatalf("the application reads, want and got:\n%s", diff)
	}

	renewed := refreshBehindApache(v, app, first.Access)
	if want.Access = renewed.Access; cmp.Diff(want, renewed) != "" || renewed.Access == first.Access {
		t.Errorf("after a refresh the application reads %+v, want another access token and the rest as before", renewed)
	}
	twiceAtOnce(v, app, renewed.Access)
	if still, pages := behindApache(v, p.person, app); still.Subject != p.person.ID || pages != nil {
		t.Errorf("after two refreshes at once it reads %+v, by way of %v: want the same person, and no page", still, pages)
	}

	if end := v.open(app.callback + "?logout=" + url.QueryEscape(app.SignedOut[0])); end.at.String() != app.SignedOut[0] {
		t.Errorf("signing out ended at %s, want %s:\n%s", end.at, app.SignedOut[0], end.text)
	}
	if again := v.open(app.URL + "/app/"); !strings.HasPrefix(again.at.String(), p.issuer+"/signin?") {
		t.Errorf("after signing out the application leads to %s, want the sign-in page:\n%s", again.at, again.text)
	}
}

// signedIn is what the application behind Apache reads in the headers of a request.
type signedIn struct {
	Subject string `json:"sub"`
	Email   string `json:"email"`
	Name    string `json:"name"`
	Access  string `json:"access"`
}

// newApplication tells its caller who that is.
func newApplication(t *testing.T) *httptest.Server {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(signedIn{
			Subject: r.Header.Get("OIDC_CLAIM_sub"), Email: r.Header.Get("OIDC_CLAIM_email"), Name: r.Header.Get("OIDC_CLAIM_name"),
			Access: r.Header.Get("OIDC_access_token"),
		})
	}))
	t.Cleanup(app.Close)
	return app
}

// behindApache opens the application, signs in where Apache asks for it, and reads the answer.
func behindApache(v *visitor, who account, app registration) (got signedIn, pages []string) {
	v.t.Helper()
	end, pages := v.wayIn(v.open(app.URL+"/app/"), who)
	return end.read(v.t), pages
}

// refusedBehindApache begins to sign in where the server may not ask the person anything.
func refusedBehindApache(v *visitor, app registration) screen {
	v.t.Helper()
	header, _ := v.send(nil, v.parse(app.URL+"/app/"), "none", http.MethodGet, nil)
	return v.open(header.Get("Location") + "&prompt=none")
}

func (s screen) read(t *testing.T) (got signedIn) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.text), &got); err != nil || s.status != http.StatusOK {
		t.Fatalf("at %s with status %d there is no answer of the application: %v\n%s", s.at, s.status, err, s.text)
	}
	return got
}

// refreshURL is where a browser has the module refresh. The access token proves that the application asks for it.
func refreshURL(app registration, access string) string {
	return app.callback + "?" + url.Values{"refresh": {app.URL + "/app/"}, "access_token": {access}}.Encode()
}

func refreshBehindApache(v *visitor, app registration, access string) signedIn {
	v.t.Helper()
	end := v.open(refreshURL(app, access))
	if end.at.RawQuery != "" {
		v.t.Errorf("the refresh ended at %s", end.at)
	}
	return end.read(v.t)
}

// twiceAtOnce refreshes in two requests at once. The module may find the token of the second replaced already; what
// counts is that nobody is signed out.
func twiceAtOnce(v *visitor, app registration, access string) {
	v.t.Helper()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			res, err := v.http.Get(refreshURL(app, access))
			if err != nil {
				v.t.Errorf("refresh: %v", err)
				return
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusFound {
				v.t.Errorf("refresh: %s", res.Status)
			}
		})
	}
	both.Wait()
}

// Where Debian has them.
const (
	apacheProgram      = "/usr/sbin/apache2"
	apacheModuleFolder = "/usr/lib/apache2/modules"
)

// apacheModules are what Apache loads.
var apacheModules = []string{"mpm_event", "authn_core", "authz_core", "authz_user", "proxy", "proxy_http", "auth_openidc"}

// apacheConfiguration is an Apache of its own around the recipe of /docs/client-recipes.
var apacheConfiguration = template.Must(template.New("").Parse(`
ServerName "{{.Host}}"
Listen 127.0.0.1:{{.Port}}
PidFile "{{.Dir}}/apache.pid"
Mutex "file:{{.Dir}}" default
ErrorLog "/dev/stderr"
DocumentRoot "{{.Dir}}"
{{if .User}}User "{{.User}}"
Group "{{.Group}}"
{{end}}
{{- range .Modules}}LoadModule {{.}}_module "{{$.Folder}}/mod_{{.}}.so"
{{end}}
{{.Recipe}}
ProxyPass "/app/callback" "!"
ProxyPass "/" "{{.Application}}/"
`))

// apacheRecipe is what the page shows, for the application of the test, and lines of the test's own.
func apacheRecipe(t *testing.T, p *provider, app registration, lines ...string) string {
	t.Helper()
	recipe := documented(t, p, "/docs/client-recipes")["apache.conf"]
	for shown, here := range map[string]string{`"shop"`: `"` + app.Alias + `"`, "https://shop.example": app.URL, "of the clients file": app.Secrets[0]} {
		if !strings.Contains(recipe, shown) {
			t.Fatalf("the recipe for Apache does not name %s:\n%s", shown, recipe)
		}
		recipe = strings.ReplaceAll(recipe, shown, here)
	}
	return strings.Join(append(lines, recipe), "\n")
}

// startApache runs Apache at the registration's address until the test ends.
func startApache(t *testing.T, app registration, recipe string) {
	t.Helper()
	for _, file := range []string{apacheProgram, apacheModuleFolder + "/mod_auth_openidc.so"} {
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("Apache with mod_auth_openidc, as Debian has them, is part of the tests and is not installed: make deps (%v)", err)
		}
	}
	dir := apacheFolder(t, app, recipe)
	apache := exec.Command(apacheProgram, "-D", "FOREGROUND", "-d", dir, "-f", filepath.Join(dir, "apache.conf"))
	apache.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TMPDIR=" + dir}
	at, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	background(t, apache, at.Port())
}

// apacheFolder has the configuration. Apache's workers run as another user than the tests' where those run as root, and
// must get in.
func apacheFolder(t *testing.T, app registration, recipe string) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "latchkey-apache-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "apache.conf"), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]any{
		"Dir": dir, "Host": at.Host, "Port": at.Port(), "Folder": apacheModuleFolder, "Modules": apacheModules, "Recipe": recipe,
		"Application": newApplication(t).URL, "User": "", "Group": "",
	}
	if os.Getuid() == 0 {
		values["User"], values["Group"] = apacheUser(t)
	}
	if err := apacheConfiguration.Execute(file, values); err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return dir
}

// apacheUser is who Apache's workers are where the tests run as root: Apache refuses to be that.
func apacheUser(t *testing.T) (name, group string) {
	t.Helper()
	u, err := user.Lookup("www-data")
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	return u.Username, g.Name
}
