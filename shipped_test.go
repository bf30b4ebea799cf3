package latchkey_test

// What ships is called by what ships: a helper of tests has its place beside them.

import (
	"go/ast"
	"path"
	"slices"
	"strings"
	"testing"
)

// declared is a function, variable, constant or type of a package.
type declared struct{ room, name string }

// Every package-level name of the server is used by the server. What only tests use is in a _test.go file or in
// internal/authtest; what nobody uses is nowhere. Packages api, client and verify are for others to call.
func TestNothingShippedIsForTestsAlone(t *testing.T) {
	where, used, prefix := map[declared]string{}, map[declared]bool{}, modulePath(t)+"/"
	for _, s := range sources(t) {
		if !s.runs() || slices.Contains([]string{"api", "client", "verify"}, s.room) {
			continue
		}
		names := packageNames(s.file)
		for _, id := range names {
			where[declared{s.room, id.Name}] = s.at(id)
		}
		rooms := map[string]string{}
		for _, p := range s.imports() {
			if room, ours := strings.CutPrefix(p, prefix); ours {
				rooms[path.Base(p)] = room
			}
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if on, ok := n.X.(*ast.Ident); ok && rooms[on.Name] != "" {
					used[declared{rooms[on.Name], n.Sel.Name}] = true
				}
			case *ast.Ident:
				if names[n.Name] != n {
					used[declared{s.room, n.Name}] = true
				}
			}
			return true
		})
	}
	for d, at := range where {
		if !used[d] {
			t.Errorf("%s: nothing that ships uses %s: move it to the tests that do, or drop it", at, d.name)
		}
	}
	if len(where) < 1000 {
		t.Errorf("only %d names were found: the sources are not understood", len(where))
	}
}

// packageNames are what a file declares, by name. Methods are not among them: templates and interfaces call them, too.
func packageNames(file *ast.File) map[string]*ast.Ident {
	names := map[string]*ast.Ident{}
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv == nil {
				names[decl.Name.Name] = decl.Name
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names[spec.Name.Name] = spec.Name
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						names[id.Name] = id
					}
				}
			}
		}
	}
	for _, called := range []string{"main", "init", "_"} {
		delete(names, called)
	}
	return names
}
