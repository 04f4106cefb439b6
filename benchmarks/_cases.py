"""What is measured, against what, and the limit that was promised."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import _scan_cases
from benchmarks._case import IMPORT_CLICK, MIB, ROOT, WEIGHBRIDGE, Case, find_model


def time_process(command: list[str]) -> dict[str, float]:
    started = time.perf_counter()
    # check exits with 3 here and there; what it says is tested elsewhere
    subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"seconds": time.perf_counter() - started}


def write_large_file(work: Path) -> Path:
    file = work / "large.bin"
    block = os.urandom(MIB)
    with file.open("wb") as stream:
        for _ in range(4096):
            stream.write(block)
    return file


def write_tree(name: str, count: int, size: int) -> Callable[[Path], Path]:
    def write(work: Path) -> Path:
        root = work / name
        for index in range(count):
            folder = root / f"{index % 50:02d}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{index:05d}.bin").write_bytes(os.urandom(size))
        return root

    return write


def write_signed_small_files(work: Path) -> Path:
    root = write_tree("signed", 50_000, 4096)(work)
    (root / "README.md").write_bytes(os.urandom(4096))
    sign(root, work / "bench")
    return root


def write_sparse_model(work: Path) -> Path:
    """500 GB that take no room. Reading them takes minutes, so their signature is made up.

    The key is our own, so that it is a signature like any other; only its digests are of nothing.
    """
    from weighbridge.core import ArtifactKind, Manifest, Resource
    from weighbridge.signing import load_signer, sign_manifest
    from weighbridge.workflow import create_key_files

    root = work / "sparse"
    root.mkdir()
    for number in range(100):
        with (root / f"model-{number:05d}-of-00100.safetensors").open("wb") as stream:
            stream.truncate(5_000_000_000)
    (root / "README.md").write_bytes(os.urandom(4096))
    resources = tuple(
        Resource(file.name, file.stat().st_size, f"{number:064x}")
        for number, file in enumerate(sorted(root.iterdir()))
    )
    (work / "bench.key").unlink(missing_ok=True)
    (work / "bench.pub").unlink(missing_ok=True)
    signer = load_signer(create_key_files(work / "bench").private)
    manifest = Manifest(ArtifactKind.FOLDER, root.name, resources)
    data = sign_manifest(manifest, signer=signer, ignore_paths=["model.sig"])
    (root / "model.sig").write_bytes(data)
    return root


def sign(root: Path, key: Path) -> None:
    from weighbridge.workflow import create_key_files, sign_artifact

    key.with_suffix(".key").unlink(missing_ok=True)
    key.with_suffix(".pub").unlink(missing_ok=True)
    sign_artifact(root, key=create_key_files(key).private)


def write_small_file(work: Path) -> Path:
    file = work / "small.bin"
    file.write_bytes(os.urandom(1024))
    return file


def with_key(prepare: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """Put a key pair beside the data, and a signature by either side for those who verify."""

    def write(work: Path) -> Path:
        data = prepare(work)
        if not (work / "bench.key").exists():
            subprocess.run([WEIGHBRIDGE, "keygen", work / "bench"], check=True, capture_output=True)
        for job in ("sign", "peer-sign"):
            command = [sys.executable, "-m", "benchmarks._jobs", job, str(data)]
            subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        return data

    return write


def write_step(work: Path) -> Path:
    """A step that loads NumPy and reads 2,000 small files."""
    from benchmarks._jobs import STEP

    root = work / "step"
    write_tree("step/in", 2000, 4096)(work)
    (root / "out").mkdir()
    (root / "out" / "empty").touch()
    (root / "step.py").write_text(STEP)
    if not (work / "bench.key").exists():
        subprocess.run([WEIGHBRIDGE, "keygen", work / "bench"], check=True, capture_output=True)
    time.sleep(2.1)  # what is younger is not remembered
    return root


def hashed_before(prepare: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """Let a step hash the data, so that the next one need not."""

    def write(work: Path) -> Path:
        data = prepare(work)
        time.sleep(2.1)
        command = [sys.executable, "-m", "benchmarks._jobs", "look-up", str(data)]
        subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
        return data

    return write


def write_graph(count: int, *, is_whole: bool = False) -> Callable[[Path], Path]:
    """A claims file of steps that all lead to one model, each signed on its own (EC, P-256).

    With ``is_whole`` each step is as ``weighbridge run`` records it: 60 packages, facts, and the
    statements beside it, of what the step touched and of what it ran on; three signatures each.
    """

    def write(work: Path) -> Path:
        from benchmarks._graphs import list_statements
        from weighbridge.signing import load_signer
        from weighbridge.workflow import create_key_files

        root = work / f"graph-{count}"
        root.mkdir()
        (work / "bench.key").unlink(missing_ok=True)
        (work / "bench.pub").unlink(missing_ok=True)
        signer = load_signer(create_key_files(work / "bench").private)
        with (root / "claims.jsonl").open("wb") as stream:
            for statement in list_statements(count, is_whole=is_whole):
                stream.write(signer.sign(statement).raw + b"\n")
        return root

    return write


def write_claimed_model(work: Path) -> Path:
    """A signed model with a card, a policy that asks for most things, and 21 claims of 7 steps."""
    from benchmarks._graphs import BUILDER, list_statements
    from weighbridge.signing import load_signer
    from weighbridge.workflow import hash_artifact

    root = work / "claimed"
    root.mkdir()
    header = b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}'
    weights = len(header).to_bytes(8, "little") + header + bytes(16)
    (root / "model.safetensors").write_bytes(weights)
    (root / "README.md").write_text("---\nlicense: apache-2.0\n---\n\n# A model\n\nFor nothing.\n")
    sign(root, work / "bench")
    signer = load_signer(work / "bench.key")
    model = hash_artifact(root).compute_digest()
    with (root / "claims.jsonl").open("wb") as stream:
        for statement in list_statements(7, is_whole=True, model=model):
            stream.write(signer.sign(statement).raw + b"\n")
    (work / "weighbridge.toml").write_text(f"""\
