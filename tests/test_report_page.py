"""A report's page in a real browser: headless Chromium."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import browser
import pytest
from conftest import ROOT
from reports import HOSTILE, report

from analognet import storage
from analognet.report import figures, page

pytestmark = pytest.mark.slow
PHONE, DESK = 360, 1280
ADDRESS = "the page"
# the brightness of a colour that CSS computed, 0 to 255
LIGHT = """(name => { const c = getComputedStyle(document.body)[name].match(/[0-9.]+/g).map(Number);
            return (c[0] + c[1] + c[2]) / 3 })"""


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Page]:
    program = browser.find()
    if program is None:
        pytest.skip("no Chromium on PATH: apt-get install chromium (Debian, Ubuntu)")
    with browser.page(program) as found:
        yield found


def pages() -> list[str]:
    """Committed reports, and two made here: plain, and with every hostile name at once."""
    return [
        "plain",
        "hostile",
        *sorted(p.parent.name for p in (ROOT / "docs" / "reports").glob("*/report.html")),
    ]


@pytest.fixture(scope="module", params=pages())
def where(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param not in ("plain", "hostile"):
        return ROOT / "docs" / "reports" / request.param / "report.html"
    text = "plain" if request.param == "plain" else " ".join(HOSTILE)
    value = json.loads(storage.to_json(report(text)))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page.render(value, figures.draw_all(value)), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_nothing_overflows_and_nothing_complains(
    tab: browser.Page, where: Path, width: int, dark: bool
) -> None:
    tab.errors.clear()
    tab.requests.clear()
    tab.look(width, 800, dark=dark, phone=width == PHONE)
    tab.open(where.as_uri())
    assert tab.value("document.documentElement.scrollWidth") == width
    # nothing sticks out of the page but inside a box that scrolls by itself
    boxes = ".scroll, .wide, svg, details:not([open])"
    out = tab.value(f"""[...document.body.querySelectorAll("*")].filter(e => !e.closest("{boxes}")
        && e.getBoundingClientRect().right > {width} + 0.5).map(e => e.outerHTML.slice(0, 80))""")
    assert out == []
    assert tab.errors == []
    assert all(r == where.as_uri() or r.startswith("data:") for r in tab.requests), tab.requests
    paper, ink = tab.value(f"{LIGHT}('backgroundColor')"), tab.value(f"{LIGHT}('color')")
    assert (paper < 60 and ink > 180) if dark else (paper > 230 and ink < 80)
    drawn = tab.value("""[...document.querySelectorAll("figure svg")].map(s => [s.getBBox().width, s.getBBox().height,
        s.querySelectorAll("path").length, getComputedStyle(s.querySelector("text, path[style], use")).color])""")
    assert drawn
    assert all(width > 100 and height > 50 and paths > 5 for width, height, paths, _ in drawn)
    ids = tab.value("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))


def test_a_column_of_a_table_sorts_both_ways(tab: browser.Page, where: Path) -> None:
    tab.look(DESK, 800)
    tab.open(where.as_uri())
    count = tab.value("document.querySelectorAll('table.sortable').length")
    assert count >= 1
    for table in range(count):
        for head in range(
            tab.value(f"document.querySelectorAll('table.sortable')[{table}].tHead.rows[0].cells.length")
        ):
            keys = _clicked(tab, table, head)
            assert keys == _ordered(keys), (table, head)
            back = _clicked(tab, table, head)
            assert back == _ordered(back, reverse=True), (table, head)


def _clicked(tab: browser.Page, table: int, head: int) -> list[str]:
    found: list[str] = tab.value(f"""(() => {{ const t = document.querySelectorAll('table.sortable')[{table}];
        t.tHead.rows[0].cells[{head}].querySelector('button').click();
        return [...t.tBodies[0].rows].map(r => r.cells[{head}].dataset.order) }})()""")
    return found


def _ordered(keys: list[str], reverse: bool = False) -> list[Any]:
    try:
        return sorted(keys, key=float, reverse=reverse)
    except ValueError:  # as JavaScript compares texts: by UTF-16
        return sorted(keys, key=lambda k: k.encode("utf-16-be"), reverse=reverse)


def test_a_row_orders_the_columns_best_first(tab: browser.Page, where: Path) -> None:
    tab.look(DESK, 800)
    tab.open(where.as_uri())
    rows = tab.value("document.querySelectorAll('#comparison tbody button').length")
    assert rows > 5
    for row in range(rows):
        better, values, titles, heads = tab.value(f"""(() => {{
            const b = document.querySelectorAll('#comparison tbody button')[{row}]; b.click();
            const cells = [...b.closest('tr').cells].slice(1);
            return [Number(b.dataset.better),
                cells.map(c => c.dataset.order ?? null), cells.map(c => c.dataset.column),
                [...document.querySelector('#comparison thead tr').cells].slice(1)
                    .map(c => c.firstChild.textContent)] }})()""")
        assert titles == heads  # every cell stays below its own head
        known = [float(v) for v in values if v is not None]
        assert values[len(known) :] == [None] * (len(values) - len(known))  # what is empty comes last
        assert known == sorted(known, reverse=better > 0)


def test_it_prints_on_white(tab: browser.Page, where: Path) -> None:
    tab.look(DESK, 800, dark=True)
    tab.open(where.as_uri())
    made = tab.pdf()
    assert made.startswith(b"%PDF")
    sheets = len(re.findall(rb"/Type\s*/Page\b", made))
    assert 2 <= sheets <= 40
    tab.call(
        "Emulation.setEmulatedMedia",
        media="print",
        features=[{"name": "prefers-color-scheme", "value": "dark"}],
    )
    assert tab.value(f"{LIGHT}('backgroundColor')") == 255
    assert tab.value(f"{LIGHT}('color')") < 80
    tab.call("Emulation.setEmulatedMedia", media="", features=[])


def test_names_run_nothing(tab: browser.Page, tmp_path: Path) -> None:
    tab.errors.clear()
    path = tmp_path / "report.html"
    for text in HOSTILE:
        value = json.loads(storage.to_json(report(text)))
        path.write_text(page.render(value, []), encoding="utf-8")
        tab.open(path.as_uri())
        assert tab.value("document.querySelectorAll('script').length") == 1
        assert tab.value("document.querySelectorAll('img').length") == 0
    assert tab.errors == []


def test_a_script_that_is_not_ours_does_not_run(tab: browser.Page, tmp_path: Path) -> None:
    made = page.render(json.loads(storage.to_json(report())), [])
    path = tmp_path / "report.html"
    path.write_text(
        made.replace("</body>", "<script>document.title = 'taken'</script></body>"), encoding="utf-8"
    )
    tab.open(path.as_uri())
    assert tab.value("document.title") != "taken"
    assert any("Content Security Policy" in e for e in tab.errors)
