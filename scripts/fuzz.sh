#!/bin/sh
# Runs every fuzz target of the module for the given time (10s unless told), one after another: go
# test takes one target at a time.
set -eu

time="${1:-10s}"
packages=$(go list -f '{{.Dir}}|{{.ImportPath}}' ./...)
for package in $packages; do
	targets=$(cat "${package%|*}"/*_test.go 2>/dev/null | sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p')
	for target in $targets; do
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "${package#*|}"
	done
done
