package report

// Where a run is kept: a folder with results.json, report.md and plots.

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const resultsFile = "results.json"

// Write writes results.json, report.md and plots into a folder.
func (r *Results) Write(dir string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode results: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, resultsFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return r.render(dir)
}

// Render writes the report anew from results.json.
func Render(dir string) error {
	r, err := Read(dir)
	if err != nil {
		return err
	}
	return r.render(dir)
}

// Read reads the results of an earlier run.
func Read(dir string) (*Results, error) {
	text, err := os.ReadFile(filepath.Join(dir, resultsFile))
	if err != nil {
		return nil, err
	}
	r := &Results{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("read %s: %w", resultsFile, err)
	}
	return r, nil
}

func (r *Results) render(dir string) error {
	if err := os.MkdirAll(filepath.Join(dir, "plots"), 0o755); err != nil {
		return err
	}
	var err error
	for _, p := range r.plots() {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, "plots", p.name), []byte(p.text), 0o644))
	}
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "report.md"), []byte(r.markdown()), 0o644))
}
