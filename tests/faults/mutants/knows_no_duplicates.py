"""Mutant: the duplicate path without ON CONFLICT."""

import re
from types import MappingProxyType

from tracker.__main__ import main
from tracker.database import queries

if __name__ == "__main__":
    statements = dict(queries.statements())
    without = re.sub(r"ON CONFLICT \(driver, recorded_at\) DO NOTHING", "", statements["insert_incoming"])
    assert without != statements["insert_incoming"]
    statements["insert_incoming"] = without
    queries.statements = lambda: MappingProxyType(statements)  # type: ignore[assignment]
    main()
