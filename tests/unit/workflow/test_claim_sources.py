"""Where claims lie: files, folders and stores, and what is wrong with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from support import build_model, digest_of, write_claims
from unit.workflow.claim_samples import (
    AT,
    build_step,
    collect,
    make_key,
)
from weighbridge.core import DEFAULT_LIMITS, Bundle, Digest, SignedFiles
from weighbridge.errors import IncompleteError, InputError, LimitExceededError
from weighbridge.signing import KeySigner, Verifier
from weighbridge.store import FolderStore
from weighbridge.workflow import sign_artifact
from weighbridge.workflow._collect import Collected, collect_claims


@pytest.fixture
def key(tmp_path: Path) -> KeySigner:
    return make_key(tmp_path, "cluster")


@pytest.fixture
def trusted(key: KeySigner) -> dict[str, Verifier]:
    return {"cluster": key.public_key}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An artifact without any claims."""
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


def list_names(found: Collected) -> list[str]:
    return sorted(claim.subjects[0].name for claim in found.claims)


def test_files_and_folders(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    raw = [key.sign(build_step(f"m{number}")).raw for number in range(6)]
    write_claims(model, raw[:1])
    (tmp_path / "more.jsonl").write_bytes(raw[1])
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / "a.json").write_bytes(raw[2])
    (folder / "b.sig").write_bytes(raw[3])
    (folder / "c.jsonl").write_bytes(raw[4] + b"\n" + raw[5])
    (folder / "notes.txt").write_bytes(raw[0])
    (folder / "deeper.json").mkdir()
    found = collect(model, trusted, tmp_path / "more.jsonl", folder)
    assert list_names(found) == [f"m{number}" for number in range(6)]
    assert found.set_aside == ()