version = 1

[trust.signers.cluster]
key = "bench.pub"
roles = ["builder", "publisher"]

[trust.builders."{BUILDER}"]
signers = ["cluster"]
level = 3

[require]
signature = {{ by = ["cluster"] }}
scan = {{ fail-on = "medium", coverage = "complete" }}
licenses = {{ allow = ["Apache-2.0"] }}
card = {{ profile = "huggingface" }}
provenance = {{ level = 3, completeness = "observed" }}
""")
    return root


def nothing(work: Path) -> Path:
    return work


TREE = write_tree("tree", 2000, 2 * MIB)
SMALL_FILES = write_tree("small", 50_000, 4096)
SMALL = with_key(SMALL_FILES)
LARGE = with_key(write_large_file)
MANY = with_key(write_tree("many", 200_000, 16))

HASH, CHECK = ("job", "hash"), ("job", "check")
AGAIN = ("job", "again")
SHA256, HASHLIB, PEER = ("job", "sha256"), ("job", "hashlib"), ("job", "peer")
SIGN, VERIFY = ("job", "sign"), ("job", "verify")
SIGN_BLAKE3, PEER_SIGN_BLAKE3 = ("job", "sign-blake3"), ("job", "peer-sign-blake3")
PEER_SIGN, PEER_VERIFY = ("job", "peer-sign"), ("job", "peer-verify")
STEP_PLAIN, STEP_OBSERVED, STEP_ENFORCED, STEP_STRACE = (
    ("job", "step-plain"),
    ("job", "step-observed"),
    ("job", "step-enforced"),
    ("job", "step-strace"),
)
RUN_TRUE, RUN_PYTHON = ("job", "run-true"), ("job", "run-python")
RUN_STEP, RUN_PROMISED = ("job", "run-step"), ("job", "run-promised")
LOOK_UP = ("job", "look-up")
LINEAGE, LINEAGE_MEMORY = ("job", "lineage"), ("job", "lineage-memory")
SIGNATURES = ("job", "signatures")
CHECK_CLAIMS = ("job", "check-claims")
RUN_HASH, RUN_CHECK = (WEIGHBRIDGE, "hash"), (WEIGHBRIDGE, "check")

CASES = (
    Case("hash 4 GiB / hashlib", write_large_file, HASH, HASHLIB, 0.9, True),
    Case("hash 4 GiB / sha256 in memory", write_large_file, HASH, SHA256, 0.95, True),
    Case("hash 2,000 x 2 MiB / hashlib", TREE, HASH, HASHLIB, 0.9, True),
    Case("hash 2,000 x 2 MiB / in memory", TREE, HASH, SHA256, None, True),
    Case("hash 50,000 x 4 KiB / model_signing", SMALL_FILES, HASH, PEER, 3, True),
    Case("sign 50,000 x 4 KiB / model_signing", SMALL, SIGN, PEER_SIGN, 1 / 6),
    Case("verify 50,000 x 4 KiB / its own", SMALL, VERIFY, PEER_VERIFY, 1 / 6),
    # Two hashes of each file against its one: the artifact digest is sha256 in any case.
    Case("blake3 50,000 x 4 KiB / its own", SMALL, SIGN_BLAKE3, PEER_SIGN, None),
    # One core makes the sha256 that names the file; the others have to make the BLAKE3 meanwhile.
    Case("blake3 4 GiB / sha256 in memory", LARGE, SIGN_BLAKE3, SHA256, 0.9, True),
    Case("blake3 4 GiB / its own, no sha256", LARGE, SIGN_BLAKE3, PEER_SIGN_BLAKE3, None),
    Case(
        "sign again 50,000 x 4 KiB / model_signing", write_signed_small_files, AGAIN, PEER_SIGN, 0.1
    ),
    Case("seconds: sign 500 GB again", write_sparse_model, AGAIN, None, 1),
    Case("memory: sign 500 GB again", write_sparse_model, AGAIN, None, 150, unit="peak_mib"),
    Case("--help / import click", nothing, (WEIGHBRIDGE, "--help"), IMPORT_CLICK, 1.5),
    Case("hash 1 KiB / import click", write_small_file, RUN_HASH, IMPORT_CLICK, 2),
    Case("check model / hash model", find_model, CHECK, HASH, 1.3),
    Case("check model / hash model, processes", find_model, RUN_CHECK, RUN_HASH, None),
    Case("memory: hash 4 GiB", write_large_file, HASH, None, 100, unit="peak_mib"),
    Case("memory: hash 2,000 x 2 MiB", TREE, HASH, None, 100, unit="peak_mib"),
    Case("memory: hash 50,000 x 4 KiB", SMALL_FILES, HASH, None, 100, unit="peak_mib"),
    Case("memory: sign 50,000 x 4 KiB", SMALL, SIGN, None, 200, unit="peak_mib"),
    Case("memory: verify 50,000 x 4 KiB", SMALL, VERIFY, None, 200, unit="peak_mib"),
    Case("memory: verify 200,000 x 16 B", MANY, VERIFY, None, 300, unit="peak_mib"),
    # NumPy and 2,000 files: from the start of the command, with walls and monitor, to its end.
    Case("step: observed / plain", write_step, STEP_OBSERVED, STEP_PLAIN, 1.5),
    # What of that is the price of tracing by whomever: a step stops twice for each file.
    Case("step: observed / strace alone", write_step, STEP_OBSERVED, STEP_STRACE, None),
    Case("step: enforced / plain", write_step, STEP_ENFORCED, STEP_PLAIN, 1.1),
    # The first, which is not counted, fills the digest cache.
    # All of a run against 1.5 x plain + hashing the inputs + 0.5 s.
    Case("step: run --observe / what was promised", write_step, RUN_STEP, RUN_PROMISED, 1),
    Case("seconds: run -- true", write_step, RUN_TRUE, None, 0.5),
    Case("seconds: run -- python -c pass", write_step, RUN_PYTHON, None, 0.5),
    Case(
        "inputs 2,000 x 512 KiB hashed before / hash",
        hashed_before(write_tree("inputs", 2000, 512 * 1024)),
        LOOK_UP,
        HASH,
        0.2,
    ),
    Case(
        "inputs 50,000 x 4 KiB hashed before / hash", hashed_before(SMALL_FILES), LOOK_UP, HASH, 1
    ),
    Case(
        "memory: inputs 200,000 x 16 B hashed before",
        hashed_before(write_tree("many", 200_000, 16)),
        LOOK_UP,
        None,
        300,
        unit="peak_mib",
    ),
    # A tree of steps: from the claims file to the verdict about the model, against the signature
    # checks that ``cryptography`` makes of them, and nothing else.
    Case(
        "lineage: 2,000 EC-signed steps / signatures alone",
        write_graph(2_000),
        LINEAGE,
        SIGNATURES,
        3,
    ),
    Case(
        "lineage: 2,000 whole steps / signatures alone",
        write_graph(2_000, is_whole=True),
        LINEAGE,
        SIGNATURES,
        3,
    ),
    # The whole command, less what ``weighbridge hash`` takes for the same model.
    Case("seconds: check, 21 claims, beside hashing", write_claimed_model, CHECK_CLAIMS, None, 0.5),
    Case(
        "memory: 50,000 statements, MiB per 10,000",
        write_graph(50_000),
        LINEAGE_MEMORY,
        None,
        150,
        unit="peak_mib",
        shares=5,
    ),
    Case(
        "memory: 10,000 statements, MiB per 10,000",
        write_graph(10_000),
        LINEAGE_MEMORY,
        None,
        150,
        unit="peak_mib",
    ),
    # Beside the claims file itself, which is held while it is read: 63 MB.
    Case(
        "memory: 2,000 whole steps",
        write_graph(2_000, is_whole=True),
        LINEAGE_MEMORY,
        None,
        None,
        unit="peak_mib",
    ),
    *_scan_cases.CASES,
)
