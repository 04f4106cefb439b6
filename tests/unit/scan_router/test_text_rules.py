"""Text is inert unless something that reads it may run it."""

from __future__ import annotations

import json

import pytest

from unit.scan_router.router_cases import gates, rows, scan

INERT = {
    "README.md": b"# Title\n\n```python\nimport os\nos.system('x')\n```\n",
    "vocab.txt": b"[PAD]\n[UNK]\nimport\ndef\nclass\n##s\n\xc3\xa9\n",
    "merges.txt": b"#version: 0.2\nt h\nim port\nimport ant\nclass ic\ndef ault\n",
    "config.json": b'{"architectures": ["BertModel"], "x": null}',
    "with-bom.json": b'\xef\xbb\xbf{"a": 1}',
    "lines.jsonl": b'{"a": 1}\n{"a": 2}\n',
    "vocab.json": json.dumps({"auto_map": 5, "\u00e9": 1, "a/b": 2}).encode().replace(b"5", b"0"),
    "token.json": json.dumps({"model": {"vocab": ["auto_map", "chat_template"]}}).encode(),
    "remote.json": b'{"trust_remote_code": false, "auto_map": null}',
    "label.json": b'[{"class_name": "dog", "id": 1}]',
    "data.csv": b"a,b\n1,2\n",
    "config.yaml": b"a: 1\nb:\n  - x\n  - wow!\n",
    "blank": b" \n\t\n",
    "core.yaml": b"lr: !!float 1\nn: !!int 2\ns: [!!str a, !!null ]\nnote: hello !world\nb: x -!y\n"
    b"anchor: &a 1\n",
    "words.json": json.dumps(
        {"vocab": {"chat_template": 17, "auto_map": 9, "_target_": 3}}
    ).encode(),
    "words-large.json": json.dumps(
        {"vocab": {"pad": "x" * 99_999, "chat_template": 17, "auto_map": 9}}
    ).encode(),
    "classes.txt": b"class A: first year\nclass B (see below)\nclass C(ii)\n\nclass D:\nnext\n",
    "classes.csv": b"label,text\nclass A: cars,1\nclass B(2),2\nclass C\n",
    "exclaimed.txt": b"!\n!!\n!word\n- !important\nhttp://a/!b%20c? no: 50%!\n".replace(
        b"!b%20", b"b%20"
    ),
    "[1] notes.txt": b"[1] A paper.\n[2] Another.\n",
    "latex.txt": b"x^2\tand\r\nmore\n",
    ".gitattributes": b"*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "modules.json": json.dumps(
        [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Pooling"}]
    ).encode(),
}

