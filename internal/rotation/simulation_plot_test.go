package rotation

// docs/refresh.svg, drawn by hand: how many honest devices were never signed out, week by week, and how
// soon thieves are noticed. It follows the reader's light or dark setting.

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"os"
	"testing"
	"time"
)

const (
	plotWidth  = 960
	plotLeft   = 60.0  // of the upper panel
	plotRight  = 770.0 // of it; labels follow
	plotTop    = 96.0
	plotBottom = 316.0

	rowsTop    = 478.0 // of the lower panel
	rowHeight  = 34.0
	rowsLeft   = 470.0 // one second
	rowsRight  = 800.0 // 30 days
	atOnceX    = 420.0
	unnoticedX = 885.0
)

// classes are the policies' colours.
var classes = []string{"strict", "window", "ours"}

const plotStyle = `<style>
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2933 }
  .title { font-size: 17px; font-weight: 600 }
  .note, .tick { fill: #5f6b7a; font-size: 12px }
  .paper { fill: #ffffff }
  .band { fill: #f3f5f8 }
  .grid { stroke: #e1e6ec; stroke-width: 1 }
  .line { stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round }
  .strict { stroke: #c2410c; fill: #c2410c } .window { stroke: #a16207; fill: #a16207 } .ours { stroke: #0f766e; fill: #0f766e }
  .line, .miss { fill: none !important }
  text.strict, text.window, text.ours { stroke: none; font-weight: 600 }
  .reach { stroke-width: 2.5; stroke-linecap: round; opacity: .45 }
  .miss { stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .note, .tick { fill: #97a3b0 }
    .paper { fill: #0d1117 }
    .band { fill: #161b22 }
    .grid { stroke: #27303a }
    .strict { stroke: #fb923c; fill: #fb923c } .window { stroke: #facc15; fill: #facc15 } .ours { stroke: #2dd4bf; fill: #2dd4bf }
  }
</style>
`

// plotted holds the file against the drawing, or writes it.
func plotted(t *testing.T, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(plotFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(plotFile); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the simulation draws: %v", plotFile, err)
	}
}

// drawing collects elements.
type drawing struct{ bytes.Buffer }

func (d *drawing) text(x, y float64, class, anchor, s string) {
	fmt.Fprintf(d, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\" text-anchor=\"%s\">%s</text>\n", x, y, class, anchor, html.EscapeString(s))
}

func (d *drawing) line(class string, x1, y1, x2, y2 float64) {
	fmt.Fprintf(d, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2)
}

func (d *drawing) rect(class string, x, y, w, h float64) {
	fmt.Fprintf(d, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", class, x, y, w, h)
}

func (d *drawing) dot(class string, x, y float64) {
	fmt.Fprintf(d, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n", class, x, y)
}

// plot draws both panels: the first fleet of the scene, and the thieves.
func plot(s scene, all [][]spree) []byte {
	var d drawing
	height := rowsTop + rowHeight*float64(len(all)) + 52
	fmt.Fprintf(&d, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %.0f\" role=\"img\" aria-labelledby=\"t\">\n", plotWidth, height)
	d.WriteString("<title id=\"t\">Honest devices never signed out, and how soon thieves are noticed, under three policies</title>\n" + plotStyle)
	d.rect("paper", 0, 0, plotWidth, height)
	d.honest(s)
	d.thieves(all)
	d.WriteString("</svg>\n")
	return d.Bytes()
}

// honest draws the share of devices that were never signed out, day by day, for the first seed.
func (d *drawing) honest(s scene) {
	d.text(24, 36, "title", "start", "Honest devices never signed out")
	d.text(24, 58, "note", "start", fmt.Sprintf("%s devices, 48 refreshes a day, two tabs sharing storage; one device in twenty loses an answer on a given day, and asks again after a minute", count(s.fleets[0].devices)))
	x := func(on float64) float64 { return plotLeft + (plotRight-plotLeft)*on/simDays }
	y := func(share float64) float64 { return plotBottom - (plotBottom-plotTop)*share }
	for percent := 0; percent <= 100; percent += 25 {
		at := y(float64(percent) / 100)
		d.line("grid", plotLeft, at, plotRight, at)
		d.text(plotLeft-8, at+4, "tick", "end", fmt.Sprintf("%d %%", percent))
	}
	for week := 0; week <= 26; week += 2 {
		d.text(x(float64(week*7)), plotBottom+20, "tick", "middle", fmt.Sprint(week))
	}
	d.text((plotLeft+plotRight)/2, plotBottom+40, "note", "middle", "weeks")
	labels := []float64{y(0) + 4, y(0) - 14, y(1) + 4}
	for i, p := range policies() {
		left := s.fleets[0].devices
		fmt.Fprintf(d, "<path class=\"line %s\" d=\"M%.1f %.1f", classes[i], x(0), y(1))
		for on, outs := range s.result[0][i][0].firstOn[:simDays] {
			left -= outs
			fmt.Fprintf(d, "L%.1f %.1f", x(float64(on+1)), y(float64(left)/float64(s.fleets[0].devices)))
		}
		d.WriteString("\"/>\n")
		d.text(plotRight+10, labels[i], classes[i], "start", p.name)
	}
}

// thieves draws, for each kind and policy, the median as a dot and the longest as the end of a line.
func (d *drawing) thieves(all [][]spree) {
	d.text(24, rowsTop-52, "title", "start", "Time until a thief is noticed, from the first use of the copy")
	bottom := rowsTop + rowHeight*float64(len(all))
	for i, k := range kinds() {
		top := rowsTop + rowHeight*float64(i)
		if i%2 == 0 {
			d.rect("band", 16, top, plotWidth-32, rowHeight)
		}
		d.text(24, top+rowHeight/2+4, "", "start", k.name)
	}
	for _, mark := range []struct {
		at   time.Duration
		name string
	}{{time.Second, "1 s"}, {time.Minute, "1 min"}, {time.Hour, "1 h"}, {24 * time.Hour, "1 day"}, {simOverall, "30 days"}} {
		d.line("grid", after(mark.at), rowsTop, after(mark.at), bottom)
		d.text(after(mark.at), bottom+20, "tick", "middle", mark.name)
	}
	d.text(atOnceX, bottom+20, "tick", "middle", "at once")
	d.text(unnoticedX, bottom+20, "tick", "middle", "not noticed")
	for i, under := range all {
		for j, s := range under {
			d.spree(classes[j], rowsTop+rowHeight*float64(i)+rowHeight/2+9*float64(j-1), s)
		}
	}
	for j, p := range policies() {
		x := 24 + 170*float64(j)
		d.dot(classes[j], x+4, rowsTop-28)
		d.text(x+14, rowsTop-24, classes[j], "start", p.name)
	}
	d.text(24+170*3, rowsTop-24, "note", "start", "dot: median of 500 thieves; line: to the longest")
}

func (d *drawing) spree(class string, y float64, s spree) {
	if len(s.noticed) == 0 {
		fmt.Fprintf(d, "<circle class=\"miss %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\"/>\n", class, unnoticedX, y)
		return
	}
	if s.last() > s.median() {
		d.line("reach "+class, after(s.median()), y, after(s.last()), y)
	}
	d.dot(class, after(s.median()), y)
}

// after is where a time lies on the logarithmic axis.
func after(t time.Duration) float64 {
	if t < time.Second {
		return atOnceX
	}
	return rowsLeft + (rowsRight-rowsLeft)*math.Log(t.Seconds())/math.Log(simOverall.Seconds())
}
