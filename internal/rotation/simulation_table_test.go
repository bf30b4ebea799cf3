package rotation

// The simulation's tables: as text for the log of the test, as Markdown for docs/refresh.md, and all figures for
// docs/refresh.csv.

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

var update = flag.Bool("update", false, "write docs/refresh.md's tables, docs/refresh.csv and docs/refresh.svg anew (the full figures only)")

const (
	documentFile = "../../docs/refresh.md"
	plotFile     = "../../docs/refresh.svg"
	figuresFile  = "../../docs/refresh.csv"
)

// soak says whether the full figures are asked for.
func soak() bool { return os.Getenv("LATCHKEY_RIG") == "soak" }

// table has its head in its first row. Columns from `right` on are numbers.
type table struct {
	title string
	right int
	rows  [][]string
}

func (t table) markdown() string {
	var b strings.Builder
	if t.title != "" {
		b.WriteString("**" + t.title + "**\n\n")
	}
	for i, row := range t.rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString(strings.Repeat("|---", t.right) + strings.Repeat("|--:", len(row)-t.right) + "|\n")
		}
	}
	return b.String()
}

func plain(tables ...table) string {
	var b strings.Builder
	for _, t := range tables {
		b.WriteString("\n" + t.title + "\n")
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range t.rows {
			fmt.Fprintln(w, strings.Join(row, "\t"))
		}
		_ = w.Flush() // a strings.Builder does not fail
	}
	return b.String()
}

// document holds a table of docs/refresh.md against its figures, or writes it.
func document(t *testing.T, name, want string) {
	t.Helper()
	raw, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)(<!-- simulation: ` + name + ` -->\n).*?(<!-- end -->)`)
	kept := block.FindString(string(raw))
	switch written := block.ReplaceAllString(string(raw), "${1}\n"+want+"\n${2}"); {
	case kept == "":
		t.Errorf("%s has no place for %s", documentFile, name)
	case written == string(raw):
	case *update && soak():
		if err := os.WriteFile(documentFile, []byte(written), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s shows other figures for %s. If they are meant, write them: LATCHKEY_RIG=soak go test -run Simulation ./internal/rotation -update", documentFile, name)
	}
}

// records are a scene's lines of docs/refresh.csv.
func (s scene) records() (lines [][]string) {
	for i, f := range s.fleets {
		for j, p := range policies() {
			by := s.result[i][j]
			least, most, devices := by[0].signedOut, by[0].signedOut, 0
			for _, r := range by {
				least, most = min(least, r.signedOut), max(most, r.signedOut)
				devices += r.devices
			}
			line := []string{s.title, f.name, p.name}
			for _, n := range []int{by[0].signedOut, least, most, devices, len(by) * f.devices} {
				line = append(line, strconv.Itoa(n))
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// recorded holds docs/refresh.csv against all scenes with all seeds, or writes it.
func recorded(t *testing.T, all []scene) {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{{"scene", "fleet", "policy", "sign-outs with the first seed", "least of any seed", "most of any seed",
		"devices signed out with all seeds", "devices"}}
	for _, s := range all {
		lines = append(lines, s.records()...)
	}
	if err := w.WriteAll(lines); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(figuresFile)
	switch {
	case err == nil && bytes.Equal(kept, b.Bytes()):
	case *update && soak():
		if err := os.WriteFile(figuresFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s has other figures, %v. If they are meant, write them: LATCHKEY_RIG=soak go test -run Simulation ./internal/rotation -update", figuresFile, err)
	}
}

// recordedFirst holds the lines of docs/refresh.csv about whole fleets against the first seed's figures.
func (s scene) recordedFirst(t *testing.T) {
	t.Helper()
	file, err := os.Open(figuresFile)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	kept, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range s.records() {
		at := slices.IndexFunc(kept, func(k []string) bool { return slices.Equal(k[:3], line[:3]) })
		switch whole := !s.fleets[i/len(policies())].sample; {
		case at < 0:
			t.Errorf("%s has no line for %s", figuresFile, line[:3])
		case whole && kept[at][3] != line[3]:
			t.Errorf("%s, %s: the first seed is %s, the file has %s", figuresFile, line[:3], line[3], kept[at][3])
		}
	}
}

// table is a scene's sign-outs, seed by seed.
func (s scene) table() table {
	t := table{title: s.title, right: 2, rows: [][]string{{s.label, "policy"}}}
	for seed := range s.result[0][0] {
		t.rows[0] = append(t.rows[0], fmt.Sprintf("seed %d", seed+1))
	}
	t.rows[0] = append(t.rows[0], "devices signed out")
	for i, f := range s.fleets {
		for j, p := range policies() {
			row, devices := []string{f.name, p.name}, 0
			for _, r := range s.result[i][j] {
				row = append(row, count(r.signedOut))
				devices += r.devices
			}
			t.rows = append(t.rows, append(row, fmt.Sprintf("%s of %s", count(devices), count(len(s.result[i][j])*f.devices))))
		}
	}
	return t
}

// summary is the first fleet of each scene with the usual network.
func summary(all []scene) table {
	t := table{right: 1, rows: [][]string{{"signed out in 26 weeks, at 48 refreshes a day"}}}
	for _, p := range policies() {
		t.rows[0] = append(t.rows[0], p.name)
	}
	for _, s := range all[:4] {
		row := []string{string(s.fleets[0].tabs)}
		for _, by := range s.result[0] {
			outs, fleet := 0, len(by)*s.fleets[0].devices
			for _, r := range by {
				outs += r.signedOut
			}
			switch each := float64(outs) / float64(fleet); {
			case each < 0.01:
				row = append(row, fmt.Sprintf("%s of %s devices", count(outs), count(fleet)))
			case each < 100:
				row = append(row, fmt.Sprintf("%.1f times each", each))
			default:
				row = append(row, count(int(math.Round(each)))+" times each")
			}
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// thiefTable says how soon each policy noticed.
func thiefTable(all [][]spree) table {
	t := table{right: 4, rows: [][]string{{"A thief copies the storage once, and uses the copy"}}}
	for _, p := range policies() {
		t.rows[0] = append(t.rows[0], p.name)
	}
	for i, k := range kinds() {
		row := []string{k.name}
		for _, s := range all[i] {
			row = append(row, s.String())
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// String is the cell of a kind of thief under a policy.
func (s spree) String() string {
	switch {
	case len(s.noticed) == 0 && s.raids[0].late > 0:
		return "not noticed; audited as a late recovery"
	case len(s.noticed) == 0:
		return "not noticed"
	case len(s.noticed) < len(s.raids):
		return fmt.Sprintf("%d of %d noticed", len(s.noticed), len(s.raids))
	case s.last() == 0:
		return "at that use"
	}
	return fmt.Sprintf("%s (at most %s)", span(s.median()), span(s.last()))
}

func (s spree) median() time.Duration { return s.noticed[len(s.noticed)/2] }
func (s spree) last() time.Duration   { return s.noticed[len(s.noticed)-1] }

// span is a duration for readers.
func span(d time.Duration) string {
	switch {
	case d == 0:
		return "at once"
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%d h", d.Round(time.Hour)/time.Hour)
}

// count is a number for readers: 12,345.
func count(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
