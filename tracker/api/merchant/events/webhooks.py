"""`/v1/webhooks`: where events are sent, tests and secrets."""

from datetime import timedelta
from typing import Final

from msgspec import UNSET
from quart import Blueprint, Response

from tracker.api.auth import require_scope
from tracker.api.client_info import base_url, public_path
from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import answer, body, query
from tracker.api.merchant.events.webhook_bodies import (
    NewWebhookAnswer,
    NewWebhookBody,
    SecretAnswer,
    SecretBody,
    TestAnswer,
    WebhookAnswer,
    WebhookChangeBody,
    new_webhook_answer,
    webhook_answer,
)
from tracker.api.merchant.responses import Page
from tracker.api.pagination import PageQuery, decode_cursor, page
from tracker.database import Connection
from tracker.database.events import webhooks as rows
from tracker.domain.events.addresses import url_fault
from tracker.domain.events.webhook import Webhook
from tracker.domain.order_rules import whole_ms
from tracker.errors import Conflict, FieldError, InvalidFields, NotFound
from tracker.messages import rfc3339
from tracker.node import current_node
from tracker.tokens import new_id

WEBHOOKS: Final = 50  # of one service

blueprint = Blueprint("webhooks", __name__)


@blueprint.post("/v1/webhooks")
@require_scope("orders")
@endpoint(body=NewWebhookBody, answer=NewWebhookAnswer, status=201, creates=True, raises=(Conflict,))
async def create_webhook() -> Response:
    """Create a webhook: later events are sent to its URL, signed with its secret.

    Private and loopback addresses need TRACKER_WEBHOOKS_PRIVATE. A name is checked at each connection.
    """
    wanted, node = await body(NewWebhookBody), current_node()
    _check_url(wanted.url)
    new = Webhook(
        id=new_id("whk"),
        url=wanted.url,
        types=tuple(dict.fromkeys(wanted.events)),
        base_url=base_url(),
        created_at=whole_ms(node.now()),
    )

    async def create(connection: Connection) -> Creation:
        if await rows.count_webhooks(connection) >= WEBHOOKS:
            raise Conflict(f"There are {WEBHOOKS} webhooks, the most there may be; delete one.")
        webhook = await rows.insert_webhook(connection, new)
        secret = node.webhook_secrets.text(webhook.id, webhook.secret_number)
        location = public_path(f"/v1/webhooks/{webhook.id}")
        return Creation(new_webhook_answer(webhook, secret), headers={"Location": location})

    return await create_once(create)


@blueprint.get("/v1/webhooks")
@require_scope("read")
@endpoint(query=PageQuery, answer=Page[WebhookAnswer])
async def list_webhooks() -> Response:
    """List the webhooks, newest first, without their secrets."""
    node, wanted = current_node(), query(PageQuery)
    found = await rows.select_webhooks(node.database, wanted.limit + 1, decode_cursor(wanted.cursor))
    return answer(page(found, wanted.limit, webhook_answer, lambda one: (one.created_at, one.id)))


@blueprint.get("/v1/webhooks/<webhook_id>")
@require_scope("read")
@endpoint(answer=WebhookAnswer)
async def get_webhook(webhook_id: str) -> Response:
    """Get a webhook: whether it works, or when and why it was disabled."""
    return answer(
        webhook_answer(require_webhook(await rows.select_webhook(current_node().database, webhook_id)))
    )


@blueprint.patch("/v1/webhooks/<webhook_id>")
@require_scope("orders")
@endpoint(body=WebhookChangeBody, answer=WebhookAnswer)
async def patch_webhook(webhook_id: str) -> Response:
    """Change the URL or the types of events of a webhook; disable it, or enable it again.

    What is not sent when it is disabled is dead. After it is enabled, `redeliver` sends that.
    """
    change, node = await body(WebhookChangeBody), current_node()
    if change.url is not UNSET:
        _check_url(change.url)
    async with node.database.transaction() as connection:
        webhook = require_webhook(await rows.select_webhook(connection, webhook_id))
        url = webhook.url if change.url is UNSET else change.url
        types = webhook.types if change.events is UNSET else tuple(dict.fromkeys(change.events))
        changed = await rows.update_webhook(connection, webhook_id, url, types, base_url())
        if change.enabled is True and webhook.disabled_at is not None:
            changed = await rows.enable_webhook(connection, webhook_id)
        elif change.enabled is False:
            changed = await rows.disable_webhook(connection, webhook_id, "by_merchant")
    return answer(webhook_answer(require_webhook(changed)))


@blueprint.delete("/v1/webhooks/<webhook_id>")
@require_scope("orders")
@endpoint(status=204)
async def delete_webhook(webhook_id: str) -> Response:
    """Delete a webhook, and the list of its deliveries."""
    if not await rows.delete_webhook(current_node().database, webhook_id):
        raise NotFound("webhook")
    return Response(status=204)


@blueprint.post("/v1/webhooks/<webhook_id>/test")
@require_scope("orders")
@endpoint(answer=TestAnswer, status=202, raises=(Conflict,))
async def send_test_event(webhook_id: str) -> Response:
    """Send the event `webhook.test` to this webhook; its delivery shows what came of it."""
    node = current_node()
    async with node.database.transaction() as connection:
        webhook = require_webhook(await rows.select_webhook(connection, webhook_id))
        require_enabled(webhook)
        event_id = await rows.insert_test_event(connection, webhook_id, whole_ms(node.now()))
    await node.events.catch_up()
    return answer(TestAnswer(event_id), 202)


@blueprint.post("/v1/webhooks/<webhook_id>/secret")
@require_scope("orders")
@endpoint(body=SecretBody, answer=SecretAnswer)
async def renew_secret(webhook_id: str) -> Response:
    """Give a webhook a new secret. For `overlap_s`, the old one signs too, so that no event is refused."""
    wanted, node = await body(SecretBody, optional=True), current_node()
    until = whole_ms(node.now()) + timedelta(seconds=wanted.overlap_s)
    webhook = require_webhook(await rows.renew_webhook_secret(node.database, webhook_id, until))
    return answer(SecretAnswer(node.webhook_secrets.text(webhook_id, webhook.secret_number), rfc3339(until)))


def require_webhook(found: Webhook | None) -> Webhook:
    """Return the webhook. Raises NotFound if there is none."""
    if found is None:
        raise NotFound("webhook")
    return found


def require_enabled(webhook: Webhook) -> None:
    """Raises Conflict if the webhook is disabled."""
    if webhook.disabled_at is not None:
        raise Conflict('The webhook is disabled; enable it with PATCH {"enabled": true}.')


def _check_url(url: str) -> None:
    fault = url_fault(url, private=current_node().config.allows_private_webhooks)
    if fault is not None:
        raise InvalidFields([FieldError("url", fault)])
