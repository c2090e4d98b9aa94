"""Libraries without padding and symbols: smaller, and loaded as before."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent.parent / "deploy/shrink_elf.py"
PACKAGES = ("osmium", "uvloop")  # libraries full of padding; one full of symbols


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with copies of the packages and of what they load."""
    for name in PACKAGES:
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None
        package = Path(spec.origin).parent
        for folder in package.parent.glob(f"{name}*"):
            if not folder.name.endswith("-info"):
                shutil.copytree(folder, tmp_path / folder.name)
    return tmp_path


def shrink(folder: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, folder], check=True, capture_output=True)


def sizes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_size for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other formats")
def test_shrunk_libraries_are_smaller_and_load(packages: Path) -> None:
    """Less than half is left of all libraries; Python loads them; other files are the same."""
    before = sizes(packages)
    shrink(packages)
    after = sizes(packages)
    libraries = {name for name in before if ".so" in name}
    assert sum(after[name] for name in libraries) < sum(before[name] for name in libraries) / 2
    assert {name: after[name] for name in after.keys() - libraries} == {
        name: before[name] for name in before.keys() - libraries
    }
    use = "import osmium, uvloop; uvloop.new_event_loop().close(); print(osmium.geom.__file__)"
    loaded = subprocess.run(
        [sys.executable, "-c", use],
        env={"PYTHONPATH": str(packages)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert loaded.stdout.startswith(str(packages))
    shrink(packages)
    again = sizes(packages)
    assert {name: again[name] for name in libraries} == {name: after[name] for name in libraries}


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x7fELF", b"\x7fELF\x01\x01" + bytes(60), b"\x7fELF\x02\x02" + bytes(60)]
)
def test_other_files_are_left_alone(content: bytes, tmp_path: Path) -> None:
    """Text, and ELF files of 32 bits or of the other byte order."""
    (tmp_path / "file").write_bytes(content)
    shrink(tmp_path)
    assert (tmp_path / "file").read_bytes() == content
