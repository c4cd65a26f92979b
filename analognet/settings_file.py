"""TOML files of values that a user may edit, read into checked models."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from analognet.errors import InputError
from analognet.names import printable

Model = TypeVar("Model", bound=BaseModel)


def read_settings(path: Path, model: type[Model], where: str) -> Model:
    """Read one file as a model. Raises InputError that begins with `where` and names key and fault."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as e:
        raise InputError(f"{where} cannot be read: {printable(e)}") from None
    except ValidationError as e:
        first = e.errors()[0]
        raise InputError(
            f"{where}: {'.'.join(printable(k) for k in first['loc'])}: {printable(first['msg'])}"
        ) from None
