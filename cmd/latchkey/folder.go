package main

// The data folder: who may see it, who may serve from it, and the master key in it.

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"latchkey/internal/server"
	"latchkey/internal/token"
)

const (
	databaseFile = "latchkey.db"
	masterFile   = "master.key"
	lockFile     = "serve.lock"
	inboxFile    = "inbox.key"
)

// folder is the data folder. On PostgreSQL nothing is kept in it and it is not made.
type folder string

func (d folder) path(file string) string { return filepath.Join(string(d), file) }

// prepare makes the folder if it is missing, and refuses one that others can look into. It changes no mode
// of a folder that it did not make, which might be somebody's /tmp. What it made and owns it sets right where
// only the group was let in, as the manager of a volume does at each mount, and says so in notes.
func (d folder) prepare() (notes []string, err error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, fmt.Errorf("make data folder: %w", unreadable(filepath.Dir(string(d)), err))
	}
	s, err := d.look(string(d), "data folder")
	switch {
	case err != nil:
		return nil, fmt.Errorf("look at data folder: %w", err)
	case !s.mode.IsDir():
		return nil, fmt.Errorf("data folder %s is a file: set LATCHKEY_DATA_DIR to a folder", d)
	}
	if s.mode&onlyOwner != 0 {
		if !d.madeByUs(s) {
			return nil, fmt.Errorf("%w, or set LATCHKEY_DATA_DIR to a folder of Latchkey's own, such as %s", s.open(""), d.path("latchkey"))
		}
		if notes, err = s.close(notes, 0o700); err != nil {
			return notes, err
		}
	}
	return d.closeFiles(notes)
}

// ownFiles are the files that Latchkey makes in its data folder.
var ownFiles = []string{databaseFile, masterFile, lockFile, inboxFile, "before-migration-*.db"}

// madeByUs: the folder and what makes it a data folder are ours, and at most the group was let in.
func (d folder) madeByUs(s secretFile) bool {
	if s.owner != s.self || s.mode&everybody != 0 {
		return false
	}
	for _, name := range []string{masterFile, databaseFile} {
		if info, err := os.Stat(d.path(name)); err == nil && ownerOf(info) == s.self {
			return true
		}
	}
	return false
}

// closeFiles takes the group off what Latchkey made in the folder. (The store does it for the database's log.)
func (d folder) closeFiles(notes []string) ([]string, error) {
	for _, pattern := range ownFiles {
		files, err := filepath.Glob(d.path(pattern))
		if err != nil {
			return notes, fmt.Errorf("look at data folder: %w", err)
		}
		for _, file := range files {
			s, err := d.look(file, "file")
			if err != nil {
				return notes, fmt.Errorf("look at data folder: %w", err)
			}
			if s.owner != s.self || s.mode&onlyOwner == 0 || s.mode&everybody != 0 {
				continue
			}
			if notes, err = s.close(notes, 0o600); err != nil {
				return notes, err
			}
		}
	}
	return notes, nil
}

// close sets the mode of what is ours.
func (s secretFile) close(notes []string, mode fs.FileMode) ([]string, error) {
	if err := os.Chmod(s.path, mode); err != nil {
		return notes, fmt.Errorf("%w; setting it right: %w", s.open(""), err)
	}
	return append(notes, fmt.Sprintf("%s was open to its group (mode %s), as a volume's manager leaves it: set to %s", s.name(), octal(s.mode), octal(mode))), nil
}

func (d folder) look(path, what string) (secretFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return secretFile{}, unreadable(path, err)
	}
	defer f.Close()
	return lookAt(what, f)
}

// hasDatabase says whether there is a database that something could be remembered in.
func (d folder) hasDatabase() bool {
	info, err := os.Stat(d.path(databaseFile))
	return err == nil && info.Size() > 0
}

// lock keeps a second `serve` off the data folder until release is called or the process ends, however
// it ends. Commands beside a running server do not take it.
func (d folder) lock() (release func() error, err error) {
	f, err := os.OpenFile(d.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20)) // only to be helpful
		err = fmt.Errorf("another `latchkey serve` (process %s) runs on the data folder %s: stop it first, or set LATCHKEY_DATA_DIR to another folder", bytes.TrimSpace(pid), d)
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintln(f, os.Getpid())
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

// masterKeys reads the data folder's master key and makes it where there is neither key nor database. No
// second key is ever made beside old data: nothing could open that data again.
func (d folder) masterKeys() (*token.MasterKeys, error) {
	file := d.path(masterFile)
	keys, _, err := readMasterFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if d.hasDatabase() {
		return nil, fmt.Errorf("%s is there, but its master key %s is not: put the key file back, or give the key in LATCHKEY_MASTER_KEY", d.path(databaseFile), file)
	}
	if err := createOnce(file, token.NewMasterKey()+"\n"); err != nil {
		return nil, fmt.Errorf("write master key: %w", err)
	}
	keys, _, err = readMasterFile(file)
	return keys, err
}

// readMasterFile reads the keys of a file that nobody else can read, or that was mounted for us: then with a
// warning.
func readMasterFile(file string) (keys *token.MasterKeys, warning string, err error) {
	raw, s, err := readSecretFile("master key file", file)
	if err != nil {
		return nil, "", fmt.Errorf("read master key: %w", err)
	}
	if warning, err = s.judge(); err != nil {
		return nil, "", err
	}
	if keys, err = token.ParseMasterKeys(string(raw)); err != nil {
		return nil, "", fmt.Errorf("master key file %s: %w", file, err)
	}
	return keys, warning, nil
}

// inboxKey is what opens /dev/inbox of a server on this data folder: made once, 256 random bits, so that the link
// of yesterday opens today's server. Whoever reads it can take any account over.
func (d folder) inboxKey() (server.InboxKey, error) {
	if _, err := d.prepare(); err != nil { // on PostgreSQL nothing else has made it
		return "", err
	}
	file := d.path(inboxFile)
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		if err := createOnce(file, rand.Text()+rand.Text()+"\n"); err != nil {
			return "", fmt.Errorf("write the key of /dev/inbox: %w", err)
		}
	}
	raw, how, err := readSecretFile("key file of /dev/inbox", file)
	if err != nil {
		return "", fmt.Errorf("read the key of /dev/inbox: %w", err)
	}
	if _, err := how.judge(); err != nil {
		return "", err
	}
	key := string(bytes.TrimSpace(raw))
	if len(key) < minInboxKey || strings.ContainsFunc(key, func(r rune) bool { return !strings.ContainsRune(inboxKeyRunes, r) }) {
		return "", fmt.Errorf("%s does not hold a key of /dev/inbox: remove it, and the next start makes another", file)
	}
	return server.InboxKey(key), nil
}

// What crypto/rand.Text makes, at least 128 bits of it.
const (
	inboxKeyRunes = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	minInboxKey   = 26
)

// createOnce writes file whole and durably, or leaves what somebody else wrote first: a link is made
// only where no file is.
func createOnce(file, content string) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
