"""A customer in ten lines: what the tracking link shows, until the order is over. python3 customer.py LINK"""
import json, sys, urllib.request

with urllib.request.urlopen(sys.argv[1].replace("/t/", "/v1/track/") + "/events") as stream:
    for line in stream:
        if line.startswith(b"data: "):
            message = json.loads(line.removeprefix(b"data: "))
            shown = {name: message[name] for name in ("order", "position", "eta") if message.get(name)}
            print(message["type"], shown or message.get("reason", ""), flush=True)
            if message["type"] == "end":
                break