def test_a_bundle_on_many_lines(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    file = tmp_path / "one.json"
    file.write_bytes(key.sign(build_step("m")).raw.replace(b',"', b',\n "') + b"\n")
    assert list_names(collect(model, trusted, file)) == ["m"]


@pytest.mark.parametrize("name", ["claims.jsonl", "claims", "claims.txt"])
def test_lines_whatever_the_name(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_bytes(b"".join(key.sign(build_step(n)).raw + b"\n" for n in "abc"))
    assert list_names(collect(model, trusted, file)) == ["a", "b", "c"]


def test_another_artifact_brings_its_claims_and_its_signature(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    base = build_model(tmp_path / "base")
    sign_artifact(base, signer=key)
    write_claims(base, [key.sign(build_step("base")).raw])
    (base / "sha256").mkdir()  # is no store for that
    found = collect(model, trusted, base)
    assert {type(claim.content).__name__ for claim in found.claims} == {"StepRecord", "SignedFiles"}


def test_a_file_has_them_beside_it(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier]
) -> None:
    file = tmp_path / "w.bin"
    file.write_bytes(b"x")
    signature = sign_artifact(file, signer=key).signature
    (tmp_path / "w.bin.claims.jsonl").write_bytes(key.sign(build_step("w")).raw)
    found = collect_claims(file, (), trusted, at=AT, signature=signature)
    assert [isinstance(claim.content, SignedFiles) for claim in found.claims].count(True) == 1
    assert len(found.claims) == 2


@pytest.mark.parametrize("by", ["path", "string", "uri", "store"])
def test_a_store_is_asked_for_all_that_it_was_made_from(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path, by: str
) -> None:
    """Also where the chain goes through the artifact's own claims file."""
    place = tmp_path / "store"
    store = FolderStore(place, limits=DEFAULT_LIMITS)
    store.add([key.sign(build_step("data", "raw")), key.sign(build_step("raw", "web", "more"))])
    store.add([key.sign(build_step("web")), key.sign(build_step("unrelated", "more"))])
    store.add(
        [key.sign(build_step("model", "seen", role="undeclared")), key.sign(build_step("seen"))]
    )
    write_claims(model, [key.sign(build_step("model", "data")).raw])
    source = {"path": place, "string": str(place), "uri": f"file:{place}", "store": store}[by]
    found = collect(model, trusted, source)
    assert list_names(found) == ["data", "model", "model", "raw", "seen", "web"]


def test_a_stranger_does_not_say_what_a_store_is_asked_for(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    stranger = make_key(tmp_path, "stranger")
    store = FolderStore(tmp_path / "store", limits=DEFAULT_LIMITS)
    store.add([stranger.sign(build_step("model", "data")), key.sign(build_step("data"))])
    found = collect(model, trusted, tmp_path / "store")
    assert found.claims == ()
    (aside,) = found.set_aside
    assert aside.where == f"{tmp_path}/store, sha256:{digest_of('model')}:1"


def test_a_circle_ends(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    store = FolderStore(tmp_path / "store", limits=DEFAULT_LIMITS)
    store.add([key.sign(build_step("model", "data")), key.sign(build_step("data", "model"))])
    assert list_names(collect(model, trusted, tmp_path / "store")) == ["data", "model"]


def test_a_long_chain_is_walked_without_recursion(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    names = ["model", *(f"m{number}" for number in range(1_500))]
    bundles = {
        digest_of(name): key.sign(build_step(name, *names[place + 1 : place + 2]))
        for place, name in enumerate(names)
    }

    class Chain:
        local_paths: tuple[Path, ...] = ()

        def check(self) -> None: ...

        def add(self, bundles: Sequence[Bundle]) -> int:
            return len(bundles)

        def find(self, digest: Digest) -> Iterator[bytes]:
            yield bundles[digest.hex].raw

    assert len(collect(model, trusted, Chain()).claims) == len(names)


def test_a_store_that_fails_is_no_answer(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    store = FolderStore(tmp_path / "store", limits=DEFAULT_LIMITS)
    store.add([key.sign(build_step("model"))])
    name = digest_of("model")
    (tmp_path / "store" / "sha256" / name[:2] / name / "strange").write_text("x")
    with pytest.raises(IncompleteError, match="no bundle that it wrote"):
        collect(model, trusted, tmp_path / "store")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "no claims at"),
        ("", "empty"),
        ("empty", "holds no claims"),
        ("ftp://x/y", "no kind of store"),
        ("sqlite:", "no kind of store"),
        ("pipe", "regular file"),
    ],
)
def test_what_a_user_names_has_to_be_there(
    tmp_path: Path,
    trusted: dict[str, Verifier],
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match=words):
        collect(model, trusted, source)


def test_a_user_may_name_a_link_and_an_artifact_may_not_be_one(
    tmp_path: Path, key: KeySigner, trusted: dict[str, Verifier], model: Path
) -> None:
    secret = tmp_path / "elsewhere.jsonl"
    secret.write_bytes(key.sign(build_step("m")).raw)
    (model / "claims.jsonl").symlink_to(secret)
    (model / "model.sig").symlink_to(tmp_path / "nothing")
    found = collect(model, trusted)
    assert found.claims == ()
    assert sorted(aside.where for aside in found.set_aside) == [
        f"{model}/claims.jsonl",
        f"{model}/model.sig",
    ]
    (tmp_path / "link.jsonl").symlink_to(secret)
    assert list_names(collect(model, trusted, tmp_path / "link.jsonl")) == ["m"]


def test_an_artifact_with_far_too_many_claims_is_content(
    key: KeySigner, trusted: dict[str, Verifier], model: Path, tmp_path: Path
) -> None:
    """And a file that a user names is a circumstance."""
    raw = key.sign(build_step("m")).raw
    write_claims(model, [raw])
    limits = replace(DEFAULT_LIMITS, max_signature_bytes=len(raw))
    signature = model / "model.sig"
    found = collect_claims(model, (), trusted, at=AT, signature=signature, limits=limits)
    assert "max_signature_bytes" in found.set_aside[0].reason
    file = tmp_path / "named.jsonl"
    file.write_bytes(raw + b"\n")
    with pytest.raises(LimitExceededError, match="max_signature_bytes"):
        collect_claims(
            model, (), trusted, at=AT, signature=signature, sources=[file], limits=limits
        )


def test_a_folder_of_bundles_is_bounded_as_a_whole(
    key: KeySigner, trusted: dict[str, Verifier], model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.json").write_bytes(key.sign(build_step(name)).raw)
    size = (folder / "a.json").stat().st_size
    for limits in (
        replace(DEFAULT_LIMITS, max_signature_bytes=2 * size),
        replace(DEFAULT_LIMITS, max_claims=2),
    ):
        with pytest.raises(LimitExceededError):
            collect_claims(
                model,
                (),
                trusted,
                at=AT,
                signature=model / "model.sig",
                sources=[folder],
                limits=limits,
            )
