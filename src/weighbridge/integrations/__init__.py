"""Integrations: what other people's tools call. Nothing inside imports this.

``_execute_notebook.py`` is a script that ``run`` starts by path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.integrations._magics import (
        NOTEBOOK_BUILDER,
        load_ipython_extension,
        unload_ipython_extension,
    )

__all__ = ["NOTEBOOK_BUILDER", "load_ipython_extension", "unload_ipython_extension"]

_MODULES = {
    "_magics": ("NOTEBOOK_BUILDER", "load_ipython_extension", "unload_ipython_extension"),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
