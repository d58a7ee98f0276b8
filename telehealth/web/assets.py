"""Built assets by their source name: `asset("islands/room.ts")` gives the hashed address."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, url_for

DIST = Path(__file__).resolve().parent / "static" / "dist"


@lru_cache(maxsize=1)
def _manifest() -> dict[str, Any]:
    path = next((p for p in (DIST / "manifest.json", DIST / ".vite" / "manifest.json") if p.exists()), None)
    return json.loads(path.read_text()) if path else {}


def asset(name: str) -> str:
    """Return the address of a built file. Raises KeyError for one that was never built."""
    manifest = _manifest()
    entry = manifest.get(name) or manifest[f"src/{name}"]
    return url_for("static", filename=f"dist/{entry['file']}")


def init_assets(app: Flask) -> None:
    """Give templates `asset()`."""
    app.add_template_global(asset)
