// Package ceiling measures what a machine could do at best: the figures that a server's own are held
// against, from the same run. Raw work without a server (Argon2id, fdatasync), and servers without
// rules (a JSON echo; the work of a refresh and nothing else).
package ceiling

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/argon2"

	"latchkey/bench/load"
)

// Argon2id hashes on all cores at once, at the server's default cost, and returns hashes a second.
func Argon2id(ctx context.Context, cores int, length time.Duration) float64 {
	defer debug.SetGCPercent(debug.SetGCPercent(100)) // each hash takes 19 MiB anew: more garbage is more page faults
	var hashes atomic.Int64
	var wg sync.WaitGroup
	start := time.Now()
	for range cores {
		wg.Go(func() {
			for ctx.Err() == nil && time.Since(start) < length {
				argon2.IDKey([]byte("correct horse battery staple"), []byte("sixteen bytes of"), 2, 19456, 1, 32)
				hashes.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(hashes.Load()) / time.Since(start).Seconds()
}

// Fdatasync writes a page and waits for the disk, again and again, in a file that has its size: what a
// database's log does for each commit.
func Fdatasync(ctx context.Context, dir string, length time.Duration) (load.Samples, error) {
	const page, pages = 4096, 1024
	f, err := os.Create(filepath.Join(dir, "fdatasync"))
	if err != nil {
		return load.Samples{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(make([]byte, page*pages)); err != nil {
		return load.Samples{}, err
	}
	if err := f.Sync(); err != nil {
		return load.Samples{}, err
	}
	s := load.Samples{}
	block := make([]byte, page)
	start := time.Now()
	for i := int64(0); ctx.Err() == nil && time.Since(start) < length; i++ {
		block[0] = byte(i)
		from := time.Now()
		if _, err := f.WriteAt(block, i%pages*page); err != nil {
			return load.Samples{}, err
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			return load.Samples{}, err
		}
		s.Done = append(s.Done, load.Sample{At: from.Sub(start), Took: time.Since(from)})
	}
	s.Window = time.Since(start)
	return s, nil
}
