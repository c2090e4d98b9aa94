"""The delivery in the customer's calendar: its time, its words, and nothing that the page does not show."""

import re
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from tests.api.tracking.test_card import SAMPLES
from tests.branded import branded
from tests.service import Service, token_of
from tracker.api.tracking.calendar import Event, calendar, times_of
from tracker.messages import Snapshot

WINDOW = {"from": "2026-11-22T17:00:00.000Z", "to": "2026-11-22T18:00:00.000Z"}


def times(**change: Any) -> tuple[str, str] | None:
    base = SAMPLES["base"]
    fields = base | {name: base[name] | value if value else value for name, value in change.items()}
    found = times_of(msgspec.convert(fields, Snapshot))
    return None if found is None else (f"{found[0]:%H:%M:%S}", f"{found[1]:%H:%M:%S}")


def test_the_time_is_the_window_or_else_the_forecast() -> None:
    """The forecast, too, once it is later than the window allows; nothing before both and after the end."""
    late = {"arrives_at": "2026-11-22T18:20:00.000Z", "earliest": None, "latest": "2026-11-22T18:30:00.000Z"}
    assert times() == ("15:55:40", "15:59:30")
    assert times(order={"window": WINDOW}) == ("17:00:00", "18:00:00")
    assert times(order={"window": WINDOW}, eta=None) == ("17:00:00", "18:00:00")
    assert times(order={"window": WINDOW}, eta=late) == ("18:20:00", "18:30:00")
    assert times(order={"window": {"from": None, "to": WINDOW["to"]}}, eta=None) is None
    assert times(eta=None) is None


async def test_a_calendar_is_one_that_programs_can_read() -> None:
    """RFC 5545: lines of at most 75 octets that end with CR and LF, times in UTC, escapes."""
    at = datetime(2026, 11, 22, 17, tzinfo=UTC)
    address = "Kasarmikatu 36, B; 3\\4\n" + "Ärtevägen " * 12
    text = calendar(
        Event("cal_1", at, at.replace(hour=18), "Delivery", address, "https://t.example/t/x"), "sv", at
    )
    lines = text.split("\r\n")
    assert all(len(line.encode()) <= 75 for line in lines) and "\n" not in text.replace("\r\n", "")
    whole = text.replace("\r\n ", "").split("\r\n")
    assert whole[0] == "BEGIN:VCALENDAR" and whole[-2:] == ["END:VCALENDAR", ""]
    assert "DTSTART:20261122T170000Z" in whole and "DTEND:20261122T180000Z" in whole
    assert "SUMMARY;LANGUAGE=sv:Delivery" in whole
    [place] = [line for line in whole if line.startswith("LOCATION:")]
    assert place.startswith(r"LOCATION:Kasarmikatu 36\, B\; 3\\4\n") and place.endswith("Ärtevägen ")


@pytest.mark.asyncio(loop_scope="session")
async def test_the_page_leads_to_a_calendar_in_its_language(service: Service) -> None:
    """With the shop's name and the link, without the customer's; none for an order without a time."""
    window = {"from": "2030-11-22T17:00:00+02:00", "to": "2030-11-22T18:00:00+02:00"}
    customer = {"name": "Liisa Virtanen", "phone": "+358401234567", "language": "fi"}
    order = await service.new_order(window=window, customer=customer, reference="A-17")
    async with branded(service, name="Kulma, Leipä"), httpx.AsyncClient() as anybody:
        page = (await anybody.get(order["tracking_url"])).text
        [url] = re.findall(r'<a href="([^"]+calendar.ics[^"]*)"', page)
        answer = await anybody.get(url)
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert "no-store" in answer.headers["cache-control"]
    text = answer.text.replace("\r\n ", "")
    assert r"SUMMARY;LANGUAGE=fi:Toimitus: Kulma\, Leipä" in text
    assert "DTSTART:20301122T150000Z" in text and order["tracking_url"] in text
    assert "Virtanen" not in text and "358401" not in text
    path = f"{service.url}/v1/track/{token_of(await service.new_order())}/calendar.ics"
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(path)).status_code == 404
        assert (await anybody.get(f"{service.url}/v1/track/nonsense/calendar.ics")).status_code == 404
