package client

// What is kept of a session: a file for all processes that share it, replaced whole, and the sign-out mark beside it.
// There is no lock. Each process reads before it writes, and the mark once more afterwards.

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	recordVersion = 1
	markEnd       = ".ended"
	markedFor     = 30 * 24 * time.Hour
	mostMarked    = 20
	tempEnd       = ".tmp"
	tempLast      = time.Minute // a file half-written for longer is of a process that was killed
)

// record is a session, as it lies in its file.
type record struct {
	Version      int    `json:"v"`
	Issuer       string `json:"issuer"`
	ClientID     string `json:"clientId"`
	Kind         string `json:"kind"` // oauth: which endpoint refreshes it
	SessionID    string `json:"sid"`
	RefreshToken string `json:"refreshToken"` // "": the server gives none, to a third party without offline_access
	AccessToken  string `json:"accessToken"`
	EndsAt       int64  `json:"endsAt"` // exp of the access token, in milliseconds since 1970
	Offset       int64  `json:"offset"` // the server's clock less this machine's, in milliseconds
	IDToken      string `json:"idToken"`

	user       string        // the rest is what the tokens say: see sound
	generation int64         // of the refresh token; 0 without one
	life       time.Duration // of the access token
}

// sound says whether the tokens belong to one session, and reads what they say.
func (r *record) sound() bool {
	var access struct {
		SessionID string `json:"sid"`
		User      string `json:"sub"`
		IssuedAt  int64  `json:"iat"`
		ExpiresAt int64  `json:"exp"`
	}
	var refresh struct {
		SessionID  string `json:"sid"`
		Generation int64  `json:"gen"`
	}
	if !readClaims(r.AccessToken, &access) || access.SessionID == "" || access.SessionID != r.SessionID || access.User == "" {
		return false
	}
	if r.RefreshToken != "" && (!readClaims(r.RefreshToken, &refresh) || refresh.SessionID != r.SessionID) {
		return false
	}
	r.user, r.generation = access.User, refresh.Generation
	r.life = time.Duration(access.ExpiresAt-access.IssuedAt) * time.Second
	return r.EndsAt > 0
}

// newer says whether r is of the session of other, and comes after it.
func (r *record) newer(other *record) bool {
	if r.SessionID != other.SessionID {
		return false
	}
	return r.generation > other.generation || r.generation == other.generation && r.EndsAt > other.EndsAt
}

// readClaims reads what a JWT says. Its signature is not looked at: the tokens come from the issuer by TLS (OpenID Connect
// Core §3.1.3.7).
func readClaims(token string, into any) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	return err == nil && json.Unmarshal(payload, into) == nil
}

// sessionFile is where a session is kept.
type sessionFile struct {
	path, issuer, clientID string           // no path: in memory alone
	ended                  map[string]int64 // sessions that were signed out or ended, and when, in milliseconds: as the mark and this process know
}

// read returns the session that is kept. None is nil: what does not parse, is not sound or is marked counts as none. It
// is an error when the file is another issuer's or client's, or cannot be read. The mark is read after the file: a
// sign-out writes it before it removes the file.
func (f *sessionFile) read() (*record, error) {
	if f.path == "" {
		return nil, nil
	}
	raw, err := readIfThere(f.path)
	if err != nil {
		return nil, err
	}
	if err := f.readMark(); err != nil {
		return nil, err
	}
	r := &record{}
	readable := json.Unmarshal(raw, r) == nil
	if r.Issuer != "" && r.Issuer != f.issuer || r.ClientID != "" && r.ClientID != f.clientID {
		return nil, fmt.Errorf("client: App.File %s is of the client %q of %s: give each client and issuer a file of its own", f.path, r.ClientID, r.Issuer)
	}
	if !readable || r.Version != recordVersion || r.ClientID == "" || r.Issuer == "" || !r.sound() {
		return nil, nil
	}
	if f.isEnded(r.SessionID) {
		_ = f.remove(r.SessionID) // where it cannot be removed it counts as none all the same
		return nil, nil
	}
	return r, nil
}

// isEnded says whether a session is marked.
func (f *sessionFile) isEnded(sid string) bool {
	_, ended := f.ended[sid]
	return ended
}

// write keeps r, if check agrees when all but the last step is done.
func (f *sessionFile) write(r *record, check func() (bool, error)) error {
	if f.path == "" {
		return nil
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	f.sweep(tempLast)
	return replace(f.path, raw, check)
}

// end marks a session and removes it: in this order, so that no process writes it again. Only where there is no room for
// the mark it comes second.
func (f *sessionFile) end(sid string) error {
	f.ended[sid] = time.Now().UnixMilli()
	if f.path == "" {
		return nil
	}
	marked := f.writeMark()
	removed := f.remove(sid)
	if marked != nil {
		marked = f.writeMark()
	}
	f.sweep(0)
	return errors.Join(marked, removed)
}

// remove removes the file, if it holds that session.
func (f *sessionFile) remove(sid string) error {
	raw, err := readIfThere(f.path)
	if err != nil {
		return err
	}
	var kept record
	_ = json.Unmarshal(raw, &kept)
	if kept.SessionID != sid || kept.ClientID != f.clientID || kept.Issuer != f.issuer {
		return nil
	}
	return removeIfThere(f.path)
}

// mark is the file beside the session's.
type mark struct {
	Version int              `json:"v"`
	Ended   map[string]int64 `json:"ended"`
}

func (f *sessionFile) readMark() error {
	raw, err := readIfThere(f.path + markEnd)
	if err != nil {
		return err
	}
	var m mark
	if json.Unmarshal(raw, &m) == nil && m.Version == recordVersion {
		maps.Copy(f.ended, m.Ended)
	}
	return nil
}

// writeMark writes what this process and the mark know.
func (f *sessionFile) writeMark() error {
	if err := f.readMark(); err != nil {
		return err
	}
	m := mark{recordVersion, map[string]int64{}}
	latest := slices.SortedFunc(maps.Keys(f.ended), func(a, b string) int { return cmp.Compare(f.ended[b], f.ended[a]) })
	for _, sid := range latest[:min(len(latest), mostMarked)] {
		if time.Since(time.UnixMilli(f.ended[sid])) < markedFor {
			m.Ended[sid] = f.ended[sid]
		}
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode sign-out mark: %w", err)
	}
	return replace(f.path+markEnd, raw, func() (bool, error) { return true, nil })
}

// sweep removes half-written files of that age.
func (f *sessionFile) sweep(age time.Duration) {
	dir, base := filepath.Split(f.path)
	entries, _ := os.ReadDir(dir) // none where it cannot be read: then nothing can be written, either
	for _, entry := range entries {
		number, ok := strings.CutPrefix(entry.Name(), base+".")
		number, temp := strings.CutSuffix(number, tempEnd)
		info, err := entry.Info()
		if ok && temp && strings.Trim(number, "0123456789") == "" && err == nil && time.Since(info.ModTime()) >= age {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}

// replace puts content in the place of a file, or leaves that as it is: another process sees all of it, or nothing, and
// so does the next start after a power cut.
func replace(path string, content []byte, check func() (bool, error)) error {
	dir, base := filepath.Split(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(dir, base+".*"+tempEnd) // mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // once renamed it is not there
	_, err = temp.Write(content)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if ok, err := check(); !ok || err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// readIfThere is empty where there is no file.
func readIfThere(path string) ([]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return raw, err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
