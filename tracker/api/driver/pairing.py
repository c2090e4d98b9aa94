"""`POST /v1/drivers/pair`: a phone exchanges a pairing code for a token and its settings.

The code is the only credential. Every attempt counts against the address and against all addresses together,
before the code is looked up: so a guess costs the same whether it is right or wrong.
"""

from time import monotonic
from typing import Annotated, Final

import msgspec
from quart import Blueprint, Response, request

from tracker.api.client_info import base_url, client_info
from tracker.api.describe import endpoint
from tracker.api.idempotency import Creation, create_once
from tracker.api.json_bodies import RequestBody, answer, body
from tracker.database import Connection
from tracker.database.credentials.driver_tokens import (
    insert_driver_token,
    select_pairing_code,
    use_pairing_code,
)
from tracker.errors import RateLimited, StorageUnavailable, UnknownPairingCode
from tracker.messages import WireDriver
from tracker.messages.conversions import wire_driver
from tracker.node import Node, current_node
from tracker.phone_apps.pairing_links import (
    CODE_PATH,
    GPSLOGGER_FILE,
    OWNTRACKS_FILE,
    gpslogger_profile,
)
from tracker.phone_apps.setup import OwnTracksConfiguration, Setup, setup_for
from tracker.tokens import hash_driver_token, hash_pairing_code, new_driver_token

PROPERTIES: Final = "text/x-java-properties"
ERRORS: Final = (UnknownPairingCode, RateLimited, StorageUnavailable)

blueprint = Blueprint("driver_pairing", __name__)


class PairBody(RequestBody, frozen=True, kw_only=True):
    code: Annotated[
        str,
        msgspec.Meta(
            max_length=100,
            description="The pairing code. Case, spaces and hyphens do not matter.",
            examples=["7K3QM-X9RTB"],
        ),
    ]


class PairAnswer(msgspec.Struct, frozen=True):
    """A driver's new token, which no later response shows, and the settings of each phone app."""

    driver: WireDriver
    """The driver."""
    token: str
    """One more token of the driver. No later response shows it."""
    setup: Setup
    """What each phone app needs."""


@blueprint.post(CODE_PATH)
@endpoint(body=PairBody, answer=PairAnswer, creates=True, raises=ERRORS)
async def pair() -> Response:
    """Use up a pairing code: the answer has a token of its driver and the settings of each phone app.

    The code is the credential. A used, expired or unknown code is 404. If the answer was lost, repeat the
    request with the same `Idempotency-Key` before the code expires. A driver has at most five tokens: the
    sixth replaces the one whose last use is longest ago.
    """
    wanted, node = await body(PairBody), current_node()
    code_hash = hash_pairing_code(wanted.code)
    _take_attempt(node)
    if not await select_pairing_code(node.database, code_hash, node.now()):  # replays end with the code, too
        raise UnknownPairingCode

    async def create(connection: Connection) -> Creation:
        return await _use_code(node, connection, code_hash)

    return _uncached(await node.fleet.shield(create_once(create, owner=f"pairing {code_hash.hex()}")))


@blueprint.get(f"{CODE_PATH}/<code>/{OWNTRACKS_FILE}")
@endpoint(answer=OwnTracksConfiguration, raises=ERRORS)
async def pair_owntracks(code: str) -> Response:
    """Use up a pairing code: the answer is a configuration file of OwnTracks, with a token of the driver."""
    setup = (await _fetched(code)).setup
    return _uncached(answer(setup.owntracks.configuration))


@blueprint.get(f"{CODE_PATH}/<code>/{GPSLOGGER_FILE}")
@endpoint(media=(PROPERTIES,), raises=ERRORS)
async def pair_gpslogger(code: str) -> Response:
    """Use up a pairing code: the answer is a profile of GPSLogger, with a token of the driver."""
    setup = (await _fetched(code)).setup
    return _uncached(Response(gpslogger_profile(setup.gpslogger), content_type=PROPERTIES))


async def _fetched(code: str) -> PairAnswer:
    """Use up the code that an app sends. Raises UnknownPairingCode, RateLimited, StorageUnavailable."""
    node = current_node()
    _take_attempt(node)
    if request.method == "HEAD" or not client_info().is_watching:  # the preview of a link must not use it up
        raise UnknownPairingCode

    async def use() -> PairAnswer:
        async with node.database.transaction() as connection:
            used = await _use_code(node, connection, hash_pairing_code(code))
        if used.after is not None:
            await used.after()
        paired: PairAnswer = used.answer
        return paired

    return await node.fleet.shield(use())


async def _use_code(node: Node, connection: Connection, code_hash: bytes) -> Creation:
    """Give the code's driver one more token. Raises UnknownPairingCode."""
    now, token = node.now(), new_driver_token()
    driver = await use_pairing_code(connection, code_hash, now)
    if driver is None:
        raise UnknownPairingCode
    replaced = await insert_driver_token(connection, driver.number, hash_driver_token(token), now)

    async def close_replaced() -> None:
        for token_hash in replaced:
            await node.fleet.driver_revoked(driver.id, token_hash)

    setup = setup_for(driver, token, base=base_url(), mqtt_url=node.config.phones_mqtt_url)
    return Creation(PairAnswer(wire_driver(driver), token, setup), status=200, after=close_replaced)


def _take_attempt(node: Node) -> None:
    """Count an attempt. Raises RateLimited if this address, or all together, made too many."""
    wait_s = node.pairing_limit.take(client_info().address, monotonic())
    if wait_s > 0.0:
        raise RateLimited("Too many attempts with pairing codes; retry later.", after_s=wait_s)


def _uncached(response: Response) -> Response:
    response.headers["Cache-Control"] = "private, no-store"
    return response
