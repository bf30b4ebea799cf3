package brand

// Contrast is WCAG 2.2's.
func Contrast(a, b Colour) float64 { return a.contrast(b) }
