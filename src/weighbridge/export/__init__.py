"""Export: how a verdict is told. Pure functions from core values to documents.

Text and JSON load at once; the writers of HTML and SARIF load when they are first called.
"""

from typing import TYPE_CHECKING

from weighbridge.export._json import (
    attribution_to_json,
    diff_to_json,
    load_schema,
    manifest_to_json,
    scan_to_json,
    to_json,
)
from weighbridge.export._report import CheckReport
from weighbridge.export._text import scan_to_text, to_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from weighbridge.core import Digest, JsonValue, LineageReport

__all__ = [
    "CheckReport",
    "attribution_to_json",
    "diff_to_json",
    "load_schema",
    "manifest_to_json",
    "scan_to_json",
    "scan_to_text",
    "to_html",
    "to_json",
    "to_provenance_yaml",
    "to_sarif",
    "to_text",
]


def to_html(report: CheckReport) -> str:
    """Return one self-contained page: no script, no request, safe to open whatever was examined.

    Lists are cut at 1,000 rows and say so; ``to_json`` holds everything.
    """
    from weighbridge.export._html import to_html as write  # noqa: PLC0415 - seldom asked for

    return write(report)


def to_sarif(report: CheckReport) -> "JsonValue":
    """Return one SARIF 2.1.0 log: findings, and the rules of the policy that do not pass.

    What was not examined is a notification of the run.

    Source:
        SARIF 2.1.0 (OASIS), errata 01.
    """
    from weighbridge.export._sarif import to_sarif as write  # noqa: PLC0415 - seldom asked for

    return write(report)


def to_provenance_yaml(
    report: "LineageReport | None", *, digest: "Digest | None", files: "Mapping[str, str]"
) -> bytes:
    """Return what the files and the signed lineage tell, in the shape of ``provenance.yaml``.

    Only what reading the document again can compare is written.

    Args:
        report: The lineage; None: only files are written.
        digest: Of the artifact; None if it is not known.
        files: POSIX path to sha256 in hex of each of its files.
    """
    from weighbridge.export._provenance_yaml import to_provenance_yaml as write  # noqa: PLC0415

    return write(report, digest=digest, files=files)
