"""The words for whoever reads a page or file of a tracking link."""

from quart import request

from tracker.api.tracking.translations import Translations, choose_words
from tracker.domain.branding.brand import Brand


def reader_words(brand: Brand, of_the_order: str | None = None) -> Translations:
    """Return the words in the language of `?lang=`, of the order's customer, or else of the browser."""
    accepted = [tag for tag, quality in request.accept_languages if quality]
    return choose_words(request.args.get("lang"), of_the_order, accepted, brand.languages)
