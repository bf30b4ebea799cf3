package client

import "time"

// SetNow gives the program another clock of its machine.
func (a *App) SetNow(now func() time.Time) { a.now = now }
