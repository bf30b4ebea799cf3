package password

import (
	"errors"
	"strings"
	"testing"
)

// cheap is what every test but one hashes with.
var cheap = Params{MemoryKiB: 1024, Time: 1}

func TestHashVerifiesItsPasswordAlone(t *testing.T) {
	pw := Plaintext("correct horse battery staple")
	phc, err := cheap.Hash(pw)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(phc, "$argon2id$v=19$m=1024,t=1,p=1$") {
		t.Errorf("Hash = %s", phc)
	}
	long := Plaintext(strings.Repeat("x", MaxCodePoints))
	longPHC, err := cheap.Hash(long)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, phc string
		pw        Plaintext
		want      bool
	}{
		{"itself", phc, pw, true},
		{"another case", phc, "Correct horse battery staple", false},
		{"a trailing space", phc, pw + " ", false},
		{"a trailing NUL", phc, pw + "\x00", false},
		{"empty", phc, "", false},
		{"the longest", longPHC, long, true},
		{"the longest, last character changed", longPHC, long[:MaxCodePoints-1] + "y", false}, // NIST SP 800-63B-4 §3.1.1.2: the whole password
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Verify(tt.phc, tt.pw); got != tt.want || err != nil {
				t.Errorf("Verify = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestHashSaltsEachTime(t *testing.T) {
	one, err1 := cheap.Hash("correct horse")
	two, err2 := cheap.Hash("correct horse")
	if one == two || err1 != nil || err2 != nil {
		t.Errorf("Hash twice = %s (%v), %s (%v)", one, err1, two, err2)
	}
}

func TestHashAtRealCost(t *testing.T) {
	real := Params{MemoryKiB: 19456, Time: 2}
	phc, err := real.Hash("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := Verify(phc, "correct horse"); !ok || err != nil {
		t.Errorf("Verify = %v, %v", ok, err)
	}
	if ok, err := Verify(phc, "wrong horse"); ok || err != nil {
		t.Errorf("Verify of another = %v, %v", ok, err)
	}
	if real.Outdated(phc) {
		t.Errorf("Outdated(%s) at the cost it was made with", phc)
	}
}

// Made by the reference implementation's command, argon2(1).
func TestVerifyForeignHashes(t *testing.T) {
	tests := []struct{ name, phc, pw string }{
		{"two passes", "$argon2id$v=19$m=1024,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$Jl9aMRiFdmA52uqiivDqYVot6fVz3erNUlWPoxyg46A", "correct horse battery staple"},
		{"four lanes, long tag", "$argon2id$v=19$m=1024,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$QXqJFD62d/tGlG0o1vOElSygKhDS0jBFIWnWc3t+5P7ZtzjmSqZ10JlVTAjFxRmgiHhwliLdfmhOys/o99L8vw", "correct horse battery staple"},
		{"short salt and tag, not ASCII", "$argon2id$v=19$m=1024,t=1,p=1$c2FsdHNhbHQ$NWFf+rQzr6K2sxupJnv31g", "caf\u00e9 und \U0001f511"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ok, err := Verify(tt.phc, Plaintext(tt.pw)); !ok || err != nil {
				t.Errorf("Verify = %v, %v", ok, err)
			}
			if ok, err := Verify(tt.phc, Plaintext(tt.pw+"x")); ok || err != nil {
				t.Errorf("Verify of another = %v, %v", ok, err)
			}
			if !cheap.Outdated(tt.phc) {
				t.Error("not Outdated, though made with other sizes")
			}
		})
	}
}

const (
	salt = "c29tZXNhbHRzb21lc2FsdA"
	tag  = "Jl9aMRiFdmA52uqiivDqYVot6fVz3erNUlWPoxyg46A"
)

func TestVerifyRefusesWithoutWork(t *testing.T) {
	tests := []struct {
		name, phc string
		want      error
	}{
		{"empty", "", errNotPHC},
		{"bcrypt", "$2b$10$abcdefghijklmnopqrstuuOoQ8fVv3M5S9o5rF8wM7Gd0kQzvYb2W", errNotPHC},
		{"Argon2i", "$argon2i$v=19$m=1024,t=3,p=1$" + salt + "$" + tag, errNotPHC},
		{"an older version", "$argon2id$v=16$m=1024,t=1,p=1$" + salt + "$" + tag, errNotPHC},
		{"no version", "$argon2id$m=1024,t=1,p=1$" + salt + "$" + tag, errNotPHC},
		{"another order", "$argon2id$v=19$t=1,m=1024,p=1$" + salt + "$" + tag, errNotPHC},
		{"a leading zero", "$argon2id$v=19$m=01024,t=1,p=1$" + salt + "$" + tag, errNotPHC},
		{"a sign", "$argon2id$v=19$m=+1024,t=1,p=1$" + salt + "$" + tag, errNotPHC},
		{"a space", "$argon2id$v=19$m= 1024,t=1,p=1$" + salt + "$" + tag, errNotPHC},
		{"more parameters", "$argon2id$v=19$m=1024,t=1,p=1,data=AA$" + salt + "$" + tag, errNotPHC},
		{"past 32 bits", "$argon2id$v=19$m=4294968320,t=1,p=1$" + salt + "$" + tag, errNotPHC},
		{"padding", "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "==$" + tag, errNotPHC},
		{"spare bits", "$argon2id$v=19$m=1024,t=1,p=1$" + salt[:21] + "B$" + tag, errNotPHC},
		{"a line break inside", "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$" + tag[:8] + "\n" + tag[8:], errNotPHC},
		{"a line break after", "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$" + tag + "\n", errNotPHC},
		{"a field after", "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$" + tag + "$", errNotPHC},
		{"too long to read", "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$" + strings.Repeat("A", 400), errNotPHC},
		{"no tag", "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$", errBounds},
		{"a short tag", "$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$" + tag[:20], errBounds},
		{"no salt", "$argon2id$v=19$m=1024,t=1,p=1$$" + tag, errBounds},
		{"no pass", "$argon2id$v=19$m=1024,t=0,p=1$" + salt + "$" + tag, errBounds},
		{"no lane", "$argon2id$v=19$m=1024,t=1,p=0$" + salt + "$" + tag, errBounds},
		{"less memory than 8 KiB a lane", "$argon2id$v=19$m=31,t=1,p=4$" + salt + "$" + tag, errBounds},
		{"4 GiB", "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + tag, errBounds},
		{"hours", "$argon2id$v=19$m=1024,t=4294967295,p=1$" + salt + "$" + tag, errBounds},
		{"each within, both together not", "$argon2id$v=19$m=262144,t=5,p=1$" + salt + "$" + tag, errBounds},
		{"256 lanes", "$argon2id$v=19$m=2048,t=1,p=256$" + salt + "$" + tag, errBounds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if ok, err := Verify(tt.phc, "correct horse battery staple"); ok || !errors.Is(err, tt.want) {
				t.Errorf("Verify = %v, %v; want %v", ok, err, tt.want)
			} else if strings.Contains(err.Error(), "c29tZ") {
				t.Errorf("the error repeats the hash: %v", err)
			}
			if !cheap.Outdated(tt.phc) {
				t.Error("not Outdated, though it cannot be verified")
			}
		})
	}
}

func TestOutdated(t *testing.T) {
	phc := cheap.Decoy()
	tests := []struct {
		name string
		now  Params
		want bool
	}{
		{"the same", cheap, false},
		{"more memory", Params{2048, 1}, true},
		{"less memory", Params{512, 1}, true},
		{"more passes", Params{1024, 2}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.now.Outdated(phc); got != tt.want {
				t.Errorf("Outdated = %v, want %v", got, tt.want)
			}
		})
	}
	lanes := strings.Replace(phc, "p=1", "p=2", 1)
	if !cheap.Outdated(lanes) {
		t.Errorf("%s is not Outdated", lanes)
	}
}

// What Hash would write, Verify must accept; anything else must not be written.
func TestValidate(t *testing.T) {
	tests := []struct {
		p  Params
		ok bool
	}{
		{Params{8, 1}, true},
		{Params{19456, 2}, true},
		{Params{65536, 16}, true},
		{Params{262144, 4}, true},
		{Params{}, false},
		{Params{7, 1}, false},
		{Params{1024, 0}, false},
		{Params{1024, 17}, false},
		{Params{262145, 1}, false},
		{Params{262144, 5}, false},
	}
	for _, tt := range tests {
		if err := tt.p.Validate(); (err == nil) != tt.ok {
			t.Errorf("%+v: Validate = %v", tt.p, err)
		}
		if !tt.ok {
			if phc, err := tt.p.Hash("correct horse"); phc != "" || !errors.Is(err, errBounds) {
				t.Errorf("%+v: Hash = %q, %v", tt.p, phc, err)
			}
		}
	}
}

// Security I9: an unknown account costs what a known one costs, and nobody gets in by it.
func TestDecoyCostsTheSameAndMatchesNothing(t *testing.T) {
	decoy := cheap.Decoy()
	if cheap.Outdated(decoy) {
		t.Errorf("%s is not of the same cost and sizes", decoy)
	}
	for _, pw := range []Plaintext{"", "correct horse", Plaintext(decoy)} {
		if ok, err := Verify(decoy, pw); ok || err != nil {
			t.Errorf("Verify(decoy, %q) = %v, %v", string(pw), ok, err)
		}
	}
	one, two := strings.Split(decoy, "$"), strings.Split(cheap.Decoy(), "$")
	if one[4] == two[4] || one[5] == two[5] {
		t.Errorf("two decoys share salt or tag: %s", decoy)
	}
}

// A cost is read from a hash, or from its beginning, and its decoys cost the same.
func TestCostOf(t *testing.T) {
	phc, err := cheap.Hash("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{phc, phc[:64], cheap.Decoy()} {
		cost, err := CostOf(text)
		if err != nil || cost != cheap.Cost() {
			t.Fatalf("CostOf(%q) = %q, %v, want %q", text, cost, err, cheap.Cost())
		}
		decoy, err := cost.Decoy()
		if err != nil || cheap.Outdated(decoy) {
			t.Errorf("Decoy() = %q, %v", decoy, err)
		}
	}
	for _, text := range []string{"", "$", "$argon2id$v=19", "$argon2id$v=19$m=1024,t=1,p=1", "$argon2id$v=19$m=1,t=1,p=1$" + salt + "$" + tag,
		"$argon2id$v=19$m=999999999,t=1,p=1$" + salt, "$2b$10$" + salt + tag, "$argon2id$v=19$m=1024,t=1,p=1 $" + salt} {
		if cost, err := CostOf(text); err == nil {
			t.Errorf("CostOf(%q) = %q", text, cost)
		}
	}
}

// What is accepted re-encodes to itself and is within the ceiling.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=1024,t=1,p=1$" + salt + "$" + tag)
	f.Add("")
	f.Fuzz(func(t *testing.T, phc string) {
		h, err := parse(phc)
		if err != nil {
			if ok, verr := Verify(phc, "correct horse"); ok || verr == nil {
				t.Errorf("Verify(%q) = %v, %v, though it does not parse", phc, ok, verr)
			}
			return
		}
		if h.String() != phc {
			t.Errorf("%q re-encodes to %q", phc, h)
		}
		if h.memory > maxMemoryKiB || uint64(h.memory)*uint64(h.passes) > maxWorkKiB {
			t.Errorf("%q is above the ceiling", phc)
		}
	})
}

func BenchmarkHash(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (Params{MemoryKiB: 19456, Time: 2}).Hash("correct horse battery staple"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParsePHC(b *testing.B) {
	phc := cheap.Decoy()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := parse(phc); err != nil {
			b.Fatal(err)
		}
	}
}
