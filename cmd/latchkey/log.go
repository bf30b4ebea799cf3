package main

// The two forms of the log: one JSON object a line for machines, short lines for a person at a
// terminal. Start-up hints go the same way, so that a JSON log holds nothing but JSON.

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"sync"

	"golang.org/x/term"
)

// newLog writes to w; format is json, text, or empty for text to a terminal and json elsewhere.
func newLog(format string, w io.Writer) *slog.Logger {
	if format == "text" || logsToTerminal(format, w) {
		return slog.New(newOutageHandler(newLineHandler(w)))
	}
	return slog.New(newOutageHandler(slog.NewJSONHandler(w, nil)))
}

// logsToTerminal says whether the log is lines for a person at a terminal: the only place for a link that opens
// something.
func logsToTerminal(format string, w io.Writer) bool { return format != "json" && isTerminal(w) }

// isTerminal says whether a person sits at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// lineHandler writes "15:04:05 INFO message key=value". Unlike slog.TextHandler it leaves the
// message unquoted, so that a hint can be copied from the terminal.
type lineHandler struct {
	mu    *sync.Mutex
	out   io.Writer
	line  *bytes.Buffer // what attrs writes, emptied after each record
	attrs slog.Handler
}

func newLineHandler(w io.Writer) slog.Handler {
	line := new(bytes.Buffer)
	withoutHead := func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey || a.Key == slog.MessageKey) {
			return slog.Attr{}
		}
		return a
	}
	attrs := slog.NewTextHandler(line, &slog.HandlerOptions{ReplaceAttr: withoutHead})
	return &lineHandler{mu: new(sync.Mutex), out: w, line: line, attrs: attrs}
}

func (h *lineHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.attrs.Enabled(ctx, level)
}

func (h *lineHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.line.Reset()
	h.line.WriteString(r.Time.Format("15:04:05 ") + r.Level.String() + " " + r.Message + " ")
	if err := h.attrs.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.out.Write(append(bytes.TrimRight(h.line.Bytes(), " \n"), '\n'))
	return err
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lineHandler{mu: h.mu, out: h.out, line: h.line, attrs: h.attrs.WithAttrs(attrs)}
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	return &lineHandler{mu: h.mu, out: h.out, line: h.line, attrs: h.attrs.WithGroup(name)}
}
