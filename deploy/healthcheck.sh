#!/bin/bash
# Whether the service in this container serves: status 0 if /livez answers 200. A full node, or one whose database is
# down, still serves its live views and must not be restarted; /readyz is for load balancers. It reads TRACKER_BIND and
# TRACKER_TLS_CERT as the service does. It starts no Python, which would cost more than the answer.
set -u
trap '' PIPE # a service that hangs up first is unhealthy (status 1), not a crash of this script
bind=${TRACKER_BIND:-127.0.0.1:8080}
host=${bind%:*}
host=${host#[} host=${host%]}
case $host in
    0.0.0.0) host=127.0.0.1 ;;
    ::) host=::1 ;;
esac
request=$'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'

if [ -n "${TRACKER_TLS_CERT:-}" ]; then
    case $host in *:*) host=[$host] ;; esac
    # The certificate is for the public name, and its age is for other monitoring.
    read -r _ status _ < <(printf %s "$request" | timeout 3 openssl s_client -quiet -connect "$host:${bind##*:}" 2>/dev/null)
else
    exec 3<>"/dev/tcp/$host/${bind##*:}" || exit 1
    printf %s "$request" >&3
    read -r -t 3 _ status _ <&3
fi
[ "${status:-}" = 200 ]
