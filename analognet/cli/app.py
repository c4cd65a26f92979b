"""The application: commands by name, errors by exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from analognet import process
from analognet.cli import (
    bom,
    characterize,
    compare,
    convert,
    doctor,
    draw,
    finetune,
    reproduce,
    simulate,
    vhdl,
)
from analognet.cli.console import err
from analognet.errors import AnalogNetError, InputError
from analognet.names import printable

INTERRUPTED = 130

app = typer.Typer(
    name="analognet",
    help="A trained dense network as an analog circuit, simulated in ngspice and compared with digital.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("convert")(convert.convert)
app.command("simulate")(simulate.simulate)
app.command("finetune")(finetune.finetune)
app.command("vhdl")(vhdl.vhdl)
app.command("vhdl-sweep")(vhdl.sweep)
app.command("compare")(compare.compare)
app.command("reproduce")(reproduce.reproduce)
app.command("bom")(bom.bom)
app.command("draw")(draw.draw)
app.command("characterize")(characterize.characterize)
app.command("doctor")(doctor.doctor)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code: see `analognet.errors`."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command; answers its exit code."""
    command = typer.main.get_command(app)
    try:
        code = command.main(args=None if arguments is None else list(arguments), standalone_mode=False)
        if code == INTERRUPTED:  # typer catches the interrupt itself
            raise KeyboardInterrupt
        return code if isinstance(code, int) else 0
    except AnalogNetError as e:
        err.print(f"analognet: {e}")
        return e.exit_code
    except (KeyboardInterrupt, typer.Abort):
        process.kill_all()
        err.print("analognet: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return 0
    except OSError as e:  # a full disk under a temporary directory, say
        err.print(f"analognet: {printable(e)}")
        return InputError.exit_code
    except Exception as e:
        # what typer raises for a wrong option: it knows its message and its exit code, 2
        if hasattr(e, "format_message") and hasattr(e, "exit_code"):
            err.print(f"analognet: {e.format_message()}\nanalognet --help lists the commands and options")
            return int(e.exit_code)
        raise
