// Package apidocs is the documentation of the API that the binary serves under /docs: a viewer of the
// OpenAPI document, and pages for authors of apps, of front ends and of resource servers.
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
	"slices"

	"github.com/swaggest/swgui/v5/static"

	"latchkey/api"
	"latchkey/internal/sdk"
)

//go:embed templates assets recipes
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
	for _, p := range pages() {
		list = append(list, File{Path: p.Path, MediaType: "text/html; charset=utf-8", Policy: p.policy, Content: p.draw})
	}
	for _, app := range Apps {
		for _, name := range app.Files {
			content := func(publicURL string) ([]byte, error) {
				text, err := app.File(name, publicURL)
				return []byte(text), err
			}
			list = append(list, File{Path: "/docs/" + app.Name + "/" + name, MediaType: "text/plain; charset=utf-8", Content: content})
		}
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

// page is one of those that people read.
type page struct {
	Path, Title string
	template    string
	policy      string
	App         App // of the page of an example
}

// navigation is what every page leads to, in its order.
var navigation = [...]page{
	{Path: "/docs", Title: "Quick start", template: "quick_start.html", policy: readPolicy},
	{Path: "/docs/apps", Title: "Other libraries", template: "apps.html", policy: readPolicy},
	{Path: "/docs/client-recipes", Title: "Client recipes", template: "client_recipes.html", policy: readPolicy},
	{Path: "/docs/front-end", Title: "Front ends", template: "front_end.html", policy: readPolicy},
	{Path: "/docs/resource-servers", Title: "Resource servers", template: "resource_servers.html", policy: readPolicy},
	{Path: "/docs/verifier-recipes", Title: "Verifier recipes", template: "verifier_recipes.html", policy: readPolicy},
	{Path: "/docs/start", Title: "The API by hand", template: "start.html", policy: readPolicy},
	{Path: "/docs/examples", Title: "Calls", template: "examples.html", policy: readPolicy},
	{Path: "/docs/api", Title: "API", template: "viewer.html", policy: viewerPolicy},
}

// pages are those of the navigation, and those of the apps.
func pages() []page {
	list := slices.Clone(navigation[:])
	for _, app := range Apps {
		list = append(list, page{Path: "/docs/" + app.Name, Title: app.Title, template: "app.html", policy: readPolicy, App: app})
	}
	return list
}

// view is what the templates are given.
type view struct {
	Page       page
	Navigation []page
	URL        string
	Operations []Operation
	Apps       []App
	Script     sdk.File // the newest /client.js, at the address that never changes
}

// Here is a text of an example as it is for this server.
func (v view) Here(text string) string { return here(text, v.URL) }

// File is a file of the page's app, for this server.
func (v view) File(name string) (string, error) { return v.Page.App.File(name, v.URL) }

// Recipe is a file of recipes, as its test runs it, for this server.
func (v view) Recipe(name string) (string, error) {
	text, err := files.ReadFile("recipes/" + name)
	if err != nil {
		return "", fmt.Errorf("read recipe: %w", err)
	}
	return here(string(text), v.URL), nil
}

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
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", view{p, navigation[:], publicURL, operations, Apps, sdk.Newest()}); err != nil {
		return nil, fmt.Errorf("draw page: %w", err)
	}
	return b.Bytes(), nil
}
