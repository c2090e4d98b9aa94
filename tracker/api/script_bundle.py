"""One script from a module and all that it imports, so that no page depends on many files to arrive.

The modules in `web/src/` stay as they are: each becomes a function with the same body. Only the forms of
import and export that they use are known; a test runs the result.
"""

import re
from collections.abc import Callable
from posixpath import dirname, join, normpath
from typing import Final

IMPORT: Final = re.compile(r"^import \{ ([^}]+) \} from '(\.{1,2}/[\w./-]+)\.js';\n", re.MULTILINE)
EXPORT: Final = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
COMMENT: Final = re.compile(r"^ *(?:/\*\*(?:(?!\*/).)*\*/|//[^\n]*)\n", re.MULTILINE | re.DOTALL)
OTHER_FORM: Final = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """Return one module with the exports of *entry*, such as `track`; *read* returns a module's source.

    Modules of folders are named by their path, such as `dispatch/board`.

    Raises ValueError for other forms of import or export, and for modules that import each other.
    """
    joined: dict[str, str] = {}  # in the order in which they run
    exports = _join(entry, read, joined, ())
    return "".join(joined.values()) + (f"export const {{ {exports} }} = {_name(entry)};\n" if exports else "")


def _join(module: str, read: Callable[[str], str], joined: dict[str, str], importers: tuple[str, ...]) -> str:
    """Append a module after those that it imports, and return the names that it exports."""
    if module in importers:
        raise ValueError(f"modules import each other: {' -> '.join((*importers, module))}")
    source = read(module)
    for _, path in IMPORT.findall(source):
        if (imported := _module_at(path, module)) not in joined:
            _join(imported, read, joined, (*importers, module))
    exports = ", ".join(EXPORT.findall(source))
    body = IMPORT.sub(lambda found: _destructured(found, module), COMMENT.sub("", source))
    body = EXPORT.sub("", body)
    if (other := OTHER_FORM.search(body)) is not None:
        raise ValueError(f"{module}.js: cannot bundle {other[0]!r}")
    joined[module] = f"const {_name(module)} = (() => {{\n{body}return {{ {exports} }};\n}})();\n"
    return exports


def _module_at(path: str, importer: str) -> str:
    """Return the module that *importer* means by a path such as `../drive/element`."""
    return normpath(join(dirname(importer), path))


def _destructured(statement: re.Match[str], importer: str) -> str:
    names = statement[1].replace(" as ", ": ")
    return f"const {{ {names} }} = {_name(_module_at(statement[2], importer))};\n"


def _name(module: str) -> str:
    return f"${module.replace('-', '_').replace('/', '$')}"
