"""Remove the records of partly installed packages from .venv, so that pip installs them again.

pip believes a package's `.dist-info`, even if a full disk or a signal ended its installation halfway.
"""

import csv
import shutil
import sysconfig
from pathlib import Path


def is_complete(package: Path) -> bool:
    """Whether every file that the package records is there, in its size."""
    try:
        with (package / "RECORD").open(encoding="utf-8", newline="") as record:
            return all(is_whole(package.parent, *row) for row in csv.reader(record))
    except (OSError, TypeError):  # no record, or half of one
        return False


def is_whole(packages: Path, name: str, _digest: str, size: str) -> bool:
    if name.endswith(".pyc"):
        return True  # Python makes it again
    actual = (packages / name).stat().st_size
    is_code = not name.startswith("..") and ".dist-info/" not in name
    return not (size and is_code) or actual == int(size)


if __name__ == "__main__":
    for package in sorted(Path(sysconfig.get_path("purelib")).glob("*.dist-info")):
        if not is_complete(package):
            print(f"Installing {package.stem} again, because it is incomplete")
            shutil.rmtree(package)
