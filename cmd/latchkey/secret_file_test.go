package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serverUser is somebody who owns nothing else on the machine.
const serverUser = 64321

// home is a folder that another user can come into, with the real command in it. The command is this test's
// binary under its name: see TestMain.
func home(t *testing.T) (dir, command string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount, and be somebody else")
	}
	dir, err := os.MkdirTemp("/tmp", "latchkey-secrets-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	command = filepath.Join(dir, "latchkey")
	from, err := os.Open("/proc/self/exe")
	must(t, err)
	defer from.Close()
	to, err := os.OpenFile(command, os.O_WRONLY|os.O_CREATE, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, err)
	must(t, to.Close())
	return dir, command
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startAs runs `serve` as uid until it is ready or has ended, and returns what it logged.
func startAs(t *testing.T, uid int, command string, env []string, args ...string) (log string, ready bool) {
	t.Helper()
	data, err := os.MkdirTemp(filepath.Dir(command), "data-")
	must(t, err)
	must(t, os.Chown(data, uid, uid))
	server := exec.Command(command, append([]string{"serve"}, args...)...)
	server.Dir = filepath.Dir(command)
	server.Env = append([]string{"LATCHKEY_ADDR=127.0.0.1:0", "LATCHKEY_ADMIN_ADDR=", "LATCHKEY_LOG=json", "LATCHKEY_HASH_MEMORY_KIB=64",
		"LATCHKEY_DATA_DIR=" + data}, env...)
	server.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	out, err := server.StderrPipe()
	must(t, err)
	must(t, server.Start())
	defer time.AfterFunc(60*time.Second, func() { server.Process.Kill() }).Stop()
	var lines []string
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		var line struct{ Msg string }
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			line.Msg = scanner.Text()
		}
		lines = append(lines, line.Msg)
		if line.Msg == "ready" {
			ready = true
			must(t, server.Process.Signal(syscall.SIGTERM))
		}
	}
	_ = server.Wait() // its exit code is what ready says
	return strings.Join(lines, "\n"), ready
}

// secretKinds are the files that the one rule is for: each holds a secret, and the last this TLS key.
func secretKinds(key string) map[string]struct{ content, key string } {
	return map[string]struct{ content, key string }{
		"clients file":       {"[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\nsecret = \"0123456789abcdef0123456789abcdef\"\n", "LATCHKEY_CLIENTS_FILE"},
		"configuration file": {"LATCHKEY_TRANSPORT_KEY = \"a-key-that-nobody-must-read\"\n", "--config"},
		"master key file":    {"bGF0Y2hrZXktdGVzdC1tYXN0ZXIta2V5LTMyYnl0ZXM=\n", "LATCHKEY_MASTER_KEY_FILE"},
		"TLS key file":       {key, "LATCHKEY_TLS_KEY"},
	}
}