CODE = {
    "config.json": b'{"auto_map": {"AutoModel": "modeling.X"}}',
    "deep.json": b'{"a": [{"b": {"_target_": "os.system"}}]}',
    "tokenizer_config.json": b'{"chat_template": "{{ x }}"}',
    "escaped.json": b'{"\\u0061uto_map": {"A": "b"}}',
    "escaped-slash.json": b'{"py\\/reduce": [1]}',
    "pipeline.json": b'{"custom_pipelines": {"x": {"impl": "a.B"}}}',
    "jsonpickle.json": b'{"py/object": "os.system"}',
    "modules.json": b'[{"name": "0", "path": "", "type": "evil.Module"}]',
    "a/modules.json": b'[{"name": "0", "path": "", "type": "evil.Module"},]',
    "like-json.yaml": b'{"a": !!python/object/apply:os.system ["x"]}',
    "like-json": b"[1]\nimport os\nos.system('x')\n",
    "lines.jsonl": b'{"a": 1}\n{"auto_map": {"b": "c"}}\n',
    "broken.json": b'{"auto_map": {"A": "b"},,}',
    "big.json": json.dumps({"pad": "x" * 200_000, "auto_map": {"a": "b"}}).encode(),
    "big-escaped.json": b'{"pad": "' + b"x" * 200_000 + b'", "auto\\u005Fmap": {"a": "b"}}',
    "modeling.py": b"x = 1\n",
    "module": b"from os import system\nsystem('x')\n",
    "script": b"#!/usr/bin/env python\nprint(1)\n",
    "plugin.txt": b"def run(x):\n    return x\n",
    "one-line": b"import os;os.system('x')\n",
    "notebook.ipynb": b"{}",
    "site.pth": b"import os; os.system('x')\n",
    "page": b"<html><script>alert(1)</script></html>",
    "drawing.svg": b"<svg></svg>",
    "model.xml": b'<?xml version="1.0"?><net/>',
    "chat_template.jinja": b"hello",
    "template": b"{% for m in messages %}{{ m }}{% endfor %}",
    "config.yaml": b"a: !!python/object/apply:os.system ['x']\n",
    "local-tag.yml": b"a: !Ref x\n",
    "hydra.yaml": b"model:\n  _target_: os.system\n",
    "hydra": b"model:\n  _target_: os.system\n",
    "escape.yaml": b'"\\x5ftarget_": os.system\n',
    "Makefile": b"all:\n\techo x\n",
    # Ways to hide a tag or a name from a search, each understood by a real loader.
    "anchored.yaml": b"a: &x !Ref y\n",
    "question.yaml": b"? !Ref x\n: 1\n",
    "paragraph.yaml": "a:\u2028!Ref x\n".encode(),
    "core-like.yaml": b"a: !!floaty x\n",
    "flow.yaml": b"a: {b: !Ref x,c: 1}\n",
    "list.yaml": b"- !Ref x\n",
    "class.txt": b"class A:\n    x = f()\n",
    "class-far.txt": b"words\nclass A:  # why\r\n\r\n\n\t'text'\n",
    "class-of.txt": b"class A(Base, x=1):\n    pass\n",
    "class-over-lines.txt": b"class A(\n    Base,\n):\n    pass\n",
    "class-in-a-line.txt": b"class A: __import__('os').system('x')\n",
    "flag.json": b'{"trust_remote_code": 1}',
    "directive.yaml": b'%TAG ! tag:yaml.org,2002:python\n---\n!/object/apply:os.system ["id"]\n',
    "percent.yaml": b"%TAG ! tag:yaml.org,2002:python/\n---\n!%6fbject/apply:os.system [x]\n",
    "folded.yaml": b'model: {? "_targ\\\n  et_" : os.system}\n',
    "percent.txt": b'- !!%70ython/object/apply:os.system ["id"]\n',
    "verbatim.txt": b'- !<tag:yaml.org,2002:python/object/apply:os.system> ["id"]\n',
    "verbatim-percent.txt": b'- !<tag:%79aml.org,2002:python/object/apply:os.system> ["id"]\n',
    "spaced.json": b"{" + b" " * 1_100 + b'"auto\\u005fmap": {"a": "b"}}',
    "pushed-down.json": b"\n" * 1_200 + b'{"auto\\u005fmap": {"a": "b"}}',
    "a-mebibyte-away.json": b"{" + b" " * 2_000_000 + b'"auto\\u005fmap": {"a": "b"}}',
    "a-mebibyte-away": b"{" + b" " * 2_000_000 + b'"auto\\u005fmap": {"a": "b"}}',
    "b/modules.json": b" " * 1_200 + b'[{"name": "0", "path": "", "type": "evil.Module"}]',
    "far-python.txt": b"words and words\n" * 2_200_000 + b"def run(x):\n    return x\n",
}


CODE_FORMATS = {"python", "jinja template", "shell script", "svg"}


@pytest.mark.parametrize("name", INERT)
def test_inert(name: str) -> None:
    result = scan(INERT[name], name)
    assert rows(result)[""][0] in {"inert", "examined"}, result.coverage
    assert result.findings == ()


@pytest.mark.parametrize("name", CODE)
def test_code(name: str) -> None:
    """It is taken for code, whose own tests say what of it gates, or it gates."""
    result = scan(CODE[name], name)
    formats = {format_name for _, format_name in rows(result).values()}
    assert gates(result) or formats & CODE_FORMATS, result


@pytest.mark.parametrize("data", [b"text\0more", b"\x1b\x1b\x1bred", b"caf\xe9", b"\xff\xfea\0b"])
def test_bytes_that_are_no_text(data: bytes) -> None:
    assert rows(scan(data, "a.txt"))[""] == ("not-examined", "unknown")


def test_a_letter_may_lie_across_two_pieces_and_so_may_a_name() -> None:
    piece = 1024 * 1024
    text = b"a" * (piece - 1) + "é".encode() + b"b" * piece
    assert rows(scan(text, "a.txt"))[""] == ("inert", "text")
    hidden = b'{"' + b"a" * (piece - 6) + b'": 1, "auto_map": {"b": "c"}}'
    assert gates(scan(hidden, "a.json"))


def test_damage_at_the_very_end_is_seen() -> None:
    assert rows(scan(b"a" * 3_000_000 + b"\xc3\0", "a.txt"))[""][0] == "not-examined"


def test_long_runs_take_no_longer_than_their_length() -> None:
    """Each of these made a pattern go back and forth over the whole run."""
    for line in (b"import ", b"import " + b" " * 10**6, b"def " + b"a" * 10**6, b" " * 10**6):
        assert rows(scan(line + b"\nfrom x\n(", "a.txt"))[""] == ("inert", "text")
    header = b"{" + b" " * 60_000 + b"}"
    raw = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header
    assert rows(scan(raw))[""] == ("not-examined", "numpy")


def test_json_of_millions_of_values_is_not_parsed() -> None:
    raw = b'{"auto_map": [' + b"1," * 2_100_000 + b"1]}"
    assert rows(scan(raw, "a.json"))[""] == ("not-examined", "json")
