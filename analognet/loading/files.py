"""Opening foreign files: regular ones of a bounded size, and nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from analognet.errors import InputError
from analognet.names import printable

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def size_text(n_bytes: float) -> str:
    """A number of bytes as a person reads it: `812 B`, `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:.3g} TiB"


def open_regular(path: str | Path, what: str, limit: int) -> BinaryIO:
    """Open a regular file of at most `limit` bytes for reading; symlinks are followed.

    `what` says in messages what the file is for, for example "model". Raises InputError when
    the file is missing, unreadable, too large, or a directory, named pipe, socket or device.
    """
    label = f"{what} '{printable(path)}'"
    try:
        # opened before it is looked at, so that it cannot change in between; O_NONBLOCK
        # because opening a named pipe would otherwise wait for a writer for ever
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        raise InputError(f"{label}: no such file") from None
    except ValueError:
        raise InputError(f"{label}: not a file name that can exist") from None
    except OSError as error:
        raise InputError(f"{label}: cannot be opened: {error.strerror}") from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        kind = next((name for test, name in _KINDS if test(status.st_mode)), "not a file")
        raise InputError(f"{label} is {kind}; a regular file is needed")
    if status.st_size > limit:
        os.close(fd)
        raise InputError(f"{label} has {size_text(status.st_size)}; at most {size_text(limit)} are read")
    return os.fdopen(fd, "rb")


def read_regular(path: str | Path, what: str, limit: int) -> bytes:
    """All bytes of a regular file of at most `limit` bytes. Raises InputError as `open_regular`."""
    with open_regular(path, what, limit) as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size + 1)  # not limit: as much is set aside before the first byte is read
    if len(data) > size:
        raise InputError(f"{what} '{printable(path)}' grew while it was read")
    return data