// mounts: how a secret comes to a process, what is said about it, and whether the start goes on. "UID" stands for the
// user who runs the server.
var mountCases = []struct {
	name       string
	filesystem string // tmpfs: mounted; bind: mounted from a folder beside; empty: on the disk
	readOnly   bool
	owner      int
	mode       os.FileMode
	uid        int
	starts     bool
	says       string // "": nothing
}{
	{"ours and closed", "", false, serverUser, 0o600, serverUser, true, ""},
	{"ours and read only", "", false, serverUser, 0o400, serverUser, true, ""},
	{"ours, world-readable", "", false, serverUser, 0o644, serverUser, false, "mode 0644, owner uid 64321; Latchkey runs as uid 64321): run `chmod 600 "},
	{"ours, writable by all", "", false, serverUser, 0o666, serverUser, false, "mode 0666"},
	{"ours, group-readable", "", false, serverUser, 0o640, serverUser, false, "mode 0640"},
	{"root's, world-readable", "", false, 0, 0o644, serverUser, false, "owner uid 0 (root); Latchkey runs as uid 64321): run `chown 64321 "},
	{"root's, closed", "", false, 0, 0o600, serverUser, false, "permission denied: it has mode 0600 and owner uid 0 (root), and Latchkey runs as uid 64321"},
	{"root serves root's open file", "", false, 0, 0o644, 0, false, "run `chmod 600 "},
	{"LoadCredential, Kubernetes with fsGroup", "tmpfs", true, 0, 0o444, serverUser, true, "mode 0444, owner uid 0 (root); it lies on a read-only mount"},
	{"Kubernetes, defaultMode 0644", "tmpfs", true, 0, 0o644, serverUser, true, "mode 0644"},
	{"mounted, and root serves", "tmpfs", true, 0, 0o444, 0, true, "mode 0444"},
	{"mounted, by a third", "bind", true, 1234, 0o444, serverUser, true, "mode 0444, owner uid 1234"},
	{"mounted, readable by its group", "bind", true, 0, 0o440, -serverUser, true, "mode 0440"},
	{"mounted, closed, ours", "tmpfs", true, serverUser, 0o400, serverUser, true, ""},
	{"mounted, but ours to change where it comes from", "bind", true, serverUser, 0o644, serverUser, false, "where it is mounted from"},
	{"mounted, writable by all", "tmpfs", true, 0, 0o666, serverUser, false, "whoever can write it"},
	{"mounted, not read-only", "tmpfs", false, 0, 0o444, serverUser, false, "mode 0444"},
}

// The rule for every file with a secret in it, with real mounts and another user's processes.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	dir, command := home(t)
	cert, key := testCertificate(t)
	certFile := filepath.Join(dir, "cert.pem")
	must(t, os.WriteFile(certFile, []byte(cert), 0o644))
	for what, kind := range secretKinds(key) {
		for i, test := range mountCases {
			t.Run(what+"/"+test.name, func(t *testing.T) {
				place := filepath.Join(dir, fmt.Sprintf("%s-%d", strings.ReplaceAll(what, " ", "-"), i))
				file := placeSecret(t, place, test.filesystem, test.readOnly, kind.content, test.owner, test.mode, test.uid)
				uid := max(test.uid, -test.uid)
				var env, args []string
				switch what {
				case "configuration file":
					args = []string{"--config", file}
				case "TLS key file":
					env = []string{kind.key + "=" + file, "LATCHKEY_TLS_CERT=" + certFile}
				default:
					env = []string{kind.key + "=" + file}
				}
				log, ready := startAs(t, uid, command, env, args...)
				if ready != test.starts {
					t.Fatalf("started: %v, want %v\n%s", ready, test.starts, log)
				}
				if !strings.Contains(log, test.says) || test.says != "" && !strings.Contains(log, file) {
					t.Errorf("log %q\nwant %q and the file's name", log, test.says)
				}
				if test.says == "" && strings.Contains(log, "open to others") {
					t.Errorf("log %q, want nothing about modes", log)
				}
			})
		}
	}
}

// placeSecret puts a file where the case wants it. A uid below 0 means: its group may read it.
func placeSecret(t *testing.T, place, filesystem string, readOnly bool, content string, owner int, mode os.FileMode, uid int) string {
	t.Helper()
	must(t, os.Mkdir(place, 0o755))
	source := place
	switch filesystem {
	case "tmpfs":
		must(t, syscall.Mount("tmpfs", place, "tmpfs", 0, "mode=0755,size=1m"))
		t.Cleanup(func() { must(t, syscall.Unmount(place, syscall.MNT_DETACH)) })
	case "bind":
		source = place + "-source"
		must(t, os.Mkdir(source, 0o755))
	}
	must(t, os.Chmod(source, 0o755))
	file := filepath.Join(source, "secret")
	must(t, os.WriteFile(file, []byte(content), 0o600))
	group := owner
	if uid < 0 {
		group = -uid
	}
	must(t, os.Chown(file, owner, group))
	must(t, os.Chmod(file, mode))
	flags := uintptr(0)
	if readOnly {
		flags = syscall.MS_RDONLY
	}
	switch {
	case filesystem == "bind":
		must(t, syscall.Mount(source, place, "", syscall.MS_BIND, ""))
		t.Cleanup(func() { must(t, syscall.Unmount(place, syscall.MNT_DETACH)) })
		must(t, syscall.Mount("", place, "", syscall.MS_BIND|syscall.MS_REMOUNT|flags, ""))
	case filesystem == "tmpfs" && readOnly: // the mount alone, as systemd and the kubelet do
		must(t, syscall.Mount("", place, "", syscall.MS_BIND|syscall.MS_REMOUNT|flags, ""))
	}
	return filepath.Join(place, "secret")
}

