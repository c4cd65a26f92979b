"""Directories that are complete or not there, and files that say so when they were changed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognet import storage
from analognet.errors import InputError, UsageError
from analognet.storage import MANIFEST, read_directory, to_json, write_directory, write_file

FILES = {"a.txt": b"alpha", "cells/b.cir": b"beta", "empty": b""}


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    write_directory(tmp_path / "deep" / "d", "kind", FILES)
    assert read_directory(tmp_path / "deep" / "d", "kind") == FILES
    assert sorted(p.name for p in (tmp_path / "deep").iterdir()) == ["d"]


def test_writing_again_replaces_everything(tmp_path: Path) -> None:
    write_directory(tmp_path / "d", "kind", FILES)
    (tmp_path / "d" / "simulate.png").write_bytes(b"of the old design")
    write_directory(tmp_path / "d", "kind", {"c": b"new"})
    assert read_directory(tmp_path / "d", "kind") == {"c": b"new"}
    assert sorted(p.name for p in (tmp_path / "d").iterdir()) == ["c", MANIFEST]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d"]


def test_what_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    for manifest in (None, "{}", "[]", "nonsense", '{"kind": "another"}'):
        if manifest is not None:
            (other / MANIFEST).write_text(manifest)
        with pytest.raises(UsageError, match="holds something else; choose another --out, or empty it"):
            write_directory(other, "kind", FILES)
    assert (other / "thesis.tex").read_text() == "years of work"
    write_directory(tmp_path / "nothing", "kind", FILES)  # one that is not there


def test_an_empty_directory_may_be_used(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    write_directory(tmp_path / "d", "kind", FILES)
    assert read_directory(tmp_path / "d", "kind") == FILES


def test_links_and_files_are_no_directory_of_their_own(tmp_path: Path) -> None:
    real = tmp_path / "real"
    write_directory(real, "kind", FILES)
    (tmp_path / "link").symlink_to(real)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "fifo")
    for name in ("link", "dangling", "file", "fifo"):
        with pytest.raises(UsageError, match="exists and is no directory of its own; choose another --out"):
            write_directory(tmp_path / name, "kind", {"c": b"new"})
    assert read_directory(real, "kind") == FILES
    assert not (tmp_path / "nowhere").exists()


def test_a_parent_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"cannot be written: (Not a directory|File exists)"):
        write_directory(tmp_path / "file" / "d", "kind", FILES)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc: a directory nobody may write to")
def test_a_file_system_that_refuses() -> None:
    with pytest.raises(InputError, match=r"^/proc/d cannot be written: "):
        write_directory(Path("/proc/d"), "kind", FILES)
    with pytest.raises(InputError, match=r"^/proc/x cannot be written: "):
        write_file(Path("/proc/x"), b"x")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_directory(tmp_path / "d", "kind", FILES)
    write_file(tmp_path / "f", b"old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        write_directory(tmp_path / "d", "kind", {"c": b"new"})
    with pytest.raises(InputError, match="cannot be written: No space left on device"):
        write_file(tmp_path / "f", b"new")
    assert read_directory(tmp_path / "d", "kind") == FILES
    assert (tmp_path / "f").read_bytes() == b"old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "f"]


@pytest.mark.parametrize("at", [1, *(pytest.param(k, marks=pytest.mark.slow) for k in (2, 3, 4))])
def test_killed_in_the_middle_the_old_directory_stays(at: int, tmp_path: Path) -> None:
    """SIGKILL at the n-th fsync: after each of the three files and the manifest."""
    write_directory(tmp_path / "d", "kind", FILES)
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        from analognet import storage
        calls, real = [], os.fsync
        def fsync(fd):
            real(fd)
            calls.append(fd)
            if len(calls) == {at}:
                os.kill(os.getpid(), signal.SIGKILL)
        storage.os.fsync = fsync
        storage.write_directory(Path({str(tmp_path / "d")!r}), "kind", {{"x": b"1", "y": b"2", "z": b"3"}})
    """)
    done = subprocess.run([sys.executable, "-c", script], timeout=60)
    assert done.returncode == -9
    assert read_directory(tmp_path / "d", "kind") == FILES
    write_directory(tmp_path / "d", "kind", {"c": b"new"})  # what was left behind is in nobody's way
    assert read_directory(tmp_path / "d", "kind") == {"c": b"new"}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_changed_file_is_named(name: str, tmp_path: Path) -> None:
    write_directory(tmp_path / "d", "kind", FILES)
    (tmp_path / "d" / name).write_bytes(b"changed")
    with pytest.raises(
        InputError, match=f"{re.escape(name)} was changed after convert; run analognet convert"
    ):
        read_directory(tmp_path / "d", "kind")
    (tmp_path / "d" / name).unlink()
    with pytest.raises(InputError, match=f"{re.escape(name)} is missing; run analognet convert again"):
        read_directory(tmp_path / "d", "kind")


