"""A design and its waveforms in other tools' formats."""
