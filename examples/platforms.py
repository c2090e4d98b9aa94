"""WooCommerce and Shopify: a paid order there becomes an order here, and its tracking link goes back.

python3 platforms.py PORT, with these variables of the environment:

TRACKER_API, TRACKER_API_KEY   the service, such as https://track.example, and a key with the scope orders
PICKUP                         where orders are picked up: lat,lon
WOO_SECRET                     of the webhook in WooCommerce (Settings, Advanced, Webhooks; topic "Order updated")
WOO_API, WOO_KEY               https://shop.example, and consumer key and secret with a colon between
SHOPIFY_SECRET                 client secret of the app whose webhook has the topic orders/paid
SHOPIFY_API, SHOPIFY_TOKEN     https://name.myshopify.com, and its access token (write_fulfillments, read_orders)

The webhooks' addresses are /woocommerce and /shopify. Shopify sends the coordinates of the address. WooCommerce has
none: add them to the order's meta data as tracker_lat and tracker_lon, from the address field of your checkout.
"""

import base64
import hmac
import json
import os
import sys
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

E = os.environ
LINK = "Follow your delivery: {url}"
FULFILLMENT_ORDERS = "query($id: ID!) {order(id: $id) {fulfillmentOrders(first: 10) {nodes {id}}}}"
FULFILL = """mutation($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {userErrors {field message}}}"""


def post(url, body, **headers):
    headers = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def is_signed(body, signature, secret):
    """Both platforms send the HMAC-SHA256 of the raw body in base64."""
    expected = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    return hmac.compare_digest(expected, signature or "")


def create_order(key, reference, name, phone, email, address, lat, lon):
    """Create an order once, however often the platform sends it; return its tracking link."""
    pickup_lat, pickup_lon = map(float, E["PICKUP"].split(","))
    order = {
        "reference": reference,
        "pickup": {"lat": pickup_lat, "lon": pickup_lon},
        "dropoff": {"lat": float(lat), "lon": float(lon), "address": address},
        "customer": {"name": name or None, "phone": phone or None, "email": email or None},
    }
    api_key = f"Bearer {E['TRACKER_API_KEY']}"
    return post(f"{E['TRACKER_API']}/v1/orders", order, Authorization=api_key, Idempotency_Key=key)["tracking_url"]


def from_woocommerce(order):
    """An order as of WooCommerce's REST API v3; the link goes back as a note that the customer gets by e-mail."""
    meta = {one["key"]: one["value"] for one in order["meta_data"]}
    if order["status"] != "processing" or "tracker_lat" not in meta:  # processing: paid, not shipped
        return
    to, billing = order["shipping"], order["billing"]
    url = create_order(
        f"woocommerce-{order['id']}",
        order["number"],
        f"{to['first_name']} {to['last_name']}".strip(),
        to.get("phone") or billing["phone"],
        billing["email"],
        f"{to['address_1']}, {to['postcode']} {to['city']}",
        meta["tracker_lat"],
        meta["tracker_lon"],
    )
    login = f"Basic {base64.b64encode(E['WOO_KEY'].encode()).decode()}"
    note = {"note": LINK.format(url=url), "customer_note": True}
    post(f"{E['WOO_API']}/wp-json/wc/v3/orders/{order['id']}/notes", note, Authorization=login)


def from_shopify(order):
    """An order of the topic orders/paid; the link goes back as the tracking of its fulfilment."""
    to = order["shipping_address"]
    if to is None or to["latitude"] is None:
        return
    url = create_order(
        f"shopify-{order['id']}",
        order["name"],
        to["name"],
        to["phone"] or order["phone"],
        order["email"],
        f"{to['address1']}, {to['zip']} {to['city']}",
        to["latitude"],
        to["longitude"],
    )
    graphql, token = f"{E['SHOPIFY_API']}/admin/api/2025-07/graphql.json", E["SHOPIFY_TOKEN"]
    found = post(
        graphql,
        {"query": FULFILLMENT_ORDERS, "variables": {"id": order["admin_graphql_api_id"]}},
        X_Shopify_Access_Token=token,
    )
    nodes = found["data"]["order"]["fulfillmentOrders"]["nodes"]
    fulfillment = {
        "lineItemsByFulfillmentOrder": [{"fulfillmentOrderId": node["id"]} for node in nodes],
        "trackingInfo": {"company": "Our courier", "number": order["name"], "url": url},
        "notifyCustomer": True,
    }
    post(graphql, {"query": FULFILL, "variables": {"fulfillment": fulfillment}}, X_Shopify_Access_Token=token)


PLATFORMS = {
    "/woocommerce": (from_woocommerce, "X-WC-Webhook-Signature", "WOO_SECRET"),
    "/shopify": (from_shopify, "X-Shopify-Hmac-Sha256", "SHOPIFY_SECRET"),
}


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.handle_order(body))
        self.end_headers()

    def handle_order(self, body):
        if self.path not in PLATFORMS:
            return 404
        convert, header, secret = PLATFORMS[self.path]
        if body.startswith(b"webhook_id="):  # WooCommerce tries a new address so
            return 200
        if not is_signed(body, self.headers[header], E[secret]):
            return 401
        try:
            convert(json.loads(body))
        except OSError as error:  # the platform sends it again
            print(f"{self.path}: {error}", file=sys.stderr, flush=True)
            return 503
        return 200

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
