package brand

// The colour of buttons and links. Whatever an operator chooses, text stays readable: what is written on the
// colour, and the colour where it is written itself, keep WCAG 2.2's contrast of 4.5 to 1 (§1.4.3).

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Colour is a colour of sRGB; the zero Colour is none.
type Colour struct {
	r, g, b uint8
	given   bool
}

var colourForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// ParseColour takes #rrggbb, or nothing.
func ParseColour(s string) (Colour, error) {
	if s == "" {
		return Colour{}, nil
	}
	if !colourForm.MatchString(s) {
		return Colour{}, fmt.Errorf("colour %q: write it as #rrggbb, such as #1f4fd8", s)
	}
	v, err := strconv.ParseUint(s[1:], 16, 32)
	return Colour{uint8(v >> 16), uint8(v >> 8), uint8(v), true}, err
}

// IsZero says that there is none.
func (c Colour) IsZero() bool { return !c.given }

// String is #rrggbb.
func (c Colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c.r, c.g, c.b) }

var (
	black = Colour{0, 0, 0, true} // one of the two always is readable on a colour
	white = Colour{0xff, 0xff, 0xff, true}
)

const readable = 4.5

// On is the colour of text on c.
func (c Colour) On() Colour {
	if c.contrast(white) >= c.contrast(black) {
		return white
	}
	return black
}

// Over is c as text on a ground: nearer to black or white where it must be, to be readable.
func (c Colour) Over(ground Colour) Colour {
	toward := black
	if ground.luminance() < 0.18 {
		toward = white
	}
	for step := 0; step <= 20; step++ {
		if mixed := c.mix(toward, float64(step)/20); mixed.contrast(ground) >= readable {
			return mixed
		}
	}
	return toward
}

func (c Colour) mix(with Colour, part float64) Colour {
	between := func(a, b uint8) uint8 { return uint8(math.Round(float64(a)*(1-part) + float64(b)*part)) }
	return Colour{between(c.r, with.r), between(c.g, with.g), between(c.b, with.b), true}
}

// contrast is that of WCAG 2.2, from 1 to 21.
func (c Colour) contrast(with Colour) float64 {
	a, b := c.luminance(), with.luminance()
	return (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05)
}

// luminance is WCAG 2.2's relative luminance.
func (c Colour) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// Style is the stylesheet that gives pages the colour; it comes after page.css, whose names it sets. Empty
// for no colour.
func (c Colour) Style() string {
	if c.IsZero() {
		return ""
	}
	light, dark := white, Colour{0x18, 0x20, 0x29, true} // page.css: --card
	return fmt.Sprintf(":root { --accent: %s; --on-accent: %s; --link: %s; }\n@media (prefers-color-scheme: dark) { :root { --link: %s; } }\n",
		c, c.On(), c.Over(light), c.Over(dark))
}
