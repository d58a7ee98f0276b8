"""Built assets by their source name: `asset("islands/room.ts")` gives the hashed address."""

import json
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, request, send_from_directory, url_for

from telehealth.web.guard import public

DIST = Path(__file__).resolve().parent / "static" / "dist"
_MANIFEST = DIST / "manifest.json"
_FOR_EVER = 365 * 24 * 3600

# Python 3.11's own table lacks it, and not every machine has a longer one.
mimetypes.add_type("font/woff2", ".woff2")


@lru_cache(maxsize=1)
def _manifest(_written_at: int) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads(_MANIFEST.read_text())
    return manifest


def asset(name: str) -> str:
    """Return the address of a built file. Raises KeyError for one that was never built."""
    return url_for("built", filename=_file(name))


def asset_with_parts(name: str) -> list[str]:
    """Return the addresses of a built file and of everything that it loads. Raises KeyError."""
    manifest = _manifest(_MANIFEST.stat().st_mtime_ns)
    parts, wanted = dict.fromkeys([str(manifest[name]["file"])]), list(manifest[name].get("imports", []))
    while wanted:
        part = manifest[wanted.pop()]
        if part["file"] not in parts:
            parts[str(part["file"])] = None
            wanted += part.get("imports", [])
    files = [*parts, *map(str, manifest[name].get("assets", []))]
    return [url_for("built", filename=each) for each in files]


def built_text(name: str) -> str:
    """Return what a built file says. Raises KeyError for one that was never built."""
    return (DIST / _file(name)).read_text(encoding="utf-8")


def _file(name: str) -> str:
    return str(_manifest(_MANIFEST.stat().st_mtime_ns)[name]["file"])


@public
def built(filename: str) -> Response:
    """Send a built file or the compressed copy beside it; its name changes with its content."""
    packed = request.accept_encodings["gzip"] > 0 and (DIST / f"{filename}.gz").is_file()
    kind = mimetypes.guess_type(filename)[0]
    response = send_from_directory(
        DIST, f"{filename}.gz" if packed else filename, mimetype=kind, max_age=_FOR_EVER
    )
    response.cache_control.public = True
    response.cache_control.immutable = True
    response.vary.add("Accept-Encoding")
    if packed:
        response.content_encoding = "gzip"
    return response


def init_assets(app: Flask) -> None:
    """Serve what the frontend build made and give templates `asset()`."""
    app.add_url_rule("/static/dist/<path:filename>", "built", built)
    app.add_template_global(asset)
