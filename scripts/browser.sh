#!/bin/sh
# Prints the path of a Chromium for the browser tests, on the way installing one where there is none: with apt-get as
# root, else from a package into .venv. Prints nothing where all of that fails; those tests then say why they skip.
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
echo "There is no Chromium, so the browser tests will be skipped; install it (apt-get install chromium)" \
    "or name one with CHROMIUM=/path/to/chromium." >&2
