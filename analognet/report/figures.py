"""All figures of a report: what each answers, and how it is drawn."""

from __future__ import annotations

from typing import Final

from analognet.report import figures_accuracy, figures_circuit, figures_energy
from analognet.report.drawing import Drawn, rendered
from analognet.report.value import Report

# name, question, caption, function
FIGURES: Final = (
    (
        "energy_latency",
        "What does an inference cost, and how long does it take?",
        "Energy over latency of one inference, without converters; the open mark adds them. Small marks are other "
        "designs of the same network, in the table below: circuits by the estimate, FPGAs by operations and clock "
        "alone; full marks are those that no other beats in all of latency, energy, accuracy "
        "and cost. A processor whose energy cannot be measured is a line.",
        figures_energy.energy_latency,
    ),
    (
        "accuracy_steps",
        "What does each step from float to a fabricated circuit cost?",
        "Accuracy on the same inputs; in brackets the points against float. A bar is the 5th to 95th percentile of "
        "boards made of parts with spread, or of chips whose devices differ.",
        figures_accuracy.steps,
    ),
    (
        "energy_use",
        "Where does the energy go?",
        "One inference at full rate, in ngspice, by what turns it into heat, with the converters that digital "
        "neighbours would need.",
        figures_energy.energy_use,
    ),
    (
        "boards",
        "How many of those that are built will work?",
        "Left: the share of boards or chips that reaches at least an accuracy. Right: what each kind of spread costs "
        "alone, with its standard error.",
        figures_accuracy.boards,
    ),
    (
        "curves",
        "How good are the activation cells?",
        "Each activation as a neuron of its own in ngspice, over the range of sums that the network uses.",
        figures_circuit.curves,
    ),
    (
        "waveforms",
        "What happens in the circuit during one inference?",
        "The random transition that took longest, in ngspice: outputs of each layer and current from the supply.",
        figures_circuit.waveforms,
    ),
    (
        "confusion",
        "Who is taken for whom?",
        "Label against answer, errors in red.",
        figures_accuracy.confusion,
    ),
    (
        "wrong_inputs",
        "Which inputs do the circuits get wrong?",
        "With everybody's answer; red: those that the float network gets right.",
        figures_accuracy.wrong_inputs,
    ),
)


def draw_all(report: Report) -> list[Drawn]:
    """Every figure that the report has data for, in order."""
    made = (rendered(name, question, caption, draw, report) for name, question, caption, draw in FIGURES)
    return [figure for figure in made if figure is not None]
