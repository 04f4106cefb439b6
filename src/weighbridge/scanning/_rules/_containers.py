"""The rules about archives and compressed streams."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-CMP-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Damaged compressed stream",
        what=(
            "A compressed stream is damaged, too short, or followed by other bytes. What it "
            "expanded to was examined, because a loader acts on it before it notices."
        ),
        example="a joblib file cut by a download",
        fix="Fetch the file again.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-SVZ-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Damaged 7z archive",
        what=(
            "A 7z archive is damaged, cut, followed by other bytes, or its content does not "
            "have the declared CRC. What it expanded to was examined."
        ),
        example="a wrong CRC in the first header",
        fix="Fetch the file again.",
        cwe=(354,),
        atlas=(),
    ),
    Rule(
        "WB-SVZ-002",
        Answer.FAIL,
        Severity.HIGH,
        title="7z member that leads out",
        what=(
            "The name or link of a member leads out of the folder that the 7z archive is "
            "unpacked into."
        ),
        example="`../../.ssh/authorized_keys`",
        fix="Pack it again with relative names.",
        cwe=(22,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-TAR-001",
        Answer.FAIL,
        Severity.HIGH,
        title="Tar member that leads out",
        what=(
            "The name or link of a member leads out of the folder that the tar archive is "
            "unpacked into."
        ),
        example="`../../.ssh/authorized_keys`",
        fix="Pack it again with relative names.",
        cwe=(22,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-TAR-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Damaged or ambiguous tar archive",
        what=(
            "A tar archive is damaged, cut, followed by other bytes, or readers take it in "
            "different ways: a folder with a size, two sizes for one member, a number that is "
            "not plain octal."
        ),
        example="a wrong checksum in a header",
        fix="Fetch the file again; if it stays so, ask for one that was packed anew.",
        cwe=(436,),
        atlas=(),
    ),
    Rule(
        "WB-TSC-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="TorchScript for some readers only",
        what=(
            "Some reader takes the archive for TorchScript, but torch.jit.save does not write "
            "it like this: other names or folders, or the marks of torch.package. The same "
            "member is data for one reader and code for the next."
        ),
        example="`m/Constants.PKL` beside `m/data.pkl`",
        fix="Save the model again with torch.jit.save.",
        cwe=(436,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-TSC-002",
        Answer.FAIL,
        Severity.HIGH,
        title="Exported program that reaches beyond operators",
        what=(
            "A program of torch.export names a function that is no operator, or gives sympy, which "
            "evaluates it, a text that is not the size of a tensor."
        ),
        example="`torch.serialization.os.system` as the target of a node",
        fix="Do not load it: torch.export never writes this.",
        cwe=(94,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-ZIP-001",
        Answer.FAIL,
        Severity.HIGH,
        title="Readers disagree about the zip",
        what=(
            "Readers disagree about the directory of the zip: two places, two end records, a "
            "wrong count or size, a name that appears twice. One loader sees other members than "
            "the next."
        ),
        example="a second directory before the end record",
        fix="Do not use the file; archives from normal writers are never like this.",
        cwe=(436,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-ZIP-002",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Two headers of a zip member disagree",
        what=(
            "The directory and the local header of a member disagree (name, method, sizes, CRC, "
            "encryption), or there is no local header. Where the content could differ, both "
            "readings were examined."
        ),
        example="`data.pkl` in the directory, `data.txt` in front of the bytes",
        fix="Do not use the file; archives from normal writers are never like this.",
        cwe=(436,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-ZIP-003",
        Answer.FAIL,
        Severity.HIGH,
        title="Hidden zip member",
        what=(
            "The archive holds a member that its directory does not list; readers that go by "
            "local headers see it."
        ),
        example="a hidden `data.pkl` between two members",
        fix="Do not use the file; archives from normal writers are never like this.",
        cwe=(436,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-ZIP-004",
        Answer.UNKNOWN,
        Severity.LOW,
        title="Bytes between zip members",
        what="There are bytes between the members that belong to none of them.",
        example="4 KiB of padding that is not zeros",
        fix="Pack the archive again.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-ZIP-005",
        Answer.FAIL,
        Severity.HIGH,
        title="Zip member that leads out",
        what=(
            "The name of a member leads out of the folder that the archive is unpacked into: "
            "`..`, an absolute path, a drive."
        ),
        example="`..\\..\\x.dll`",
        fix="Pack it again with relative names.",
        cwe=(22,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-ZIP-006",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Zip member that is not as declared",
        what=(
            "The content of a member does not have the declared size or CRC. The "
            "CRC of stored members is checked up to 4 MiB."
        ),
        example="a patched `data.pkl`",
        fix="Fetch the file again; if it stays so, ask the publisher what was changed.",
        cwe=(354,),
        atlas=(),
    ),
    Rule(
        "WB-ZIP-007",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Encrypted zip member",
        what=(
            "A member is marked as encrypted. Its bytes were examined as if they were not, "
            "because some loaders ignore the mark; it still counts as not examined."
        ),
        example="one flag bit set by hand",
        fix="Ask for the file without encryption.",
        cwe=(436,),
        atlas=(),
    ),
    Rule(
        "WB-ZIP-008",
        Answer.FAIL,
        Severity.HIGH,
        title="Zip members that share bytes",
        what="Two members share bytes, as in bombs that expand without end.",
        example="a decompression bomb",
        fix="Do not use the file; archives from normal writers are never like this.",
        cwe=(409,),
        atlas=("AML.T0029",),
    ),
    Rule(
        "WB-ZIP-009",
        Answer.UNKNOWN,
        Severity.LOW,
        title="Bytes behind the zip",
        what="There are bytes behind the end of the archive, which were examined for themselves.",
        example="a zip with something appended",
        fix="Ask the publisher what they are, or pack the archive again.",
        cwe=(20,),
        atlas=(),
    ),
)
