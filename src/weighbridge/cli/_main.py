"""The group of commands, and where errors become exit codes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from importlib import import_module
from itertools import takewhile
from typing import TYPE_CHECKING

import click

from weighbridge._version import __version__
from weighbridge.cli._options import colour, print_json
from weighbridge.core import printable
from weighbridge.errors import (
    DigestMismatchError,
    IncompleteError,
    InputError,
    RanksError,
    StepFailedError,
    VerificationError,
    WeighbridgeError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from weighbridge.core import JsonValue

__all__ = ["cli", "run", "to_exit_code"]

# Name -> (module, what it does). Help is written from this table, so that it imports no command.
_COMMANDS = {
    "accept": ("_accept", "Accept a model without provenance, until a date."),
    "check": ("_check", "Judge whether a model may enter, by a policy."),
    "gather": ("_gather", "Join the ranks of a distributed step and sign what they made."),
    "hash": ("_hash", "Print the digest of a file or folder."),
    "import": ("_import", "Claim steps that DVC or MLflow recorded."),
    "inspect": ("_inspect", "Print what a signature file says; verify nothing."),
    "keygen": ("_keygen", "Make a key pair for signing."),
    "policy": ("_policy", "Explain or test a policy."),
    "public-key": ("_public_key", "Write the public half of a signer's key."),
    "review": ("_review", "Sign what a person found who looked at a model."),
    "rules": ("_rules", "Explain the rules of the scan."),
    "run": ("_run", "Run a command as a step and sign what it made from what."),
    "scan": ("_scan", "Look for dangerous content; execute nothing."),
    "sign": ("_sign", "Sign a model (OpenSSF Model Signing)."),
    "trace": ("_trace", "Show what a model was made from, and the weakest path."),
    "trust": ("_trust", "Refresh or show whom keyless signatures are verified against."),
    "verify": ("_verify", "Verify a model's signature and files."),
}

_EXIT_BY_SIGNAL = 128  # and its number, as a shell tells it
_EXIT_BROKEN_PIPE = 141
_MOST_DIFFERENCES = 20


class _LazyGroup(click.Group):
    """Imports a command when it is run; the methods are those that click calls."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"weighbridge.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Tell a reader that is gone from a verdict: click would end with 1, which means fail."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise click.exceptions.Exit(_tell_of_output(error)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in _COMMANDS.items()])


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 pass, 1 fail, 2 usage or input, 3 unknown or incomplete.",
)
@click.version_option(__version__, "-V", "--version", prog_name="weighbridge")
def cli() -> None:
    """Weigh machine-learning artifacts: may this model enter, and why?"""


def run(arguments: Sequence[str] | None) -> int:
    """Run the command line; return its exit code."""
    _open_missing_streams()
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in takewhile(lambda word: word != "--", given)  # behind it is another's
    try:
        code = (
            cli.main(args=given, prog_name="weighbridge", standalone_mode=False, color=colour())
            or 0
        )
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
        _tell_programs(error.format_message(), code, as_json=as_json)
    except (click.Abort, KeyboardInterrupt) as error:
        _end_at_once_next_time()
        number = getattr(error.__cause__ or error, "number", signal.SIGINT)
        by = "" if number == signal.SIGINT else f" by {signal.Signals(number).name}"
        _say(f"interrupted{by}; nothing was left half written")
        code = _EXIT_BY_SIGNAL + number
    except WeighbridgeError as error:
        code = _tell(error)
        _tell_programs(str(error), code, as_json=as_json, error=error)
    except OSError as error:
        code = _tell_of_output(error)
    except Exception as error:  # the last net: a sentence instead of a traceback
        if os.environ.get("WEIGHBRIDGE_TRACEBACK"):
            raise
        _tell_programs(type(error).__name__, 3, as_json=as_json)
        _say(
            f"internal error: {type(error).__name__}: {printable(str(error))}; this is a defect of "
            "weighbridge, please report it (WEIGHBRIDGE_TRACEBACK=1 shows where)"
        )
        code = 3
    return int(code)


def _end_at_once_next_time() -> None:
    """Let Ctrl-C end the process from here on: nothing is written any more.

    Whoever presses it again while threads end would see a traceback of Python's own.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _open_missing_streams() -> None:
    """Put something in place of streams that the caller closed; Python leaves None there."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def _tell_of_output(error: OSError) -> int:
    """Say that the output could not be written; the rooms translate every other ``OSError``."""
    # Do not let the interpreter try to write the rest again when it ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return _EXIT_BROKEN_PIPE
    _say(f"the output could not be written: {(error.strerror or 'error').lower()}")
    return 3


def to_exit_code(error: WeighbridgeError) -> int:
    """Map an error to its exit code."""
    match error:
        case InputError():
            return 2
        case VerificationError():
            return 1
        case IncompleteError():
            return 3
        case _:
            return 3


def _tell(error: WeighbridgeError) -> int:
    _say(str(error))
    lines = [*_list_differences(error), *_list_denied(error)]
    for line in lines[:_MOST_DIFFERENCES]:
        click.echo(f"  {line}", err=True)
    if len(lines) > _MOST_DIFFERENCES:
        click.echo(f"  and {len(lines) - _MOST_DIFFERENCES:,} more", err=True)
    return to_exit_code(error)


def _list_differences(error: WeighbridgeError) -> list[str]:
    if isinstance(error, DigestMismatchError):
        return [printable(line) for line in error.diff.to_lines()]
    if isinstance(error, RanksError) and len(error.problems) > 1:
        return [printable(line) for line in error.problems]
    return []


def _list_denied(error: WeighbridgeError) -> list[str]:
    denied = error.denied if isinstance(error, StepFailedError) else ()
    return [f"denied: {printable(path)}" for path in denied or ()]


def _tell_programs(
    reason: str, code: int, *, as_json: bool, error: WeighbridgeError | None = None
) -> None:
    """Print why there is no result, as JSON, for those who asked for JSON.

    What was not examined is unknown, whoever is to blame.
    """
    if not as_json:
        return
    value: dict[str, JsonValue] = {
        "answer": "fail" if code == 1 else "unknown",
        "exit_code": code,
        "reason": printable(reason, limit=4000),
        "differences": [] if error is None else [*_list_differences(error)],
    }
    if isinstance(error, StepFailedError):
        denied = error.denied
        value["denied"] = None if denied is None else [printable(path) for path in denied]
    if isinstance(error, DigestMismatchError):
        from weighbridge.core import ManifestDiff  # noqa: PLC0415 - costs start-up time
        from weighbridge.export import diff_to_json  # noqa: PLC0415

        if isinstance(error.diff, ManifestDiff):
            value["diff"] = diff_to_json(error.diff)
    try:
        print_json(value)
    except OSError as problem:
        _tell_of_output(problem)


def _say(message: str) -> None:
    with suppress(OSError):  # the exit code says it, too
        click.echo(f"{click.style('weighbridge:', bold=True)} {message}", err=True, color=colour())
