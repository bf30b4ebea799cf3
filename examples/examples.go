// Package examples carries the files of the examples that /docs shows, which are the files in these folders.
package examples

import "embed"

// Files has a folder for each example.
//
//go:embed page react hono express cli-go verify-go
var Files embed.FS
