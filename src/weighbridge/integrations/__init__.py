"""Integrations: what other people's tools call, or recorded. Only the faces import this.

``_execute_notebook.py`` is a script that ``run`` starts by path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge._lazy import lazy_getattr

if TYPE_CHECKING:
    from weighbridge.integrations._dvc import DvcImport, ImportedStage, import_dvc
    from weighbridge.integrations._magics import (
        load_ipython_extension,
        unload_ipython_extension,
    )
    from weighbridge.integrations._mlflow import MlflowImport, import_mlflow

__all__ = [
    "DvcImport",
    "ImportedStage",
    "MlflowImport",
    "import_dvc",
    "import_mlflow",
    "load_ipython_extension",
    "unload_ipython_extension",
]

_MODULES = {
    "_dvc": ("DvcImport", "ImportedStage", "import_dvc"),
    "_magics": ("load_ipython_extension", "unload_ipython_extension"),
    "_mlflow": ("MlflowImport", "import_mlflow"),
}

__getattr__ = lazy_getattr(__name__, _MODULES)
