"""The documentation's sources: pages that exist, a reference without gaps, a notebook that runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import matplotlib.pyplot as plt
import pytest
from conftest import EXAMPLES, ROOT

import analognet

DOCS = ROOT / "docs"


def pages() -> list[str]:
    """Of the nav in mkdocs.yml, whose leaves all read `- Title: page.md`."""
    nav = (ROOT / "mkdocs.yml").read_text().partition("\nnav:\n")[2]
    return re.findall(r"^ +- .+: (\S+\.md)$", nav, flags=re.MULTILINE)


def test_the_site_has_every_page_that_exists() -> None:
    found = pages()
    assert "reference.md" in found
    assert len(found) == len(set(found))
    assert set(found) == {p.name for p in DOCS.glob("*.md")}


def test_links_between_pages_lead_somewhere() -> None:
    for page in pages():
        for target in re.findall(r"\]\(([^)#:]+)\)", (DOCS / page).read_text()):
            assert (DOCS / target).exists(), f"{page} points at {target}"


def test_the_reference_has_every_public_name() -> None:
    named = re.findall(r"^::: analognet\.(\w+)$", (DOCS / "reference.md").read_text(), flags=re.MULTILINE)
    assert sorted(named) == sorted(analognet.__all__)
    undocumented = [name for name in named if not (getattr(analognet, name).__doc__ or "").strip()]
    assert undocumented == []


def code_cells() -> Iterator[str]:
    notebook: dict[str, Any] = json.loads((EXAMPLES / "tour.ipynb").read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [], "the notebook is kept without outputs"
            yield "".join(cell["source"])


@pytest.mark.slow
def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Its cells one after the other, as a kernel would run them."""
    monkeypatch.chdir(EXAMPLES)
    shown: list[int] = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(len(plt.gcf().axes)))
    scope: dict[str, Any] = {}
    for i, source in enumerate(code_cells()):
        exec(compile(source, f"tour.ipynb cell {i}", "exec"), scope)
    plt.close("all")
    assert shown == [2]
    assert scope["result"].metrics["accuracy"] > 0.9
    assert [row[:2] for row in scope["rows"]] == [("opa4192", "exact"), ("opa4192", "E24"), ("lm358", "E24")]
    assert "lm358" in capsys.readouterr().out
