"""DVC's md5 and its lists of folders, against DVC's own code; the order of stages."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path

import pytest
from dvc_data.hashfile.hash import fobj_md5
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS
from weighbridge.errors import ParseError, WeighbridgeError
from weighbridge.formats import (
    DvcEntry,
    DvcStage,
    MemorySource,
    compute_dvc_folder,
    hash_dvc,
    hash_dvc_legacy,
    parse_dvc_file,
    parse_dvc_lock,
    parse_dvc_pipeline,
)
from weighbridge.formats._yaml import YamlMapping, YamlNode, YamlSequence, parse_yaml
from weighbridge.integrations._dvc_order import order_stages
from weighbridge.integrations._dvc_repository import Place, Stage

LINES = st.sampled_from([b"\r\n", b"\n", b"\r", b"a", b"word", b"\0", b"\xff" * 9, b"\x1b"])


@settings(deadline=None)
@given(st.lists(LINES, max_size=40), st.integers(0, 5))
def test_md5_is_as_dvc_takes_it(parts: list[bytes], distance: int) -> None:
    """Also where a MiB, which DVC reads at once, ends inside the lines."""
    small = b"".join(parts)
    for data in (small, b"x" * ((1 << 20) - distance) + small, small + bytes(1 << 20) + small):
        found = hash_dvc_legacy(MemorySource("a", data))
        assert found.md5 == fobj_md5(io.BytesIO(data), name="md5")
        assert found.md5 == hash_dvc(MemorySource("a", data)).md5
        assert found.legacy[0] == fobj_md5(io.BytesIO(data), name="md5-dos2unix")


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
DIGESTS = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(st.dictionaries(PATHS, DIGESTS, max_size=8))
def test_a_folder_is_as_dvc_lists_it(files: dict[str, str]) -> None:
    tree = Tree()
    for name, md5 in files.items():
        tree.add(tuple(name.split("/")), None, HashInfo("md5", md5))
    tree.digest()
    assert f"{compute_dvc_folder(files.items())}.dir" == tree.hash_info.value


FOLDER = Path("/repo")


def build(edges: list[tuple[int, int]], count: int) -> list[Stage]:
    """Return stages of which each makes one file and takes in those of others."""
    stages = []
    for maker in range(count):
        taken = sorted({source for source, target in edges if target == maker})
        inputs = tuple(Place(DvcEntry(f"{n}/o"), f"{n}/o", FOLDER / f"{n}/o") for n in taken)
        out = Place(DvcEntry(f"{maker}/o"), f"{maker}/o", FOLDER / f"{maker}/o")
        recorded = DvcStage(str(maker), ("a",), (), ())
        stages.append(Stage(str(maker), recorded, inputs, (out,)))
    return stages


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_each_stage_comes_behind_what_it_needs(edges: list[tuple[int, int]]) -> None:
    ordered = order_stages(build(edges, 8), root=FOLDER)
    assert sorted(stage.name for stage in ordered) == [str(n) for n in range(8)]
    place = {stage.name: index for index, stage in enumerate(ordered)}
    good = {stage.name for stage in ordered if not stage.problem}
    for source, target in edges:
        if str(target) in good:
            assert source != target
            assert place[str(source)] < place[str(target)]
    if all(source < target for source, target in edges):
        assert len(good) == 8


TEXTS = st.text("ab:-[]{}&*#'\"\n 01", max_size=60)


@settings(max_examples=300)
@given(TEXTS)
def test_an_alias_is_what_it_stands_for(text: str) -> None:
    """With aliases, whatever has none is read as it is without."""
    try:
        plain = parse_yaml(text, first_line=1, max_depth=8)
    except ParseError:
        return
    assert parse_yaml(text, first_line=1, max_depth=8, with_aliases=True) == plain


def count(node: YamlNode) -> int:
    if isinstance(node, YamlSequence):
        return 1 + sum(map(count, node.items))
    if isinstance(node, YamlMapping):
        return 1 + len(node.items) + sum(map(count, node.items.values()))
    return 1


def measure(node: YamlNode) -> int:
    if isinstance(node, YamlSequence):
        return 1 + max(map(measure, node.items), default=0)
    if isinstance(node, YamlMapping):
        return 1 + max(map(measure, node.items.values()), default=0)
    return 0


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=6))
def test_aliases_count_as_if_they_were_written_out(rows: list[list[int]]) -> None:
    lines = ["- &a0 x"]
    for number, row in enumerate(rows, 1):
        items = ", ".join(f"*a{min(n, number - 1)}" for n in row)
        lines.append(f"- &a{number} [{items}]")
    text = "\n".join(lines)
    whole = parse_yaml(text, first_line=1, max_depth=64, with_aliases=True)
    values, depth = count(whole), measure(whole)
    limits = {"first_line": 1, "with_aliases": True}
    assert parse_yaml(text, max_depth=depth, max_values=values, **limits) == whole
    with pytest.raises(ParseError, match="more than"):
        parse_yaml(text, max_depth=depth, max_values=values - 1, **limits)
    with pytest.raises(ParseError, match="inside each other"):
        parse_yaml(text, max_depth=depth - 1, max_values=values, **limits)


@given(st.binary(max_size=200) | TEXTS.map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for parse in (parse_dvc_lock, parse_dvc_pipeline, parse_dvc_file):
        for content in (data, b"schema: '2.0'\nstages:\n  a: " + data):
            with suppress(WeighbridgeError):
                parse(content, what="dvc.lock", limits=DEFAULT_LIMITS)
