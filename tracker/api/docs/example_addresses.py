"""Examples of the map's area, and of addresses in it."""

from collections.abc import Mapping
from typing import Any, Final

from tracker.api.merchant import map, responses
from tracker.map.addresses import Address

KASARMIKATU: Final = map.FoundAddress("Kasarmikatu 36, 00130 Helsinki", 60.1666, 24.9486, "house")

ADDRESS_EXAMPLES: Final[Mapping[Any, Any]] = {
    map.Area: map.Area("helsinki.osm.pbf", (24.93, 60.16, 24.96, 60.18), (24.945, 60.17)),
    map.Addresses: map.Addresses([Address(60.1666, 24.9486, "Kasarmikatu 36")]),
    map.AddressList: {"addresses": ["kasarmik. 36 B, 00130 Helsinki"]},
    map.AddressMeanings: map.AddressMeanings([map.AddressMeaning(KASARMIKATU, [], ambiguous=False)]),
    responses.Page[map.FoundAddress]: responses.Page([KASARMIKATU], None),
}
