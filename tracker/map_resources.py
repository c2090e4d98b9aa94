"""All that a node makes from the map: routes, basemap, addresses, address search."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Final

from tracker.domain.area import Area
from tracker.map.addresses import AddressIndex, open_address_index
from tracker.map.basemap import Basemap, open_basemap
from tracker.map.extract import MapExtract, in_use
from tracker.map.geocoder import open_geocoder
from tracker.map.preparation import Preparation, settled
from tracker.map.survey import remove_unfinished
from tracker.metrics import Metrics
from tracker.routing import Router
from tracker.system.progress import Say

MAP_TIMEOUT_S: Final = 60.0  # how long a start waits for what is made from the map


@asynccontextmanager
async def open_map(
    map_file: MapExtract, engine: str | None, metrics: Metrics, say: Say
) -> AsyncIterator[tuple[Router, dict[str, Any]]]:
    """Open all that is made from the map, concurrently at the first start.

    After MAP_TIMEOUT_S the node serves without what is not ready. What fails is missing until the next start.
    """
    with in_use(map_file), ExitStack() as cleanup:
        cleanup.callback(remove_unfinished, map_file.folder)  # an interrupted start leaves half-made files
        async with (
            Router.open_later(map_file, say, engine) as router,
            Preparation.of("basemap", open_basemap(map_file, say)) as basemap,
            Preparation.of("addresses", open_address_index(map_file, say)) as addresses,
            Preparation.of("geocoder", open_geocoder(map_file, say)) as geocoder,
        ):
            made = (router.preparation, basemap, addresses, geocoder)
            preparations = [each for each in made if each is not None]
            if not await settled(preparations, MAP_TIMEOUT_S):
                say("The map takes longer: serving with a sketch of it or straight lines until it is ready.")
            for each in preparations:
                if each.failure is not None:
                    why = each.failure.rstrip(".")
                    say(f"Serving without {each.name}: {why}. `tracker check` says what to do.")
            metrics.router_up.set_function(lambda: float(router.up))
            yield (
                router,
                {
                    "map_file": map_file,
                    "basemap": basemap,
                    "addresses": addresses,
                    "geocoder": geocoder,
                    "area": lambda: _area(addresses, basemap),
                },
            )


def _area(addresses: Preparation[AddressIndex], basemap: Preparation[Basemap]) -> Area | None:
    """Return the area of the address index, else that of the basemap; None until one of them is ready."""
    if addresses.value is not None:
        return Area(*addresses.value.bbox)
    return None if basemap.value is None else Area(*basemap.value.bounds)
