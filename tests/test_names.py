"""Foreign text: safe to show, safe as a file name."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analognet.names import PRINTABLE_LIMIT, file_stem, printable

ANY_TEXT = st.text(st.characters(), max_size=200)  # surrogates and control characters included


@given(ANY_TEXT)
def test_printable_text_is_one_line_without_control_characters(text: str) -> None:
    shown = printable(text)
    assert len(shown.splitlines()) <= 1
    assert not [c for c in shown if unicodedata.category(c)[0] == "C"]
    shown.encode("utf-8")


@given(st.text(st.characters(), max_size=20), st.text(st.characters(), max_size=20))
def test_printable_forms_of_different_texts_differ(a: str, b: str) -> None:
    assert (printable(a) == printable(b)) == (a == b)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("l1.weight", "l1.weight"),
        ("a\nb\r\tc", r"a\x0ab\x0d\x09c"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\x00", r"\x00"),
        ("Größe", "Größe"),
        ("\u202egpj", r"\u202egpj"),
        ("\u2028", r"\u2028"),
        ("\\n", r"\\n"),
        ("a" * 100_000, "a" * PRINTABLE_LIMIT + "... (100000 characters)"),
        (ValueError("x"), "x"),
    ],
)
def test_printable(text: object, shown: str) -> None:
    assert printable(text) == shown


@given(ANY_TEXT)
def test_a_file_stem_is_one_harmless_path_component(text: str) -> None:
    stem = file_stem(text)
    assert re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,39}", stem)


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("digits", "digits"),
        ("Digits-2", "digits-2"),
        ("../../x", "x"),
        ("--out", "out"),
        ("\n;$", "network"),
        ("", "network"),
        ("a" * 100_000, "a" * 40),
        ("<script>", "script"),
    ],
)
def test_file_stem(text: str, stem: str) -> None:
    assert file_stem(text) == stem
