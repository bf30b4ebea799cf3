package brand

// An operator's own templates in the place of ours.

import (
	"errors"
	"io/fs"
)

// Overlay is ours, but for the files that own has, which may be nil.
func Overlay(own, ours fs.FS) fs.FS {
	if own == nil {
		return ours
	}
	return overlay{own, ours}
}

type overlay struct{ own, ours fs.FS }

// Open implements fs.FS.
func (o overlay) Open(name string) (fs.File, error) {
	f, err := o.own.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return o.ours.Open(name)
	}
	return f, err
}

// ReadFile implements fs.ReadFileFS: what each of the two says a file holds.
func (o overlay) ReadFile(name string) ([]byte, error) {
	content, err := fs.ReadFile(o.own, name)
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ReadFile(o.ours, name)
	}
	return content, err
}
