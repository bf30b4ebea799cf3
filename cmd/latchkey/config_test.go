package main

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/configuration.txt anew")

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConfigDefaults(t *testing.T) {
	c, err := loadConfig([]string{"HOME=/root", "LATCHKEY_SMTP_URL="}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range []struct {
		name      string
		got, want any
	}{
		{"address", c.Addr, "127.0.0.1:8080"},
		{"admin address", c.AdminAddr, "127.0.0.1:9090"},
		{"public URL", c.PublicURL, "http://localhost:8080"},
		{"audience is the public URL", c.Audience, "http://localhost:8080"},
		{"access TTL", c.AccessTTL, 10 * time.Minute},
		{"inactivity limit", c.RefreshIdle, 14 * 24 * time.Hour},
		{"overall limit", c.RefreshOverall, 30 * 24 * time.Hour},
		{"grace", c.RefreshGrace, 30 * time.Second},
		{"recoveries", c.RefreshRecoveries, 3},
		{"hash memory", c.HashMemoryKiB, 19456},
		{"hash time", c.HashTime, 2},
		{"hash queue", c.HashQueue, 256},
		{"password minimum", c.PasswordMin, 8},
		{"sessions per user", c.SessionsPerUser, 50},
		{"throttle", c.Throttle, "on"},
		{"sign-up", c.Signup, "open"},
		{"an empty value is the default", c.SMTP == nil, true},
	} {
		if diff := cmp.Diff(check.want, check.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", check.name, diff)
		}
	}
}

func TestConfigEnvironmentWinsOverFile(t *testing.T) {
	file := writeFile(t, "latchkey.toml", `
LATCHKEY_ADDR = "127.0.0.1:1111"
LATCHKEY_PASSWORD_MIN = 15
LATCHKEY_THROTTLE = false
LATCHKEY_TRUSTED_PROXIES = ["10.1.2.3/8", "::1"]
LATCHKEY_ADMIN_ADDR = ""
`)
	c, err := loadConfig([]string{"LATCHKEY_ADDR=127.0.0.1:2222"}, file)
	if err != nil {
		t.Fatal(err)
	}
	got := []any{c.Addr, c.PasswordMin, c.Throttle, c.AdminAddr, c.TrustedProxies[0].String(), c.TrustedProxies[1].String()}
	want := []any{"127.0.0.1:2222", 15, "off", "", "10.0.0.0/8", "::1/128"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// Each mistake is told in a sentence that names the key and what to write instead.
func TestConfigMistakes(t *testing.T) {
	const key32 = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	for _, test := range []struct{ env, want string }{
		{"LATCHKEY_ADR=:8080", "unknown key LATCHKEY_ADR in the environment: write LATCHKEY_ADDR"},
		{"LATCHKEY_COLOUR=red", "`latchkey serve --help`"},
		{"LATCHKEY_PORT=8080", "unknown key LATCHKEY_PORT"},
		{"LATCHKEY_ADDR=8080", `LATCHKEY_ADDR is "8080": write host:port`},
		{"LATCHKEY_ADDR=localhost:http", "write host:port"},
		{"LATCHKEY_ADDR=localhost:70000", "write host:port"},
		{"LATCHKEY_PUBLIC_URL=auth.example.com", "such as https://auth.example.com"},
		{"LATCHKEY_PUBLIC_URL=ftp://auth.example.com", "such as https://auth.example.com"},
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com/login", "write https://auth.example.com: lower case, with no path"},
		{"LATCHKEY_PUBLIC_URL=https://ada@auth.example.com", "without a wildcard or a user name"},
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com?a=b", "with no path"},
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com:443", "no port where it is the scheme's own"},
		{"LATCHKEY_PUBLIC_URL=https://Auth.Example.com", "write https://auth.example.com"},
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com:0443", "write scheme and host"},
		{"LATCHKEY_PUBLIC_URL=http://127.1", "write scheme and host"},
		{"LATCHKEY_CORS_ORIGINS=*", "write scheme and host"},
		{"LATCHKEY_CORS_ORIGINS=null", "write scheme and host"},
		{"LATCHKEY_CORS_ORIGINS=https://*.example.com", "without a wildcard"},
		{"LATCHKEY_CORS_ORIGINS=https://bücher.example", "xn--"},
		{"LATCHKEY_TRUSTED_PROXIES=10.0.0.0/33", "write CIDRs"},
		{"LATCHKEY_TRUSTED_PROXIES=proxy", "write CIDRs"},
		{"LATCHKEY_ACCESS_TTL=10", "such as 90s, 10m or 24h"},
		{"LATCHKEY_ACCESS_TTL=25h", "from 1s to 24h"},
		{"LATCHKEY_REFRESH_GRACE=1500ms", "whole seconds"},
		{"LATCHKEY_REFRESH_GRACE=-1s", "from 1s to 1h"},
		{"LATCHKEY_PASSWORD_MIN=7", "write a whole number from 8 to 256"},
		{"LATCHKEY_PASSWORD_MIN=many", "write a whole number from 8 to 256"},
		{"LATCHKEY_SIGNING_ALG=HS256", "write ES256, EdDSA or RS256"},
		{"LATCHKEY_ACCESS_TYP=jwt", "write at+jwt or JWT"},
		{"LATCHKEY_ACCESS_TYP=rt+jwt", "write at+jwt or JWT"},
		{"LATCHKEY_THROTTLE=false", "write on or off"},
		{"LATCHKEY_SIGNUP=maybe", "write open or closed"},
		{"LATCHKEY_LOG=xml", "write json or text"},
		{"LATCHKEY_DATABASE_URL=mysql://u:secret@h/db", "write postgres://"},
		{"LATCHKEY_DATABASE_URL=postgres://localhost/latchkey", "on PostgreSQL the master key must be given"},
		{"LATCHKEY_MASTER_KEY=secret", "32 random bytes in base64"},
		{"LATCHKEY_MASTER_KEY=" + key32 + "\nLATCHKEY_MASTER_KEY_FILE=/x", "keep one"},
		{"LATCHKEY_SMTP_URL=mail.example.com:587", "write smtp://user:password@host:587"},
		{"LATCHKEY_SMTP_URL=smtp://u:secret@mail.example.com?tls=never", "write smtp://user:password@host:587"},
		{"LATCHKEY_MAIL_FROM=nobody", "write one mailbox"},
		{"LATCHKEY_TLS_CERT=cert.pem", "give both, or neither"},
		{"LATCHKEY_HASH_MEMORY_KIB=1048576\nLATCHKEY_HASH_TIME=64", "LATCHKEY_HASH_MEMORY_KIB and LATCHKEY_HASH_TIME"},
		{"LATCHKEY_CLIENTS_FILE=/no/such/file", "read clients"},
	} {
		t.Run(test.env, func(t *testing.T) {
			_, err := loadConfig(strings.Split(test.env, "\n"), "")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want one with %q", err, test.want)
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

// A character that nobody sees or meant is named, with the key; a secret's text is not.
func TestConfigStrayCharacters(t *testing.T) {
	freeText := []string{"LATCHKEY_DATA_DIR", "LATCHKEY_AUDIENCE", "LATCHKEY_TRANSPORT_KEY", "LATCHKEY_TLS_CERT", "LATCHKEY_TLS_KEY", "LATCHKEY_MASTER_KEY_FILE",
		"LATCHKEY_THEME_DIR", "LATCHKEY_BLOCKLIST_FILE", "LATCHKEY_CLIENTS_FILE"}
	for value, want := range map[string]string{
		"/x/data\r":     "a carriage return (U+000D) at its end",
		"\"/x/data\"":   "a double quote (U+0022) at its beginning",
		"'/x/data'":     "a single quote (U+0027) at its beginning",
		"/x/da`ta":      "a backquote (U+0060) in it",
		"\u201c/x/data": "(U+201C) at its beginning",
		" /x/data":      "a space (U+0020) at its beginning",
		"/x/data ":      "a space (U+0020) at its end",
		"/x/data\u00a0": "a no-break space (U+00A0) at its end",
		"/x/data\t":     "a tab (U+0009) at its end",
		"/x/\ndata":     "a line feed (U+000A) in it",
		"/x/da\u200bta": "a zero-width space (U+200B) in it",
		"\ufeff/x/data": "a byte order mark (U+FEFF) at its beginning",
		"/x/da\x7fta":   "an invisible character (U+007F) in it",
		"/x/da\u202eta": "an invisible character (U+202E) in it",
		"/x/da\xffta":   "byte 6 is not UTF-8",
		" ":             "a space (U+0020)",
	} {
		for _, key := range freeText {
			_, err := loadConfig([]string{key + "=" + value}, "")
			if err == nil || !strings.HasPrefix(err.Error(), key) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s=%q: error %v, want the key and %q", key, value, err, want)
			} else if key == "LATCHKEY_TRANSPORT_KEY" && strings.Contains(err.Error(), "data") {
				t.Errorf("the error shows a secret: %v", err)
			}
		}
	}
	for env, want := range map[string]string{
		"LATCHKEY_AUDIENCE=a,b":                                "a comma (U+002C) in it",
		"LATCHKEY_AUDIENCE=a b":                                "a space (U+0020) in it",
		"LATCHKEY_DATABASE_URL=postgres://u:secret@h/db\r":     "a carriage return (U+000D) at its end",
		"LATCHKEY_DATABASE_URL=\"postgres://u:secret@h/db\"":   "a double quote (U+0022) at its beginning",
		"LATCHKEY_DATABASE_URL=postgres://u:secret@h/db'":      "a single quote (U+0027) at its end",
		"LATCHKEY_DATABASE_URL=postgres://u:secret@h/ db":      "a space (U+0020) in it",
		"LATCHKEY_DATABASE_URL=postgres://u:x@secret@h/db":     "percent-encode the password",
		"LATCHKEY_DATABASE_URL=host=db user=u password=secret": "a space (U+0020) in it",
		"LATCHKEY_DATABASE_URL=POSTGRES://u:secret@h/db":       "write postgres://",
		"LATCHKEY_SMTP_URL=smtp://u:secret@h:587\u200b":        "a zero-width space (U+200B) at its end",
		"LATCHKEY_MASTER_KEY=secret\r":                         "a carriage return (U+000D) at its end",
	} {
		_, err := loadConfig([]string{env}, "")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v, want one with %q and no secret", env, err, want)
		}
	}
	good := []string{"LATCHKEY_DATA_DIR=/srv/my data/ünï-(1)", "LATCHKEY_AUDIENCE=https://api.example.com/", "LATCHKEY_TRANSPORT_KEY=a b,c$d%e"}
	if c, err := loadConfig(good, ""); err != nil || c.DataDir != "/srv/my data/ünï-(1)" {
		t.Errorf("free text that is nobody's mistake: %v", err)
	}
}

// Files that Windows wrote, with a byte order mark and its line ends, mean what others mean.
func TestConfigFromWindows(t *testing.T) {
	clients := writeFile(t, "clients.toml", "\ufeff[[client]]\r\nalias = \"web\"\r\nurl = \"https://a.example\"\r\n")
	master := writeFile(t, "master.key", "\ufeffbGF0Y2hrZXktdGVzdC1tYXN0ZXIta2V5LTMyYnl0ZXM=\r\n")
	file := writeFile(t, "latchkey.toml", "\ufeffLATCHKEY_PASSWORD_MIN = 15\r\nLATCHKEY_CLIENTS_FILE = \""+clients+"\"\r\nLATCHKEY_MASTER_KEY_FILE = \""+master+"\"\r\n")
	c, err := loadConfig(nil, file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.masterKeys(); err != nil || c.PasswordMin != 15 || len(c.Clients.List()) != 1 {
		t.Errorf("password minimum %d, %d clients, master key: %v", c.PasswordMin, len(c.Clients.List()), err)
	}
	c, err = loadConfig([]string{"\ufeffLATCHKEY_PASSWORD_MIN=15\r", "HOME=/root", "LATCHKEY_DATA_DIR=/x/data\r", "LATCHKEY_LOG=\r"}, "")
	if err != nil || c.PasswordMin != 15 || c.DataDir != "/x/data" || c.Log != "" {
		t.Errorf("an environment file: %+v, %v", c, err)
	}
}

func TestConfigFileMistakes(t *testing.T) {
	for _, test := range []struct{ name, toml, want string }{
		{"unknown key", `LATCHKEY_ADRR = ":80"`, "latchkey.toml: write LATCHKEY_ADDR"},
		{"without prefix", `addr = ":80"`, "write LATCHKEY_ADDR"},
		{"other case", `latchkey_addr = ":80"`, "write LATCHKEY_ADDR"},
		{"not TOML", "LATCHKEY_ADDR = \":80\"\nLATCHKEY_THROTTLE = on", "latchkey.toml, line 2:"},
		{"twice", "LATCHKEY_LOG = \"json\"\nLATCHKEY_LOG = \"text\"", "line 2"},
		{"fraction", `LATCHKEY_PASSWORD_MIN = 8.5`, "write a string, a whole number or a list of strings"},
		{"list of numbers", `LATCHKEY_TRUSTED_PROXIES = [1]`, "write a list of strings"},
		{"bad value", `LATCHKEY_PASSWORD_MIN = 3`, "from 8 to 256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := loadConfig(nil, writeFile(t, "latchkey.toml", test.toml))
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, test.want)
			}
		})
	}
}

func TestConfigClients(t *testing.T) {
	good := writeFile(t, "clients.toml", "[[client]]\nalias = \"web\"\nurl = \"https://app.example.com\"\n")
	c, err := loadConfig([]string{"LATCHKEY_CLIENTS_FILE=" + good}, "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"https://app.example.com"}, c.Clients.Origins()); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	for _, test := range []struct{ toml, want string }{
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\ncolor = \"red\"\n", "line 4"},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\ncolour = \"red\"\n", `client "web": colour "red": write it as #rrggbb`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nlogo_file = \"none.png\"\n", `client "web": logo_file`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\n[client.texts.en]\n\"sign_in.tilte\" = \"x\"\n", `client "web": texts.en: "sign_in.tilte": no such message`},
		{"[[client]]\nalias = \"web\"\nurl = \"*\"\n", `client "web"`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nsecret = \"x\"\n", `client "web": secret must have at least 32 characters (openssl rand -hex 32)`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nsecret = \"0123456789abcdef0123456789abcde\"\n", `clients.toml, line 4: client "web": secret must have at least 32`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nfrom = \"me\"\n", `client "web": from "me":`},
		{"[[clients]]\nalias = \"web\"\n", "clients"},
	} {
		_, err := loadConfig([]string{"LATCHKEY_CLIENTS_FILE=" + writeFile(t, "clients.toml", test.toml)}, "")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one with %q", test.toml, err, test.want)
		}
	}
}

