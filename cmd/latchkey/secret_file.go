package main

// The one rule for files that hold a secret: the configuration, the clients, the master key, the TLS key.
// What could have been made safe and was not stops the start; what we made is set right; what a manager
// mounts (systemd's LoadCredential, a Kubernetes or Docker secret) comes with modes that nobody here can
// change, and is accepted with a warning.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	osuser "os/user"
	"strconv"
	"syscall"
)

const (
	onlyOwner   fs.FileMode = 0o077 // bits that must not be set
	everybody   fs.FileMode = 0o007
	othersWrite fs.FileMode = 0o002
	groupReads  fs.FileMode = 0o640 // the most that a file shared by a group may have
)

// secretFile is a file as it was when it was opened.
type secretFile struct {
	what    string // "master key file"
	path    string
	mode    fs.FileMode
	owner   int  // -1: the system does not say
	self    int  // the user that Latchkey runs as
	mounted bool // it lies on a read-only mount of its own: nobody here can change its mode
	byGroup bool // other servers of the machine may read it through a group of theirs
}

// readSecretFile reads a file and says how it lies there. Both are of one opened file, so nobody can put
// another in its place between the two. A byte order mark is no part of the content.
func readSecretFile(what, path string) ([]byte, secretFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, secretFile{}, unreadable(path, err)
	}
	defer f.Close()
	s, err := lookAt(what, f)
	if err != nil {
		return nil, s, err
	}
	content, err := io.ReadAll(f)
	return withoutMark(content), s, err
}

func lookAt(what string, f *os.File) (secretFile, error) {
	info, err := f.Stat()
	if err != nil {
		return secretFile{}, err
	}
	s := secretFile{what: what, path: f.Name(), mode: info.Mode(), owner: ownerOf(info), self: os.Geteuid()}
	s.mounted, err = mountedReadOnly(f)
	return s, err
}

// judge says whether the file may be used: a warning where it may although others can read it, an error
// where it may not.
func (f secretFile) judge() (warning string, err error) {
	ours := f.owner == f.self
	switch {
	case f.mode&onlyOwner == 0:
		return "", nil
	case f.mode&othersWrite != 0:
		return "", f.open("; whoever can write it decides who signs in")
	case f.mounted && (!ours || f.self == 0): // root owns what is mounted into its container
		return fmt.Sprintf("%s can be read by others: mode %s, %s; it lies on a read-only mount, so nothing was changed: where it is mounted, give it to %s alone, or make sure that nothing else runs there",
			f.name(), octal(f.mode), f.owned(), namedUser(f.self)), nil
	case f.byGroup && !ours && f.owner == 0 && f.mode.Perm()&^groupReads == 0:
		return "", nil // as PostgreSQL takes its key: root's, readable by one group
	}
	return "", f.open("")
}

// open is the refusal of what is open to others: it names owner, mode and remedy.
func (f secretFile) open(why string) error {
	mode := "600"
	if f.mode.IsDir() {
		mode = "700"
	}
	remedy := fmt.Sprintf("run `chmod %s %s`", mode, f.path)
	if f.owner != f.self && f.owner >= 0 {
		remedy = fmt.Sprintf("run `chown %d %s && chmod %s %s` as root", f.self, f.path, mode, f.path)
	}
	if f.mounted {
		remedy += " where it is mounted from"
	}
	return fmt.Errorf("%s is open to others (mode %s, %s; Latchkey runs as %s)%s: %s", f.name(), octal(f.mode), f.owned(), namedUser(f.self), why, remedy)
}

func (f secretFile) name() string { return f.what + " " + f.path }

func (f secretFile) owned() string {
	if f.owner < 0 {
		return "owner unknown"
	}
	return "owner " + namedUser(f.owner)
}

// namedUser is a user for people: "uid 65532", "uid 0 (root)".
func namedUser(uid int) string {
	text := "uid " + strconv.Itoa(uid)
	if u, err := osuser.LookupId(strconv.Itoa(uid)); err == nil && u.Username != "" {
		text += " (" + u.Username + ")"
	}
	return text
}

// octal is a mode as chmod takes it.
func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	for bit, value := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if mode&bit != 0 {
			bits |= value
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// unreadable adds to "permission denied" whose the file is and who is asking.
func unreadable(path string, err error) error {
	info, statErr := os.Stat(path)
	if !errors.Is(err, fs.ErrPermission) || statErr != nil {
		return err
	}
	return fmt.Errorf("%w: it has mode %s and owner %s, and Latchkey runs as %s", err, octal(info.Mode()), namedUser(ownerOf(info)), namedUser(os.Geteuid()))
}

func ownerOf(info fs.FileInfo) int {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(s.Uid)
	}
	return -1
}
