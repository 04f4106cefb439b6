"""The rules about entries, native code, and the scan itself."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-ART-001",
        Answer.FAIL,
        Severity.HIGH,
        title="Entry without a digest",
        what="An entry that has no digest: a link, a device, a name that cannot be written down.",
        example="`model.bin` is a symbolic link to `/etc/passwd`",
        fix="Replace the entry by the file that is meant.",
        cwe=(59,),
        atlas=(),
    ),
    Rule(
        "WB-ART-002",
        Answer.FAIL,
        Severity.HIGH,
        title="File that changed while it was read",
        what="A file that changed while it was read.",
        example="a download that was still running",
        fix="Let writers finish, then run again.",
        cwe=(367,),
        atlas=(),
    ),
    Rule(
        "WB-BIN-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Native code",
        what=(
            "Native code: ELF, PE, Mach-O, Java class, WebAssembly. A loader that "
            "takes it runs it, and nobody can tell what it does."
        ),
        example="`custom_ops.so`",
        fix="Leave it out, or build it yourself from reviewed source.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-SCN-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="More findings than are listed",
        what="More findings in one file than `max_findings`.",
        example="an archive of 5,000 bad names",
        fix="Look at the listed ones first.",
        cwe=(400,),
        atlas=(),
    ),
)
