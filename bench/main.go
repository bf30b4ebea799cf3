// Command bench measures Latchkey under load and writes a report: what was wanted, what came out, what
// the machine could do at best.
//
//	cd bench
//	go run . [-set short|full|smoke] [-only REGEXP] [-engines SQLite,PostgreSQL] [-throttle off]
//	go run . -binary OLD -out FOLDER; go run . -against FOLDER
//
// It is a module of its own, so that the server's go.mod holds nothing that only measuring needs, and runs
// in its own folder: it builds the server from the folder above.
//
// It builds the server, starts it as a process of its own with the default configuration, on SQLite and
// on a PostgreSQL cluster of its own, fills databases, sends requests over loopback, and stops all it
// started. It needs Linux, for /proc.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"latchkey/bench/ceiling"
	"latchkey/bench/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, progress io.Writer) error {
	if len(args) > 0 && args[0] == "ceiling" {
		return serveCeiling(ctx, args[1:])
	}
	o, err := parseOptions(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if o.render {
		return report.Render(o.out)
	}
	debug.SetGCPercent(400) // this program shares the cores with what it measures
	ctx, cancel := context.WithTimeoutCause(ctx, o.plan.limit, fmt.Errorf("the %s set may take %s", o.plan.name, o.plan.limit))
	defer cancel()
	return measure(ctx, o, progress)
}

// options are the command line.
type options struct {
	plan     plan
	engines  []string
	only     *regexp.Regexp
	throttle string
	binary   string // empty: build it
	out      string // folder of the report
	work     string // folder of the databases
	profile  bool
	against  *report.Results
	patience time.Duration // for other people's work on the machine
	render   bool
}

func parseOptions(args []string) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	set := flags.String("set", "short", "smoke, short or full")
	engines := flags.String("engines", report.SQLite+","+report.PostgreSQL, "which databases, with a comma between")
	only := flags.String("only", "", "measure only scenarios that match this regular expression")
	flags.StringVar(&o.throttle, "throttle", "on", "LATCHKEY_THROTTLE of everything but the flood, which is measured with both")
	flags.StringVar(&o.binary, "binary", "", "the latchkey to measure, instead of building one")
	against := flags.String("against", "", "folder of an earlier run's results.json, such as one of an older -binary, to compare with")
	flags.StringVar(&o.out, "out", ".", "folder of report.md, results.json, plots and profiles")
	flags.StringVar(&o.work, "work", os.TempDir(), "where to make the folder of the databases: the disk that is measured")
	flags.BoolVar(&o.profile, "profile", true, "keep CPU and allocation profiles of the server, of runs of their own, for `go tool pprof` to read")
	flags.DurationVar(&o.patience, "patience", time.Minute, "how long to wait, in all, for a moment in which nobody else uses the CPUs")
	flags.BoolVar(&o.render, "render", false, "measure nothing: write the report anew from results.json")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.plan, err = planNamed(*set); err != nil {
		return o, err
	}
	if *against != "" {
		if o.against, err = report.Read(*against); err != nil {
			return o, err
		}
		o.against.Against = nil
	}
	if o.only, err = regexp.Compile(*only); err != nil {
		return o, err
	}
	for name := range strings.SplitSeq(*engines, ",") {
		switch {
		case strings.EqualFold(name, report.SQLite):
			o.engines = append(o.engines, report.SQLite)
		case strings.EqualFold(name, report.PostgreSQL), strings.EqualFold(name, "postgres"):
			o.engines = append(o.engines, report.PostgreSQL)
		default:
			return o, fmt.Errorf("there is no engine %q: take %s or %s", name, report.SQLite, report.PostgreSQL)
		}
	}
	if o.throttle != "on" && o.throttle != "off" {
		return o, errors.New("-throttle is on or off")
	}
	return o, nil
}

// serveCeiling is this program as a server without rules.
func serveCeiling(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("ceiling", flag.ContinueOnError)
	addr := flags.String("addr", "", "where to listen")
	var w ceiling.Where
	flags.StringVar(&w.Path, "path", "", "SQLite file to fill")
	flags.StringVar(&w.URL, "url", "", "or PostgreSQL database")
	flags.IntVar(&w.Rows, "rows", 1, "how many rows")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return ceiling.Serve(ctx, *addr, w)
}
