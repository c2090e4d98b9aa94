"""The customer in request bodies of orders."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from tracker.api.json_bodies import RequestBody, ShortText
from tracker.domain.order import Customer
from tracker.messages.allowed_values import PHRASE

Language = Annotated[
    str,
    Meta(
        max_length=35,
        pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*(?![\s\S])",
        description="Language that the customer reads, as a BCP 47 tag of at most 35 characters.",
        examples=["pt-BR"],
        extra={PHRASE: "a language tag (BCP 47) of at most 35 characters, such as en or pt-BR"},
    ),
]


class NewCustomer(RequestBody, frozen=True, kw_only=True):
    name: ShortText | None = None
    """Name; at most 200 characters. The driver sees it."""
    phone: Annotated[str, Meta(max_length=50)] | None = None
    """Phone number; at most 50 characters. The driver sees it."""
    email: Annotated[str, Meta(max_length=254)] | None = None
    """E-mail address; at most 254 characters."""
    language: Language | None = None

    def customer(self) -> Customer:
        return Customer(self.name, self.phone, self.email, self.language)


class CustomerChange(RequestBody, frozen=True, kw_only=True):
    name: ShortText | UnsetType | None = UNSET
    """Name; at most 200 characters. The driver sees it."""
    phone: Annotated[str, Meta(max_length=50)] | UnsetType | None = UNSET
    """Phone number; at most 50 characters. The driver sees it."""
    email: Annotated[str, Meta(max_length=254)] | UnsetType | None = UNSET
    """E-mail address; at most 254 characters."""
    language: Language | UnsetType | None = UNSET
    """Language that the customer reads, as a BCP 47 tag of at most 35 characters."""
