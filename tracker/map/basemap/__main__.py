"""`python -m tracker.map.basemap MAP.osm.pbf FOLDER`: build the tiles and print the progress."""

import sys
from pathlib import Path

from tracker.map.basemap.build import build
from tracker.map.extract import MapExtract


def main() -> None:
    path, folder = (Path(argument) for argument in sys.argv[1:3])
    build(MapExtract(path=path, folder=folder), lambda text: print(text, flush=True))


if __name__ == "__main__":
    main()
