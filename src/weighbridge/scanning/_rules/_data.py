"""The rules about models of trees and other libraries, and files of data."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

_ARTIFACT = "AML.T0011.000"

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-ARW-001",
        Answer.FAIL,
        Severity.HIGH,
        title="Arrow type that is a pickle",
        what=(
            "The schema has the extension type `arrow.py_extension_type`, whose metadata is a "
            "pickle: releases of PyArrow before 14.0.1 load it as soon as they read the schema "
            "(CVE-2023-47248)."
        ),
        example="a Parquet file whose schema holds `cos\\nsystem`",
        fix="Do not read it with an old PyArrow; ask for the data without Python's own types.",
        cwe=(502,),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-ARW-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Table file that breaks its format",
        what="The footer or the schema of a Parquet or Arrow file is not as their readers want it.",
        example="a footer that claims more bytes than the file has",
        fix="Write the table again with a current library.",
        cwe=(20,),
    ),
    Rule(
        "WB-MSG-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Extension type that is not Flax's",
        what=(
            "A msgpack document has a value of an extension type other than Flax's arrays, "
            "complex numbers and scalars; each reader decides what to make of it."
        ),
        example="extension type 42, which some program unpickles",
        fix="Find out which program wrote it; save arrays as safetensors.",
        cwe=(502,),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-MSG-002",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Array that lies about its size",
        what=(
            "An array in a msgpack document has more or fewer bytes than its type and shape need."
        ),
        example="float32 of shape [1000] in 8 bytes",
        fix="Save the model again.",
        cwe=(20,),
    ),
    Rule(
        "WB-RDS-001",
        Answer.FAIL,
        Severity.CRITICAL,
        title="R code that runs when it is looked at",
        what=(
            "R's serialization holds a promise that was never evaluated, or an active binding, and "
            "it calls functions that run commands, open files or connections, or load code. R runs "
            "it when the variable is touched, which `print` and `str` do (CVE-2024-27322)."
        ),
        example='a promise of `system("id")`',
        fix="Do not load it, not even to look at it.",
        cwe=(502, 94),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-RDS-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="R expression that waits to be run",
        what=(
            "R's serialization holds a promise or an active binding, which R runs when somebody "
            "looks at its variable. What it calls is nothing that is known to do harm."
        ),
        example="the environment of a function that was called with `1 + 1`",
        fix="Ask the publisher to save plain values, or force the variables before saving.",
        cwe=(502,),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-RDS-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="R function that acts",
        what=(
            "R's serialization holds a function or an expression that calls something that runs "
            "commands, opens files or connections, or loads code. It is run when it is used."
        ),
        example='`predict = function(x) system("id")`',
        fix="Read the function before you use the object.",
        cwe=(94,),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-SKO-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Odd node in a skops schema",
        what=(
            "A node of the schema is not as skops writes it, or asks for a loader that skops "
            "does not have."
        ),
        example='`"__loader__": "EvalNode"`',
        fix="Save the model again with a current skops.",
        cwe=(502,),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-SKO-002",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Dangerous type or function in a skops schema",
        what=(
            "The schema makes skops import a type or function that runs code, or a node names one "
            "thing and builds another (CVE-2025-54412, CVE-2025-54413)."
        ),
        example="an `OperatorFuncNode` of `builtins.eval`",
        fix="Do not load it, and trust no type of it.",
        cwe=(502, 94),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-SKO-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Unknown type or function in a skops schema",
        what="The schema names a type or a function that nobody vouches for.",
        example="`mypackage.MyTransformer`",
        fix="Read that class; if you vouch for it, allow its module and name in the policy.",
        cwe=(502,),
        atlas=(_ARTIFACT,),
    ),
    Rule(
        "WB-BST-001",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Trees that contradict themselves",
        what=(
            "A model of boosted trees has lists of other lengths than it says, or a child that "
            "is not a node of its tree: libraries that believe it read foreign memory, or never "
            "end."
        ),
        example="a left child 10,000 in a tree of 7 nodes",
        fix="Save the model again; do not load this one.",
        cwe=(125, 787),
    ),
)