// A clients or configuration file without a secret may be read by everybody.
func TestOpenFilesWithoutSecretStart(t *testing.T) {
	clients := writeFile(t, "clients.toml", "[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\n")
	config := writeFile(t, "latchkey.toml", "LATCHKEY_PASSWORD_MIN = 15\nLATCHKEY_DATABASE_URL = \"postgres:///latchkey?host=/run/postgresql\"\n")
	for _, file := range []string{clients, config} {
		must(t, os.Chmod(file, 0o644))
	}
	env := []string{"LATCHKEY_CLIENTS_FILE=" + clients, "LATCHKEY_MASTER_KEY=bGF0Y2hrZXktdGVzdC1tYXN0ZXIta2V5LTMyYnl0ZXM="}
	if _, err := loadConfig(env, config); err != nil {
		t.Error(err)
	}
	for name, line := range map[string]string{
		"database": `LATCHKEY_DATABASE_URL = "postgres://latchkey:secret@db.example.com/latchkey"`,
		"query":    `LATCHKEY_DATABASE_URL = "postgres://db.example.com/latchkey?user=latchkey&password=secret"`,
		"mail":     `LATCHKEY_SMTP_URL = "smtp://latchkey:secret@mail.example.com:587"`,
		"master":   `LATCHKEY_MASTER_KEY = "bGF0Y2hrZXktdGVzdC1tYXN0ZXIta2V5LTMyYnl0ZXM="`,
	} {
		file := writeFile(t, "latchkey.toml", line+"\n")
		must(t, os.Chmod(file, 0o644))
		_, err := loadConfig(nil, file)
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+file) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: error %v, want the command that fixes it", name, err)
		}
	}
}

// A client's secret may stand in any of three keys.
func TestOpenClientsFileWithASecret(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	for _, line := range []string{`secret = "` + secret + `"`, `secrets = ["` + secret + `"]`, `nextauth_secret = "` + secret + `"`} {
		file := writeFile(t, "clients.toml", "[[client]]\nalias = \"web\"\nurl = \"https://a.example\"\n"+line+"\n")
		must(t, os.Chmod(file, 0o644))
		_, err := loadConfig([]string{"LATCHKEY_CLIENTS_FILE=" + file}, "")
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+file) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want the command that fixes it", line, err)
		}
	}
}

