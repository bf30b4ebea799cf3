#!/bin/sh
# Gets what the tests need besides Go: PostgreSQL's server programs (each test run starts a cluster
# of its own) and pgbouncer, a C compiler (the race detector is cgo), curl and Node.js, 20.19 or later (README's first five
# minutes, the documentation's examples), for what people see Chromium, fonts for every language, for what the package does in
# other engines Firefox and WebKit's MiniBrowser with its driver and a screen in memory, npm, which brings axe-core, the libraries
# that applications sign people in with and the compilers of sdk/js, Apache with mod_auth_openidc, which is another of those, and
# what the recipes for verifiers run in. Does nothing where all are there.
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

has_browser() {
	command -v chromium || command -v chromium-browser || command -v google-chrome
}

has_firefox() {
	command -v firefox-esr || command -v firefox
}

# Debian's WebKitGTK comes with a browser to be driven. Elsewhere there is nothing to install.
has_webkit() {
	command -v apt-get >/dev/null 2>&1 || return 0
	command -v WebKitWebDriver >/dev/null 2>&1 && command -v Xvfb >/dev/null 2>&1 || return 1
	for program in /usr/lib/*/webkit2gtk-4.1/MiniBrowser; do
		[ -x "$program" ] && return 0
	done
	return 1
}

# Without glyphs a text is boxes: nobody could say whether the page is right.
has_fonts() {
	command -v fc-list >/dev/null 2>&1 || return 1
	for language in ar hi ja zh-cn; do
		[ -n "$(fc-list ":lang=$language" family)" ] || return 1
	done
}

# What comes from the npm registry has the version and the hash that package-lock.json says.
get_packages() {
	node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' || {
		echo "The tests need Node.js 20.19 or later (https://nodejs.org), and $(command -v node) is $(node --version)" >&2
		exit 1
	}
	for folder in rigs/browser rigs/apps sdk/js; do
		(
			cd "$(dirname "$0")/../$folder"
			[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
		) || exit 1
	done
}

has_pooler() {
	command -v pgbouncer >/dev/null 2>&1 || [ -x /usr/sbin/pgbouncer ]
}

# The rig starts an Apache of its own: Debian's package of the module brings the program, and no service. Elsewhere there
# is nothing to install.
has_apache() {
	command -v apt-get >/dev/null 2>&1 || return 0
	[ -x /usr/sbin/apache2 ] && [ -e /usr/lib/apache2/modules/mod_auth_openidc.so ]
}

# Debian's own Python and Ruby, with the packages that the recipes use. Elsewhere there is nothing to install.
has_frameworks() {
	command -v apt-get >/dev/null 2>&1 || return 0
	/usr/bin/python3 -c 'import cryptography, django, fastapi, jwt, uvicorn' 2>/dev/null &&
		/usr/bin/ruby -e 'require "jwt"; require "webrick"; require "action_controller/railtie"' 2>/dev/null
}

# Debian's nginx and Caddy begin to serve at port 80 when they are installed where services run: there they are left out,
# and their recipes are not tried.
has_proxies() {
	[ ! -d /run/systemd/system ] || return 0
	command -v apt-get >/dev/null 2>&1 || return 0
	[ -x /usr/sbin/nginx ] && command -v caddy >/dev/null 2>&1
}

missing=''
has_postgresql || missing='postgresql'
has_pooler || missing="$missing pgbouncer"
has_compiler || missing="$missing gcc libc6-dev"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v node >/dev/null 2>&1 || missing="$missing nodejs"
has_browser >/dev/null 2>&1 || missing="$missing chromium"
has_firefox >/dev/null 2>&1 || missing="$missing firefox-esr"
has_webkit || missing="$missing webkit2gtk-driver xvfb"
has_fonts || missing="$missing fontconfig fonts-noto-core fonts-noto-cjk"
command -v npm >/dev/null 2>&1 || missing="$missing npm"
has_apache || missing="$missing libapache2-mod-auth-openidc"
has_frameworks || missing="$missing python3-cryptography python3-django python3-fastapi python3-jwt python3-uvicorn ruby-jwt ruby-railties ruby-webrick"
has_proxies || missing="$missing nginx-light caddy"
missing="${missing# }"
if [ -z "$missing" ]; then
	get_packages
	exit 0
fi

if ! command -v apt-get >/dev/null 2>&1; then
	cat >&2 <<-'EOF'
	The tests need PostgreSQL's server programs (initdb, postgres), pgbouncer, a C compiler, curl, Node.js with npm, Chromium, Firefox and
	fonts for every language. Install them:
	  Fedora, RHEL   sudo dnf install postgresql-server pgbouncer gcc curl nodejs npm chromium firefox google-noto-sans-*-fonts google-noto-sans-cjk-fonts
	  Arch           sudo pacman -S postgresql pgbouncer gcc curl nodejs npm chromium firefox noto-fonts noto-fonts-cjk
	  Alpine         sudo apk add postgresql pgbouncer gcc musl-dev curl nodejs npm chromium firefox-esr fontconfig font-noto-all font-noto-cjk
	  macOS          brew install postgresql pgbouncer node fontconfig; brew install --cask chromium firefox; xcode-select --install
	and see that initdb, chromium and firefox are on PATH. TestModAuthOpenIDC, TestEngines/WebKit and some recipes run on Debian and Ubuntu alone.
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
if ! apt-cache show chromium >/dev/null 2>&1; then # Ubuntu's, which fetch the snaps
	missing=$(echo "$missing" | sed 's/chromium/chromium-browser/; s/firefox-esr/firefox/')
fi
# shellcheck disable=SC2086 # a list of packages
$root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
get_packages
