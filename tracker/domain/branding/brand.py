"""The merchant's brand: what the customers' pages show of the shop, and what customers may do there."""

from functools import cached_property
from hashlib import sha256
from typing import Final, Literal, get_args

import msgspec
from msgspec import Struct

CustomerAct = Literal["instruct", "move_pin", "rate"]
CUSTOMER_ACTS: Final[tuple[CustomerAct, ...]] = get_args(CustomerAct)
Language = Literal["en", "de", "fr", "es", "fi", "sv", "ar", "ja"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
LogoType = Literal["image/png", "image/svg+xml"]
SUFFIX: Final[dict[LogoType, str]] = {"image/png": "png", "image/svg+xml": "svg"}


class Logo(Struct, frozen=True):
    """A picture that was checked and encoded again."""

    type: LogoType
    content: bytes


class Brand(Struct, frozen=True, kw_only=True, dict=True):
    """One merchant's brand. Without any field it is that of an installation without a brand."""

    name: str | None = None
    logo: Logo | None = None
    colour: str | None = None  # `#rrggbb`, as the merchant gave it
    support_url: str | None = None
    support_phone: str | None = None
    languages: tuple[Language, ...] = ()  # of the customers' pages, the first for readers of none; empty: all
    customer_may: tuple[CustomerAct, ...] = ()

    @cached_property
    def version(self) -> str:
        """The name of this brand's files: another brand has another one."""
        return sha256(msgspec.msgpack.encode(self)).hexdigest()[:20]

    @property
    def logo_name(self) -> str | None:
        """The name of the logo's file; None without a logo."""
        return None if self.logo is None else f"logo.{SUFFIX[self.logo.type]}"


NO_BRAND: Final = Brand()
