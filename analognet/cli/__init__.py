"""The command line: the only part of AnalogNet that prints."""

from analognet.cli.app import main

__all__ = ["main"]
