"""`python -m tracker.map.geocoder EXTRACT FILE`: build the address index in a process of its own."""

import os
import sys
from pathlib import Path
from typing import Final

from tracker.map.geocoder.making.building import Builder
from tracker.map.geocoder.making.reading import Reader
from tracker.map.geocoder.statements import open_writer
from tracker.map.survey import surveyed
from tracker.system.progress import Percent

JOB: Final = "Address search"  # the beginning of each line of progress
QUIET: Final = 2.0  # seconds before the first line of progress


def build(extract: Path, target: Path, percent: Percent) -> None:
    """Write another file, then rename it, so that a file of this name is always complete."""
    survey = surveyed(extract, target.parent)
    nodes_file = target.with_name(f"{target.name}.nodes")
    unfinished = target.with_name(f"{target.name}.{os.getpid()}")
    reader = Reader(survey.readable(extract, target.parent), survey.objects, percent, nodes_file)
    connection = open_writer(unfinished)
    builder = Builder(connection, percent)
    builder.stage(reader, reader.interpolations)
    nodes_file.unlink(missing_ok=True)
    builder.write()
    connection.close()
    unfinished.replace(target)
    percent.reach(1)


if __name__ == "__main__":
    build(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        Percent(lambda line: print(line, flush=True), JOB, quiet_for=QUIET),
    )
