package password

// Widely known passwords, kept as a binary fuse filter: a fraction of the list's size, never misses a
// listed password, and wrongly names one in some 30,000 others.

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/FastFilter/xorfilter"
	"golang.org/x/text/unicode/norm"
)

// Blocklist is a set of widely known passwords (NIST SP 800-63B-4 §3.1.1.2: compare the prospective
// password, whole, with a list of known ones). It is immutable and safe for concurrent use.
type Blocklist struct {
	filter *xorfilter.BinaryFuse[uint16]
}

//go:embed blocklist.bin
var embedded string

// A blocklist file is magic, the SHA-256 of the rest, and the rest: the filter as xorfilter saves it.
const magic = "latchkey blocklist 1\n"

// EmbeddedBlocklist returns the list that is part of the program; NOTICE names its source.
func EmbeddedBlocklist() (*Blocklist, error) { return LoadBlocklist(strings.NewReader(embedded)) }

// LoadBlocklist reads what BuildBlocklist wrote. It returns an error for anything else, damaged or
// cut files included.
func LoadBlocklist(r io.Reader) (*Blocklist, error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read blocklist: %w", err)
	}
	body, ok := bytes.CutPrefix(file, []byte(magic))
	if !ok || len(body) < sha256.Size {
		return nil, errors.New("read blocklist: not made by `latchkey blocklist build`")
	}
	body, sum := body[sha256.Size:], [sha256.Size]byte(body)
	if sha256.Sum256(body) != sum {
		return nil, errors.New("read blocklist: the file is damaged; build it again")
	}
	filter, err := xorfilter.LoadBinaryFuse[uint16](bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("read blocklist: %w", err)
	}
	return &Blocklist{filter}, nil
}

// Contains reports whether pw is on the list, in its own case or in any.
func (b *Blocklist) Contains(pw Plaintext) bool {
	return b.filter.Contains(key(string(pw))) || b.filter.Contains(key(fold(string(pw))))
}

// BuildBlocklist reads a password a line and writes a filter for LoadBlocklist; the same passwords
// give the same bytes, in whatever order they come. count is how many different ones it holds.
//
// A line is taken whole, white space and all, in NFC and case-folded; one that could never be a
// password here (shorter than Floor, too long, not UTF-8) is left out. A line of the form
// <SHA-1 in hexadecimal>:<count>, as Have I Been Pwned publishes them, is taken as the password of
// that digest. Building needs about 60 bytes of memory a password.
func BuildBlocklist(w io.Writer, passwords io.Reader) (count int, err error) {
	keys, err := readKeys(passwords)
	if err != nil {
		return 0, fmt.Errorf("read passwords: %w", err)
	}
	if len(keys) == 0 {
		return 0, errors.New("read passwords: there is none that a user could choose")
	}
	filter, err := xorfilter.NewBinaryFuse[uint16](keys)
	if err != nil {
		return 0, fmt.Errorf("make filter: %w", err)
	}
	var body bytes.Buffer
	if err := filter.Save(&body); err != nil {
		return 0, fmt.Errorf("make filter: %w", err)
	}
	sum := sha256.Sum256(body.Bytes())
	if _, err := w.Write(slices.Concat([]byte(magic), sum[:], body.Bytes())); err != nil {
		return 0, fmt.Errorf("write blocklist: %w", err)
	}
	return len(keys), nil
}

func readKeys(passwords io.Reader) ([]uint64, error) {
	var keys []uint64
	lines := bufio.NewScanner(passwords)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if k, ok := lineKey(lines.Text()); ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), lines.Err()
}

func lineKey(line string) (uint64, bool) {
	if digest, ok := pwnedDigest(line); ok {
		return binary.BigEndian.Uint64(digest), true
	}
	pw, err := Normalize(line)
	if err != nil || utf8.RuneCountInString(string(pw)) < Floor {
		return 0, false
	}
	return key(fold(string(pw))), true
}

// pwnedDigest reads <40 hexadecimal digits>:<decimal digits>.
func pwnedDigest(line string) ([]byte, bool) {
	digest, seen, ok := strings.Cut(line, ":")
	if !ok || len(digest) != 2*sha1.Size || strings.Trim(seen, "0123456789") != "" {
		return nil, false
	}
	raw, err := hex.DecodeString(digest)
	return raw, err == nil
}

// key is the head of the SHA-1 digest: what Have I Been Pwned publishes, so that its lists can be
// read. It protects nothing; two passwords with one key cost a wrong refusal.
func key(password string) uint64 {
	digest := sha1.Sum([]byte(password))
	return binary.BigEndian.Uint64(digest[:])
}

// fold makes spellings that differ only in case equal, by the rule of strings.EqualFold, and is lower
// case where there is one.
func fold(s string) string {
	return norm.NFC.String(strings.Map(foldRune, s))
}

func foldRune(r rune) rune {
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	return unicode.ToLower(least)
}
