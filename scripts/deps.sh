#!/bin/sh
# Gets what the tests need besides Go: PostgreSQL's server programs (each test run starts a cluster
# of its own), a C compiler (the race detector is cgo) and curl (README's first five minutes). Does
# nothing where all are there.
set -eu

has_postgresql() {
	command -v initdb >/dev/null 2>&1 && return 0
	for program in /usr/lib/postgresql/*/bin/initdb; do
		[ -x "$program" ] && return 0
	done
	return 1
}

has_compiler() {
	# shellcheck disable=SC2046 # CC may hold arguments
	set -- $(go env CC)
	command -v "${1:-cc}" >/dev/null 2>&1
}

missing=''
has_postgresql || missing='postgresql'
has_compiler || missing="$missing gcc libc6-dev"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
missing="${missing# }"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	cat >&2 <<-'EOF'
	The tests need PostgreSQL's server programs (initdb, postgres), a C compiler and curl. Install them:
	  Fedora, RHEL   sudo dnf install postgresql-server gcc curl
	  Arch           sudo pacman -S postgresql gcc curl
	  Alpine         sudo apk add postgresql gcc musl-dev curl
	  macOS          brew install postgresql; xcode-select --install
	and see that initdb is on PATH.
	EOF
	exit 1
fi

root=''
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "The tests need $missing: as root, run apt-get update && apt-get install -y $missing" >&2
		exit 1
	fi
	root='sudo'
fi
echo "installing for the tests: $missing" >&2
$root apt-get update -q
# shellcheck disable=SC2086 # a list of packages
$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
