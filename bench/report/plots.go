package report

// The plots.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// plot is a file to write.
type plot struct{ name, text string }

// plots are those for which there is something to show.
func (r *Results) plots() (all []plot) {
	for _, p := range []struct {
		name string
		draw func() (string, bool)
	}{
		{"throughput.svg", r.plotThroughput},
		{"latency.svg", r.plotLatency},
		{"flood.svg", r.plotFlood},
		{"scale.svg", r.plotScale},
	} {
		if text, ok := p.draw(); ok {
			all = append(all, plot{p.name, text})
		}
	}
	return all
}

// shown are the figures of the steady operations.
func (r *Results) shown() []*Figure {
	var out []*Figure
	for _, f := range r.Figures {
		if slices.Contains([]string{"refresh", "bearer", "list", "sign-in", "sign-out", "delete"}, f.Scenario) {
			out = append(out, f)
		}
	}
	slices.SortStableFunc(out, func(a, b *Figure) int { return strings.Compare(a.Scenario, b.Scenario) })
	return out
}

// plotThroughput: bars of operations a second, with the ceiling of each as a mark.
func (r *Results) plotThroughput() (string, bool) {
	bars := r.shown()
	top := 0.0
	for _, f := range bars {
		top = max(top, f.median().Rate)
		if c, ok := r.figure(first(ceilingOf(f.Key))); ok {
			top = max(top, c.Rate)
		}
	}
	if top == 0 {
		return "", false
	}
	const left, row = 230, 22
	c := newCanvas(860, 70+row*len(bars), "Operations a second, their share of the ceiling of the same run, and the ceiling (red)")
	x := scale{from: 0, to: top * 1.05, start: left, end: 780}
	for _, t := range x.ticks() {
		c.line(x.at(t), 36, x.at(t), float64(40+row*len(bars)), grey, 1)
		c.text(x.at(t), float64(56+row*len(bars)), "middle", ink, tickText(t))
	}
	for i, f := range bars {
		m, y := f.median(), float64(40+row*i)
		c.text(left-8, y+13, "end", ink, fmt.Sprintf("%s, %s, %s", f.Scenario, f.Engine, f.Case))
		c.rect(left, y+2, x.at(m.Rate)-left, row-8, colours[f.Engine])
		c.text(x.at(m.Rate)+6, y+13, "start", ink, strings.TrimSpace(number(m.Rate, "")+"  "+r.ofCeiling(f.Key, m)))
		if ceiling, ok := r.figure(first(ceilingOf(f.Key))); ok {
			c.line(x.at(ceiling.Rate), y, x.at(ceiling.Rate), y+row-4, red, 2)
		}
	}
	return c.done(), true
}

func first(k Key, _ string) Key { return k }

// plotLatency: from p50 to the slowest, with p90 and p99 marked.
func (r *Results) plotLatency() (string, bool) {
	rows := r.shown()
	if len(rows) == 0 {
		return "", false
	}
	const left, row = 230, 22
	bottom := float64(40 + row*len(rows))
	c := newCanvas(860, 70+row*len(rows), "Latency in ms: p50 (dot), p90, p99 (bar to p99), slowest (thin)")
	x := scale{from: 0.05, to: 5000, start: left, end: 840, log: true}
	for _, t := range append(x.ticks(), 25) {
		colour := grey
		if t == 25 {
			colour = red
		}
		c.line(x.at(t), 36, x.at(t), bottom, colour, 1)
		c.text(x.at(t), bottom+16, "middle", ink, tickText(t))
	}
	for i, f := range rows {
		m, y := f.median(), float64(40+row*i)+9
		c.text(left-8, y+4, "end", ink, fmt.Sprintf("%s, %s, %s", f.Scenario, f.Engine, f.Case))
		c.line(x.at(m.P50), y, x.at(m.Max), y, colours[f.Engine], 1)
		c.line(x.at(m.P50), y, x.at(m.P99), y, colours[f.Engine], 5)
		c.line(x.at(m.P90), y-6, x.at(m.P90), y+6, colours[f.Engine], 2)
		c.dots([][2]float64{{x.at(m.P50), y}}, ink)
	}
	return c.done(), true
}

