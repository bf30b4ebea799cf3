package report

// The two plots of docs/performance.md, in just enough SVG: a row for each steady operation.

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a file to write.
type plot struct{ name, text string }

// plots are there when steady operations were measured.
func (r *Results) plots() []plot {
	if len(r.steady()) == 0 {
		return nil
	}
	return []plot{{"throughput.svg", r.plotThroughput()}, {"latency.svg", r.plotLatency()}}
}

// plotThroughput: bars of operations a second, with the ceiling of each as a mark.
func (r *Results) plotThroughput() string {
	rows := r.steady()
	top := 1.0
	for _, f := range rows {
		top = max(top, f.median().Rate, r.rate(ceilingOf(f.Key)).n)
	}
	x := scale{from: 0, to: top * 1.05, start: left, end: 780}
	c := newChart("Operations a second, their share of the ceiling of the same run, and the ceiling (red)", len(rows))
	step := math.Pow(10, math.Floor(math.Log10(x.to)))
	if x.to/step < 4 {
		step /= 2
	}
	for tick := 0.0; tick <= x.to*1.001; tick += step {
		c.tick(x.at(tick), tick, grey)
	}
	for i, f := range rows {
		m, y := f.median(), float64(40+row*i)
		c.label(y+13, f)
		c.rect(left, y+2, x.at(m.Rate)-left, row-8, colours[f.Engine])
		c.text(x.at(m.Rate)+6, y+13, "start", strings.TrimSpace(number(m.Rate, "")+"  "+r.ofCeiling(f.Key, m)))
		if ceiling := r.rate(ceilingOf(f.Key)); ceiling.ok {
			c.line(x.at(ceiling.n), y, x.at(ceiling.n), y+row-4, red, 2)
		}
	}
	return c.done()
}

// plotLatency: from p50 to the slowest, with p90 and p99 marked.
func (r *Results) plotLatency() string {
	rows := r.steady()
	x := scale{from: 0.05, to: 5000, start: left, end: 840, log: true}
	c := newChart("Latency in ms: p50 (dot), p90, p99 (bar to p99), slowest (thin)", len(rows))
	for _, tick := range []float64{0.1, 1, 10, 100, 1000} {
		c.tick(x.at(tick), tick, grey)
	}
	c.tick(x.at(25), 25, red) // what is wanted of most
	for i, f := range rows {
		m, y := f.median(), float64(40+row*i)+9
		c.label(y+4, f)
		c.line(x.at(m.P50), y, x.at(m.Max), y, colours[f.Engine], 1)
		c.line(x.at(m.P50), y, x.at(m.P99), y, colours[f.Engine], 5)
		c.line(x.at(m.P90), y-6, x.at(m.P90), y+6, colours[f.Engine], 2)
		fmt.Fprintf(c, `<path d="M%.1f %.1fh0" stroke="%s" stroke-width="3" stroke-linecap="round" fill="none"/>`+"\n", x.at(m.P50), y, ink)
	}
	return c.done()
}

var colours = map[string]string{SQLite: "#2f6f9f", PostgreSQL: "#b5651d"}

const (
	ink  = "#222222"
	grey = "#dddddd"
	red  = "#c0392b"

	left, row = 230, 22 // pixels: where the values begin, and the height of a row
)

// chart is a plot under way.
type chart struct {
	strings.Builder
	bottom float64
}

func newChart(title string, rows int) *chart {
	width, height := 860, 70+row*rows
	c := &chart{bottom: float64(40 + row*rows)}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	c.rect(0, 0, float64(width), float64(height), "#ffffff")
	fmt.Fprintf(c, `<text x="12" y="22" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(title))
	return c
}

func (c *chart) done() string { return c.String() + "</svg>\n" }

func (c *chart) tick(x, value float64, colour string) {
	c.line(x, 36, x, c.bottom, colour, 1)
	text := fmt.Sprintf("%g", value)
	if value >= 1 {
		text = Thousands(int(value + 0.5))
	}
	c.text(x, c.bottom+16, "middle", text)
}

func (c *chart) label(y float64, f *Figure) {
	c.text(left-8, y, "end", fmt.Sprintf("%s, %s, %s", f.Scenario, f.Engine, f.Case))
}

func (c *chart) rect(x, y, w, h float64, fill string) {
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, max(0, w), max(0, h), fill)
}

func (c *chart) line(x1, y1, x2, y2 float64, stroke string, width float64) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"/>`+"\n", x1, y1, x2, y2, stroke, width)
}

// text is anchored at start, middle or end.
func (c *chart) text(x, y float64, anchor, text string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, ink, html.EscapeString(text))
}

// scale maps values to pixels.
type scale struct {
	from, to   float64 // values
	start, end float64 // pixels
	log        bool
}

func (s scale) at(v float64) float64 {
	share := (v - s.from) / (s.to - s.from)
	if s.log {
		share = math.Log(max(v, s.from)/s.from) / math.Log(s.to/s.from)
	}
	return s.start + min(share, 1)*(s.end-s.start)
}
