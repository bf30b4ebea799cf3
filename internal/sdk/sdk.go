// Package sdk carries the package that apps load: every release of sdk/js, byte for byte.
//
// It promises that an address with a version in it gives the same bytes for as long as that version is released, so that
// apps may pin them by their hash. It never makes a file: `make sdk` does, and what it made is committed.
package sdk

import (
	"crypto/sha512"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

//go:embed files
var carried embed.FS

// File is one that apps load.
type File struct {
	Path      string // "/client-0.1.0.js"
	MediaType string
	Content   []byte
	Integrity string // of a script: "sha384-…", as import maps have it (W3C Subresource Integrity §3.1)
}

// Script says whether the file is one that browsers run, and not one that npm installs.
func (f File) Script() bool { return f.Integrity != "" }

// Files are those of every release, the oldest first.
func Files() []File {
	entries, err := carried.ReadDir("files")
	if err != nil {
		panic(fmt.Sprintf("sdk: the files that were built in: %v", err))
	}
	slices.SortStableFunc(entries, func(a, b fs.DirEntry) int {
		return slices.Compare(version(a.Name()), version(b.Name()))
	})
	var list []File
	for _, entry := range entries {
		content, err := carried.ReadFile("files/" + entry.Name())
		if err != nil {
			panic(fmt.Sprintf("sdk: a file that was built in: %v", err))
		}
		f := File{Path: "/" + entry.Name(), MediaType: "application/gzip", Content: content}
		if path.Ext(f.Path) == ".js" {
			sum := sha512.Sum384(content)
			f.MediaType, f.Integrity = "text/javascript; charset=utf-8", "sha384-"+base64.StdEncoding.EncodeToString(sum[:])
		}
		list = append(list, f)
	}
	return list
}

// Newest is the script of the newest release.
func Newest() File {
	files := Files()
	return files[slices.IndexFunc(files, func(f File) bool {
		return f.Script() && slices.Equal(version(f.Path), version(files[len(files)-1].Path))
	})]
}

// version is what comes after the last hyphen of a file's name, in numbers.
func version(name string) (numbers []int) {
	name = strings.TrimSuffix(name, path.Ext(name))
	for part := range strings.SplitSeq(name[strings.LastIndex(name, "-")+1:], ".") {
		n := 0
		_, _ = fmt.Sscan(part, &n) // a test holds the names to their form
		numbers = append(numbers, n)
	}
	return numbers
}
