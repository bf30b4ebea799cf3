package report

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"latchkey/bench/machine"
)

// sample is a run in which refresh on SQLite is as wanted and on PostgreSQL is not.
func sample() *Results {
	r := &Results{Set: "short", Began: time.Unix(1_800_000_000, 0).UTC(), Machine: machine.Facts{Cores: 2}}
	full := machine.Usage{Server: 1.5, Load: 0.4}
	for _, rate := range []float64{11_000, 12_000, 900} { // the median is not the mean
		r.Add(at64("refresh", SQLite), Run{Rate: rate, P50: 4, P99: 12, Max: 40, CPU: full})
	}
	r.Add(ceilingRefresh(SQLite), Run{Rate: 22_000})
	r.Add(at64("refresh", PostgreSQL), Run{Rate: 4_000, P50: 9, P99: 30, Max: 80, CPU: full})
	r.Add(Key{"scale", SQLite, "10,000 sessions", "refresh"}, Run{Rate: 10_000})
	r.Add(Key{"scale", SQLite, "10,000,000 sessions", "refresh"}, Run{Rate: 7_000})
	r.Measure(Key{"start", SQLite, "", "on a database with data"}, "ms", 42)
	return r
}

func TestReportSaysWhatWasReached(t *testing.T) {
	r := sample()
	r.Measure(Key{"memory", SQLite, "", Idle}, "MB", 41)
	r.Add(Key{"flood", SQLite, ThrottleOff, "right sign-in"}, Run{Rate: 1, Max: 900, Failed: 1, Mistake: "status 503"})
	r.Add(Key{"sweep", SQLite, WhileSweeping, "refresh"}, Run{Rate: 4_000, P99: 40})
	text := r.markdown()
	for _, want := range []string{
		"| refresh, SQLite, 64 callers | ≥ 10,000/s | 11,000/s | reached |",
		"| refresh, SQLite, against the same work without rules | ≥ 0.70 | 0.50 | **missed** |",
		"| refresh, PostgreSQL, 64 callers | ≥ 8,000/s | 4,000/s | **missed** |",
		"| right sign-ins from it that failed, SQLite, throttle off | none | 1 | **missed** |",
		"| refresh while old sessions are forgotten: p99, SQLite | ≤ 25 ms | 40 ms | **missed** |",
		"| refresh at 10,000,000 sessions against 10,000, SQLite | ≥ 0.60 | 0.70 | reached |",
		"| start to first 200, SQLite | ≤ 50 ms | 42 ms | reached |",
		"| idle memory, SQLite | ≤ 40 MB | 41 MB | **missed** |",
		"\n- idle memory, PostgreSQL\n",
		"| refresh | SQLite | 64 callers | 11,000 | 4.00 |  | 12 | 40 |  | 0.50 | 136 |",
		"| flood: right sign-in | SQLite | throttle off | 1 |  |  |  | 900 | 1 |  |  |",
		"| memory: idle | 41 MB |  |  | 1 |",
		"refresh, SQLite, 64 callers: the repeats differ by",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	if strings.Contains(text, "- idle memory, SQLite") {
		t.Error("what was measured is listed as not measured")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// The slowest is the slowest of all repeats, though everything else is a median.
func TestSlowestIsOfAllRepeats(t *testing.T) {
	f := &Figure{}
	for i, slowest := range []float64{30, 900, 20} {
		f.Runs = append(f.Runs, Run{P99: float64(i), Max: slowest, Failed: i})
	}
	if m := f.median(); m.Max != 900 || m.P99 != 1 || m.Failed != 3 {
		t.Errorf("got %+v", m)
	}
}

func TestAgainst(t *testing.T) {
	r := sample()
	r.Against = sample()
	r.Against.Commit = "older"
	r.Against.Figures[0].Runs = []Run{{Rate: 5_500, P99: 24, CPU: machine.Usage{Allocated: 5_500 * 40_960}}}
	for i := range r.Figures[0].Runs {
		r.Figures[0].Runs[i].CPU.Allocated = 11_000 * 20_480
	}
	text := r.markdown()
	for _, want := range []string{
		"Before: commit older,",
		"| refresh, SQLite, 64 callers | 5,500/s | 11,000/s | 2.00 |",
		"| refresh, SQLite, 64 callers: p99 | 24 ms | 12 ms | 0.50 |",
		"| refresh, SQLite, 64 callers: allocated | 40,960 B | 20,480 B | 0.50 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestReportNamesDisturbance(t *testing.T) {
	r := &Results{Machine: machine.Facts{Cores: 2}}
	r.Add(at64("refresh", SQLite), Run{Rate: 4_000, Failed: 3, Mistake: "status 500", CPU: machine.Usage{Server: 1, Other: 0.8}})
	text := r.markdown()
	for _, want := range []string{"more than 0.15 in 1 of 1 runs", "3 operations failed, the first with: status 500"} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestWriteThenRenderIsTheSame(t *testing.T) {
	dir := t.TempDir()
	if err := sample().Write(dir); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Render(dir); err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil || string(first) != string(again) {
		t.Errorf("the report differs when it is written from results.json (%v)", err)
	}
	plots, err := filepath.Glob(filepath.Join(dir, "plots", "*.svg"))
	if err != nil || len(plots) != 2 {
		t.Fatalf("%d plots, want 2", len(plots))
	}
	for _, name := range plots {
		if !strings.Contains(string(first), "(plots/"+filepath.Base(name)+")") {
			t.Errorf("the report does not show %s", name)
		}
		wellFormed(t, name)
	}
}

func wellFormed(t *testing.T, name string) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := xml.NewDecoder(f)
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

func TestNothingMeasured(t *testing.T) {
	if r := (&Results{}); len(r.plots()) != 0 || !strings.Contains(r.markdown(), "Not measured in this run") {
		t.Error("an empty run must give an empty report")
	}
}

func TestNumbers(t *testing.T) {
	for _, test := range []struct {
		value float64
		unit  string
		want  string
	}{
		{1234567, "/s", "1,234,567/s"}, {999.6, "/s", "1,000/s"}, {42, "ms", "42 ms"}, {4.56, "ms", "4.6 ms"},
		{0.955, "x", "0.95"}, {-1200, "KiB", "-1,200 KiB"}, {0, "", "0"},
	} {
		if got := number(test.value, test.unit); got != test.want {
			t.Errorf("number(%v, %q) is %q, want %q", test.value, test.unit, got, test.want)
		}
	}
}
