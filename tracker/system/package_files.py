"""Data files of the package: `web/` and `sql/` of the checkout, or their copies in a wheel."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).parents[1]


def folder(name: Literal["web", "sql"]) -> Path:
    """Return the folder of that name. Raises FileNotFoundError if the installation is incomplete."""
    for candidate in (_PACKAGE / f"_{name}", _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"The installed package has no {name!r} folder; install it again.")


def remove_all(folder: Path, pattern: str) -> None:
    """Remove the files in *folder* whose names match *pattern*, such as those of an interrupted build."""
    for path in folder.glob(pattern):
        path.unlink(missing_ok=True)
