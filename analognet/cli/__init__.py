"""The command line: the only part of AnalogNet that prints."""
