"""Fuzz one target under Atheris: ``python -m fuzz.run NAME [LIBFUZZER OPTION | FOLDER | FILE]...``.

The process ends with the fuzzer's exit code; :mod:`fuzz.drive` starts one for each target.
"""

from __future__ import annotations

import signal
import sys

import atheris

_CPU_SECONDS = 5.0


class TooSlowError(BaseException):
    """Not an ``Exception``: no examiner may catch it."""


def _give_up(_signal: int, _frame: object) -> None:
    message = f"more than {_CPU_SECONDS} s of processor time"
    raise TooSlowError(message)


def main() -> None:
    """Run until the options say so, or until the target fails."""
    name, *options = sys.argv[1:]
    # Modules are loaded when first met, so the hook stays for as long as the process lives.
    with atheris.instrument_imports(include=["weighbridge"]):
        from fuzz.targets import TARGETS  # noqa: PLC0415

        target = TARGETS[name]

        def bounded(data: bytes) -> None:
            signal.setitimer(signal.ITIMER_VIRTUAL, _CPU_SECONDS)
            try:
                target(data)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)

        signal.signal(signal.SIGVTALRM, _give_up)
        atheris.Setup([sys.argv[0], *options], bounded)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
