#!/bin/sh
# A shop: creates an order and prints its events from the list. sh shop.sh URL KEY; needs curl and python3.
set -eu
url=$1 key=$2
get() { curl -sSf -H "Authorization: Bearer $key" "$url/v1/$1"; }
pick() { python3 -c "import json, sys; print(json.load(sys.stdin)$1)"; }
after=$(get 'events?after=latest' | pick '["next"]')
order=$(curl -sSf -H "Authorization: Bearer $key" -H "Content-Type: application/json" -H "Idempotency-Key: shop-$$" \
    -d '{"reference": "1042", "pickup": {"lat": 60.1713, "lon": 24.9440}, "dropoff": {"lat": 60.1666, "lon": 24.9486}}' \
    "$url/v1/orders")
id=$(printf %s "$order" | pick '["id"]')
echo "link $(printf %s "$order" | pick '["tracking_url"]')"
while :; do
    page=$(get "events?after=$after")
    after=$(printf %s "$page" | pick '["next"]')
    printf %s "$page" | ORDER=$id python3 -c '
import json, os, sys
for event in json.load(sys.stdin)["items"]:
    order = event["data"].get("order", {})
    if order.get("id") == os.environ["ORDER"]:
        print(event["type"], order["status"], flush=True)
        if order["status"] in ("delivered", "failed", "cancelled"):
            sys.exit(9)' || exit 0
    sleep 1
done
