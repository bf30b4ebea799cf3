package apps

// What runs each recipe of /docs/verifier-recipes: the files of the page in a folder, what a whole program needs around
// them, and the programs that npm, Debian or a person has installed.

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"latchkey/rigs/stage"
)

// recipe is one of the page.
type recipe struct {
	name    string
	files   []string          // of the page
	around  map[string]string // what the rig adds, by the file's name
	run     []string
	probe   []string // a command that fails where something is missing; none: the program is looked for
	where   string   // it is to be had: makeDeps, or a sentence of where the person at the machine gets it
	proxy   bool     // it stands before an API of the rig
	asks    bool     // it asks examples/verify-go
	keyless bool     // it answers 503 where it cannot get the keys
	lenient string   // what it lets in all the same
}

const makeDeps = "make deps"

// python is Debian's, which knows Debian's packages.
const python = "/usr/bin/python3"

var recipes = []recipe{
	{name: "verify-go", asks: true, keyless: true},
	{
		name: "Express", files: []string{"access-token.mjs", "express.mjs"}, run: []string{"node", "express.mjs"}, keyless: true,
		probe: []string{"node", "-e", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"}, where: "nodejs.org: Node.js 20 or later",
	},
	{
		name: "Fastify", files: []string{"access-token.mjs", "fastify.mjs"}, run: []string{"node", "fastify.mjs"}, keyless: true,
		probe: []string{"node", "-e", "process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)"}, where: "nodejs.org: Node.js 20 or later",
	},
	{
		name: "FastAPI", files: []string{"access_token.py", "fastapi_app.py"}, keyless: true,
		run:   []string{python, "-m", "uvicorn", "fastapi_app:app", "--port", "8081"},
		probe: []string{python, "-c", "import cryptography, fastapi, jwt, uvicorn"}, where: makeDeps,
	},
	{
		name: "Django", files: []string{"access_token.py", "django_middleware.py"}, keyless: true,
		run:   []string{python, "-m", "django", "runserver", "--noreload", "--settings", "settings", "--pythonpath", ".", "127.0.0.1:8081"},
		probe: []string{python, "-c", "import cryptography, django, jwt"}, where: makeDeps,
		around: map[string]string{"settings.py": `
from django.http import JsonResponse
from django.urls import path

ALLOWED_HOSTS, SECRET_KEY, ROOT_URLCONF = ["127.0.0.1"], "of this test alone", "settings"
MIDDLEWARE = ["django_middleware.AccessToken"]
urlpatterns = [path("hello", lambda request: JsonResponse({"hello": request.caller["sub"]}))]
`},
	},
	{
		name: "Rails", files: []string{"access_token.rb", "rails_controller.rb"}, keyless: true,
		run:   []string{"/usr/bin/rackup", "--server", "webrick", "--env", "production", "--host", "127.0.0.1", "--port", "8081"},
		probe: []string{"/usr/bin/ruby", "-e", "require 'jwt'; require 'webrick'; require 'action_controller/railtie'"}, where: makeDeps,
		around: map[string]string{"config.ru": `
require "action_controller/railtie"
require_relative "rails_controller"

class HelloController < ApplicationController
  def show = render(json: { hello: @caller["sub"] })
end

class Api < Rails::Application
  config.eager_load, config.secret_key_base, config.logger = false, "of this test alone", Logger.new($stderr)
  routes.append { get "/hello", to: "hello#show" }
end
Rails.application.initialize!
run Rails.application
`},
	},
	{
		name: "nginx", files: []string{"nginx.conf"}, run: []string{"/usr/sbin/nginx", "-p", ".", "-e", "stderr", "-c", "main.conf"},
		where: "the package nginx-light", proxy: true, asks: true, keyless: true,
		around: map[string]string{"main.conf": `
daemon off;
pid nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  include nginx.conf;
}
`},
	},
	{
		name: "Caddy", files: []string{"Caddyfile"}, run: []string{"caddy", "run", "--config", "main.Caddyfile", "--adapter", "caddyfile"},
		where: "the package caddy", proxy: true, asks: true, keyless: true,
		around: map[string]string{"main.Caddyfile": "{\n\tadmin off\n}\nimport Caddyfile\n"},
	},
	{
		name: "Traefik", files: []string{"traefik.yaml"}, proxy: true, asks: true, keyless: true, where: "github.com/traefik/traefik",
		run: []string{"traefik", "--entrypoints.web.address=127.0.0.1:8082", "--providers.file.filename=traefik.yaml"},
	},
	{
		name: "oauth2-proxy", files: []string{"oauth2-proxy.cfg"}, run: []string{"oauth2-proxy", "--config", "oauth2-proxy.cfg"},
		where: "go install github.com/oauth2-proxy/oauth2-proxy/v7", proxy: true, lenient: otherType,
	},
}

// start runs the recipe until the test ends, and returns where it listens. verifyGo is the program that proxies ask.
func (r recipe) start(t *testing.T, p *provider, verifyGo string) string {
	t.Helper()
	r.needs(t)
	dir := t.TempDir()
	ports := map[string]string{"8081": freePort(t), "8082": freePort(t)}
	if r.asks {
		ask := exec.Command(verifyGo)
		ask.Env = []string{"ISSUER=" + p.issuer, "AUDIENCE=https://api.example", "ADDR=127.0.0.1:" + ports["8081"]}
		background(t, ask, ports["8081"])
	}
	if r.run == nil {
		return "http://127.0.0.1:" + ports["8081"]
	}
	port := ports["8081"]
	if r.proxy {
		upstream, err := url.Parse(newUpstream(t).URL)
		if err != nil {
			t.Fatal(err)
		}
		port, ports["8083"] = ports["8082"], upstream.Port()
	}
	here := func(text string) string {
		return documentedPorts.ReplaceAllStringFunc(text, func(shown string) string { return ports[shown] })
	}
	shown := documented(t, p, "/docs/verifier-recipes", r.files...)
	for _, name := range r.files {
		write(t, filepath.Join(dir, name), here(shown[name]))
	}
	for name, text := range r.around {
		write(t, filepath.Join(dir, name), text)
	}
	modules, err := filepath.Abs("node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	var arguments []string
	for _, argument := range r.run[1:] {
		arguments = append(arguments, here(argument))
	}
	cmd := exec.Command(r.run[0], arguments...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1", "NODE_ENV=production"}
	background(t, cmd, port)
	return "http://127.0.0.1:" + port
}

var documentedPorts = regexp.MustCompile(`\b808[123]\b`)

// needs skips the test where a person would have to install something by hand, and fails it where make deps would.
func (r recipe) needs(t *testing.T) {
	t.Helper()
	if r.run == nil {
		return
	}
	if r.run[0] == "node" {
		needsPackages(t)
	}
	_, err := exec.LookPath(r.run[0])
	if err == nil && r.probe != nil {
		err = exec.Command(r.probe[0], r.probe[1:]...).Run()
	}
	if err == nil {
		return
	}
	if _, debian := exec.LookPath("apt-get"); r.where == makeDeps && debian == nil {
		t.Fatalf("what the recipe for %s needs is part of the tests and is not there: make deps (%v)", r.name, err)
	}
	t.Skipf("the recipe for %s is not tried: what it needs is not installed (%v); where to get it: %s", r.name, err, r.where)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// buildVerifyGo builds examples/verify-go.
func buildVerifyGo(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "verify-go")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "../../examples/verify-go"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build examples/verify-go: %v\n%s", err, out)
	}
	return program
}

// background runs a program until the test ends, and waits until it listens.
func background(t *testing.T, cmd *exec.Cmd, port string) {
	t.Helper()
	name := filepath.Join(t.TempDir(), "said.log")
	log, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := stage.Guard(cmd); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = log.Close()
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // its log says why
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if text, err := os.ReadFile(name); t.Failed() {
			t.Logf("%s says (%v):\n%s", filepath.Base(cmd.Path), err, stage.Tail(string(text), 40))
		}
	})
	if err := listens(port, ended); err != nil {
		t.Fatalf("%s: %v", filepath.Base(cmd.Path), err)
	}
}

// listens waits until somebody listens at a port of this machine.
func listens(port string, ended <-chan struct{}) error {
	for end := time.Now().Add(stage.Patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", port), time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ended:
			return fmt.Errorf("it ended instead of listening at port %s", port)
		default:
		}
	}
	return fmt.Errorf("it did not listen at port %s within %v", port, stage.Patience)
}
