package password

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func mustEmbedded(t testing.TB) *Blocklist {
	t.Helper()
	list, err := EmbeddedBlocklist()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func build(t *testing.T, lines string) (file []byte, count int) {
	t.Helper()
	var out bytes.Buffer
	count, err := BuildBlocklist(&out, strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), count
}

func mustLoad(t *testing.T, file []byte) *Blocklist {
	t.Helper()
	list, err := LoadBlocklist(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestEmbeddedBlocklistHoldsTheCommonOnes(t *testing.T) {
	list := mustEmbedded(t)
	for _, pw := range []Plaintext{
		"password", "12345678", "123456789", "1234567890", "qwertyuiop", "iloveyou", "sunshine", "princess", "football1",
		"password1", "password123", "Password123", "PASSWORD", "passw0rd", "p@ssw0rd", "P@ssw0rd", "trustno1", "letmein1",
		"1q2w3e4r", "zaq12wsx", "qazwsxedc", "abcd1234", "asdfghjkl", "11111111", "00000000", "aaaaaaaa", "superman", "baseball",
	} {
		if !list.Contains(pw) {
			t.Errorf("%s is not on it", string(pw))
		}
	}
}

func TestEmbeddedBlocklistLeavesOthersAlone(t *testing.T) {
	list := mustEmbedded(t)
	const tries = 50_000
	wrong := 0
	for i := range tries {
		if list.Contains(Plaintext(fmt.Sprintf("wirbelnder Teetopf %d", i))) {
			wrong++
		}
	}
	if wrong > 8 { // two look-ups of one in 65,536 each: 1 or 2 expected
		t.Errorf("%d of %d were refused", wrong, tries)
	}
}

func TestBuildBlocklist(t *testing.T) {
	digest := fmt.Sprintf("%X", sha1.Sum([]byte("Tr0ub4dor&3")))
	lower := fmt.Sprintf("%x", sha1.Sum([]byte("zebrafish")))
	file, count := build(t, strings.Join([]string{
		"Sunshine99",
		"sunshine99", // the same
		"SUNSHINE99\r",
		" leading space",
		"short 7",
		"seven7\u00e9",
		"seven7e\u0301", // eight as typed, seven in NFC
		"cafe\u0301 creme",
		"not\xfftext at all",
		strings.Repeat("x", MaxCodePoints+1),
		digest + ":37",
		lower + ":1",
		lower, // no count: a password that looks like a digest
		digest + ":37x",
		"",
		"no line break at the end",
	}, "\n"))
	if count != 8 {
		t.Errorf("count = %d, want 8", count)
	}
	list := mustLoad(t, file)
	tests := []struct {
		pw   Plaintext
		want bool
	}{
		{"Sunshine99", true},
		{"sUNSHINE99", true},
		{"Sunshine98", false},
		{" leading space", true},
		{"leading space", false},
		{"short 7", false},
		{"seven7\u00e9", false},
		{"caf\u00e9 creme", true},
		{"CAF\u00c9 CREME", true},
		{"Tr0ub4dor&3", true},
		{"tr0ub4dor&3", false}, // a digest cannot be folded
		{"zebrafish", true},
		{"ZebraFish", true},
		{Plaintext(lower), true},
		{Plaintext(digest + ":37"), false},
		{Plaintext(digest + ":37x"), true},
		{"no line break at the end", true},
		{"", false},
	}
	for _, tt := range tests {
		if got := list.Contains(tt.pw); got != tt.want {
			t.Errorf("Contains(%q) = %v, want %v", string(tt.pw), got, tt.want)
		}
	}
}

func TestBuildBlocklistIsReproducible(t *testing.T) {
	var forth, back []string
	for i := range 1000 {
		forth = append(forth, fmt.Sprintf("password no. %d", i))
		back = append(back, fmt.Sprintf("PASSWORD no. %d\r", 999-i))
	}
	back = append(back, back...)
	one, count1 := build(t, strings.Join(forth, "\n"))
	two, count2 := build(t, strings.Join(back, "\n"))
	if !bytes.Equal(one, two) || count1 != 1000 || count2 != 1000 {
		t.Errorf("the same %d passwords, twice and in another order, gave another file of %d", count1, count2)
	}
}

func TestBuildBlocklistOfAnySize(t *testing.T) {
	for _, size := range []int{1, 2, 3, 4, 5, 10, 100, 5000} {
		var lines strings.Builder
		for i := range size {
			fmt.Fprintf(&lines, "password no. %d\n", i)
		}
		file, count := build(t, lines.String())
		if count != size {
			t.Errorf("count = %d, want %d", count, size)
		}
		list := mustLoad(t, file)
		for i := range size {
			if !list.Contains(Plaintext(fmt.Sprintf("password no. %d", i))) {
				t.Fatalf("no. %d of %d is missing", i, size)
			}
		}
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Read([]byte) (int, error)  { return 0, errPipe }
func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestBuildBlocklistErrors(t *testing.T) {
	if _, err := BuildBlocklist(io.Discard, strings.NewReader("short\n\n")); err == nil {
		t.Error("a list without a single password was built")
	}
	if _, err := BuildBlocklist(io.Discard, brokenPipe{}); !errors.Is(err, errPipe) {
		t.Errorf("unreadable list: %v", err)
	}
	if _, err := BuildBlocklist(brokenPipe{}, strings.NewReader("long enough")); !errors.Is(err, errPipe) {
		t.Errorf("unwritable file: %v", err)
	}
	if _, err := BuildBlocklist(io.Discard, strings.NewReader(strings.Repeat("x", 2<<20))); err == nil {
		t.Error("a line of 2 MiB was taken for a password list")
	}
}

func TestLoadBlocklistRefusesWhatIsNotOne(t *testing.T) {
	good, _ := build(t, "first password\nsecond password\n")
	damaged := bytes.Clone(good)
	damaged[len(damaged)-1] ^= 1
	tests := []struct {
		name string
		file []byte
	}{
		{"empty", nil},
		{"a password list", []byte("first password\nsecond password\n")},
		{"the first line alone", []byte(magic)},
		{"cut", good[:len(good)-1]},
		{"a byte too many", append(bytes.Clone(good), 0)},
		{"a bit flipped", damaged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if list, err := LoadBlocklist(bytes.NewReader(tt.file)); err == nil || list != nil {
				t.Errorf("LoadBlocklist = %v, %v", list, err)
			}
		})
	}
	if _, err := LoadBlocklist(brokenPipe{}); !errors.Is(err, errPipe) {
		t.Errorf("unreadable file: %v", err)
	}
}

func TestFold(t *testing.T) {
	tests := []struct{ s, want string }{
		{"PassWord1", "password1"},
		{"ÀÉÎ", "àéî"},
		{"\u212a\u017f", "ks"}, // Kelvin sign and long s fold to ASCII
		{"ΣΣς", "σσσ"},
		{"ЖИЗНЬ", "жизнь"},
		{"日本!1", "日本!1"},
	}
	for _, tt := range tests {
		if got := fold(tt.s); got != tt.want {
			t.Errorf("fold(%q) = %q, want %q", tt.s, got, tt.want)
		}
		if !strings.EqualFold(tt.s, tt.want) {
			t.Errorf("strings.EqualFold does not agree about %q and %q", tt.s, tt.want)
		}
	}
}

func BenchmarkBlocklistContains(b *testing.B) {
	list := mustEmbedded(b)
	b.ReportAllocs()
	for b.Loop() {
		if list.Contains("wirbelnder Teetopf 42") {
			b.Fatal("refused")
		}
	}
}

func BenchmarkEmbeddedBlocklist(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		mustEmbedded(b)
	}
}