// plotFlood: each refresh of the flood, before, during and after.
func (r *Results) plotFlood() (string, bool) {
	var shown []Series
	for _, s := range r.Series {
		if s.Scenario == "flood" && len(s.Points) > 0 {
			shown = append(shown, s)
		}
	}
	if len(shown) == 0 {
		return "", false
	}
	const panel = 150
	c := newCanvas(860, 50+panel*len(shown), "Each of 80 refreshes a second: ms from when it was due; the flood is shaded")
	for i, s := range shown {
		top := float64(40 + panel*i)
		last := s.Points[len(s.Points)-1].At
		x := scale{from: 0, to: max(last, 0.1), start: 60, end: 840}
		y := scale{from: 0.1, to: 5000, start: top + panel - 30, end: top + 14, log: true}
		c.rect(x.at(last/7), top+14, x.at(last*6/7)-x.at(last/7), panel-44, "#f6efe2") // calm, five times calm, calm
		for _, t := range y.ticks() {
			c.line(60, y.at(t), 840, y.at(t), grey, 1)
			c.text(54, y.at(t)+4, "end", ink, tickText(t))
		}
		c.line(60, y.at(25), 840, y.at(25), red, 1)
		c.text(844, y.at(25)+4, "start", red, "25")
		var points [][2]float64
		for _, p := range s.Points {
			points = append(points, [2]float64{x.at(p.At), y.at(p.Ms)})
		}
		c.dots(points, colours[s.Engine])
		c.text(64, top+10, "start", ink, s.Engine+", "+s.Case)
		c.text(840, top+panel-14, "end", ink, fmt.Sprintf("%.0f s", last))
	}
	return c.done(), true
}

// plotScale: rates by the number of sessions.
func (r *Results) plotScale() (string, bool) {
	lines := map[Key][][2]float64{} // without the case
	top, most := 0.0, 0.0
	for _, f := range r.Figures {
		if f.Scenario != "scale" || f.Op == "sign-in" {
			continue
		}
		sessions, err := sessionsOf(f.Case)
		if err != nil {
			continue
		}
		k := Key{f.Scenario, f.Engine, "", f.Op}
		size := float64(sessions)
		lines[k] = append(lines[k], [2]float64{size, f.median().Rate})
		top, most = max(top, f.median().Rate), max(most, size)
	}
	if len(lines) == 0 {
		return "", false
	}
	c := newCanvas(860, 360, "Operations a second by the number of sessions in the database")
	x := scale{from: 1000, to: max(most*2, 20_000), start: 70, end: 700, log: true}
	y := scale{from: 0, to: top * 1.1, start: 320, end: 40}
	for _, t := range x.ticks() {
		c.text(x.at(t), 338, "middle", ink, tickText(t))
	}
	for _, t := range y.ticks() {
		c.line(70, y.at(t), 700, y.at(t), grey, 1)
		c.text(64, y.at(t)+4, "end", ink, tickText(t))
	}
	labels := map[float64]string{}
	for k, values := range lines {
		slices.SortFunc(values, func(a, b [2]float64) int { return int(a[0] - b[0]) })
		for i, v := range values {
			values[i] = [2]float64{x.at(v[0]), y.at(v[1])}
		}
		c.polyline(values, colours[k.Engine])
		c.dots(values, ink)
		labels[values[len(values)-1][1]] = k.Op + ", " + k.Engine
	}
	next := 0.0
	for _, at := range slices.Sorted(maps.Keys(labels)) {
		next = max(at, next)
		c.text(704, next+4, "start", ink, labels[at])
		next += 15 // no label on another
	}
	return c.done(), true
}
