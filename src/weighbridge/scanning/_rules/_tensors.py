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
            "A tensor lies outside the file or over another one, is not aligned, has impossible "
            "dimensions, or has the name of another."
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
        what="A tensor has a type that is not in the table, so that its size cannot be checked.",
        example="type 999",
        fix="Update Weighbridge, or ask who made the file.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-GGF-004",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Bytes in a GGUF file that belong to nothing",
        what=(
            "Behind the last tensor, between two or behind the header there is more than a padding "
            "of zeros. No reader of GGUF reads it; other loaders may find an archive or a pickle."
        ),
        example="a pickle behind the last tensor",
        fix="Convert the model again, or cut the file where its last tensor ends.",
        cwe=(506,),
        atlas=(),
    ),
    Rule(
        "WB-NPY-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="NumPy header that cannot be trusted",
        what=(
            "The NumPy header is not as NumPy writes it (a dictionary of `descr`, "
            "`fortran_order` and `shape`, up to 64 KiB, or 1 MiB if it has fields), or the "
            "meaning of its dtype is not certain. Bytes behind it that are a pickle were "
            "examined."
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
        what="The header says that an array of objects follows, but no pickle does.",
        example="a file that was cut",
        fix="Fetch the file again, or save the array without objects.",
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
            "A tensor has other fields than dtype, shape and offsets, an unknown dtype, or "
            "bytes that do not fit dtype and shape."
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
    Rule(
        "WB-TNS-001",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Weights that are not numbers",
        what=(
            "A tensor holds NaN: whatever is computed with it is NaN, too. Training diverged, "
            "a conversion went wrong, or somebody broke the file. Of files with more than 8 MiB of "
            "tensors a sample is read, unless `--weights` asks for all."
        ),
        example="a layer of a diverged training run",
        fix="Ask the publisher for weights that work, or find out why these are as they are.",
        cwe=(20,),
        atlas=("AML.T0018",),
    ),
    Rule(
        "WB-TNS-002",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Infinite weights",
        what=(
            "A tensor with two axes or more holds infinity beside ordinary numbers. Masks, which "
            "hold zero and minus infinity only, are not meant; nor are ranges of quantizers."
        ),
        example="an overflow on the way from float32 to float16",
        fix="Convert the model again, to bfloat16 or with clipping.",
        cwe=(20,),
        atlas=("AML.T0018",),
    ),
    Rule(
        "WB-TNS-003",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Weights that are all zero",
        what="All weights that were looked at, 100,000 or more, are zero: the file holds no model.",
        example="a checkpoint that was saved before its weights were there",
        fix="Save the model again.",
        cwe=(20,),
        atlas=(),
    ),
    Rule(
        "WB-TNS-004",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Shapes that contradict the config",
        what=(
            "The table of embeddings has other lengths than `vocab_size` and `hidden_size` in the "
            "`config.json` beside it: weights and config are not of the same model."
        ),
        example="`vocab_size` 32000 and an embedding of 50257 rows",
        fix="Fetch both again from one revision of one repository.",
        cwe=(345,),
        atlas=("AML.T0018",),
    ),
    Rule(
        "WB-TNS-005",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Shards that are missing or disagree",
        what=(
            "An index names a file that is not there, or one that does not hold the tensor it "
            "should hold; or two shards hold the same tensor; or a shard of a numbered set is "
            "missing."
        ),
        example="`model-00002-of-00003.safetensors` was not downloaded",
        fix="Fetch the missing files, or write the index again.",
        cwe=(345,),
        atlas=(),
    ),
    Rule(
        "WB-TNS-006",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Two files of weights that differ",
        what=(
            "A folder holds the same weights in two formats, and a tensor has other numbers or "
            "another shape in the one than in the other. Which of the two is loaded depends on the "
            "library and on what is installed."
        ),
        example="`model.safetensors` that differs from the `pytorch_model.bin` that was reviewed",
        fix="Delete the one that nobody vouches for; convert it again from the other.",
        cwe=(345,),
        atlas=("AML.T0018",),
    ),
    Rule(
        "WB-TNS-007",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="File that is named and is not there",
        what="A file names another one that belongs to it, and there is none of that name.",
        example="an ONNX model whose `weights.bin` was not downloaded",
        fix="Fetch the missing file.",
        cwe=(345,),
        atlas=(),
    ),
    Rule(
        "WB-TNS-008",
        Answer.UNKNOWN,
        Severity.MEDIUM,
        title="Code in the notes of a tensor file",
        what=(
            "A text in the metadata of a tensor file looks like a program, or hides one in base64. "
            "Loading the tensors does not run it; it may wait for a program that does."
        ),
        example="`__metadata__` with a Python script in base64",
        fix="Save the tensors again without this text; find out who put it there.",
        cwe=(506,),
        atlas=("AML.T0010.003",),
    ),
)