// A service called latchkey in Kubernetes puts LATCHKEY_PORT and more into its own containers, and so does each whose
// name begins so. What somebody misspelt still stops the start, in Kubernetes too.
func TestConfigIgnoresServiceLinks(t *testing.T) {
	const kubernetes = "KUBERNETES_SERVICE_HOST=10.0.0.1"
	for _, env := range []string{
		kubernetes + " LATCHKEY_PORT=tcp://10.0.0.2:8080 LATCHKEY_SERVICE_HOST=10.0.0.2 LATCHKEY_PORT_8080_TCP=x",
		kubernetes + " LATCHKEY_POSTGRESQL_PORT=tcp://10.0.0.3:5432 LATCHKEY_POSTGRESQL_SERVICE_HOST=10.0.0.3 LATCHKEY_POSTGRESQL_SERVICE_PORT=5432 LATCHKEY_POSTGRESQL_SERVICE_PORT_TCP_POSTGRESQL=5432",
		kubernetes + " LATCHKEY_POSTGRESQL_SERVICE_HOST=10.0.0.3",
		kubernetes + " LATCHKEY_POSTGRESQL_SERVICE_HOST=fd00::3 LATCHKEY_POSTGRESQL_SERVICE_PORT=5432",
		kubernetes + " LATCHKEY_METRICS_PORT_9090_TCP=tcp://10.0.0.4:9090 LATCHKEY_METRICS_PORT_9090_TCP_PROTO=tcp LATCHKEY_METRICS_PORT_9090_TCP_PORT=9090 LATCHKEY_METRICS_PORT_9090_TCP_ADDR=10.0.0.4",
		kubernetes + " LATCHKEY_DNS_PORT=udp://10.0.0.5:53 LATCHKEY_DNS_PORT_53_UDP_ADDR=10.0.0.5",
		kubernetes + " LATCHKEY_ADMIN_PORT=tcp://[fd00::6]:9090 LATCHKEY_ADMIN_PORT_9090_TCP=tcp://[fd00::6]:9090",
		"LATCHKEY_PORT=tcp://172.17.0.2:8080 LATCHKEY_PORT_8080_TCP_ADDR=172.17.0.2", // docker run --link
		"LATCHKEY_DB_PORT=tcp://10.0.0.3:5432 LATCHKEY_DB_SERVICE_HOST=10.0.0.3 LATCHKEY_DB_SERVICE_PORT=5432",
	} {
		if _, err := loadConfig(strings.Fields(env), ""); err != nil {
			t.Errorf("%s: %v", env, err)
		}
	}
	for _, env := range []string{
		kubernetes + " LATCHKEY_PORT=8080",
		kubernetes + " LATCHKEY_ADDR_PORT=127.0.0.1:8080",
		kubernetes + " LATCHKEY_SERVICE_PORT=8080",
		kubernetes + " LATCHKEY_SERVICE_HOST=auth.example.com",
		kubernetes + " LATCHKEY_ADRESS=tcp://10.0.0.2:8080",
		kubernetes + " LATCHKEY_PORT_8080=8080",
		kubernetes + " LATCHKEY_SERVICE_NAME=latchkey",
		kubernetes + " LATCHKEY_TRUSTED_PROXY=10.0.0.1",
		kubernetes + " LATCHKEY_SERVICE_HOST=10.0.0.2 LATCHKEY_SERVICE_PORTS=8080",
		"LATCHKEY_SERVICE_HOST=10.0.0.2",
		"LATCHKEY_DB_SERVICE_PORT=5432",
	} {
		if _, err := loadConfig(strings.Fields(env), ""); err == nil || !strings.Contains(err.Error(), "unknown key LATCHKEY_") {
			t.Errorf("%s: error %v, want a refusal", env, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	clients := writeFile(t, "clients.toml", "[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nsignup_without_code = true\n")
	const master = "LATCHKEY_MASTER_KEY=bGF0Y2hrZXktdGVzdC1tYXN0ZXIta2V5LTMyYnl0ZXM=\n"
	for _, test := range []struct {
		env, want string // want empty: silence
	}{
		{"", ""},
		{"LATCHKEY_HASH_MEMORY_KIB=1024", "hashes cost less"},
		{"LATCHKEY_HASH_TIME=1", "hashes cost less"},
		{"LATCHKEY_THROTTLE=off", "LATCHKEY_THROTTLE is off"},
		{"LATCHKEY_PUBLIC_URL=http://auth.example.com", "in the clear"},
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com", "no mail goes out"},
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com\nLATCHKEY_SMTP_URL=smtps://u:p@mail.example.com", "name it in LATCHKEY_TRUSTED_PROXIES"},
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com\nLATCHKEY_SMTP_URL=smtps://u:p@mail.example.com\nLATCHKEY_TRUSTED_PROXIES=::1\nLATCHKEY_MAIL_FROM=no-reply@example.com", ""},
		{"LATCHKEY_SMTP_URL=smtps://u:p@mail.example.com", "LATCHKEY_MAIL_FROM is Latchkey <no-reply@localhost>"},
		{"LATCHKEY_SMTP_URL=smtp://127.0.0.1:25\nLATCHKEY_MAIL_FROM=me@localhost", "LATCHKEY_MAIL_FROM is me@localhost"},
		{"LATCHKEY_SMTP_URL=smtp://10.0.0.1:25?tls=none\nLATCHKEY_MAIL_FROM=me@example.com", "remove ?tls=none"},
		{"LATCHKEY_SMTP_URL=smtp://mail_relay?tls=none\nLATCHKEY_MAIL_FROM=me@example.com", "remove ?tls=none"},
		{"LATCHKEY_SMTP_URL=smtp://127.0.0.1:25?tls=none\nLATCHKEY_MAIL_FROM=me@example.com", ""},
		{"LATCHKEY_SMTP_URL=smtp://mail.example.com\nLATCHKEY_MAIL_FROM=me@example.com", ""},
		{"LATCHKEY_TLS_CERT=c\nLATCHKEY_TLS_KEY=k", "write https"},
		{"LATCHKEY_ADDR=:8080", "no mail goes out"},
		{"LATCHKEY_ADDR=127.0.0.1:9000", "links in mails lead to the former"},
		{"LATCHKEY_ADMIN_ADDR=0.0.0.0:9090", "LATCHKEY_ADMIN_ADDR is not loopback"},
		{"LATCHKEY_TRUSTED_PROXIES=0.0.0.0/0", "anyone may claim any address"},
		{"LATCHKEY_CLIENTS_FILE=" + clients, "client web has signup_without_code"},
		{"LATCHKEY_TRANSPORT_KEY=secret", "LATCHKEY_TRANSPORT_KEY is set"},
		{master + "LATCHKEY_DATABASE_URL=postgres:///db?host=/run/postgresql", ""},
		{master + "LATCHKEY_DATABASE_URL=postgres:///db?host=db.example.com", "add sslmode=verify-full"},
		{master + "LATCHKEY_DATABASE_URL=postgres://u:secret@localhost/db?host=db.example.com", "add sslmode=verify-full"},
		{master + "LATCHKEY_DATABASE_URL=postgres://u:secret@localhost:5432,db.example.com:5433/db", "add sslmode=verify-full"},
		{master + "LATCHKEY_DATABASE_URL=postgres://u:secret@h1,h2/db?sslmode=verify-full", ""},
		{master + "LATCHKEY_DATABASE_URL=postgres://u:secret@127.0.0.1:5432,[::1]:5433/db", ""},
		{master + "LATCHKEY_DATABASE_URL=postgres://u:secret@h1,h2/db?sslmode=require", "add sslmode=verify-full"},
	} {
		c, err := loadConfig(strings.Fields(test.env), "")
		if err != nil {
			t.Fatal(err)
		}
		_, inbox := c.mailWay()
		got := strings.Join(c.warnings(inbox != nil), "\n")
		if test.want == "" && got != "" || !strings.Contains(got, test.want) || strings.Contains(got, "secret") {
			t.Errorf("%q: warnings %q, want %q", test.env, got, test.want)
		}
	}
}

// The dev inbox takes accounts over; each condition alone closes it.
func TestDevInboxIsForLoopbackOnly(t *testing.T) {
	for env, want := range map[string]bool{
		"": true,
		"LATCHKEY_ADDR=[::1]:8080\nLATCHKEY_PUBLIC_URL=http://127.0.0.1:8080": true,
		"LATCHKEY_ADDR=0.0.0.0:8080":                                          false,
		"LATCHKEY_ADDR=:8080":                                                 false,
		"LATCHKEY_PUBLIC_URL=http://localhost.example.com":                    false,
		"LATCHKEY_SMTP_URL=smtp://localhost:25":                               false,
	} {
		c, err := loadConfig(strings.Fields(env), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, inbox := c.mailWay(); (inbox != nil) != want {
			t.Errorf("%q: dev inbox %v, want %v", env, inbox != nil, want)
		}
	}
}

func TestSchemaRule(t *testing.T) {
	for _, test := range []struct {
		name     string
		rule     schemaRule
		have     int
		onSQLite bool
		want     string // in the error; empty: allowed
	}{
		{"a command, empty", wantCurrent, 0, true, "the database is empty"},
		{"a command, older", wantCurrent, 1, true, "run `latchkey migrate`"},
		{"user add, empty", mayCreate, 0, true, ""},
		{"user add, empty PostgreSQL", mayCreate, 0, false, ""},
		{"user add, older", mayCreate, 1, true, "run `latchkey migrate`"},
		{"serve, empty PostgreSQL", mayUpgrade, 0, false, ""},
		{"serve, older SQLite", mayUpgrade, 1, true, ""},
		{"serve, older PostgreSQL", mayUpgrade, 1, false, "run `latchkey migrate`"},
	} {
		err := test.rule.allows(test.have, 2, test.onSQLite)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
	}
}

// docs/configuration.txt is what `serve --help` says of the keys. With -update it is written anew.
func TestConfigurationReference(t *testing.T) {
	const file = "../../docs/configuration.txt"
	if *update {
		if err := os.WriteFile(file, []byte(keyTable()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keyTable(), string(kept)); diff != "" {
		t.Errorf("docs/configuration.txt is not the code's; `make config-table` writes it (-code +file):\n%s", diff)
	}
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ADR", "ADDR", 1}, {"ADRD", "ADDR", 2}, {"kitten", "sitting", 3}} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("editDistance(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}

// examples/latchkey.env means the same to a shell, to systemd and to docker, which reads its lines as they stand.
func TestEnvExampleCanBeSourced(t *testing.T) {
	const example = "../../examples/latchkey.env"
	raw, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var plain []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			plain = append(plain, line)
		}
	}
	out, err := exec.Command("env", "-i", "sh", "-euc", "set -a; . "+example+"; exec env").Output()
	if err != nil {
		t.Fatalf("sh does not read it: %v", err)
	}
	var sourced []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "LATCHKEY_") {
			sourced = append(sourced, strings.TrimSuffix(line, "\n"))
		}
	}
	slices.Sort(plain)
	slices.Sort(sourced)
	if diff := cmp.Diff(plain, sourced); diff != "" {
		t.Errorf("a shell reads something else (-docker +sh):\n%s", diff)
	}
	if _, err := loadConfig(sourced, ""); err != nil || len(plain) == 0 {
		t.Errorf("%d lines: %v", len(plain), err)
	}
	// What is commented out can be put in use as it stands, but for the key that must be made.
	commented := regexp.MustCompile(`(?m)^#(LATCHKEY_[A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(raw), -1)
	for _, found := range commented {
		if strings.ContainsAny(found[2], " ()<>\"'") {
			t.Errorf("%s cannot be sourced", found[0])
		}
	}
}

// The image is built from the source alone.
func TestDockerIgnore(t *testing.T) {
	raw, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	for _, want := range []string{".git", "data", "bin", "**/master.key", "**/*.db", "**/.env", "**/node_modules"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing in .dockerignore", want)
		}
	}
}
