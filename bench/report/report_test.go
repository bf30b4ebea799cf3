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
	r.Profiles = []Profile{{
		Key: at64("refresh", SQLite), Shares: map[string]float64{"SQLite": 0.6, "net/http": 0.4},
		Functions: []Site{{Name: "linux.Syscall6", Share: 0.31}}, Bytes: 20_480, Objects: 150,
		Allocators: []Site{{Name: "net/http.readRequest", Bytes: 1234, Objects: 5}},
	}}
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

// A miss is explained by what was measured: an operation by its profile, anything else by its own
// quantities; what was not measured is named.
func TestMissesAreExplained(t *testing.T) {
	r := &Results{Set: "short", Machine: machine.Facts{Cores: 2}}
	full := machine.Usage{Server: 1.5, Load: 0.4}
	flood := Key{"flood", SQLite, ThrottleOff, ""}
	r.Add(at64("refresh", SQLite), Run{Rate: 5_000, P99: 12, CPU: full})
	r.Add(Key{"flood", SQLite, ThrottleOff, "refresh"}, Run{Rate: 80, P99: 30, CPU: full})
	r.Add(Key{"flood", SQLite, ThrottleOff, "right sign-in"}, Run{Rate: 1, Max: 900, Failed: 1, Mistake: "status 503"})
	r.Measure(Key{"flood", SQLite, ThrottleOff, FloodBefore}, "MB", 48)
	r.Measure(Key{"flood", SQLite, ThrottleOff, FloodMemory}, "MB", 151)
	r.Measure(Key{"memory", SQLite, "", "idle"}, "MB", 41)
	r.Measure(Key{"memory", SQLite, "", "idle" + OfItHeap}, "MB", 11)
	r.Measure(Key{"start", PostgreSQL, "", StartWithData}, "ms", 60)
	r.Measure(Key{"start", PostgreSQL, "", StartCPU}, "ms", 23)
	r.Measure(Key{"growth", PostgreSQL, "", GrowthAtRest}, "kB", 500)
	r.Measure(Key{"growth", PostgreSQL, "", GrowthHOT}, "%", 61)
	r.Measure(Key{"size", SQLite, "", SessionSize}, "B", 500)
	r.Measure(Key{"size", SQLite, "", AgentSize}, "B", 120)
	r.Measure(Key{Scenario: "binary", Engine: Machine}, "MB", 31)
	r.Measure(Key{Scenario: "binary", Engine: Machine, Op: ".text"}, "MB", 13)
	r.Measure(Key{Scenario: "binary", Engine: Machine, Op: ".gopclntab"}, "MB", 14)
	r.Add(Key{"sweep", SQLite, WhileSweeping, "refresh"}, Run{Rate: 4_000, P99: 40, CPU: full})
	r.Add(Key{"sweep", SQLite, NotSweeping, "refresh"}, Run{Rate: 5_000, P99: 11, CPU: full})
	for size, rate := range map[int]float64{10_000: 9_000, 500_000: 4_000} {
		r.Add(scaleKey(SQLite, size), Run{Rate: rate, P50: 4, CPU: full})
	}
	r.Profiles = []Profile{
		{Key: at64("refresh", SQLite), Shares: map[string]float64{"SQLite": 0.6, "JSON": 0.4}, Functions: []Site{{Name: "linux.Syscall6", Share: 0.31}}},
		{Key: flood, Shares: map[string]float64{"cryptography": 1}, Bytes: 20e6, Allocators: []Site{{Name: "argon2.initBlocks", Bytes: 19.9e6}}},
	}
	text := r.markdown(nil)
	for _, want := range []string{
		"The server's CPU profile: SQLite 60 %, JSON 40 %; by function `linux.Syscall6` 31 %.",
		"right sign-ins from it that failed, SQLite, throttle off | none | 1 |  | **missed** |",
		"most memory meanwhile, SQLite, throttle off is 151 MB, wanted ≤ 150 MB. Memory before: 48 MB. What one operation allocates: 20,000,000 B, most of it in `argon2.initBlocks` 19,900,000 B.",
		"The server's CPU profile: cryptography 100 %.",
		"idle memory, SQLite is 41 MB, wanted ≤ 40 MB. Idle: 41 MB; idle: of it heap in use: 11 MB",
		"wanted ≤ 50 ms. CPU time of it, on a database with data: 23 ms.",
		"wanted ≤ 66 kB. Updates that touched no index: 61 %.",
		"wanted ≤ 400 B. Of a session: its User-Agent: 120 B.",
		"wanted ≤ 30 MB. Its sections: .gopclntab: 14 MB; .text: 13 MB.",
		"With nothing to forget, in the same minute: p99 11 ms.",
		"| refresh at 500,000 sessions against 10,000, SQLite | ≥ 0.60 | 0.44 | 0.74 | **missed** |",
		"At 10,000 sessions (0 MB) a refresh takes 166 µs of the server",
		"\n- refresh at 10,000,000 sessions against 10,000, SQLite\n",
		"\n- idle memory, PostgreSQL\n",
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
	text := r.markdown(nil)
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
	if r := (&Results{}); len(r.plots()) != 0 || !strings.Contains(r.markdown(nil), "Not measured in this run") {
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
