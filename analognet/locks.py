"""One run at a time in a directory, and the leavings of runs that were killed.

The lock is the kernel's (flock on the directory itself): it leaves no file behind, and ends with
the process however that ends. Where a file system has no such locks there is none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from analognet.errors import InputError
from analognet.names import printable

UNFINISHED: Final = ".part"  # ends the name of whatever is not yet whole; it begins with a dot
_held: set[tuple[int, int]] = set()  # device and inode of what this process holds: it may ask twice


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a directory that exists for this process alone.

    Raises InputError where another process holds it: nothing waits, so that two runs that would wait
    for one another cannot.
    """
    fd = _open(directory)
    status = os.fstat(fd)
    place = (status.st_dev, status.st_ino)
    if place in _held:
        os.close(fd)
        yield
        return
    try:
        if not _try_lock(fd):
            raise InputError(
                f"'{printable(directory)}' is in use by another run of analognet; wait until it has ended, "
                "or work in another directory"
            )
        _held.add(place)
        yield
    finally:
        _held.discard(place)
        os.close(fd)


def clear(directory: Path) -> None:
    """Remove the files that killed runs left half written in a directory that is ours and held."""
    for pattern in (f".*{UNFINISHED}", f"*/.*{UNFINISHED}"):
        for path in directory.glob(pattern):
            with contextlib.suppress(OSError):
                path.unlink()


@contextmanager
def unfinished(beside: Path) -> Iterator[Path]:
    """A new directory beside another, for what will replace it; gone when the block ends, if still there.

    Those that killed runs left for the same purpose are removed first.
    """
    for old in beside.parent.glob(f".{_escaped(beside.name)}.*{UNFINISHED}"):
        with contextlib.suppress(InputError):
            fd = _open(old)
            free = _try_lock(fd)
            os.close(fd)
            if free:
                shutil.rmtree(old, ignore_errors=True)
    place = Path(tempfile.mkdtemp(dir=beside.parent, prefix=f".{beside.name}.", suffix=UNFINISHED))
    fd = _open(place)
    try:
        _try_lock(fd)
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(fd)


def _escaped(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def _open(directory: Path) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as e:
        raise InputError(f"'{printable(directory)}' cannot be used: {e.strerror}") from None


def _try_lock(fd: int) -> bool:
    """Whether the lock was free; a file system without locks counts as free."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as e:
        return e.errno not in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
    return True
