"""The application: commands by name, errors by exit code."""

from __future__ import annotations

import errno
import inspect
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import typer

from analognet import process
from analognet.cli import (
    bom,
    characterize,
    compare,
    console,
    convert,
    doctor,
    draw,
    finetune,
    options,
    reproduce,
    simulate,
    vhdl,
)
from analognet.cli.console import err
from analognet.cli.examples import EXAMPLES
from analognet.errors import AnalogNetError, InputError
from analognet.names import printable

INTERRUPTED = 130

app = typer.Typer(
    name="analognet",
    help="A trained dense network as an analog circuit, simulated in ngspice and compared with digital.",
    epilog="\b\nExit codes: 0 done, 1 a specification was missed, 2 usage, 3 input that cannot be used,\n"
    "4 a tool is missing, 5 a simulator failed, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _add(name: str, command: Callable[..., None]) -> None:
    """A command, with its examples and the options that every command has."""
    examples = "\n".join(f"  {line}" for line in EXAMPLES[name])
    app.command(name, epilog=f"\b\nExamples:\n{examples}")(_with_volume(command))


def _with_volume(command: Callable[..., None]) -> Callable[..., None]:
    @wraps(command)
    def heard(*, quiet: bool, verbose: bool, **arguments: Any) -> None:
        console.set_volume(quiet, verbose)
        command(**arguments)

    signature = inspect.signature(command, eval_str=True)
    added = {"quiet": options.Quiet, "verbose": options.Verbose}
    extra = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=kind)
        for key, kind in added.items()
    ]
    heard.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *extra])  # type: ignore[attr-defined]
    heard.__annotations__ = {**{k: p.annotation for k, p in signature.parameters.items()}, **added}
    return heard


_add("convert", convert.convert)
_add("simulate", simulate.simulate)
_add("finetune", finetune.finetune)
_add("vhdl", vhdl.vhdl)
_add("vhdl-sweep", vhdl.sweep)
_add("compare", compare.compare)
_add("reproduce", reproduce.reproduce)
_add("bom", bom.bom)
_add("draw", draw.draw)
_add("characterize", characterize.characterize)
_add("doctor", doctor.doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code: see `analognet.errors`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a letter shows its number
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _interrupt)  # what ends a batch job leaves nothing behind either
    sys.exit(run(arguments))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers its exit code."""
    try:
        return _run(None if arguments is None else list(arguments))
    finally:
        console.release()


def _run(arguments: list[str] | None) -> int:
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, standalone_mode=False)
        if code == INTERRUPTED:  # typer catches the interrupt itself
            raise KeyboardInterrupt
        console.out.file.flush()
        return code if isinstance(code, int) else 0
    except AnalogNetError as e:
        return _fail(str(e), e.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        process.kill_all()
        return _fail("interrupted", INTERRUPTED)
    except BrokenPipeError:  # whoever read has seen enough
        _drop_output()
        return 0
    except OSError as e:
        return _fail(_explained(e), InputError.exit_code)
    except MemoryError:
        return _fail("not enough memory for this network and these inputs", InputError.exit_code)
    except Exception as e:
        # what typer raises for a wrong option: it knows its message and its exit code, 2
        if hasattr(e, "format_message") and hasattr(e, "exit_code"):
            if type(e).__name__ == "NoArgsIsHelpError":
                err.print(e.format_message())
                return int(e.exit_code)
            context = getattr(e, "ctx", None)
            where = context.command_path if context is not None else "analognet"
            return _fail(f"{e.format_message()}\n{where} --help lists what there is", int(e.exit_code))
        raise


def _fail(message: str, code: int) -> int:
    try:
        err.print(f"analognet: {message}")
    except OSError:  # nobody is left to be told
        _drop_output()
    return code


def _explained(e: OSError) -> str:
    if e.errno == errno.ENOSPC:
        _drop_output()
        return (
            f"no space is left on a disk ({printable(e.filename or 'output')}); "
            f"temporary files go to {printable(tempfile.gettempdir())}, or where TMPDIR says"
        )
    return printable(e)


def _drop_output() -> None:
    """Let what is still to be written to stdout go nowhere, so that the interpreter does not fail on it."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        pass
