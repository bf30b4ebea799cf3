package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// Facts say what machine it is.
type Facts struct {
	CPU        string `json:"cpu"`
	Cores      int    `json:"cores"`
	MemoryMiB  int64  `json:"memoryMiB"`
	Kernel     string `json:"kernel"`
	Filesystem string `json:"filesystem"` // of the folder that the databases are in
	Go         string `json:"go"`
	PostgreSQL string `json:"postgresql"`
}

// ReadFacts looks around.
func ReadFacts(dir string) Facts {
	f := Facts{
		CPU:        field("/proc/cpuinfo", "model name"),
		Cores:      runtime.NumCPU(),
		Go:         runtime.Version(),
		Filesystem: filesystem(dir),
		Kernel:     output("uname", "-r"),
	}
	var kib int64
	for _, digit := range strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB") {
		kib = kib*10 + int64(digit-'0')
	}
	f.MemoryMiB = kib >> 10
	return f
}

// field is the value of the first line "name : value" of a file.
func field(file, name string) string {
	raw, _ := os.ReadFile(file)
	for line := range strings.Lines(string(raw)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// filesystem is the type of the one that dir is on: of the longest mount point above it.
func filesystem(dir string) (kind string) {
	raw, _ := os.ReadFile("/proc/self/mounts")
	longest := 0
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		if len(fields) < 3 || len(fields[1]) < longest {
			continue
		}
		if inside, err := filepath.Rel(fields[1], dir); err == nil && !strings.HasPrefix(inside, "..") {
			longest, kind = len(fields[1]), fields[2]
		}
	}
	return kind
}

func output(name string, args ...string) string {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
