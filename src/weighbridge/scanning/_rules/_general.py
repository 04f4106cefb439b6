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
        what=(
            "An entry has no digest, because it is a link, a device, or has a name that cannot "
            "be written down."
        ),
        example="`model.bin` is a symbolic link to `/etc/passwd`",
        fix="Replace the entry by the file that is meant, under a plain name.",
        cwe=(59,),
        atlas=(),
    ),
    Rule(
        "WB-ART-002",
        Answer.FAIL,
        Severity.HIGH,
        title="File that changed while it was read",
        what=("A file changed while it was read: what was scanned may not be what lies there now."),
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
            "The file is native code (ELF, PE, Mach-O, Java class, WebAssembly): a loader that "
            "takes it runs it, and a scan cannot tell what it does."
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
        what=(
            "One file has more findings than `max_findings`; the rest is counted, and this "
            "finding is as bad as the worst of them."
        ),
        example="an archive of 5,000 bad names",
        fix="Look at the listed ones first.",
        cwe=(400,),
        atlas=(),
    ),
)
