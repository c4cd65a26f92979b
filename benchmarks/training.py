"""What training for the circuit and calibration after fabrication are worth, over boards with LM358s.

    python benchmarks/training.py                              # digits and MNIST, the tables of docs/training.md
    python benchmarks/training.py --networks digits --boards 1000

MNIST needs ANALOGNET_DATA, a directory that holds mnist/, or a network connection.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from analognet.analog.calibration import Calibrator, calibrator
from analognet.analog.montecarlo import monte_carlo
from analognet.analog.variation import Spread, default_spread
from analognet.data import Dataset, load_data
from analognet.design import Design, convert, reconverted
from analognet.training import fine_tune

EXAMPLES = Path(__file__).parents[1] / "examples"
EPOCHS = {"digits": 60, "mnist": 4}
RATES = {"digits": 5e-3, "mnist": 1e-3}


def told(text: str) -> None:
    print(f"  {time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def row(
    what: str,
    design: Design,
    data: Dataset,
    spread: Spread,
    made: Calibrator | None,
    options: argparse.Namespace,
) -> str:
    """One line of the table: accuracy over boards of the solver, each over the whole test set."""
    assert data.y is not None
    found = monte_carlo(
        design,
        data.x,
        data.y,
        options.boards,
        options.seed,
        spread,
        sensitivity_boards=0,
        jobs=options.jobs,
        calibrator=made,
    )
    low, high = found.mean_ci95
    line = (
        f"| {what} | {100 * found.nominal:.2f} | {100 * found.mean:.2f} ({100 * low:.2f} to {100 * high:.2f}) "
        f"| {100 * found.sigma:.2f} | {100 * float(found.accuracy.min()):.2f} |"
    )
    told(line)
    return line


def table(name: str, vos: float, options: argparse.Namespace) -> None:
    design = convert(EXAMPLES / name / f"{name}.safetensors", overrides={"opamp": options.opamp})
    spread = default_spread(design, vos_sigma=vos)
    training, data = load_data(name, split="train"), load_data(name)
    if options.images is not None and data.y is not None:
        data = Dataset(data.name, data.x[: options.images], data.y[: options.images], data.digest)
    start = time.perf_counter()
    tuned = fine_tune(
        design,
        training,
        epochs=options.epochs or EPOCHS[name],
        spread=spread,
        rate=RATES[name],
        seed=1,
    )
    told(
        f"fine-tuned in {time.perf_counter() - start:.0f} s, epoch {tuned.epoch} kept: "
        f"{100 * tuned.before:.2f} to {100 * tuned.after:.2f} % on training data"
    )
    better = reconverted(design, tuned.network, training)
    bits = options.adc_bits
    trims = [calibrator(d, training.x, spread, adc_bits=bits) for d in (design, better)]
    rows = [
        row("as it is", design, data, spread, None, options),
        row("fine-tuned", better, data, spread, None, options),
        row("calibrated", design, data, spread, trims[0], options),
        row("fine-tuned and calibrated", better, data, spread, trims[1], options),
    ]
    assert data.y is not None
    reference = float((design.network(data.x).argmax(axis=1) == data.y).mean())
    print(
        f"\n{name}, {options.opamp}, offset sigma {1e3 * vos:g} mV, {options.boards} boards, "
        f"{len(data)} test images, float {100 * reference:.2f} %\n"
    )
    print("| | without spread | mean over boards (95 %) | sigma | worst |")
    print("|---|---|---|---|---|")
    print("\n".join(rows), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--networks", nargs="+", default=["digits", "mnist"], choices=sorted(EPOCHS))
    parser.add_argument(
        "--offsets", nargs="+", type=float, default=[2.3e-3, 7e-3, 20e-3], help="sigma in volts"
    )
    parser.add_argument("--opamp", default="lm358")
    parser.add_argument("--boards", type=int, default=100)
    parser.add_argument("--images", type=int, help="of the test set; default: all")
    parser.add_argument("--seed", type=int, default=1, help="of the boards")
    parser.add_argument("--epochs", type=int, help="of fine-tuning")
    parser.add_argument("--adc-bits", type=int, default=12)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    for name in options.networks:
        for vos in options.offsets:
            table(name, vos, options)


if __name__ == "__main__":
    main()
