#!/bin/sh
# Run Mosquitto in a container, and let it read the accounts again when `tracker mqtt acl` has changed them.
set -eu
accounts=${ACCOUNTS:-/accounts}

state() { cat "$accounts/passwords" "$accounts/acl" | cksum; }

mosquitto -c "${CONFIG:-/mosquitto/config/mosquitto.conf}" &
broker=$!
trap 'kill -TERM "$broker"; wait "$broker" || true; exit 0' TERM INT
known=$(state)
while kill -0 "$broker" 2>/dev/null; do
    sleep "${LOOK_EVERY:-5}" &
    wait $! || true
    now=$(state)
    if [ "$now" != "$known" ]; then
        known=$now
        kill -HUP "$broker" 2>/dev/null || true
    fi
done
wait "$broker"
