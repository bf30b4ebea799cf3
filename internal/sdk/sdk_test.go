package sdk

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// check says what is wrong with a folder like this one: a released file that is altered or missing, and any other that
// is not of the version that sdk/js makes now.
func check(folder fs.FS, version string) error {
	list, err := fs.ReadFile(folder, "released.txt")
	if err != nil {
		return err
	}
	released := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		hash, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok || released[name] != "" {
			return fmt.Errorf("released.txt: %q is no line of its own", line)
		}
		released[name] = hash
	}
	made := map[string]bool{"client-" + version + ".js": true, "latchkey-client-" + version + ".tgz": true}
	names := maps.Clone(made)
	for name := range released {
		names[name] = true
	}
	for name := range names {
		content, err := fs.ReadFile(folder, "files/"+name)
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(content); released[name] != "" && released[name] != hex.EncodeToString(sum[:]) {
			return fmt.Errorf("%s is not what was released", name)
		}
	}
	found, err := fs.ReadDir(folder, "files")
	for _, entry := range found {
		if !names[entry.Name()] {
			return fmt.Errorf("%s was not released, and is not of %s", entry.Name(), version)
		}
	}
	return err
}

func TestReleasesAreCarriedByteForByte(t *testing.T) {
	raw, err := os.ReadFile("../../sdk/js/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Version string }
	if err := json.Unmarshal(raw, &manifest); err != nil {
		t.Fatal(err)
	}
	if err := check(os.DirFS("."), manifest.Version); err != nil {
		t.Error(err)
	}
	if got := Newest(); got.Path != "/client-"+manifest.Version+".js" || !bytes.Contains(got.Content, []byte(manifest.Version)) {
		t.Errorf("the newest script is %s, and the package's version %s", got.Path, manifest.Version)
	}
	for _, f := range Files() {
		if len(f.Content) == 0 || f.Script() != strings.HasSuffix(f.Path, ".js") {
			t.Errorf("%s: %d bytes, %q", f.Path, len(f.Content), f.Integrity)
		}
	}
}

func TestBrokenReleasesAreFound(t *testing.T) {
	whole := func() fstest.MapFS {
		sum := sha256.Sum256([]byte("old"))
		return fstest.MapFS{
			"released.txt":                     {Data: []byte("# why\n" + hex.EncodeToString(sum[:]) + "  client-0.9.0.js\n")},
			"files/client-0.9.0.js":            {Data: []byte("old")},
			"files/client-0.10.0.js":           {Data: []byte("new")},
			"files/latchkey-client-0.10.0.tgz": {Data: []byte("new")},
		}
	}
	if err := check(whole(), "0.10.0"); err != nil {
		t.Fatal(err)
	}
	for name, breaks := range map[string]func(fstest.MapFS){
		"altered":      func(f fstest.MapFS) { f["files/client-0.9.0.js"].Data = []byte("older") },
		"missing":      func(f fstest.MapFS) { delete(f, "files/client-0.9.0.js") },
		"unlisted":     func(f fstest.MapFS) { f["files/client-0.8.0.js"] = &fstest.MapFile{} },
		"not made":     func(f fstest.MapFS) { delete(f, "files/latchkey-client-0.10.0.tgz") },
		"listed twice": func(f fstest.MapFS) { f["released.txt"].Data = bytes.Repeat(f["released.txt"].Data, 2) },
		"no list":      func(f fstest.MapFS) { delete(f, "released.txt") },
	} {
		folder := whole()
		if breaks(folder); check(folder, "0.10.0") == nil {
			t.Errorf("%s: nothing was found", name)
		}
	}
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	if got := version("/client-0.10.2.js"); fmt.Sprint(got) != "[0 10 2]" {
		t.Errorf("version: %v", got)
	}
}
