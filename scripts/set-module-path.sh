#!/bin/sh
# Gives the modules of this repository another path, for an owner who publishes it:
#	scripts/set-module-path.sh github.com/owner/latchkey
# It rewrites each go.mod, every import, and whatever else names a package or says how to require the module. Results of
# benchmarks that were measured under the old path keep it.
set -eu
cd "$(dirname "$0")/.."

new="${1:?say the new path, such as github.com/owner/latchkey}"
old=$(sed -n 's/^module //p' go.mod)
go mod edit -module="$new" # refuses what is no path of a module, before anything has changed

# files lists what people write here, of the given names.
files() {
	first="$1"
	shift
	find . \( -name .git -o -name node_modules -o -path ./bin -o -path ./data \) -prune -o \
		-type f \( -name "$first" "$@" \) -print
}

# rewrite gives sed's arguments one file at a time, and keeps the file's mode.
rewrite() {
	sed -E "$@" "$file" >"$scratch"
	cmp -s "$scratch" "$file" || cat "$scratch" >"$file"
}

scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
was=$(printf '%s' "$old" | sed 's/[.]/\\./g')

for file in $(files go.mod); do
	rewrite -e "s#(^|[[:space:]])$was(/[^[:space:]]*)?([[:space:]]|\$)#\\1$new\\2\\3#g"
done

# A package is named by the old path and one of our folders. What comes before tells it from /etc/latchkey/api; the
# expression is given twice since neighbours share what is between them.
folders=$(files '*.go' | sed -n 's#^\./\([^/]*\)/.*#\1#p' | sort -u | paste -s -d '|' -)
package="s#(^|[^A-Za-z0-9_./~-])$was/($folders)([^A-Za-z0-9_-]|\$)#\\1$new/\\2\\3#g"
required="s#((require|replace)[ =])$was([ @=])#\\1$new\\3#g"
for file in $(files '*.go' -o -name '*.md' -o -name '*.html' -o -name '*.sh' -o -name '*.txt' -o -name '*.yaml' -o -name Makefile |
	xargs grep -lE "$was(/($folders)|[ @=])" || true); do
	rewrite -e "$package" -e "$package" -e "$required"
done

echo "The module is $new. README.md, \"From Go\": once it is published, \`go get $new\` is all that it takes."
