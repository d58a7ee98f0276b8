"""Is the schema up to date? Answered without loading the product: that second most starts can save."""

import re
from pathlib import Path

import psycopg

from telehealth.embedded.place import ROOT

VERSIONS = ROOT / "migrations" / "versions"
REVISION = re.compile(r"^revision(?:: str)? = \"(\w+)\"", re.MULTILINE)
PARENT = re.compile(r"^down_revision(?:: .*)? = \"(\w+)\"", re.MULTILINE)


def is_current(owner_url: str, versions: Path = VERSIONS) -> bool:
    """Tell whether the database stands at the one head of these sources; when in doubt, no."""
    try:
        with psycopg.connect(owner_url.replace("postgresql+psycopg://", "postgresql://", 1)) as connection:
            found = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    except psycopg.Error:
        return False
    return [version for (version,) in found] == heads(versions)


def heads(versions: Path) -> list[str]:
    """Return the revisions that no other one follows."""
    texts = [path.read_text() for path in sorted(versions.glob("*.py"))]
    parents = {parent for text in texts for parent in PARENT.findall(text)}
    return [revision for text in texts for revision in REVISION.findall(text) if revision not in parents]
