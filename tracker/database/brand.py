"""The merchant's brand: one row, or none."""

from datetime import datetime
from typing import Any

from tracker.database.pool import Queries
from tracker.domain.branding.brand import NO_BRAND, Brand, Logo


async def select_brand_version(queries: Queries) -> str:
    """Return the version of the stored brand."""
    version: str | None = await queries.fetchval("select_brand_version")
    return version or NO_BRAND.version


async def select_brand(queries: Queries) -> Brand:
    """Return the stored brand, or that of an installation without one."""
    row = await queries.fetchrow("select_brand")
    if row is None:
        return NO_BRAND
    fields: dict[str, Any] = dict(row)
    content, type_ = fields.pop("logo"), fields.pop("logo_type")
    lists: dict[str, Any] = {name: tuple(fields.pop(name)) for name in ("languages", "customer_may")}
    return Brand(**fields, **lists, logo=None if content is None else Logo(type_, content))


async def upsert_brand(queries: Queries, brand: Brand, now: datetime) -> None:
    """Replace the brand."""
    logo = brand.logo
    await queries.execute(
        "upsert_brand",
        brand.name,
        None if logo is None else logo.content,
        None if logo is None else logo.type,
        brand.colour,
        brand.support_url,
        brand.support_phone,
        list(brand.languages),
        list(brand.customer_may),
        brand.version,
        now,
    )
