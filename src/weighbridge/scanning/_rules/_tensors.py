"""The rules about files of tensors."""

from __future__ import annotations

from weighbridge.core import Answer, Rule, Severity

__all__ = ["RULES"]

RULES: tuple[Rule, ...] = (
    Rule(
        "WB-GGF-001",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Unreadable GGUF header",
        what=(
            "The GGUF header cannot be read: version, types, lengths, a key twice, a bad alignment."
        ),
        example="an array that claims 2^60 strings",
        fix="Convert the model again.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-GGF-002",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Bad tensor in a GGUF header",
        what=(
            "A tensor outside the file, over another, not aligned, or with "
            "impossible dimensions; two of one name."
        ),
        example="an offset of 2^62",
        fix="Convert the model again.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-GGF-003",
        Answer.UNKNOWN,
        Severity.LOW,
        title="Unknown GGUF tensor type",
        what="A tensor type that is not in the table, so that its size cannot be checked.",
        example="type 999",
        fix="Update Weighbridge, or ask who made the file.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-NPY-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="NumPy header that cannot be trusted",
        what=(
            "A NumPy header that is not what NumPy writes (a dictionary of `descr`,"
            " `fortran_order` and `shape`, up to 64 KiB, or 1 MiB if it has "
            "fields), or a dtype whose meaning is not certain. Bytes behind it that"
            " are a pickle were examined."
        ),
        example="`'descr': 'O,i4'`",
        fix="Save the array again with `numpy.save`.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-NPY-002",
        Answer.FAIL,
        Severity.MEDIUM,
        title="NumPy array of another size",
        what="The bytes behind the header do not fit dtype and shape.",
        example="7 bytes appended",
        fix="Save the array again with `numpy.save`.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-NPY-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="NumPy objects without a pickle",
        what="An array of objects without a pickle behind its header.",
        example="a file that was cut",
        fix="Save the array again with `numpy.save`, without objects if possible.",
        cwe=(502,),
        atlas=("AML.T0011.000",),
    ),
    Rule(
        "WB-STN-001",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Unreadable safetensors header",
        what=(
            "The safetensors header cannot be read: its length, its JSON, a key "
            "twice, metadata that is not text."
        ),
        example="a header of 2^63 bytes",
        fix="Save the file again with `safetensors`.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-STN-002",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Bad tensor in a safetensors header",
        what=(
            "A tensor without exactly dtype, shape and offsets, of an unknown "
            "dtype, or whose bytes do not fit dtype and shape."
        ),
        example="`F32 [2]` in 4 bytes",
        fix="Save the file again with `safetensors`.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-STN-003",
        Answer.FAIL,
        Severity.MEDIUM,
        title="Safetensors that overlap or leave holes",
        what="The tensors overlap, leave a hole, or do not end where the file ends.",
        example="bytes appended to a model",
        fix="Save the file again with `safetensors`; the extra bytes are not part of the model.",
        cwe=(20,),
        atlas=(),
    ),
)
