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

	"latchkey/bench/load"
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
	s := load.Samples{Window: 14 * time.Second}
	for i := range 1000 {
		s.Done = append(s.Done, load.Sample{At: time.Duration(i) * 14 * time.Millisecond, Took: time.Duration(i%50) * time.Millisecond})
	}
	r.Draw(Key{"flood", SQLite, "throttle off", ""}, s)
	r.Profiles = []Profile{{at64("refresh", SQLite), map[string]float64{"SQLite": 0.6, "net/http": 0.4}}}
	return r
}

func TestReportSaysWhatWasReached(t *testing.T) {
	text := sample().markdown(nil)
	for _, want := range []string{
		"| refresh, SQLite, 64 callers | ≥ 10,000/s | 11,000/s | 1.10 | reached |",
		"| refresh, SQLite, against the same work without rules | ≥ 0.70 | 0.50 | 0.71 | **missed** |",
		"| refresh, PostgreSQL, 64 callers | ≥ 8,000/s | 4,000/s | 0.50 | **missed** |",
		"| refresh at 10,000,000 sessions against 10,000, SQLite | ≥ 0.60 | 0.70 | 1.17 | reached |",
		"| start to first 200, SQLite | ≤ 50 ms | 42 ms | 0.84 | reached |",
		"**Missed:** refresh, PostgreSQL, 64 callers is 4,000/s, wanted ≥ 8,000/s. The CPUs are full",
		"refresh, SQLite, 64 callers: the repeats differ by",
		"| SQLite | 60 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestReportNamesDisturbance(t *testing.T) {
	r := &Results{Machine: machine.Facts{Cores: 2}}
	r.Add(at64("refresh", SQLite), Run{Rate: 4_000, Failed: 3, Mistake: "status 500", CPU: machine.Usage{Server: 1, Other: 0.8}})
	text := r.markdown(nil)
	for _, want := range []string{"not ours alone", "3 operations failed, the first with: status 500", "measure again"} {
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
	if err != nil || len(plots) != 4 {
		t.Fatalf("%d plots, want 4", len(plots))
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
	if r := (&Results{}); len(r.plots()) != 0 || !strings.Contains(r.markdown(nil), "not measured") {
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
