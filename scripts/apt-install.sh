#!/usr/bin/env bash
# Install the Debian packages that are missing, without starting their services: `apt-install.sh PACKAGE…`, as root.
# A package that the archive lacks is named and left out.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

missing=()
for package; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=absent
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "These packages are missing, and only root can install them: ${missing[*]}" >&2
    exit 0
fi

echo "== Packages: ${missing[*]}"
apt-get -qq update
wanted=()
for package in "${missing[@]}"; do
    if [ -n "$(apt-cache madison "$package")" ]; then
        wanted+=("$package")
    else
        echo "The package archive has no $package; tests that need it cannot run." >&2
    fi
done

# dpkg's scripts ask this program whether a service may start: 101 means no
policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
if [ ${#wanted[@]} -gt 0 ]; then
    apt-get -qq install -y --no-install-recommends "${wanted[@]}" >/dev/null
fi
