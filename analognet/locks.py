"""One run at a time in a directory, and the leavings of runs that were killed.

The lock is the kernel's (flock on the directory itself): it leaves no file behind, and ends with
the process however that ends. Where a file system has no such locks there is none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
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

    Those that killed runs left for the same purpose are removed first: directories under a name that only
    this function gives, of this user, which no process holds.
    """
    for old in _left_behind(beside):
        with contextlib.suppress(InputError):
            fd = _open(old)
            try:  # it is held while it goes: who has just made it does not take it for its own
                if os.fstat(fd).st_uid == os.getuid() and _try_lock(fd):
                    shutil.rmtree(old, ignore_errors=True)
            finally:
                os.close(fd)
    place, fd = _held_directory(beside)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(fd)


def _left_behind(beside: Path) -> list[Path]:
    """Directories with a name that `tempfile` made for `unfinished`, or that `storage` gives what it replaced."""
    name = re.compile(rf"\.{re.escape(beside.name)}\.[a-z0-9_]{{8}}(-old)?{re.escape(UNFINISHED)}")
    with contextlib.suppress(OSError):
        return sorted(p for p in beside.parent.iterdir() if name.fullmatch(p.name) and not p.is_symlink())
    return []


def _held_directory(beside: Path) -> tuple[Path, int]:
    """A fresh directory and the descriptor that locks it. Another run may take it for left behind before
    it is locked, and then it is not there any more: so there is another try.
    """
    while True:
        place = Path(tempfile.mkdtemp(dir=beside.parent, prefix=f".{beside.name}.", suffix=UNFINISHED))
        try:
            fd = _open(place)
        except InputError:
            if place.exists():
                raise
            continue
        if _try_lock(fd) and place.exists():
            return place, fd
        os.close(fd)


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
