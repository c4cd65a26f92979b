"""What is rendered from a report value: the same everywhere, text as text, and no word without its number."""

from __future__ import annotations

import copy
import csv
import html
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from reports import HOSTILE, cell, column, report

from analognet import storage
from analognet.errors import InputError
from analognet.names import printable
from analognet.report import escape, figures, forms, latex, markdown, methods, page, spreadsheet, table
from analognet.report.drawing import inline
from analognet.report.value import BY_KEY, KIND, ROWS, load_report
from analognet.report.verdict import NO_DIFFERENCE, _times, compared, verdict

ALL = " ".join(HOSTILE[:-1])  # all at once, as names come


class Elements(HTMLParser):
    """Tags and attribute names of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def elements(text: str) -> Elements:
    found = Elements()
    found.feed(text)
    found.close()
    return found


# --- foreign text


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_a_page_has_the_same_elements_whatever_the_names_are(text: str) -> None:
    plain, foreign = (elements(page.render(report(t), [])) for t in ("plain", text))
    assert foreign.tags == plain.tags
    assert not any(name.startswith("on") for _, names in foreign.tags for name in names)


@pytest.mark.parametrize("text", HOSTILE)
def test_html_text_reads_back(text: str) -> None:
    assert "".join(elements(f"<p>{escape.to_html(text)}</p>").text) == escape.printable(text, 2000)


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_csv_has_no_formula_and_no_further_line(text: str) -> None:
    rows = list(csv.reader(io.StringIO(spreadsheet.render(report(text)))))
    assert len(rows) == 1 + 3 * len(ROWS)
    assert {len(row) for row in rows} == {len(spreadsheet.COLUMNS)}
    numbers = range(4, 8)
    for row in rows[1:]:
        for at, held in enumerate(row):
            if at in numbers:
                assert held == "" or float(held) is not None
            else:
                assert held[:1] not in ("=", "+", "-", "@", "\t", "\r"), held


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_latex_has_only_our_commands(text: str) -> None:
    value = report(text)
    value["columns"][2]["title"] = text
    made = latex.table(value) + latex.verdict(value)
    body = "\n".join(line for line in made.splitlines() if not line.startswith("%"))
    assert made.isascii()
    ours = {
        *(
            "begin",
            "end",
            "toprule",
            "midrule",
            "bottomrule",
            "scriptsize",
            "textmu",
            "textsuperscript",
            "textdegree",
        ),
        *("textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar"),
        *("textquotedbl", "textquotesingle", "textasciigrave"),
    }
    bare = body.replace(r"\\", "")  # the end of a row is no command
    assert set(re.findall(r"\\([a-zA-Z]+)", bare)) <= ours
    unescaped = re.sub(r"\\[{}$&#%_]", "", bare)
    assert not re.search(r"[$#%_^~]", unescaped.replace("\\begin", "").replace("\\end", ""))
    assert unescaped.count("{") == unescaped.count("}")
    rows = [line for line in body.splitlines() if line.endswith(r" \\")]
    assert {len(re.findall(r"(?<!\\)&", row)) for row in rows} == {len(value["columns"])}


@pytest.mark.parametrize("text", [*HOSTILE, ALL])
def test_markdown_has_only_our_marks(text: str) -> None:
    plain, foreign = (markdown.render(report(t), []).splitlines() for t in ("plain", text))
    assert len(plain) == len(foreign)
    for a, b in zip(plain, foreign, strict=True):
        # the marks at the head of a line, and the columns of a table, are the same
        assert re.match(r"\s*(#+ |- |\||!\[)?", a).group() == re.match(r"\s*(#+ |- |\||!\[)?", b).group()  # type: ignore[union-attr]
        if not b.startswith("    "):  # an indented block is shown as it is
            assert len(re.findall(r"(?<!\\)\|", a)) == len(re.findall(r"(?<!\\)\|", b))
            assert not re.search(r"(?<!\\)(\]\(|`|<(?!br>))", re.sub(r"!\[[^]]*\]\(figures/", "", b))
            assert not re.search(r"https?:", b)


@given(st.text("-+=*_`#>|~![](){}<>:.\\ 1a\t", max_size=12) | st.text(max_size=20))
@example("12) x")
@example("- x")
@example("[x]: http://y")
def test_markdown_reads_back_as_the_text(text: str) -> None:
    """By another reader of Markdown, in a list and in a table."""
    wanted = " ".join(printable(text).split())
    read = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for body in (f"- {escape.to_markdown(text)}\n", f"| a |\n|---|\n| {escape.to_markdown(text)} |\n"):
        tokens = read.parse(body)
        assert sum(t.type == "bullet_list_open" for t in tokens) == body.startswith("-")
        inline = [t for t in tokens if t.type == "inline" and t.content not in ("", "a")]
        assert {c.type for t in inline for c in t.children or ()} <= {"text", "text_special"}
        said = "".join(c.content for t in inline for c in t.children or ())
        assert html.unescape(said).replace("\u200b", "") == ("" if wanted == "a" else wanted)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["$x$ \\frac", ALL])
def test_figures_draw_foreign_text_as_text(text: str) -> None:
    drawn = figures.draw_all(report(text))
    assert [f.name for f in drawn] == [f[0] for f in figures.FIGURES]
    for figure in drawn:
        tags = {tag for tag, _ in elements(figure.inline).tags}
        assert "script" not in tags
        assert "foreignobject" not in tags


def test_a_terminal_gets_no_escape_of_the_names(capsys: pytest.CaptureFixture[str]) -> None:
    from analognet.cli import console
    from analognet.names import printable

    console.table("Verdict", [("", printable(said, 2000)) for said in report(ALL)["verdict"]])
    assert "\x1b" not in capsys.readouterr().out


@given(st.text(max_size=60))
def test_any_text_is_one_line_everywhere(text: str) -> None:
    for form in (escape.to_html, escape.to_latex, escape.to_markdown, escape.to_csv, escape.to_figure):
        assert len(form(text).splitlines()) <= 1


# --- determinism and sizes


@pytest.mark.slow
def test_the_same_report_gives_the_same_bytes() -> None:
    value = json.loads(storage.to_json(report()))
    assert forms.files(value) == forms.files(copy.deepcopy(value))


@pytest.mark.slow
def test_a_page_needs_nothing_from_elsewhere() -> None:
    text = page.render(report(), figures.draw_all(report()))
    assert "default-src 'none'" in text
    links = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(link.startswith(("data:", "#")) for link in links), links
    assert not re.search(r"@import|url\((?!#)", text)


def test_svg_ids_are_of_their_figure() -> None:
    svg = '<?xml version="1.0"?>\n<svg width="10pt" height="5pt" viewBox="0 0 10 5"><defs><g id="a"/></defs>'
    made = inline(svg + '<use xlink:href="#a"/><g clip-path="url(#a)" fill="#010203"/></svg>', "one", "Why?")
    assert 'id="one-a"' in made
    assert 'xlink:href="#one-a"' in made
    assert "url(#one-a)" in made
    assert 'fill="currentColor"' in made
    assert made.startswith("<svg viewBox")


# --- the table


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("accuracy", 0.98444, "98.44 %"),
        ("latency_s", 7.3e-7, "730 ns"),
        ("latency_s", 5.27e-6, "5.27 µs"),
        ("energy_j", 0.0, "0 J"),
        ("throughput_hz", 1.37e6, "1.37 M/s"),
        ("area_m2", 0.0224, "224 cm²"),
        ("area_m2", 3.2e-6, "3.2 mm²"),
        ("area_m2", 6.5e-8, "0.065 mm²"),
        ("area_m2", 3.2e-10, "320 µm²"),
        ("area_m2", 0.673, "0.673 m²"),
        ("cost", 334.4, "334 USD"),
        ("bits", 7.04, "7.0"),
    ],
)
def test_quantities(key: str, value: float, shown: str) -> None:
    assert table.quantity(BY_KEY[key], value) == shown


def test_a_band_says_its_unit_once() -> None:
    assert table.between(BY_KEY["energy_j"], 2.83e-8, 2.55e-7) == "28.3 to 255 nJ"
    assert table.between(BY_KEY["latency_s"], 9e-7, 1.2e-6) == "900 ns to 1.2 µs"


def test_not_measured_is_no_zero() -> None:
    for row, cells in table.rows(report()):
        for held, shown in zip(report()["columns"], cells, strict=True):
            cell = held["cells"][row.key]
            if cell["value"] is None and "text" not in cell:
                assert shown.main == table.DASH
                assert shown.missing == "not measured"


# --- the verdict


def with_cells(
    key: str, board: tuple[float, float, float], fpga: tuple[float, float, float]
) -> dict[str, Any]:
    value = report()
    for name, (v, low, high) in (("board", board), ("fpga ecp5", fpga)):
        held = next(c for c in value["columns"] if c["id"] == name)
        held["cells"][key] |= {"value": v, "low": low, "high": high, "missing": None}
    return value


def said(value: dict[str, Any], topic: str) -> str:
    return next(s for s in verdict(value) if s.startswith(f"{topic}: "))


@given(
    st.tuples(*[st.floats(1e-9, 1e-3)] * 3).map(sorted),
    st.tuples(*[st.floats(1e-9, 1e-3)] * 3).map(sorted),
)
def test_bands_that_overlap_show_no_difference(a: list[float], b: list[float]) -> None:
    value = with_cells("energy_j", (a[1], a[0], a[2]), (b[1], b[0], b[2]))
    found = compared(value, "board", "fpga ecp5", "energy_j")
    assert found is not None
    words = said(value, "Energy of the network alone")
    if a[0] <= b[2] and b[0] <= a[2]:
        assert found.better is None
        assert NO_DIFFERENCE in words
    else:
        assert found.better == ("board" if a[1] < b[1] else "fpga ecp5")
        assert found.factor is not None
        least, likely, most = found.factor
        assert 1 <= least <= likely * (1 + 1e-9)
        assert likely <= most * (1 + 1e-9)
        assert NO_DIFFERENCE not in words
        assert ("the circuit wins" in words) == (a[1] < b[1])
        assert ("the FPGA wins" in words) == (a[1] > b[1])


def test_where_more_is_better_the_larger_wins() -> None:
    words = said(with_cells("throughput_hz", (2e6, 2e6, 2e6), (1e6, 1e6, 1e6)), "Throughput")
    assert "the circuit wins by a factor of 2 (2 to 2)" in words
    words = said(with_cells("accuracy", (0.90, 0.89, 0.91), (0.98, 0.97, 0.99)), "Accuracy")
    assert "the FPGA wins by 8.00 points" in words


def test_the_worst_of_a_few_can_lose_and_not_win() -> None:
    value = with_cells("latency_s", (1e-7, 1e-7, 1e-7), (1e-6, 1e-6, 1e-6))
    assert "the circuit wins" in said(value, "Latency")
    own = value["columns"][2]["cells"]["latency_s"]
    own |= {"few": True, "n": 2}
    assert f"{NO_DIFFERENCE} by 2 transitions" in said(value, "Latency")
    own |= {"value": 1e-5, "low": 1e-5, "high": 1e-5}
    assert "the FPGA wins" in said(value, "Latency")


def test_a_chip_is_held_against_the_least_a_digital_chip_takes() -> None:
    value = report()
    value["columns"].append(column("integer", "integer", "Integer", energy_j=cell(3e-9)))
    assert "Integer" not in said(value, "Energy of the network alone")
    value["columns"][2]["chip"] = True
    words = said(value, "Energy of the network alone")
    assert (
        "Integer 3 nJ (a floor in 45 nm: operations and memory reads alone): the digital floor wins" in words
    )
    assert "chips whose devices differ" in said(value, "As fabricated")
    assert "wires, routing and pads are not in any figure" in said(
        value, "Not in these figures of Circuit plain"
    )


def test_factors_are_told_to_two_figures() -> None:
    found = [_times(f) for f in (1.0, 1.537, 7.14, 89.9, 136.0, 3930.0)]
    assert found == ["1", "1.54", "7.1", "90", "140", "3,900"]


def test_what_was_not_measured_is_not_judged() -> None:
    value = report()
    fpga = next(c for c in value["columns"] if c["id"] == "fpga ecp5")
    fpga["cells"]["energy_j"] |= {"value": None, "low": None, "high": None, "missing": "no tool"}
    assert "Nothing to hold it against" in said(value, "Energy of the network alone")
    value["columns"] = [c for c in value["columns"] if c["kind"] != "analog"]
    assert verdict(value) == [
        "Verdict: no circuit was measured, so there is nothing to compare; the gaps say why."
    ]


def test_the_limit_is_the_largest_and_chance_is_no_limit() -> None:
    value = report()
    assert "100 % of its energy is weights" in said(value, "What limits Circuit plain")
    assert "offset alone costs 1 points" in said(value, "What limits Circuit plain")
    assert "fast: latency down by a factor of 3.5" in said(value, "What would help Circuit plain most")
    value["series"]["boards"][0]["sensitivity"][0]["loss_error"] = 0.006
    assert "can be told from chance" in said(value, "What limits Circuit plain")


# --- the value


def test_a_report_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    value = json.loads(storage.to_json(report(ALL)))
    path.write_text(storage.to_json(value))
    assert load_report(path) == value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.update(kind="x"), "is not what analognet compare writes"),
        (lambda r: r.update(schema=2), "has schema 2; this AnalogNet reads 1"),
        (lambda r: r.pop("series"), "is damaged"),
        (lambda r: r["columns"][0]["cells"].update(speed={}), "unknown row speed"),
        (lambda r: r["columns"][0]["cells"]["accuracy"].update(value="1"), "value is no number"),
        (lambda r: r["columns"][0]["cells"]["accuracy"].update(low=True), "low is no number"),
        (lambda r: r["columns"].append(r["columns"][0]), "columns must have names of their own"),
    ],
)
def test_a_damaged_report_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    value = report()
    change(value)
    (tmp_path / "report.json").write_text(json.dumps(value))
    with pytest.raises(InputError, match=re.escape(message)):
        load_report(tmp_path / "report.json")


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, "NaN", '{"kind": NaN}', "7"])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(InputError, match="report"):
        load_report(tmp_path / "report.json")


def test_the_command_in_the_methods_is_one_a_shell_takes() -> None:
    import shlex

    value = report("a b; rm -rf $(x)")
    words = shlex.split(methods.command(value))
    assert words[:4] == ["analognet", "compare", "a b; rm -rf $(x)", "--data"]
    assert words[-2:] == ["--fpga", "ecp5"]


# --- what is committed


COMMITTED = sorted(p.name for p in (ROOT / "docs" / "reports").iterdir())


def test_digits_has_a_committed_report() -> None:
    assert "digits" in COMMITTED


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_report_is_whole_and_says_what_it_says(name: str) -> None:
    directory = ROOT / "docs" / "reports" / name
    files = storage.read_directory(directory, KIND)  # every digest is right
    value = load_report(directory / "report.json")
    assert files["report.json"].decode() == storage.to_json(value)
    assert value["verdict"] == verdict(value)
    assert markdown.table(value) == [
        line
        for line in files["report.md"].decode().split("## Gaps")[0].split("## What")[0].splitlines()
        if line[:1] == "|"
    ]
    assert len(files["report.html"]) < 2_000_000
    text = b"".join(files.values())
    assert b"/tmp/" not in text
    assert b"/home/" not in text


def test_the_readme_shows_the_committed_numbers() -> None:
    import runpy

    made = runpy.run_path(str(ROOT / "docs" / "make_reports.py"))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme.split(made["MARKS"][0])[1].split(made["MARKS"][1])[0]
    value = load_report(ROOT / "docs" / "reports" / "digits" / "report.json")
    assert shown.splitlines() == made["readme_table"](value)
