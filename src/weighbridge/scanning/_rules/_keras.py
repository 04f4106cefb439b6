"""The rules about Keras and HDF5."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-HDF-001",
        Answer.FAIL,
        Severity.HIGH,
        title="HDF5 that reads a file elsewhere",
        what=(
            "An external link, external storage or a virtual dataset names a file by an "
            "absolute path, by a path that leads out of the folder, or by an address. Whoever"
            " reads the dataset gets the content of that file."
        ),
        example="an external link to `/home/user/.ssh/data.h5`",
        fix="Copy the data into the file (`h5repack`, or load and save the weights again).",
        cwe=(22, 73),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-HDF-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="HDF5 that reads another file",
        what=(
            "An external link, external storage or a virtual dataset names another file "
            "beside this one. What it reads depends on what lies there."
        ),
        example="external storage in `raw.bin`",
        fix="Copy the data into the file, or make sure that the other file is part of the model.",
        cwe=(73,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-HDF-003",
        Answer.FAIL,
        Severity.MEDIUM,
        title="HDF5 data outside the file",
        what=(
            "The file is shorter than it says, or a record or the data of a dataset lie "
            "behind its end."
        ),
        example="a dataset at byte 2^40",
        fix="Fetch the file again; it was cut, or somebody changed it.",
        cwe=(125,),
        atlas=(),
    ),
    Rule(
        "WB-HDF-004",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Broken HDF5 structure",
        what=(
            "A header, a heap or a tree cannot be followed. Libraries have had memory errors "
            "in such files."
        ),
        example="a B-tree that leads back into itself",
        fix="Write the file again from its source.",
        cwe=(20, 125),
        atlas=(),
    ),
    Rule(
        "WB-HDF-005",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="HDF5 filter that is not known",
        what=(
            "A dataset is packed by a filter that is not part of HDF5 and not one of the "
            "well-known ones. HDF5 looks for a plug-in, which is native code, and loads it."
        ),
        example="filter 65000",
        fix="Write the data again with gzip, or ask who made the file.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-HDF-006",
        Answer.PASS,
        Severity.INFO,
        title="HDF5 filter of a well-known plug-in",
        what="A dataset is packed by a filter that h5py, hdf5plugin or PyTables come with.",
        example="filter 32001, blosc",
        fix="Nothing; whoever reads the data needs that plug-in.",
        cwe=(),
        atlas=(),
    ),
    Rule(
        "WB-HDF-007",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="HDF5 link of a class of its own",
        what=(
            "A link has a class that some program has to register, so that nobody knows what "
            "following it does."
        ),
        example="a link of class 187",
        fix="Replace it by a link of HDF5's own.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-001",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Keras layer with Python code",
        what=(
            "A Lambda layer, or a function beside one, holds marshalled Python bytecode. "
            "Keras runs it when the model is built or called. In HDF5 files the safe mode of "
            "Keras did not count (CVE-2025-9905, CVE-2024-3660)."
        ),
        example='`{"class_name": "Lambda", "config": {"function": ["4wEAAA...", null, null]}}`',
        fix="Replace the layer by a class of Keras, or by one that you register yourself.",
        cwe=(94, 502),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Keras layer that calls a function by name",
        what="A Lambda layer names a function that whoever loads the model has to supply.",
        example=(
            '`{"class_name": "Lambda", "config": {"function": "scale", "function_type": '
            '"function"}}`'
        ),
        fix="Ask for the function's source, or for a model without Lambda layers.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-003",
        Answer.FAIL,
        Severity.CRITICAL,
        title="Keras config that imports what is no layer",
        what=(
            "An object of the config names a module and a class or function that do more than"
            " compute. Keras imports the module, gets the name out of it and calls it "
            "(CVE-2025-1550, CVE-2025-8747, CVE-2025-9906)."
        ),
        example='`{"module": "os", "class_name": "function", "config": "system"}`',
        fix="Do not load it. Get it again from whoever made it.",
        cwe=(94, 502),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-004",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Keras config with code of others",
        what=(
            "The config names a class or function that is not one of Keras' own, or that is "
            "newer than the list of them."
        ),
        example='`"registered_name": "MyPackage>MyLayer"`',
        fix="Look at the source of the class, and load the model only with it.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-005",
        Answer.FAIL,
        Severity.HIGH,
        title="Keras config that opens a path or an address",
        what=(
            "A value of the config is opened while the model is built, and names an absolute "
            "path, a path that leads out of the model's folder, or an address "
            "(CVE-2025-12058)."
        ),
        example='`"vocabulary": "/etc/passwd"`',
        fix="Save the model again with its vocabulary inside.",
        cwe=(22, 73, 918),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-006",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Keras config that names a file",
        what=(
            "A value of the config looks like a file or an address that may be opened while "
            "the model is built."
        ),
        example='`"vocabulary": "words.txt"`',
        fix="Save the model again with its vocabulary inside.",
        cwe=(73,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-007",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="PyTorch module in a Keras config",
        what=(
            "A TorchModuleWrapper holds a pickle of a PyTorch module in base64, which is "
            "loaded with everything that it names. The pickle was examined too."
        ),
        example='`"class_name": "TorchModuleWrapper"`',
        fix="Keep the weights of the module in safetensors, and its code in source.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-008",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Keras layer that runs what is elsewhere",
        what=(
            "A layer loads a SavedModel from a path, or calls functions of JAX that whoever "
            "loads the model has to supply."
        ),
        example='`"class_name": "TFSMLayer"`',
        fix="Scan what it loads, and keep it beside the model.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-KER-009",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Keras config that makes no sense",
        what=(
            "An object of the config has no name of a class, its module is no name, or a "
            "config inside of the config cannot be read."
        ),
        example='`"class_name": 7`',
        fix="Save the model again with a current Keras.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-KER-010",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Keras layer that calls an operator of TensorFlow",
        what=(
            "A layer calls a function or an operator of TensorFlow that is not known to only "
            "compute; others read and write files."
        ),
        example='`{"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}`',
        fix="Ask who made the model what the layer is for.",
        cwe=(829,),
        atlas=("AML.T0011.000",),
    ),
)
