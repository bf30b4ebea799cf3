package store

// The files of a SQLite database: nobody but their owner reads them, and they are where they were when they
// were opened. What is written to a file that was removed or replaced is gone with the process.

import (
	"fmt"
	"os"
)

// files are the database and its log as they were opened.
type files []openFile

type openFile struct {
	path string
	info os.FileInfo
}

// ownFiles keeps others from an open database's files, and notes which they are. The driver leaves the
// modes of its log and of the log's index to the umask. The first read makes both; they last as long as a
// connection does.
func ownFiles(conn *sqliteConn, path string) (files, error) {
	if err := conn.conn.Exec("SELECT count(*) FROM sqlite_schema"); err != nil {
		return nil, sqliteError(err)
	}
	var own files
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, 0o600); err != nil {
			return nil, err
		}
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		own = append(own, openFile{name, info})
	}
	return own, nil
}

// inPlace is ErrUnavailable when one of the files was removed or replaced: what is committed from then on
// could not be found again.
func (f files) inPlace() error {
	for _, file := range f {
		now, err := os.Stat(file.path)
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w; put the file back, or restart the server", ErrUnavailable, err)
		case !os.SameFile(file.info, now):
			return fmt.Errorf("%w: %s was replaced while it was in use; restart the server", ErrUnavailable, file.path)
		}
	}
	return nil
}
