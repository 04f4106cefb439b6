"""What documents make loaders do is said by a rule; ordinary documents gate nothing."""

from __future__ import annotations

import json

import pytest

from unit.scan_documents.hostile_documents import HOSTILE
from unit.scan_router.router_cases import build_zip, gates, rules, scan
from weighbridge.scanning._facts import NamedFile

ORDINARY: list[tuple[str, str]] = [
    ("config.json", '{"architectures": ["BertModel"], "torch_dtype": "float32"}'),
    ("adapter_config.json", '{"base_model_name_or_path": "org/base", "auto_mapping": null}'),
    ("config.json", '{"trust_remote_code": false, "auto_map": null, "_target_": null}'),
    ("vocab.json", '{"auto_map": 1, "trust_remote_code": 2, "py/object": 3, "_target_": 4}'),
    ("model_index.json", '{"_class_name": "P", "unet": ["diffusers", "UNet"], "x": [null, null]}'),
    ("modules.json", '[{"path": "", "type": "sentence_transformers.models.Transformer"}]'),
    ("h.yaml", "_target_: torch.optim.AdamW\nlr: 0.1\n"),
    ("h.yaml", "m: {_target_: nemo.collections.asr.modules.ConvASREncoder}\n"),
    ("v1-inference.yaml", "model:\n  target: ldm.models.diffusion.ddpm.X\n  params: {a: 1}\n"),
    ("inference.json", '{"net": {"_target_": "UNet"}, "x": "$@net.y * 2"}'),
    ("h.yaml", "build:\n  target: x86.linux\n"),
    ("h.yaml", "a: &a {x: 1}\nb: {<<: *a}\nc: *a\n"),
    ("h.yaml", "a: !!float 1\nb: !!python/tuple [1, 2]\n"),
    ("MLmodel", "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"),
    ("MLmodel", "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\n"),
    ("conda.yaml", "channels: [conda-forge]\ndependencies:\n- python=3.10\n- pip:\n  - mlflow\n"),
    (
        "python_env.yaml",
        "python: 3.10.0\nbuild_dependencies: [pip==23]\ndependencies: [-r r.txt]\n",
    ),
    ("requirements.txt", "torch==2.1.0\nnumpy>=1.20,<2\n# comment\n-r other.txt\nx[y]; a == 'b'\n"),
    ("requirements.txt", "--extra-index-url https://download.pytorch.org/whl/cu118\ntorch\n-e .\n"),
    ("requirements.txt", "git+https://github.com/huggingface/transformers\n"),
    ("requirements.txt", "tensorflow\ntransformers\nrequests\npandas\nsentence-transformers\n"),
    ("pyproject.toml", '[project]\nname = "x"\nurls = {Home = "https://e.example/x"}\n'),
    ("setup.cfg", "[metadata]\nurl = https://e.example/x\nname = x\n"),
    ("package.json", '{"scripts": {"test": "jest", "build": "tsc", "prepare": "tshy"}}'),
    ("dvc.yaml", "stages:\n  train:\n    cmd: python train.py\n"),
    (".env", "LOG_LEVEL=debug\nAPI_KEY=<your-key>\nTOKEN=your_token_here\n"),
    ("README.md", "export HF_TOKEN=hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nsk-" + "x" * 48 + "\n"),
    ("README.md", "psql postgres://user:password@localhost/db or AKIAIOSFODNN7EXAMPLE\n"),
    ("a.txt", "hf_" + "a" * 34 + "\nghp_" + "0" * 36 + "\nAKIA" + "A" * 16 + "\n"),
    ("data.csv", "a,b\n=,1\n-5,+3\nx|y,'q'\n"),
    ("a.xml", '<?xml version="1.0"?><annotation><object/></annotation>'),
    ("a.plist", '<!DOCTYPE plist PUBLIC "-//A//D" "http://a/p.dtd"><plist version="1.0"/>'),
    ("notes.txt", "<b>bold</b> and !important\n"),
    (".gitattributes", "*.bin filter=lfs\n"),
    (".cache/huggingface/download/config.json.metadata", "abc\n"),
    (".git/hooks/pre-commit.sample", "echo\n"),
    ("modèle.txt", "texte\n"),
    ("emoji-\U0001f600.txt", "x\n"),
    ("train.log", "\x1b[32mepoch 1\x1b[0m of many of them\r\nand then another line\n"),
    ("preprocessor_config.json", '{"crop_size": 224, "image_processor_type": "X"}'),
]


