"""analognet finetune: a network's weights learn to live with its circuit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from analognet import design as designs
from analognet.analog.variation import default_spread
from analognet.cli import console, convert, options
from analognet.data import load_data
from analognet.metrics import Metrics
from analognet.names import printable
from analognet.storage import check_target
from analognet.training import fine_tune


def finetune(
    directory: options.Directory = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Labelled training data; a built-in set means its training split. "
            "Default: what the circuit was scaled with."
        ),
    ] = None,
    epochs: Annotated[int, typer.Option(help="Passes over the training data.")] = 5,
    rate: Annotated[float, typer.Option(help="Learning rate at the start; it falls as a cosine.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Of batches and of the boards trained on.")] = 1,
    out: Annotated[
        Path | None, typer.Option(help="Directory to write. Default: the design's own, with -tuned.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Fine-tune a converted network on boards with its parts' spread, and convert it again."""
    design, where = console.find_design(directory)
    n_in, n_out = design.network.n_in, design.network.n_out
    training = design.training_data() if data is None else load_data(data, n_in, n_out, split="train")
    made = out or where.with_name(f"{where.name}-tuned")
    check_target(made, designs.KIND)  # before minutes of work, not after
    with console.progress("training steps") as advance:
        tuned = fine_tune(
            design,
            training,
            epochs=epochs,
            spread=default_spread(design),
            rate=rate,
            seed=seed,
            progress=advance,
        )
    better = designs.reconverted(design, tuned.network, training)
    designs.save(better, made)
    console.remember(made)
    summary = convert.summary(better, made)
    learned = {
        "accuracy_before": tuned.before,
        "accuracy_after": tuned.after,
        "epoch_kept": tuned.epoch,
        "epochs": epochs,
        "rate": rate,
        "seed": seed,
    }
    metrics = Metrics(summary.values, summary.provenance, {**summary.details, "finetune": learned})
    if json:
        console.out.print(metrics.to_json())
        return
    told = f"{100 * tuned.before:.2f} % before, {100 * tuned.after:.2f} % after"
    console.table(
        f"{printable(made.name)}: fine-tuned on {len(training)} training inputs",
        [
            ("accuracy on training data over boards with spread", told),
            ("kept", f"the weights of epoch {tuned.epoch}" if tuned.epoch else "the weights it had"),
        ],
    )
    console.say("next: analognet simulate --monte-carlo 100")
