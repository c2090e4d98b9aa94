"""A shop: creates an order and prints its events, which come as signed webhooks. Python alone is enough.

python3 shop.py URL KEY RECEIVER: the service must reach RECEIVER, such as http://127.0.0.1:9000/, on this machine.
"""

import base64
import hmac
import json
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

URL, KEY, RECEIVER = sys.argv[1:]
OVER = {"order.delivered", "order.failed", "order.cancelled"}


def call(method, path, body=None):
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(URL + path, data, headers, method=method)) as answer:
        return json.load(answer) if answer.status != 204 else None


def is_genuine(headers, body):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    is_recent = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return is_recent and any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split(" "))


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        genuine = is_genuine(self.headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        event = json.loads(body) if genuine else None
        if event and event["id"] not in seen and event["data"]["order"]["id"] == order["id"]:
            seen.add(event["id"])  # an event may come twice
            print(event["type"], event["data"]["order"]["status"], flush=True)
            self.server.over = event["type"] in OVER

    def log_message(self, *args):
        pass


server = HTTPServer((urlsplit(RECEIVER).hostname, urlsplit(RECEIVER).port), Receiver)
server.over, seen = False, set()
webhook = call("POST", "/v1/webhooks", {"url": RECEIVER, "events": ["order.assigned", "order.picked_up", *OVER]})
secret = base64.b64decode(webhook["secret"].removeprefix("whsec_"))
order = call("POST", "/v1/orders", {
    "reference": "1042",
    "pickup": {"lat": 60.1713, "lon": 24.9440, "address": "Rautatientori"},
    "dropoff": {"lat": 60.1666, "lon": 24.9486, "address": "Kasarmikatu 36"},
    "customer": {"name": "Maija"},
})
print("link", order["tracking_url"], flush=True)
while not server.over:
    server.handle_request()
call("DELETE", f"/v1/webhooks/{webhook['id']}")