@pytest.mark.parametrize(
    ("name", "data", "rule"), HOSTILE, ids=[f"{n}-{row[0]}" for n, row in enumerate(HOSTILE)]
)
def test_hostile(name: str, data: bytes, rule: str) -> None:
    result = scan(data, name)
    assert rule in rules(result), result
    assert gates(result)


def test_there_are_enough_hostile_documents() -> None:
    assert len(HOSTILE) >= 80


@pytest.mark.parametrize(("name", "text"), ORDINARY)
def test_ordinary(name: str, text: str) -> None:
    result = scan(text.encode(), name)
    assert not gates(result), result


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_read(encoding: str) -> None:
    text = "Une phrase ordinaire, avec un caf\xe9 et rien de plus que cela.\n"
    if encoding in {"utf-16-le", "utf-16-be"}:
        text = text.replace("\xe9", "e")
    assert not gates(scan(text.encode(encoding), "a.txt"))
    evil = "model:\n  _target_: os.system\n# " + "x" * 40 + "\n"
    assert "WB-DOC-005" in rules(scan(evil.encode(encoding), "a.txt"))


def test_no_secret_is_printed() -> None:
    for name, data, rule in HOSTILE:
        if not rule.startswith("WB-SEC"):
            continue
        result = scan(data, name)
        shown = " ".join(f"{f.message} {f.detail}" for f in result.findings if f.rule_id == rule)
        words = [word for word in data.decode().split() if len(word) > 20]
        assert not any(word in shown for word in words), shown


def test_code_that_is_named_is_a_fact() -> None:
    result = scan(b'{"auto_map": {"A": "modeling_x.X"}}', "m/config.json")
    assert NamedFile("m/config.json", "modeling_x.py", "code") in result.facts


def test_members_of_archives_are_judged_like_files() -> None:
    raw = build_zip({"a/config.json": b'{"_target_": "os.system"}', ".bashrc": b"x"})
    assert {"WB-DOC-005", "WB-HID-001"} <= rules(scan(raw))


def test_a_vocabulary_of_many_megabytes_is_read_fast_and_a_name_in_it_is_found() -> None:
    vocabulary = {f"token{n}": n for n in range(200_000)}
    assert not gates(scan(json.dumps({"model": {"vocab": vocabulary}}).encode(), "tokenizer.json"))
    vocabulary_and = {"model": vocabulary, "auto_map": {"A": "m.X"}}
    assert gates(scan(json.dumps(vocabulary_and).encode(), "tokenizer.json"))


# Nine lists of nine of the list before: 3.5 thousand million values once they are written out.
ALIASES = b"a: &a [x, {class_name: y}]\n" + b"".join(
    b"%c: &%c [%b]\n" % (new, new, b", ".join([b"*%c" % (new - 1)] * 9)) for new in b"bcdefghij"
)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deep.yaml", b"_target_: " + b"[" * 100_000),
        ("deep.yaml", b"_target_: x\n" + b"".join(b" " * n + b"- a:\n" for n in range(2_000))),
        ("deep.json", b'{"auto_map":' + b"[" * 100_000),
        ("loose.json", b'{"auto_map":' + b'"\\' * 200_000),
        ("stars.yaml", b"a: &a [*a, *a]\n"),
        ("keys.yaml", b"? [a, {_target_: x}]\n: 1\n" * 20_000),
        ("colons.txt", b"://a:" * 300_000),
        ("dashes.txt", b"sk-" + b"a" * 2_000_000),
        ("jwt.txt", b"eyJ" + b"a" * 1_900 + b"." + b"eyJ" * 700_000),
        ("pem.txt", b"PRIVATE KEY-----" * 100_000),
        ("spaces.txt", b"PRIVATE KEY-----" + b" " * 2_000_000),
        ("requirements.txt", b"a" * 3_000_000),
        ("requirements.txt", b"--index-url " * 200_000),
        ("markup.xml", b"<" * 1_000_000),
        ("comment.xml", b"<!--" + b"-" * 1_000_000),
        ("comments.xml", b"<!-- a -->\n" * 100 + b"<!ENTITY a 'b'>"),
        ("entities.xml", b"<!DOCTYPE r [" + b'<!ENTITY a "&b;">' * 50_000 + b"]><r/>"),
        ("rows.csv", b"=" * 1_000_000 + b"|'"),
        ("tags.yaml", b"- !a b\n" * 100_000),
        ("aliases.yaml", ALIASES),
        ("keras.yaml", ALIASES + b"class_name: [*h, *h]\ngradient_booster: *h\n"),
    ],
)
def test_long_and_deep_documents_end_soon(name: str, data: bytes) -> None:
    """Each would take hours, or the stack, where work grows faster than the bytes."""
    assert scan(data, name).coverage
