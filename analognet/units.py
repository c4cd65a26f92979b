"""Quantities as a person reads them."""

from __future__ import annotations


def engineering(value: float, unit: str = "", digits: int = 3) -> str:
    """With an SI prefix and so many figures: 0.0123 A is `12.3 mA`; without a unit the prefix ends it."""
    if value == 0:
        return f"0 {unit}".rstrip()
    prefixes = {-15: "f", -12: "p", -9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    power = int(exponent)
    third = max(-15, min(9, 3 * (power // 3)))
    scaled = float(mantissa) * 10.0 ** (power - third)
    return f"{'-' if value < 0 else ''}{scaled:.{digits}g} {prefixes[third]}{unit}".rstrip()
