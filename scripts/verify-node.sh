#!/bin/sh
# Runs the tests of examples/verify-node. The example asks for Node.js 20.19 or later, which not every
# distribution has: an older one is told so, and nothing fails.
set -eu

cd "$(dirname "$0")/../examples/verify-node"
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
	echo "examples/verify-node is not tested: it needs Node.js 20.19, and this is $(node --version)" >&2
	exit 0
fi
# jose comes from the npm registry in the version and with the hash that package-lock.json says.
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
node --test
