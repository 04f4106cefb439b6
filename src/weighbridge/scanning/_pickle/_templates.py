r"""The source code that SciPy's distributions carry, and execute while they are loaded.

``rv_generic.__setstate__`` hands the attribute ``_parse_arg_template`` to ``exec``. What SciPy puts
there is one fixed text with the names of the distribution's parameters; anything else is somebody's
program.

Source:
    SciPy ``scipy/stats/_distn_infrastructure.py``, ``_attach_argparser_methods``; since 1.6.
"""

from __future__ import annotations

import re

__all__ = ["MAX_TEMPLATE_BYTES", "TEMPLATE", "holds_template", "is_template"]

TEMPLATE = b"_parse_arg_template"
MAX_TEMPLATE_BYTES = 4_096

_NAMES = r"((?:[A-Za-z_]\w{0,30}, ?){0,12}) "
_PLACE_IN = r"(loc=0, scale=1|loc=0)"
_PLACE_OUT = r"(loc, scale|loc, 1)"
_LAYOUT = re.compile(
    rf"\ndef _parse_args\(self, {_NAMES}{_PLACE_IN}\):"
    rf"\n    return \(\1\), {_PLACE_OUT}\n"
    rf"\ndef _parse_args_rvs\(self, \1 \2, size=None\):"
    rf"\n    return self\._argcheck_rvs\(\1 \3, size=size\)\n"
    rf"\ndef _parse_args_stats\(self, \1 \2, moments='mv'\):"
    rf"\n    return \(\1\), \3, moments\n",
    re.ASCII,
)


def holds_template(path: str) -> bool:
    """Return whether instances of a class execute a template when they get their state."""
    return path.startswith("scipy.stats.")


def is_template(text: bytes) -> bool:
    """Return whether a text is what SciPy itself writes there."""
    return _LAYOUT.fullmatch(text.decode("utf-8", "replace")) is not None
