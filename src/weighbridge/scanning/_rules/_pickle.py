"""The rules about pickles."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["PICKLE_RULES", "RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-PKL-001",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Dangerous call",
        what=(
            "Loading calls a function that runs commands or code, opens files or "
            "connections, or unpickles."
        ),
        example="`os.system('id')`",
        fix="Do not load it. Ask who made it for safetensors.",
        cwe=(502, 94),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-002",
        Answer.FAIL,
        Severity.HIGH,
        title="Dangerous name",
        what=(
            "Loading gets hold of a function that runs commands or code, opens files or "
            "connections, or unpickles, and leaves it to others to call it."
        ),
        example="`defaultdict(os.getcwd)`",
        fix="Do not load it. Ask who made it for safetensors.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-003",
        Answer.FAIL,
        Severity.HIGH,
        title="Call into the standard library",
        what="Loading calls a function of the standard library that no benign pickle needs.",
        example="`random.seed(1)`",
        fix="Do not load it. Ask who made it for safetensors.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-004",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Unknown callable",
        what="Loading calls a class or function that is not on the list of those that are known.",
        example="`mypackage.Model()`",
        fix="Read that class; if you vouch for it, allow the entry that the finding shows.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-005",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Unknown name",
        what="Loading imports a name that is not on the list of those that are known.",
        example="`mypackage.Thing`",
        fix="Read that class; if you vouch for it, allow the entry that the finding shows.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-006",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Computed name",
        what="The name to import is not written down, but made by the pickle as it runs.",
        example="`STACK_GLOBAL` on a call's result",
        fix="Do not load it: picklers never write this.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-007",
        Answer.FAIL,
        Severity.HIGH,
        title="Dotted name",
        what=(
            "The name has dots (`a.b.c`) and reaches through what is imported to anything that "
            "it holds."
        ),
        example="`pathlib.Path.unlink`",
        fix="Do not load it, unless you know why the name is dotted.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-008",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Call of a computed object",
        what=(
            "The pickle calls something that is no imported name: a result, a constant, or an "
            "object that the loading program gives."
        ),
        example="`f()()`",
        fix="Do not load it: picklers never write this.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-009",
        Answer.FAIL,
        Severity.HIGH,
        title="Listed name used in an unlisted way",
        what=(
            "A function gets arguments that make it something else, or is kept "
            "instead of called; data is called; an object gets items that it does "
            "not take, or an attribute that unpicklers or NumPy call or obey, such "
            "as `append`, `__class__` or `__array_interface__`."
        ),
        example="`_codecs.encode(x, 'rot13')`",
        fix="Do not load it: picklers never write this.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-010",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Change of a class or function",
        what="Loading changes an imported class, function or module for the whole program.",
        example="`sys.path.append('.')`",
        fix="Do not load it: picklers never write this.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-011",
        Answer.FAIL,
        Severity.HIGH,
        title="Extension code",
        what="A number stands for whatever the loading program registered with `copyreg`.",
        example="`EXT1 1`",
        fix="Save it again without extension codes.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-012",
        Answer.FAIL,
        Severity.HIGH,
        title="Broken after it acted",
        what="The stream breaks off after it imported or called something; that is enough to run.",
        example="a call, then junk",
        fix="Do not load it; download it again if it should be whole.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-013",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Unknown persistent id",
        what="The pickle asks for an object by an id; the loading program decides what it is.",
        example="`PERSID 1`",
        fix="Find out which program wrote it.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-014",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Data in another place",
        what=(
            "The pickle takes data from a buffer or a file outside of it, which was not "
            "examined with it."
        ),
        example="joblib's `NDArrayWrapper`",
        fix="Save it again with a current joblib, in one file.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-015",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Part that was not followed",
        what=(
            "A part could not be followed: an array of unknown size, a dtype that "
            "contradicts itself, a pickle in bytes that are not there as they are, "
            "or one that does harm to a reader that keeps the memo of the pickle "
            "before."
        ),
        example="an odd dtype",
        fix="Save it again with a current release.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-016",
        Answer.PASS,
        Severity.LOW,
        title="Source code carried along",
        what=(
            "A legacy PyTorch file carries source code, which PyTorch compares and does not run."
        ),
        example="`torch.save(model)`",
        fix="Nothing; a state dict carries no source.",
        cwe=(),
        atlas=(),
    ),
    Rule(
        "WB-PKL-017",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="More than the limits allow",
        what=(
            "The pickle holds more than a limit lets through, so that the rest was not followed."
        ),
        example="10^9 opcodes",
        fix="Raise the limit that the message names from Python, if you know the file.",
        cwe=(400,),
        atlas=("AML.T0029",),
    ),
    Rule(
        "WB-PKL-018",
        Answer.FAIL,
        Severity.HIGH,
        title="Frame that unpicklers read differently",
        what=(
            "Unpicklers read on in different ways here, so that a scan can be shown another "
            "pickle than a loader."
        ),
        example="a frame that ends inside a name, or behind the STOP",
        fix="Do not load it: picklers never write this.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-PKL-019",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Use that nobody vouches for",
        what=(
            "A listed class gets arguments or a state that real pickles do not give"
            " to it, so that nobody knows what it does with them."
        ),
        example="`argparse.Namespace(x)`",
        fix="Find out who wrote it, and how.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
)

_NAMES = (
    "dangerous-call",
    "dangerous-name",
    "foreign-call",
    "unknown-call",
    "unknown-name",
    "computed-name",
    "dotted-name",
    "computed-call",
    "misuse",
    "changed-global",
    "extension",
    "broken",
    "persistent-id",
    "elsewhere",
    "not-followed",
    "source-code",
    "limit",
    "frame",
    "unlisted-use",
)

# What the engine calls each, in the order of their numbers.
PICKLE_RULES: dict[str, Rule] = dict(zip(_NAMES, RULES, strict=True))
