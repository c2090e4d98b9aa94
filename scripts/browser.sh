#!/bin/sh
# Print the path of a Chromium for the browser tests. If there is none, install it: as root with apt-get, else from an
# npm package into .venv. Print nothing if that fails; the browser tests are then skipped with a reason.
# `browser.sh found` installs nothing.
set -u
cd "$(dirname "$0")/.."

found() {
    for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable "$PWD/.venv/browser/chromium"; do
        [ -n "$name" ] && command -v "$name" && return 0
    done
    return 1
}

install_with_apt() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 || return 1
    echo "Installing Chromium for the browser tests (apt-get install chromium) ..." >&2
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-liberation; } \
        >.venv/browser.log 2>&1 || { tail -n 5 .venv/browser.log >&2; return 1; }
    # The tests take less time with it (tests/browser.py), but not each archive has it.
    apt-get -qq install -y --no-install-recommends chromium-headless-shell >>.venv/browser.log 2>&1 || true
}

install_into_venv() {
    echo "Fetching a Chromium for the browser tests into .venv/browser (70 MB) ..." >&2
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
        -r requirements-browser.lock >&2 && .venv/bin/python scripts/browser.py >&2
}

found && exit 0
[ "${1:-}" != found ] || exit 0
install_with_apt && found && exit 0
install_into_venv && found && exit 0
echo "No Chromium found; the browser tests will be skipped. Install one (apt-get install chromium)" \
    "or set CHROMIUM=/path/to/chromium." >&2
