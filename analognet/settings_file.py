"""TOML files of values that a user may edit, read into checked models."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from analognet.errors import InputError
from analognet.loading.files import read_regular
from analognet.names import printable

SIZE_LIMIT: Final = 1 << 16  # bytes; ours have a few thousand, and tomllib takes long over deep keys
Model = TypeVar("Model", bound=BaseModel)


def read_toml(path: Path, where: str) -> dict[str, Any]:
    """The values of one regular file. Raises InputError that begins with `where`."""
    data = read_regular(path, where.partition(" '")[0], SIZE_LIMIT)
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError:
        raise InputError(f"{where} cannot be read: nested too deeply") from None
    except ValueError as e:  # also UnicodeDecodeError, and integers of 4,300 digits and more
        raise InputError(f"{where} cannot be read: {printable(e)}") from None


def read_settings(path: Path, model: type[Model], where: str) -> Model:
    """Read one file as a model. Raises InputError that begins with `where` and names key and fault."""
    try:
        return model.model_validate(read_toml(path, where))
    except ValidationError as e:
        first = e.errors()[0]
        raise InputError(
            f"{where}: {'.'.join(printable(k) for k in first['loc'])}: {printable(first['msg'])}"
        ) from None
