"""A cache of results by content: JSON of our own, nothing that could run."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any


def digest(*parts: object) -> str:
    """SHA-256, in hex, of anything JSON can hold."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def load_cached(place: Path) -> Any:
    """The JSON value in a cache entry, or None: a missing, damaged or foreign entry is no entry."""
    try:
        entry = json.loads(place.read_text(encoding="utf-8"))
        if entry["digest"] == digest(entry["value"]):
            return entry["value"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def store_cached(place: Path, value: Any) -> None:
    """Keep a JSON value; a cache that cannot be written is no failure."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=place.parent, prefix=".", suffix=".tmp", encoding="utf-8", delete=False
        ) as file:
            json.dump({"digest": digest(value), "value": value}, file)
        Path(file.name).replace(place)
    except OSError:
        return
