package main

// The data folder: who may see it, who may serve from it, and the master key in it.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"latchkey/internal/token"
)

const (
	databaseFile = "latchkey.db"
	masterFile   = "master.key"
	lockFile     = "serve.lock"

	onlyOwner fs.FileMode = 0o077 // bits that must not be set
)

// folder is the data folder. On PostgreSQL nothing is kept in it and it is not made.
type folder string

func (d folder) path(file string) string { return filepath.Join(string(d), file) }

// prepare makes the folder if it is missing, and refuses one that others can look into. It changes
// no mode of a folder that it finds: that might be somebody's /tmp.
func (d folder) prepare() error {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	info, err := os.Stat(string(d))
	switch {
	case err != nil:
		return fmt.Errorf("look at data folder: %w", err)
	case !info.IsDir():
		return fmt.Errorf("data folder %s is a file: set LATCHKEY_DATA_DIR to a folder", d)
	case info.Mode().Perm()&onlyOwner != 0:
		return fmt.Errorf("data folder %s is open to others (mode %04o): say `chmod 700 %s`, or set LATCHKEY_DATA_DIR to a folder of Latchkey's own", d, info.Mode().Perm(), d)
	}
	return nil
}

// hasDatabase says whether there is a database that something could be remembered in.
func (d folder) hasDatabase() bool {
	info, err := os.Stat(d.path(databaseFile))
	return err == nil && info.Size() > 0
}

// lock keeps a second `serve` off the folder until release is called or the process ends, however
// it ends. Commands beside a running server do not take it.
func (d folder) lock() (release func() error, err error) {
	f, err := os.OpenFile(d.path(lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock data folder: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		pid, _ := io.ReadAll(io.LimitReader(f, 20)) // only to be helpful
		err = fmt.Errorf("another `latchkey serve` (process %s) runs on data folder %s: stop it first, or set LATCHKEY_DATA_DIR to another folder", bytes.TrimSpace(pid), d)
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

// masterKeys reads the folder's master key and makes it where there is neither key nor database. No
// second key is ever made beside old data: nothing could open that data again.
func (d folder) masterKeys() (*token.MasterKeys, error) {
	file := d.path(masterFile)
	keys, err := readMasterFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return keys, err
	}
	if d.hasDatabase() {
		return nil, fmt.Errorf("%s is there, but its master key %s is not: put the key file back, or give the key in LATCHKEY_MASTER_KEY", d.path(databaseFile), file)
	}
	if err := createOnce(file, token.NewMasterKey()+"\n"); err != nil {
		return nil, fmt.Errorf("write master key: %w", err)
	}
	return readMasterFile(file)
}

func readMasterFile(file string) (*token.MasterKeys, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	if info.Mode().Perm()&onlyOwner != 0 {
		return nil, fmt.Errorf("master key file %s is open to others (mode %04o): say `chmod 600 %s`", file, info.Mode().Perm(), file)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	keys, err := token.ParseMasterKeys(string(raw))
	if err != nil {
		return nil, fmt.Errorf("master key file %s: %w", file, err)
	}
	return keys, nil
}

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