def with_manifest(directory: Path, text: str | bytes) -> Path:
    write_directory(directory, "kind", FILES)
    (directory / MANIFEST).write_bytes(text.encode() if isinstance(text, str) else text)
    return directory


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "cells/../../secret", "..", "a\0b", "x" * 5000, "cells", "", ".", "\ud800"],
)
def test_names_that_lead_out_of_the_directory(name: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    manifest = json.dumps({"kind": "kind", "files": {name: storage.digest(b"s")}})
    with pytest.raises(InputError) as caught:
        read_directory(with_manifest(tmp_path / "d", manifest), "kind")
    assert "is missing; run analognet convert again" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("", "has no readable manifest.json"),
        ("nonsense", "has no readable manifest.json"),
        (b"\xff\xfe\x00", "has no readable manifest.json"),
        ("[" * 100_000, "has no readable manifest.json"),
        ("[]", "is not a kind directory"),
        ("{}", "is not a kind directory"),
        ('{"kind": "other", "files": {}}', "is not a kind directory"),
        ('{"kind": "kind", "files": []}', "is not a kind directory"),
        ('{"kind": "kind", "files": {"a.txt": 7}}', "a.txt was changed after convert"),
    ],
)
def test_manifests_that_are_none(manifest: str | bytes, words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        read_directory(with_manifest(tmp_path / "d", manifest), "kind")


def test_a_directory_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no readable manifest.json; make it with analognet convert"):
        read_directory(tmp_path / "nosuch", "kind")


def test_a_link_in_place_of_a_file_is_held_to_its_digest(tmp_path: Path) -> None:
    write_directory(tmp_path / "d", "kind", FILES)
    (tmp_path / "secret").write_text("s")
    (tmp_path / "d" / "a.txt").unlink()
    (tmp_path / "d" / "a.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match=r"a\.txt was changed"):
        read_directory(tmp_path / "d", "kind")


def test_one_file_is_written_whole(tmp_path: Path) -> None:
    write_file(tmp_path / "f", b"one")
    write_file(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o644
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        write_file(tmp_path / "nosuch" / "f", b"x")
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        write_file(tmp_path, b"x")


@given(st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False)))
def test_json_is_the_same_for_the_same_values(values: dict[str, float]) -> None:
    text = to_json(values)
    assert json.loads(text) == values
    assert to_json(dict(reversed(values.items()))) == text


def test_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": float("nan")})


def test_large_files_go_out_in_pieces_and_are_checked_where_they_lie(tmp_path: Path) -> None:
    directory, text = tmp_path / "d", b"a line\n" * 300_000
    pieces = (text[i : i + 1000] for i in range(0, len(text), 1000))
    storage.write_directory(directory, "kind", {"large": pieces, "small": b"s"})
    assert (directory / "large").read_bytes() == text
    whole = storage.read_directory(directory, "kind")
    assert whole == {"large": text, "small": b"s"}
    assert storage.read_directory(directory, "kind", unread=("large",)) == {"small": b"s"}
    assert storage.digest_of(storage.file_pieces(directory / "large")) == storage.digest(text)
    with pytest.raises(InputError, match="other is missing"):
        storage.read_directory(directory, "kind", unread=("other",))
    (directory / "large").write_bytes(text[:-1] + b" ")
    with pytest.raises(InputError, match="large was changed after convert"):
        storage.read_directory(directory, "kind", unread=("large",))
