"""The design in a user's system: cocotb with AXI bus models drives it in GHDL."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
from cocotb_tools.runner import get_runner
from test_quantize import small_network

from analognet.digital import flow, pynq

BENCHES = Path(__file__).parent / "cocotb"


@pytest.fixture(autouse=True)
def benches_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHES))  # the runner hands sys.path on to the simulator


@pytest.fixture(scope="module")
def made() -> tuple[flow.Design, np.ndarray]:
    network, x = small_network((6, 8, 3), ("relu", "linear"))
    return flow.design(network, x, lanes=(4, 3)), x[:12]


def run_bench(
    tmp_path: Path, made: tuple[flow.Design, np.ndarray], top: str, bench: str, files: dict[str, str]
) -> None:
    design, reals = made
    x = design.quantized.encode(reals)
    np.savez(
        tmp_path / "vectors.npz",
        reals=reals,
        x=x,
        y=design.quantized(x),
        classes=design.quantized.classes(x),
        cycles=design.plan.cycles,
    )
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    runner = get_runner("ghdl")
    arguments = ["--std=08"]
    runner.build(
        sources=[tmp_path / name for name in files if name.endswith(".vhd")],
        hdl_toplevel=top,
        build_args=arguments,
        build_dir=tmp_path / "build",
        log_file=tmp_path / "build.log",
    )
    results = runner.test(
        hdl_toplevel=top,
        test_module=bench,
        test_args=arguments,
        plusargs=["--ieee-asserts=disable"],
        test_dir=tmp_path / "build",
        build_dir=tmp_path / "build",
        extra_env={
            "AN_VECTORS": str(tmp_path / "vectors.npz"),
            "AN_DRIVER": str(tmp_path),
        },
        log_file=tmp_path / "test.log",
    )
    suite = ElementTree.parse(results)
    cases = list(suite.iter("testcase"))
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    assert len(cases) == 3
    assert failed == [], (tmp_path / "test.log").read_text()[-4000:]


@pytest.mark.slow
def test_stream_with_bus_models(tmp_path: Path, made: tuple[flow.Design, np.ndarray]) -> None:
    run_bench(tmp_path, made, "an_top", "bench_stream", dict(made[0].files))


@pytest.mark.slow
def test_pynq_driver_against_the_design(tmp_path: Path, made: tuple[flow.Design, np.ndarray]) -> None:
    files = made[0].files | pynq.render(made[0].quantized, made[0].plan)
    run_bench(tmp_path, made, "an_pynq", "bench_pynq", files)
