// Package apidocs is the documentation of the API that the binary serves under /docs: a viewer of the
// OpenAPI document, and pages for authors of a front end or a resource server.
//
// It promises that nothing here needs a file from elsewhere, and that the examples it shows are the files
// that its tests run. Everything is the same for every reader but the public URL; internal/server sends it.
package apidocs

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"strings"

	"github.com/swaggest/swgui/v5/static"

	"latchkey/api"
)

//go:embed templates assets app
var files embed.FS

// File is one thing there is under /docs.
type File struct {
	Path      string
	MediaType string
	Policy    string // its Content-Security-Policy; empty: that of every answer
	Gzipped   bool   // Content is compressed
	Content   func(publicURL string) ([]byte, error)
}

// Page says whether the file is one that people read, and not one that pages load.
func (f File) Page() bool { return f.Policy != "" }

const (
	css        = "text/css; charset=utf-8"
	javascript = "text/javascript; charset=utf-8"

	// readPolicy is for pages that are only read.
	readPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// viewerPolicy lets our own scripts run and call this server; data: is for the icons in Swagger UI's stylesheet.
	viewerPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

// Files lists all there is.
func Files() []File {
	var list []File
	for _, p := range navigation {
		list = append(list, File{Path: p.Path, MediaType: "text/html; charset=utf-8", Policy: p.policy, Content: p.draw})
	}
	return append(list,
		File{Path: "/docs/openapi.yaml", MediaType: "application/yaml", Content: func(string) ([]byte, error) { return api.OpenAPI(), nil }},
		File{Path: "/docs/docs.css", MediaType: css, Content: from(files, "assets/docs.css")},
		File{Path: "/docs/viewer.js", MediaType: javascript, Content: from(files, "assets/viewer.js")},
		File{Path: "/docs/swagger-ui.css", MediaType: css, Gzipped: true, Content: from(static.FS, "swagger-ui.css.gz")},
		File{Path: "/docs/swagger-ui-bundle.js", MediaType: javascript, Gzipped: true, Content: from(static.FS, "swagger-ui-bundle.js.gz")},
	)
}

func from(in fs.FS, name string) func(string) ([]byte, error) {
	return func(string) ([]byte, error) { return fs.ReadFile(in, name) }
}

// page is one of those that people read, in the order of the navigation.
type page struct {
	Path, Title string
	template    string
	policy      string
}

var navigation = [...]page{
	{"/docs", "API", "viewer.html", viewerPolicy},
	{"/docs/start", "Getting started", "start.html", readPolicy},
	{"/docs/apps", "Apps", "apps.html", readPolicy},
	{"/docs/front-end", "Front ends", "front_end.html", readPolicy},
	{"/docs/resource-servers", "Resource servers", "resource_servers.html", readPolicy},
	{"/docs/examples", "Examples", "examples.html", readPolicy},
}

// view is what the templates are given.
type view struct {
	Page       page
	Navigation []page
	URL        string
	Operations []Operation
	Session    string // how a page keeps its session: assets/session.js
	App        app
}

// app is the example of an app that signs people in here: the files in app, as its test runs them.
type app struct{ Clients, Page, Server string }

// readApp reads them, for a server at publicURL.
func readApp(publicURL string) (a app, err error) {
	for name, text := range map[string]*string{"clients.toml": &a.Clients, "index.html": &a.Page, "serve.mjs": &a.Server} {
		content, err := files.ReadFile("app/" + name)
		if err != nil {
			return app{}, fmt.Errorf("read the example: %w", err)
		}
		*text = strings.ReplaceAll(string(content), exampleIssuer, publicURL)
	}
	return a, nil
}

// exampleIssuer is the server's address in the example.
const exampleIssuer = "http://localhost:8080"

// Operation is one of them, for pages that show a single example.
func (v view) Operation(id string) (Operation, error) {
	for _, o := range v.Operations {
		if o.ID == id {
			return o, nil
		}
	}
	return Operation{}, fmt.Errorf("no operation %q", id)
}

func (p page) draw(publicURL string) ([]byte, error) {
	t, err := template.ParseFS(files, "templates/layout.html", "templates/"+p.template)
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	operations, err := Operations()
	if err != nil {
		return nil, err
	}
	session, err := files.ReadFile("assets/session.js")
	if err != nil {
		return nil, fmt.Errorf("read script: %w", err)
	}
	example, err := readApp(publicURL)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", view{p, navigation[:], publicURL, operations, string(session), example}); err != nil {
		return nil, fmt.Errorf("draw page: %w", err)
	}
	return b.Bytes(), nil
}
