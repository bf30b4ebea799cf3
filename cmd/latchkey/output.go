package main

// What commands print: a table for people, JSON for programs, and the sentence of an error.

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"latchkey/api"
	"latchkey/internal/auth"
)

func jsonFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("json", false, "print JSON")
}

// listing prints items: as a JSON array, or as a table with a heading.
func listing[T interface{ columns() []string }](a *app, asJSON bool, heading string, items []T) error {
	if asJSON {
		return a.printJSON(append([]T{}, items...)) // [] and not null for none
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(heading, " ", "\t"))
	for _, item := range items {
		fmt.Fprintln(w, strings.Join(item.columns(), "\t"))
	}
	return w.Flush()
}

// details prints one thing: as a JSON object, or a "name: value" line for each pair.
func (a *app) details(asJSON bool, v any, pairs ...string) error {
	if asJSON {
		return a.printJSON(v)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for pair := range slices.Chunk(pairs, 2) {
		if pair[1] != "" {
			fmt.Fprintf(w, "%s:\t%s\n", pair[0], pair[1])
		}
	}
	return w.Flush()
}

func (a *app) printJSON(v any) error {
	encoder := json.NewEncoder(a.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintf(a.stdout, format+"\n", args...)
	return err
}

// stamp is a time as the tables show it; the zero time is a dash.
func stamp(t api.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// at is a time as JSON shows it, here as in the API.
func at(t time.Time) api.Time { return api.Time{Time: t} }

// sentence makes err fit to be read: what is wrong with each field, or what the refusal means here.
func sentence(err error) error {
	refusal := auth.AsError(err)
	if len(refusal.Fields) > 0 {
		var parts []string
		for _, f := range refusal.Fields {
			parts = append(parts, f.Name+": "+strings.TrimSuffix(f.Message, "."))
		}
		return errors.New(strings.Join(parts, "; "))
	}
	if refusal.Cause != nil {
		return refusal.Cause
	}
	return err
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
