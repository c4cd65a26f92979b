"""Everything that can go wrong, by the exit code the command line answers with.

Code 0 is success and 130 an interrupt; both need no exception of ours.
"""


class AnalogNetError(Exception):
    """Base of all errors that AnalogNet raises on purpose.

    The message names the object, the fault and what is allowed.
    """

    exit_code = 1


class SpecificationMissed(AnalogNetError):
    """The work was done and the result misses a limit the caller set."""

    exit_code = 1


class UsageError(AnalogNetError):
    """An option or argument has a value that is not allowed."""

    exit_code = 2


class InputError(AnalogNetError):
    """A model, data, technology or design file cannot be used as it is."""

    exit_code = 3


class ToolMissing(AnalogNetError):
    """A program or model library that the work needs is not installed."""

    exit_code = 4


class SimulatorError(AnalogNetError):
    """An outside program failed, hung, or answered with something that cannot be trusted."""

    exit_code = 5
