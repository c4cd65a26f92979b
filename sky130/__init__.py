"""Transistor-level SPICE cells (*.cir) and the technologies that use them (*.toml)."""
