package locale

// Dates, and how long ago something was. Times are UTC and say so: a server does not know where its
// reader is.

import (
	"fmt"
	"strconv"
	"time"
)

// Time writes a day and a time of day, in UTC; the zero time is empty.
func (p Printer) Time(t time.Time) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	t = t.UTC()
	month, err := p.Text(fmt.Sprintf("date.month.%d", t.Month()))
	if err != nil {
		return "", err
	}
	return p.Text("date.full", strconv.Itoa(t.Day()), month, strconv.Itoa(t.Year()), t.Format("15:04"))
}

// Ago says how long before now t was, in the largest unit that fits. What is not a minute old, or lies
// ahead, is "just now".
func (p Printer) Ago(t, now time.Time) (string, error) {
	passed := now.Sub(t)
	for _, unit := range [...]struct {
		key  string
		size time.Duration
	}{{"ago.days", 24 * time.Hour}, {"ago.hours", time.Hour}, {"ago.minutes", time.Minute}} {
		if n := int(passed / unit.size); n >= 1 {
			return p.Text(unit.key, n)
		}
	}
	return p.Text("ago.now")
}
