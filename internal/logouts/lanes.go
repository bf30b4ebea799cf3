package logouts

// Which hosts have a delivery under way, and which give trouble: an app's server that hangs must not hold up the others.
// Each process keeps this for its own deliverers; a lease in the database already gives a row to one of them.

import "sync"

// Deliverers is how many of DeliverNext a process runs, and how many of DeliverSteady.
const Deliverers = 2

// lanes know what this process has under way. The zero value is ready.
type lanes struct {
	mu      sync.Mutex
	busy    map[string]bool // hosts with a delivery under way
	trouble map[string]bool // hosts whose last try did not end it
}

// enter takes a host for a delivery, unless it has one, or gives trouble and only steady hosts are asked for.
func (l *lanes) enter(host string, steady bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[host] || steady && l.trouble[host] {
		return false
	}
	if l.busy == nil {
		l.busy, l.trouble = map[string]bool{}, map[string]bool{}
	}
	l.busy[host] = true
	return true
}

// leave gives the host free.
func (l *lanes) leave(host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.busy, host)
}

// note says how the last try at a host went.
func (l *lanes) note(host string, well bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if delete(l.trouble, host); !well {
		l.trouble[host] = true
	}
}
