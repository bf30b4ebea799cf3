package main

// Whether a file was mounted for us, read-only, by whoever manages this process.

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

const readOnlyMount = 0x1 // ST_RDONLY, statvfs(3)

// mountedReadOnly says whether f lies on a read-only mount that is not the root's. (Under systemd's
// ProtectSystem=strict or with a container's read-only root the whole system is such a mount, and the files
// on it are the operator's own.)
func mountedReadOnly(f *os.File) (bool, error) {
	var about syscall.Statfs_t
	if err := syscall.Fstatfs(int(f.Fd()), &about); err != nil {
		return false, fmt.Errorf("look at the mount of %s: %w", f.Name(), err)
	}
	if about.Flags&readOnlyMount == 0 {
		return false, nil
	}
	root, err := os.Open("/")
	if err != nil {
		return false, fmt.Errorf("look at the root's mount: %w", err)
	}
	defer root.Close()
	here, there := mountOf(f), mountOf(root)
	return here != "" && here != there, nil
}

// mountOf is the kernel's number of the mount that f lies on; empty where it does not say.
func mountOf(f *os.File) string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(raw)) {
		if number, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return strings.TrimSpace(number)
		}
	}
	return ""
}