// The kubelet lets the volume's group into everything at each mount: what we own and made is set right.
func TestVolumeWhoseGroupBitsComeBack(t *testing.T) {
	d := folder(filepath.Join(t.TempDir(), "data"))
	if _, err := d.prepare(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.masterKeys(); err != nil {
		t.Fatal(err)
	}
	files := []string{databaseFile, masterFile, lockFile, "before-migration-20260101T000000.000Z.db"}
	for _, name := range files {
		if name != masterFile {
			must(t, os.WriteFile(d.path(name), nil, 0o600))
		}
		must(t, os.Chmod(d.path(name), 0o660))
	}
	foreign := d.path("notes.txt")
	must(t, os.WriteFile(foreign, nil, 0o660))
	must(t, os.Chmod(foreign, 0o660))
	must(t, os.Chmod(string(d), 0o770|os.ModeSetgid))
	notes, err := d.prepare()
	if err != nil {
		t.Fatal(err)
	}
	if len(notes) != 1+len(files) || !strings.Contains(notes[0], "mode 2770") {
		t.Errorf("notes %q, want one for the folder and each file", notes)
	}
	for name, want := range map[string]string{"": "0700", "notes.txt": "0660"} {
		if info, err := os.Stat(d.path(name)); err != nil || octal(info.Mode()) != want {
			t.Errorf("%q has mode %v, want %s (%v)", name, info.Mode(), want, err)
		}
	}
	for _, name := range files {
		if info, err := os.Stat(d.path(name)); err != nil || octal(info.Mode()) != "0600" {
			t.Errorf("%s has mode %v (%v), want 0600", name, info.Mode(), err)
		}
	}
	if notes, err := d.prepare(); err != nil || len(notes) != 0 {
		t.Errorf("a second look: %q, %v, want nothing to do", notes, err)
	}
	must(t, os.Chmod(string(d), 0o775))
	if _, err := d.prepare(); err == nil || !strings.Contains(err.Error(), "mode 0775") {
		t.Errorf("open to everybody: %v, want a refusal", err)
	}
}

// A volume's root belongs to the machine's root, and its group is the container's: a folder below it is ours.
func TestVolumeRootIsNotOurs(t *testing.T) {
	t.Parallel()
	dir, command := home(t)
	volume := filepath.Join(dir, "volume")
	must(t, os.Mkdir(volume, 0o700))
	must(t, os.Chown(volume, 0, serverUser))
	must(t, os.Chmod(volume, 0o770|os.ModeSetgid))
	log, ready := startAs(t, serverUser, command, []string{"LATCHKEY_DATA_DIR=" + volume})
	if ready || !strings.Contains(log, "owner uid 0 (root)") || !strings.Contains(log, volume+"/latchkey") {
		t.Errorf("started %v with %q, want the folder to use instead", ready, log)
	}
	below := filepath.Join(volume, "latchkey")
	for range 2 { // the second time after the kubelet's work
		log, ready = startAs(t, serverUser, command, []string{"LATCHKEY_DATA_DIR=" + below})
		if !ready {
			t.Fatalf("not started: %s", log)
		}
		must(t, os.Chmod(below, 0o770|os.ModeSetgid))
		for _, name := range []string{masterFile, databaseFile} {
			must(t, os.Chmod(filepath.Join(below, name), 0o660))
		}
	}
	if !strings.Contains(log, "set to 0700") || !strings.Contains(log, "set to 0600") {
		t.Errorf("log %q, want what was set right", log)
	}
}

// A key that root shares with other servers through a group, as certificates' often are, is taken as it is.
func TestTLSKeySharedByGroup(t *testing.T) {
	t.Parallel()
	dir, command := home(t)
	cert, key := testCertificate(t)
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	must(t, os.WriteFile(certFile, []byte(cert), 0o644))
	must(t, os.WriteFile(keyFile, []byte(key), 0o600))
	must(t, os.Chown(keyFile, 0, serverUser))
	for mode, starts := range map[os.FileMode]bool{0o640: true, 0o660: false, 0o644: false} {
		must(t, os.Chmod(keyFile, mode))
		log, ready := startAs(t, serverUser, command, []string{"LATCHKEY_TLS_CERT=" + certFile, "LATCHKEY_TLS_KEY=" + keyFile})
		if ready != starts || ready && strings.Contains(log, "others") {
			t.Errorf("mode %o: started %v, want %v\n%s", mode, ready, starts, log)
		}
	}
}

func TestOctal(t *testing.T) {
	for mode, want := range map[os.FileMode]string{0o600: "0600", os.ModeDir | os.ModeSetgid | 0o770: "2770", os.ModeSticky | 0o777: "1777", os.ModeSetuid | 0o755: "4755"} {
		if got := octal(mode); got != want {
			t.Errorf("octal(%v) = %s, want %s", mode, got, want)
		}
	}
}

// testCertificate is a certificate for localhost and its key, in PEM.
func testCertificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}
