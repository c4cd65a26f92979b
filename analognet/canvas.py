"""What all figures share: a canvas that needs no display, reproducible PNG bytes, colours."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, RED, GREY, GREEN = "#2a6f97", "#c1121f", "#8d99ae", "#588157"


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that draws without a display."""
    # imported here: matplotlib takes half a second, and most of the library does without
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(drawn)
    return drawn


def to_png(drawn: Figure) -> bytes:
    """The same drawing always gives the same bytes."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
