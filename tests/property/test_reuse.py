"""Signing again gives what a full signing gives, or says why not.

Random folders are signed, edited at random and signed again with the edits declared. The new list
of files has to be that of a full signing; a claim that is made wrong on purpose has to be refused.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import weighbridge as wb
from weighbridge.core import PLAIN, HashType, Method, Resource, Serialization
from weighbridge.errors import DigestMismatchError, InputError, WeighbridgeError
from weighbridge.signing import Names, Operation, OperationKind, reconcile

NAMES = st.sampled_from(["a", "b", "c.bin", "d/a", "d/b", "d-e/a", "d/e/f", "ü", "x y", "z"])
# Some are below and some above the size at which files are read in any case.
CONTENTS = st.sampled_from([b"", b"1", b"2" * 1023, b"3" * 1024, b"4" * 1500, b"5" * 70_000])
TREES = st.dictionaries(NAMES, CONTENTS, min_size=1)


@st.composite
def edits(draw: Any) -> tuple[dict[str, bytes], dict[str, bytes], dict[str, str]]:
    """Return a tree, what it became, and new name -> old name of the files that were renamed."""
    before = draw(TREES)
    after = dict(before)
    for name in draw(st.lists(st.sampled_from(sorted(before)), unique=True)):
        if draw(st.booleans()):
            del after[name]
        else:
            after[name] = draw(CONTENTS)
    renames = {}
    for old in sorted(before.keys() - after.keys()):
        new = draw(NAMES)
        if new not in before and new not in after and draw(st.booleans()):
            after[new] = before[old]
            renames[new] = old
    for name, content in draw(st.dictionaries(NAMES, CONTENTS, max_size=3)).items():
        if name not in before and name not in after:
            after[name] = content
    assume(after)
    return before, after, renames


def write(root: Path, tree: dict[str, bytes]) -> None:
    for path in root.iterdir():
        if path.name not in ("model.sig", ".git", ".gitattributes"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, content in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wb.keygen(tmp_path_factory.mktemp("key") / "k").private


@contextmanager
def signed(tree: dict[str, bytes], key: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place) / "model"
        root.mkdir()
        write(root, tree)
        wb.sign(root, key=key)
        yield root


@given(edit=edits(), form=st.sampled_from(["list", "claims", "both"]), data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_correct_declaration_gives_what_a_full_signing_gives(
    edit: tuple[dict[str, bytes], dict[str, bytes], dict[str, str]],
    form: str,
    key: Path,
    data: st.DataObject,
) -> None:
    before, after, renames = edit
    differs = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    old_names = set(renames.values())
    declared: dict[str, Any] = {}
    if form != "claims":
        harmless = st.lists(st.sampled_from(sorted(before.keys() | after.keys())))
        declared["changed"] = [*differs, *data.draw(harmless)]
    if form != "list":
        declared["updated"] = sorted((differs & after.keys()) - renames.keys())
        declared["deleted"] = sorted((differs - after.keys()) - old_names)
        declared["renamed"] = [(old, new) for new, old in sorted(renames.items())]
    if form == "claims" and not any(declared.values()):
        declared["changed"] = []
    with signed(before, key) as root:
        write(root, after)
        again = wb.sign(root, key=key, reuse=wb.Reuse(root / "model.sig", strict=True, **declared))
        assert again.manifest == wb.hash(root)
        assert again.reused is not None
        assert differs & after.keys() <= set(again.reused.hashed)
        assert len(again.reused.hashed) + again.reused.reused_count == len(after)
        wb.verify(root, key=key.with_suffix(".pub"))


@given(edit=edits(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_wrong_claim_is_refused_and_the_old_signature_stays(
    edit: tuple[dict[str, bytes], dict[str, bytes], dict[str, str]], key: Path, data: st.DataObject
) -> None:
    before, after, _ = edit
    there, gone = st.sampled_from(sorted(after)), st.sampled_from(sorted(before))
    wrong = data.draw(
        st.one_of(
            st.tuples(st.just("deleted"), there),
            st.tuples(st.just("updated"), NAMES.filter(lambda name: name not in after)),
            st.tuples(st.just("renamed"), st.tuples(there, NAMES)),
            st.tuples(st.just("renamed"), st.tuples(gone, NAMES)).filter(
                lambda claim: before[claim[1][0]] != after.get(claim[1][1])
            ),
            st.tuples(st.just("changed"), NAMES.filter(lambda n: n not in {*before, *after})),
            st.tuples(st.just("changed"), st.sampled_from(["../a", "/a", "", "a/", "d"])),
        )
    )
    kind, value = wrong
    with signed(before, key) as root:
        old = (root / "model.sig").read_bytes()
        write(root, after)
        with pytest.raises((InputError, DigestMismatchError)):
            wb.sign(root, key=key, reuse=wb.Reuse(root / "model.sig", **{kind: [value]}))
        assert (root / "model.sig").read_bytes() == old


@given(edit=edits(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_what_git_tells_is_enough(
    edit: tuple[dict[str, bytes], dict[str, bytes], dict[str, str]], key: Path, data: st.DataObject
) -> None:
    """Whatever of the change is committed, staged, only on disk, or hidden from git."""
    before, after, _ = edit
    names = sorted({*before, *after})
    steps = data.draw(st.lists(st.sampled_from(["add", "commit", "rm", "hide", "attributes"])))
    with signed(before, key) as root:
        git(root, "init", "-q")
        git(root, "add", "-A")
        git(root, "commit", "-q", "--allow-empty", "-m", "signed")
        revision = git(root, "rev-parse", "HEAD").strip()
        for step in steps:
            some = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
            partly = {n: (after if n in some else before).get(n) for n in names}
            write(root, {name: content for name, content in partly.items() if content is not None})
            if step == "add":
                git(root, "add", "-A")
            elif step == "commit":
                git(root, "commit", "-qam", "partly", "--allow-empty")
            elif step == "rm":
                git(root, "rm", "-qf", "--cached", "--ignore-unmatch", "--", *some)
            elif step == "attributes":
                (root / ".gitattributes").write_text("* text eol=crlf\n")
            else:
                tracked = {*git(root, "ls-files", "-z").split("\0")} & {*some}
                git(root, "update-index", "--assume-unchanged", "--", *sorted(tracked))
        write(root, after)
        reuse = wb.Reuse(root / "model.sig", git_since=revision, strict="hide" not in steps)
        # Under --strict a file that is gone and hidden from git is an error, and is meant to be.
        assert wb.sign(root, key=key, reuse=reuse).manifest.resources == wb.hash(root).resources


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


KINDS = st.sampled_from(sorted(OperationKind))
OPERATIONS = st.builds(Operation, KINDS, NAMES, st.just("")) | st.builds(
    Operation, st.sampled_from([OperationKind.MOVED, OperationKind.RENAMED]), NAMES, NAMES
)


@given(before=TREES, after=TREES, operations=st.lists(OPERATIONS), strict=st.booleans())
@settings(max_examples=1500, deadline=None)
def test_a_plan_covers_the_disk_and_takes_digests_from_the_base_only(
    before: dict[str, bytes], after: dict[str, bytes], operations: list[Operation], *, strict: bool
) -> None:
    base = {name: hashlib.sha256(content).hexdigest() for name, content in before.items()}
    moves = {o.name: o.old for o in operations if o.kind is OperationKind.MOVED}
    try:
        plan = reconcile(base, Names(frozenset(after), frozenset()), operations, strict=strict)
    except WeighbridgeError:
        return
    assert plan.reused.keys() | plan.hashed == after.keys()
    assert plan.reused.keys().isdisjoint(plan.hashed)
    assert plan.expected.keys() <= plan.hashed
    assert set(plan.dropped) == before.keys() - after.keys()
    said = {o.name for o in operations if o.kind is not OperationKind.MOVED}
    for name, digest in plan.reused.items():
        assert name not in said
        assert digest == base[name if name in base else moves[name]]
    assert not (strict and (plan.undeclared_new or plan.undeclared_gone))


SERIALIZATIONS = st.sampled_from(
    [
        PLAIN,
        Serialization(hash_type=HashType.BLAKE2B),
        Serialization(Method.SHARDS, HashType.SHA256, 1100),
        Serialization(Method.SHARDS, HashType.BLAKE2B, 10**6),
    ]
)


@given(edit=edits(), serialization=SERIALIZATIONS, audit=st.sampled_from([0.0, 0.5, 1.0]))
@settings(max_examples=100, deadline=None)
def test_every_serialization_gives_what_a_full_signing_gives(
    edit: tuple[dict[str, bytes], dict[str, bytes], dict[str, str]],
    serialization: Serialization,
    audit: float,
    key: Path,
) -> None:
    before, after, _ = edit
    if serialization.method is Method.SHARDS:  # which cannot list empty files
        before = {name: content or b"0" for name, content in before.items()}
        after = {name: content or b"0" for name, content in after.items()}
    differs = [n for n in before.keys() | after.keys() if before.get(n) != after.get(n)]
    with signed(before, key) as root:
        wb.sign(root, key=key, serialization=serialization)
        write(root, after)
        reuse = wb.Reuse(root / "model.sig", changed=differs, strict=True, audit_ratio=audit)
        again = wb.sign(root, key=key, reuse=reuse)
        payload = read_payload(root)
        full = wb.sign(root, key=key, serialization=serialization)
        assert read_payload(root) == payload
        assert again.manifest.listing == full.manifest.listing
        for mine, right in zip(again.manifest.resources, full.manifest.resources, strict=True):
            assert mine in (right, Resource(right.name, right.size_bytes, ""))
        assert again.reused is not None
        unread = after.keys() - set(again.reused.hashed)
        assert len(unread) == again.reused.reused_count
        assert all(before.get(name) == after[name] for name in unread)
        wb.verify(root, key=key.with_suffix(".pub"))


def read_payload(root: Path) -> str:
    payload: str = json.loads((root / "model.sig").read_bytes())["dsseEnvelope"]["payload"]
    return payload


@given(edit=edits(), data=st.data())
@settings(max_examples=150, deadline=None)
def test_known_digests_are_all_that_has_to_be_declared(
    edit: tuple[dict[str, bytes], dict[str, bytes], dict[str, str]], key: Path, data: st.DataObject
) -> None:
    """A digest that is signed and was not computed is one that the old signature lists."""
    before, after, _ = edit
    known = data.draw(st.sets(st.sampled_from(sorted(after))))
    digests = {name: hashlib.sha256(after[name]).hexdigest() for name in known}
    old = {name: hashlib.sha256(content).hexdigest() for name, content in before.items()}
    with signed(before, key) as root:
        write(root, after)
        again = wb.sign(root, key=key, reuse=wb.Reuse(root / "model.sig", digests=digests))
        assert again.manifest == wb.hash(root)
        assert again.reused is not None
        for name in after.keys() - set(again.reused.hashed):
            assert digests[name] in ({old[name]} if name in old else set(old.values()))
        assert set(again.reused.dropped) == before.keys() - after.keys()


@given(before=TREES, wrong=CONTENTS, data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_wrong_digest_is_never_signed(
    before: dict[str, bytes], wrong: bytes, key: Path, data: st.DataObject
) -> None:
    """Whatever it is the digest of: it is found out, or what is signed is right."""
    name = data.draw(st.sampled_from(sorted(before)))
    assume(before[name] != wrong)
    digests = {n: hashlib.sha256(content).hexdigest() for n, content in before.items()}
    with signed(before, key) as root:
        old = (root / "model.sig").read_bytes()
        digests[name] = hashlib.sha256(wrong).hexdigest()
        with pytest.raises(DigestMismatchError):
            wb.sign(root, key=key, reuse=wb.Reuse(root / "model.sig", digests=digests))
        assert (root / "model.sig").read_bytes() == old
