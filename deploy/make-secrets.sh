#!/bin/sh
# Make the secrets of docker-compose.yml in the folder secrets/ of the checkout; keep those that exist. Any password of
# the database works: the service reads it from database_url, which this script derives from postgres_password.
set -eu
cd "$(dirname "$0")/.."
umask 022 # the containers' users must read the files; the folder protects them from others
mkdir -p secrets
chmod 700 secrets

random() { od -An -v -N24 -tx1 /dev/urandom | tr -d ' \n'; }
encoded() { tr -d '\n' <"$1" | od -An -v -tx1 | tr -d '\n' | tr ' ' %; } # every byte as %XX

for name in postgres_password admin_key tracker_secret; do
    [ -s "secrets/$name" ] || random >"secrets/$name"
done
[ -s secrets/database_url ] ||
    printf 'postgresql://tracker:%s@postgres/tracker' "$(encoded secrets/postgres_password)" >secrets/database_url
chmod 644 secrets/postgres_password secrets/admin_key secrets/tracker_secret secrets/database_url # not secrets/mqtt
