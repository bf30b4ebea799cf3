package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write README's configuration table anew")

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
		{"LATCHKEY_ADR=:8080", "the environment has LATCHKEY_ADR, which is no key of Latchkey's: write LATCHKEY_ADDR"},
		{"LATCHKEY_COLOUR=red", "`latchkey serve --help`"},
		{"LATCHKEY_PORT=8080", "no key of Latchkey's"},
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

func TestConfigFileMistakes(t *testing.T) {
	for _, test := range []struct{ name, toml, want string }{
		{"unknown key", `LATCHKEY_ADRR = ":80"`, "latchkey.toml has LATCHKEY_ADRR, which is no key of Latchkey's: write LATCHKEY_ADDR"},
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
	if diff := cmp.Diff([]string{"https://app.example.com"}, c.corsOrigins()); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	for _, test := range []struct{ toml, want string }{
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\ncolor = \"red\"\n", "line 4"},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\ncolour = \"red\"\n", `client "web": colour "red": write it as #rrggbb`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nlogo_file = \"none.png\"\n", `client "web": logo_file`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\n[client.texts.en]\n\"sign_in.tilte\" = \"x\"\n", `client "web": texts.en: "sign_in.tilte": no such message`},
		{"[[client]]\nalias = \"web\"\nurl = \"*\"\n", `client "web"`},
		{"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nfrom = \"me\"\n", `client "web": from "me":`},
		{"[[clients]]\nalias = \"web\"\n", "clients"},
	} {
		_, err := loadConfig([]string{"LATCHKEY_CLIENTS_FILE=" + writeFile(t, "clients.toml", test.toml)}, "")
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one with %q", test.toml, err, test.want)
		}
	}
}

// A service called latchkey in Kubernetes puts LATCHKEY_PORT and more into its own containers.
func TestConfigIgnoresServiceLinks(t *testing.T) {
	env := []string{"KUBERNETES_SERVICE_HOST=10.0.0.1", "LATCHKEY_PORT=tcp://10.0.0.2:8080", "LATCHKEY_SERVICE_HOST=10.0.0.2", "LATCHKEY_PORT_8080_TCP=x"}
	if _, err := loadConfig(env, ""); err != nil {
		t.Error(err)
	}
}

func TestWarnings(t *testing.T) {
	clients := writeFile(t, "clients.toml", "[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nsignup_without_code = true\n")
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
		{"LATCHKEY_PUBLIC_URL=https://auth.example.com\nLATCHKEY_SMTP_URL=smtps://u:p@mail.example.com\nLATCHKEY_TRUSTED_PROXIES=::1", ""},
		{"LATCHKEY_TLS_CERT=c\nLATCHKEY_TLS_KEY=k", "write https"},
		{"LATCHKEY_ADDR=:8080", "no mail goes out"},
		{"LATCHKEY_ADDR=127.0.0.1:9000", "links in mails lead to the former"},
		{"LATCHKEY_ADMIN_ADDR=0.0.0.0:9090", "LATCHKEY_ADMIN_ADDR is not loopback"},
		{"LATCHKEY_TRUSTED_PROXIES=0.0.0.0/0", "anyone may claim any address"},
		{"LATCHKEY_CLIENTS_FILE=" + clients, "client web has signup_without_code"},
		{"LATCHKEY_TRANSPORT_KEY=secret", "LATCHKEY_TRANSPORT_KEY is set"},
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

// README's table is the code's. With -update it is written anew.
func TestReadmeTable(t *testing.T) {
	const readme, begin, end = "../../README.md", "<!-- config table -->\n", "<!-- end -->"
	raw, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(raw), begin)
	table, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("README.md lacks the markers %q and %q", begin, end)
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+begin+markdownKeys()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(markdownKeys(), table); diff != "" {
		t.Errorf("README's configuration table is not the code's; `make config-table` writes it (-code +README):\n%s", diff)
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
