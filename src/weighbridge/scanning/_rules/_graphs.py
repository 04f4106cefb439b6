"""The rules about graphs: ONNX, TensorFlow, TFLite, Core ML and others."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

_FAIL, _UNKNOWN, _NOTE = Answer.FAIL, Answer.UNKNOWN, Answer.PASS
_MEDIUM, _HIGH = Severity.MEDIUM, Severity.HIGH
_RUNS, _PATH, _INPUT, _INCLUDES = (94,), (22, 73), (20,), (829,)
_CUSTOM_FIX = "Find out which library gives this part, and whether you trust it."
_PATH_FIX = "Do not load it. Ask for a model whose files lie beside it."
_FILE_FIX = "Do not run it. Ask who made it why it reads or writes files."
_LAYER_FIX = "Remove the layer: a trained network needs no file of data."
_PYTHON_FIX = "Do not run it before you have read the Python code that it names."
_DOCUMENT_FIX = "Do not load it. Convert the model again from its source."
_DAMAGE_FIX = "Export the model again, and ask where this file comes from."
_ENTITY_FIX = "Remove the document type; PMML is read without it."
_TEXT_FIX = "Read the text, and find out who put it there."
_ARTIFACT = ("AML.T0011.000",)

# id, answer, severity, title, what, example, fix, cwe
_TABLE: tuple[tuple[str, Answer, Severity, str, str, str, str, tuple[int, ...]], ...] = (
    (
        *("WB-ONX-001", _FAIL, _HIGH, "ONNX tensor data outside of the model's folder"),
        "Loading reads a tensor from an absolute path, an address, or outside of the folder.",
        *("`location: ../../etc/passwd`", _PATH_FIX, _PATH),
    ),
    (
        *("WB-ONX-002", _UNKNOWN, _MEDIUM, "ONNX operator of a custom library"),
        "The operator is not one of ONNX, ONNX Runtime or the model itself: native code runs it.",
        *("`my.domain::Evil`", _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-ONX-003", _UNKNOWN, _HIGH, "ONNX operator that runs code from elsewhere"),
        "The operator calls a Python function, or loads a compiled context, that the model lacks.",
        *("`ai.onnx.contrib::PyOp`", _CUSTOM_FIX, _RUNS),
    ),
    (
        *("WB-ONX-004", _FAIL, _MEDIUM, "ONNX tensor that lies about its size"),
        "Dimensions, type and data of a tensor contradict each other, or are impossible.",
        *("`dims: [1000000, 1000000]` with four bytes", _DAMAGE_FIX, _INPUT),
    ),
    (
        *("WB-ONX-005", _UNKNOWN, _MEDIUM, "ONNX fields that are not in the format"),
        "The model has fields that ONNX does not know; other programs may read something in them.",
        *("field 999 of the model", _DAMAGE_FIX, _INPUT),
    ),
    (
        *("WB-ONX-006", _FAIL, _MEDIUM, "ONNX names that are used twice"),
        "Two tensors, or two functions, of one name: which one counts depends on the program.",
        *("two initializers `w`", _DAMAGE_FIX, (436,)),
    ),
    (
        *("WB-TFG-001", _FAIL, _HIGH, "TensorFlow graph that writes or reads a file of its choice"),
        "The graph names a file or an address itself, and reads or writes it when it runs.",
        *("`WriteFile` with `/home/user/.bashrc`", _FILE_FIX, _PATH),
    ),
    (
        *("WB-TFG-002", _UNKNOWN, _HIGH, "TensorFlow operator that leaves the graph"),
        "The operator calls Python, other machines, a library, or a file that an input names.",
        *("`PyFunc`", _CUSTOM_FIX, _RUNS),
    ),
    (
        *("WB-TFG-003", _UNKNOWN, _MEDIUM, "Unknown TensorFlow operator"),
        "The operator is not one of TensorFlow: a custom library gives it.",
        *('`op: "Evil"`', _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-TFG-004", _FAIL, _HIGH, "TensorFlow asset outside of the model's folder"),
        "A file that the model names as its own leads out of the folder.",
        *("`../../etc/passwd`", _PATH_FIX, _PATH),
    ),
    (
        *("WB-TFG-005", _FAIL, _MEDIUM, "TensorFlow tensor that lies about its size"),
        "Shape and data of a constant contradict each other, or are impossible.",
        *("a shape of 2^60 with four bytes", _DAMAGE_FIX, _INPUT),
    ),
    (
        *("WB-TFG-006", _UNKNOWN, _MEDIUM, "Text in a graph that looks like code"),
        "A string or a note in the graph looks like program code.",
        *("`__import__('os').system('id')`", _TEXT_FIX, _RUNS),
    ),
    (
        *("WB-TFL-001", _UNKNOWN, _MEDIUM, "Operator or delegate of a custom library"),
        "The operator is not one of the runtime: native code that somebody registers runs it.",
        *("`custom_code: Evil`", _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-TFL-002", _FAIL, _MEDIUM, "Flat buffer with impossible offsets"),
        "Tables, vectors or buffers lie outside of the file, or indices name nothing.",
        *("a buffer at 2^32", _DAMAGE_FIX, (125,)),
    ),
    (
        *("WB-CML-001", _UNKNOWN, _HIGH, "Core ML model that loads a class by its name"),
        "The model has a custom part: the program that loads it runs a class of that name.",
        *("`CustomLayer` with `className: Evil`", _CUSTOM_FIX, _RUNS),
    ),
    (
        *("WB-CML-002", _FAIL, _HIGH, "Core ML file outside of the model"),
        "A path of weights, or of an item of a package, leads out of the package.",
        *("`@model_path/../../secret`", _PATH_FIX, _PATH),
    ),
    (
        *("WB-CML-003", _UNKNOWN, _MEDIUM, "Core ML part that is not known"),
        "The model has a kind of model, layer or operator that is not in the list.",
        *("model type 3000 with unknown fields", _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-OVN-001", _UNKNOWN, _MEDIUM, "OpenVINO layer of a custom library"),
        "The layer is not one of OpenVINO's operator sets: an extension library runs it.",
        *('`version="extension"`', _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-OVN-002", _FAIL, _HIGH, "OpenVINO document that cannot be right"),
        "The document has a path that leads out, an impossible offset or an entity, or is no XML.",
        *('`<!ENTITY x SYSTEM "file:///etc/passwd">`', _DOCUMENT_FIX, (611, 73)),
    ),
    (
        *("WB-PDL-001", _UNKNOWN, _HIGH, "Paddle operator that runs Python"),
        "The operator calls a Python function that somebody registered.",
        *("`py_func`", _PYTHON_FIX, _RUNS),
    ),
    (
        *("WB-PDL-002", _FAIL, _HIGH, "Paddle program that reads or writes a file of its choice"),
        "The program names a file itself, and reads or writes it when it runs.",
        *("`save` with `file_path: /tmp/x`", _FILE_FIX, _PATH),
    ),
    (
        *("WB-PDL-003", _UNKNOWN, _MEDIUM, "Unknown Paddle operator"),
        "The operator is not in the list; a custom library may give it.",
        *("`custom_evil`", _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-PDL-004", _FAIL, _MEDIUM, "Damaged Paddle weights"),
        "The tensors of a weights file contradict its length.",
        *("dimensions of 2^40", _DAMAGE_FIX, _INPUT),
    ),
    (
        *("WB-MXN-001", _UNKNOWN, _HIGH, "MXNet operator that runs Python or a library"),
        "The operator calls a registered Python function or a pointer that is written in the file.",
        *("`Custom` with `op_type: evil`", _PYTHON_FIX, (94, 822)),
    ),
    (
        *("WB-MXN-002", _UNKNOWN, _MEDIUM, "Unknown MXNet operator"),
        "The operator is not in the list; a library may give it.",
        *("`_evil`", _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-PMM-001", _UNKNOWN, _HIGH, "PMML function that is a class"),
        "A function has the name of a class: JPMML loads and runs a Java class of that name.",
        *('`<Apply function="com.evil.Run">`', _CUSTOM_FIX, _RUNS),
    ),
    (
        *("WB-PMM-002", _UNKNOWN, _MEDIUM, "PMML part that is not known"),
        "The document has an element that PMML does not: what reads it may do anything.",
        *("`<Evil>`", _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-PMM-003", _FAIL, _HIGH, "PMML with a document type"),
        "Entities of a document type read files and addresses, or grow; PMML needs none.",
        *('`<!DOCTYPE PMML SYSTEM "http://evil">`', _ENTITY_FIX, (611, 776)),
    ),
    (
        *("WB-CAF-001", _UNKNOWN, _HIGH, "Caffe layer that runs Python"),
        "A layer of type `Python` imports the module that it names and runs a class of it.",
        *('`python_param { module: "os" layer: "system" }`', _PYTHON_FIX, _RUNS),
    ),
    (
        *("WB-CAF-002", _UNKNOWN, _MEDIUM, "Unknown layer"),
        "The layer is not in the list; a custom library may give it.",
        *('`type: "Evil"`', _CUSTOM_FIX, _INCLUDES),
    ),
    (
        *("WB-CAF-003", _UNKNOWN, _MEDIUM, "Caffe layer that reads or writes files"),
        "The network names a file of data, which it reads or writes when it runs.",
        *('`hdf5_output_param { file_name: "/tmp/x" }`', _LAYER_FIX, _PATH),
    ),
)

RULES: tuple[Rule, ...] = tuple(
    Rule(
        rule_id,
        answer,
        severity,
        title,
        what,
        example,
        fix,
        cwe,
        () if fix is _DAMAGE_FIX else _ARTIFACT,
    )
    for rule_id, answer, severity, title, what, example, fix, cwe in _TABLE
)
