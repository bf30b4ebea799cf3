// Package machine says what a measurement ran on and what it cost: CPU time by process, memory, and
// what else the machine did meanwhile. It reads Linux's /proc.
package machine

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// Hertz is the unit of CPU time in /proc: USER_HZ, 100 on every Linux that Go runs on.
const Hertz = 100

// stat is the part of /proc/PID/stat (proc(5)) that is needed, in ticks.
type stat struct {
	parent    int
	own, kids int64 // user and system time; kids: of children that ended and were waited for
}

func readStat(pid int) (stat, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, err
	}
	_, rest, ok := bytes.Cut(raw[bytes.LastIndexByte(raw, ')'):], []byte(" ")) // the name may hold anything
	fields := strings.Fields(string(rest))
	if !ok || len(fields) < 15 {
		return stat{}, fmt.Errorf("read stat of %d: %q", pid, raw)
	}
	number := func(field int) int64 { n, _ := strconv.ParseInt(fields[field-3], 10, 64); return n } // 3: state
	return stat{
		parent: int(number(4)),
		own:    number(14) + number(15),
		kids:   number(16) + number(17),
	}, nil
}

// cpuOf is the CPU time of a process so far; with its children, if asked, ended ones included.
func cpuOf(pid int, children bool) (ticks int64) {
	if pid == 0 {
		return 0
	}
	s, err := readStat(pid)
	if err != nil {
		return 0
	}
	if !children {
		return s.own
	}
	ticks = s.own + s.kids
	for _, child := range childrenOf(pid) {
		if c, err := readStat(child); err == nil {
			ticks += c.own
		}
	}
	return ticks
}

func childrenOf(pid int) (children []int) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		id, _ := strconv.Atoi(filepath.Base(dir))
		if c, err := readStat(id); err == nil && c.parent == pid {
			children = append(children, id)
		}
	}
	return children
}

// CPU is the CPU time of a process so far. It asks the process's own clock (clock_getcpuclockid(3)):
// /proc counts in hundredths of a second, and a server starts in two or three of them.
func CPU(pid int) time.Duration {
	const scheduled = 2 // CPUCLOCK_SCHED of the process, not of one thread
	var at syscall.Timespec
	_, _, failed := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(^pid<<3|scheduled), uintptr(unsafe.Pointer(&at)), 0)
	if failed != 0 {
		return 0
	}
	return time.Duration(at.Nano())
}

// cpuOfAll is the busy and the stolen time of all CPUs.
func cpuOfAll() (busy, stolen int64) {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0
	}
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	fields := strings.Fields(string(line))
	for i, f := range fields[1:min(len(fields), 9)] {
		n, _ := strconv.ParseInt(f, 10, 64)
		switch i {
		case 3, 4: // idle, waiting for the disk
		case 7:
			stolen += n
		default: // user, nice, system, irq, softirq
			busy += n
		}
	}
	return busy, stolen
}

// kilobytes reads a line of a file in /proc/PID that is in kB, and returns bytes.
func kilobytes(pid int, file, name string) int64 {
	f, err := os.Open(filepath.Join("/proc", strconv.Itoa(pid), file))
	if err != nil {
		return 0
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), name+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			return n << 10
		}
	}
	return 0
}

// RSS is a process's resident memory in bytes.
func RSS(pid int) int64 { return kilobytes(pid, "status", "VmRSS") }

// PeakRSS is the most it was since the last ResetPeak.
func PeakRSS(pid int) int64 { return kilobytes(pid, "status", "VmHWM") }

// FamilyMemory is the resident memory of a process and its children in bytes. What they share, such as
// PostgreSQL's buffers, counts once: each is charged its part of it (Pss in proc(5)).
func FamilyMemory(pid int) (bytes int64) {
	if pid == 0 {
		return 0
	}
	for _, id := range append(childrenOf(pid), pid) {
		bytes += kilobytes(id, "smaps_rollup", "Pss")
	}
	return bytes
}

// ResetPeak forgets the peak.
func ResetPeak(pid int) error {
	return os.WriteFile(filepath.Join("/proc", strconv.Itoa(pid), "clear_refs"), []byte("5"), 0)
}

// Watched are the processes of one measurement.
type Watched struct {
	Server   int // process id
	Database int // PostgreSQL's first process; 0: none
}

// Usage is what a measurement cost. CPU is in cores: CPU seconds a second.
type Usage struct {
	Server   float64 `json:"server"`
	Database float64 `json:"database"`
	Load     float64 `json:"load"`  // this program
	Other    float64 `json:"other"` // everything else; the kernel's own threads are in here
	Stolen   float64 `json:"stolen"`
	RSS      int64   `json:"rss"`
	PeakRSS  int64   `json:"peakRss"`

	DatabaseMemory int64 `json:"databaseMemory"` // at the end; what its processes share counts once

	Allocated float64 `json:"allocated"` // bytes a second, by the server's own count
	Objects   float64 `json:"objects"`   // a second
}

// Meter measures from Start to Stop.
type Meter struct {
	watched Watched
	began   time.Time
	before  ticks
}

type ticks struct{ server, database, load, busy, stolen int64 }

// NewMeter returns a meter of the given processes.
func NewMeter(w Watched) *Meter { return &Meter{watched: w} }

// Start begins.
func (m *Meter) Start() {
	_ = ResetPeak(m.watched.Server)
	m.began, m.before = time.Now(), m.read()
}

// Stop says what was used since Start.
func (m *Meter) Stop() Usage {
	after, seconds := m.read(), time.Since(m.began).Seconds()
	cores := func(before, after int64) float64 { return float64(after-before) / Hertz / seconds }
	u := Usage{
		Server:   cores(m.before.server, after.server),
		Database: cores(m.before.database, after.database),
		Load:     cores(m.before.load, after.load),
		Stolen:   cores(m.before.stolen, after.stolen),
		RSS:      RSS(m.watched.Server),
		PeakRSS:  PeakRSS(m.watched.Server),
	}
	u.DatabaseMemory = FamilyMemory(m.watched.Database)
	u.Other = max(0, cores(m.before.busy, after.busy)-u.Server-u.Database-u.Load)
	return u
}

// OthersNow says how many cores everything but this process uses, over a short while.
func OthersNow(while time.Duration) float64 {
	m := NewMeter(Watched{})
	m.began, m.before = time.Now(), m.read()
	time.Sleep(while)
	return m.Stop().Other
}

func (m *Meter) read() ticks {
	busy, stolen := cpuOfAll()
	return ticks{
		server:   cpuOf(m.watched.Server, false),
		database: cpuOf(m.watched.Database, true),
		load:     cpuOf(os.Getpid(), false),
		busy:     busy,
		stolen:   stolen,
	}
}
