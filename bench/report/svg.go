package report

// A canvas for plots: just enough SVG.

import (
	"fmt"
	"html"
	"math"
	"strings"
)

type canvas struct {
	strings.Builder
	width, height int
}

func newCanvas(width, height int, title string) *canvas {
	c := &canvas{width: width, height: height}
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	c.rect(0, 0, float64(width), float64(height), "#ffffff")
	fmt.Fprintf(c, `<text x="12" y="22" font-size="15" font-weight="bold">%s</text>`+"\n", html.EscapeString(title))
	return c
}

func (c *canvas) done() string { return c.String() + "</svg>\n" }

func (c *canvas) rect(x, y, w, h float64, fill string) {
	fmt.Fprintf(c, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", x, y, max(0, w), max(0, h), fill)
}

func (c *canvas) line(x1, y1, x2, y2 float64, stroke string, width float64) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%.1f"/>`+"\n", x1, y1, x2, y2, stroke, width)
}

// text is anchored at start, middle or end.
func (c *canvas) text(x, y float64, anchor, fill, text string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>`+"\n", x, y, anchor, fill, html.EscapeString(text))
}

// dots draws many small points as one path.
func (c *canvas) dots(points [][2]float64, fill string) {
	var d strings.Builder
	for _, p := range points {
		fmt.Fprintf(&d, "M%.1f %.1fh0", p[0], p[1])
	}
	fmt.Fprintf(c, `<path d="%s" stroke="%s" stroke-width="3" stroke-linecap="round" fill="none"/>`+"\n", d.String(), fill)
}

func (c *canvas) polyline(points [][2]float64, stroke string) {
	var d []string
	for _, p := range points {
		d = append(d, fmt.Sprintf("%.1f,%.1f", p[0], p[1]))
	}
	fmt.Fprintf(c, `<polyline points="%s" stroke="%s" stroke-width="2" fill="none"/>`+"\n", strings.Join(d, " "), stroke)
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

// ticks are round values along the scale.
func (s scale) ticks() []float64 {
	var out []float64
	if s.log {
		for v := math.Pow(10, math.Floor(math.Log10(s.from))); v <= s.to*1.001; v *= 10 {
			if v >= s.from*0.999 {
				out = append(out, v)
			}
		}
		return out
	}
	step := math.Pow(10, math.Floor(math.Log10(s.to-s.from)))
	if (s.to-s.from)/step < 4 {
		step /= 2
	}
	for v := s.from; v <= s.to*1.001; v += step {
		out = append(out, v)
	}
	return out
}

func tickText(v float64) string {
	if v >= 1 {
		return Thousands(int(v + 0.5))
	}
	return fmt.Sprintf("%g", v)
}

var colours = map[string]string{SQLite: "#2f6f9f", PostgreSQL: "#b5651d", Machine: "#777777"}

const (
	ink  = "#222222"
	grey = "#dddddd"
	red  = "#c0392b"
)
