package main

// Files that an operator writes, which some editors begin with a byte order mark. It is no part of what they say.

import (
	"bufio"
	"bytes"
	"io"
	"io/fs"
	"os"
)

var byteOrderMark = []byte("\uFEFF")

func withoutMark(content []byte) []byte { return bytes.TrimPrefix(content, byteOrderMark) }

// readFile reads a file that may lie open to others.
func readFile(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	return withoutMark(content), err
}

// readerWithoutMark is readFile for what is too large to be read at once.
func readerWithoutMark(r io.Reader) io.Reader {
	in := bufio.NewReader(r)
	if begins, _ := in.Peek(len(byteOrderMark)); bytes.Equal(begins, byteOrderMark) { // an error comes again, to whoever reads
		_, _ = in.Discard(len(byteOrderMark))
	}
	return in
}

// operatorFolder is readFile for a folder.
type operatorFolder struct{ fs.FS }

// ReadFile implements fs.ReadFileFS.
func (f operatorFolder) ReadFile(name string) ([]byte, error) {
	content, err := fs.ReadFile(f.FS, name)
	return withoutMark(content), err
}
