"""Directories that are either complete or not there, and say what they hold.

A directory is written under a temporary name beside its own, gets a manifest of digests, and
is exchanged for what stood in its place; a reader checks the digests.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from analognet.errors import InputError, UsageError
from analognet.loading.files import read_regular
from analognet.locks import UNFINISHED, locked, unfinished
from analognet.names import printable

MANIFEST: Final = "manifest.json"
_FILE_LIMIT: Final = 8 << 30
_MANIFEST_LIMIT: Final = 1 << 24


def digest(data: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()


def digest_of(pieces: Iterable[bytes]) -> str:
    """SHA-256 in hex of the pieces joined, which are never all in memory."""
    found = hashlib.sha256()
    for piece in pieces:
        found.update(piece)
    return found.hexdigest()


def file_pieces(path: Path) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time. Raises InputError where it cannot be read."""
    try:
        with path.open("rb") as f:
            while piece := f.read(1 << 20):
                yield piece
    except OSError as e:
        raise InputError(f"{printable(path)} cannot be read: {e.strerror}") from None


def to_json(value: object) -> str:
    """JSON as files hold it: sorted keys, indented, and no NaN. Raises ValueError for NaN."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_file(path: Path, data: bytes) -> None:
    """Write one file whole or not at all. Raises InputError where the file system refuses."""
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name[:100]}.", suffix=UNFINISHED, delete=False
        ) as f:
            temporary = Path(f.name)
            try:
                f.write(data)
                f.flush()
                os.fsync(f.fileno())
                temporary.chmod(0o644)
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
    except OSError as e:
        raise InputError(f"{printable(path)} cannot be written: {e.strerror}") from e


def check_target(directory: Path, kind: str) -> None:
    """Raise UsageError where a directory holds something that is not ours to replace."""
    if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
        raise UsageError(
            f"{printable(directory)} exists and is no directory of its own; choose another --out"
        )
    if directory.is_dir() and any(directory.iterdir()):
        try:
            text = read_regular(directory / MANIFEST, "manifest", _MANIFEST_LIMIT)
            ours = json.loads(text)["kind"] == kind
        except (InputError, OSError, ValueError, KeyError, TypeError, RecursionError):
            ours = False
        if not ours:
            raise UsageError(
                f"{printable(directory)} holds something else; choose another --out, or empty it"
            )


def write_directory(directory: Path, kind: str, files: Mapping[str, bytes | Iterator[bytes]]) -> None:
    """Replace a directory by one with these files (names may hold one `/`) and their manifest.

    A large file comes in pieces, which are written as they are made.

    What stood there before stays until the new one is complete. Raises UsageError where the
    directory is not ours, InputError where the file system refuses.
    """
    check_target(directory, kind)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(directory) as fresh:
            written = {name: _write(fresh / name, data) for name, data in files.items()}
            manifest = {"kind": kind, "files": dict(sorted(written.items()))}
            _write(fresh / MANIFEST, to_json(manifest).encode())
            fresh.chmod(0o755)
            if directory.is_dir():
                with locked(directory):
                    _exchange(fresh, directory)
            else:
                fresh.rename(directory)
    except OSError as e:
        words = (
            "another run wrote it meanwhile"
            if e.errno in (errno.ENOTEMPTY, errno.EEXIST) and directory.is_dir()
            else e.strerror
        )
        raise InputError(f"{printable(directory)} cannot be written: {words}") from e


def _exchange(fresh: Path, directory: Path) -> None:
    """Put a directory in another's place: in one step where the system can, so that no moment has neither."""
    libc = ctypes.CDLL(None, use_errno=True)
    if hasattr(libc, "renameat2"):
        here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of linux/fcntl.h and linux/fs.h
        if libc.renameat2(here, os.fsencode(fresh), here, os.fsencode(directory), exchange) == 0:
            return
    old = fresh.with_name(f"{fresh.name.removesuffix(UNFINISHED)}-old{UNFINISHED}")
    directory.rename(old)
    fresh.rename(directory)
    shutil.rmtree(old)


def _write(path: Path, data: bytes | Iterator[bytes]) -> str:
    """Write a file that is then on the disk, and tell its digest."""
    path.parent.mkdir(exist_ok=True)
    found = hashlib.sha256()
    with path.open("wb", buffering=1 << 20) as f:
        for piece in (data,) if isinstance(data, bytes) else data:
            found.update(piece)
            f.write(piece)
        f.flush()
        os.fsync(f.fileno())
    return found.hexdigest()


def read_directory(directory: Path, kind: str, unread: Sequence[str] = ()) -> dict[str, bytes]:
    """The files of a directory that `write_directory` made, their digests checked.

    unread: names of large files, which are checked and left where they are.
    Raises InputError naming the file that is missing or was changed.
    """
    where = f"build directory '{printable(directory)}'"
    try:
        manifest = json.loads(read_regular(directory / MANIFEST, "manifest", _MANIFEST_LIMIT))
    except (InputError, OSError, ValueError, RecursionError):  # the last from JSON that is nested too deeply
        raise InputError(f"{where} has no readable {MANIFEST}; make it with analognet convert") from None
    if (
        not isinstance(manifest, dict)
        or manifest.get("kind") != kind
        or not isinstance(manifest.get("files"), dict)
    ):
        raise InputError(f"{where} is not a {kind} directory; make it with analognet convert")
    files: dict[str, bytes] = {}
    absent = dict.fromkeys(name for name in unread if name not in manifest["files"])
    for name, wanted in {**manifest["files"], **absent}.items():
        path = directory / name
        if wanted is None or Path(name).is_absolute() or ".." in Path(name).parts or not _is_file(path):
            raise InputError(f"{where}: {printable(name)} is missing; run analognet convert again")
        if path.stat().st_size > _FILE_LIMIT:
            raise InputError(f"{where}: {printable(name)} is over {_FILE_LIMIT} bytes")
        data = None if name in unread else read_regular(path, "file", _FILE_LIMIT)
        if (digest_of(file_pieces(path)) if data is None else digest(data)) != wanted:
            raise InputError(
                f"{where}: {printable(name)} was changed after convert; run analognet convert again"
            )
        if data is not None:
            files[name] = data
    return files


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name no file system has
        return False
