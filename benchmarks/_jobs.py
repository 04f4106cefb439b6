"""One measurement, inside a process of its own: prints seconds and peak memory as JSON."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import _scan_jobs

if TYPE_CHECKING:
    from weighbridge.signing import PublicKey


def peak_mib() -> float:
    # Not ru_maxrss: that begins with what the parent process had.
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024  # type: ignore[index]


def hash_artifact(path: Path) -> None:
    from weighbridge.workflow import hash_artifact

    hash_artifact(path)


def check_artifact(path: Path) -> None:
    from weighbridge import export
    from weighbridge.workflow import check_artifact

    export.to_text(check_artifact(path), width=100, colour=False)


def sign_again(path: Path) -> None:
    """Sign a tree again after one change; ``_cases`` signed it and left the key beside it."""
    import weighbridge as wb

    (path / "README.md").write_bytes(os.urandom(4096))
    reuse = wb.Reuse(path / "model.sig", changed=["README.md"])
    wb.sign(path, key=path.with_name("bench.key"), reuse=reuse)


def hash_bytes(path: Path) -> None:
    """The limit: OpenSSL's sha256 over as many bytes, already in memory, on every core.

    One file is one digest and so one core; a tree keeps all of them busy.
    """
    if path.is_file():
        sizes = [path.stat().st_size]
    else:
        sizes = [file.stat().st_size for file in path.rglob("*") if file.is_file()]
    block = os.urandom(1024 * 1024)

    def digest(size: int) -> str:
        hasher = hashlib.sha256()
        for _ in range(size // len(block)):
            hasher.update(block)
        return hasher.hexdigest()

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(digest, sizes))


def hash_files(path: Path) -> None:
    """What hashlib does with the same files on every core, reading included."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]

    def digest(file: Path) -> str:
        with file.open("rb", buffering=0) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(digest, files))


def hash_with_peer(path: Path) -> None:
    import model_signing.hashing

    model_signing.hashing.hash(path)


def sign(path: Path, *, hash_type: str = "sha256") -> None:
    from weighbridge.core import HashType, Serialization
    from weighbridge.workflow import sign_artifact

    serialization = Serialization(hash_type=HashType(hash_type))
    key, signature = find_key(path), path.with_name(path.name + ".ours")
    sign_artifact(path, key=key, signature=signature, serialization=serialization)


def sign_with_blake3(path: Path) -> None:
    sign(path, hash_type="blake3")


def verify(path: Path) -> None:
    from weighbridge.workflow import verify_artifact

    key, signature = find_key(path).with_suffix(".pub"), path.with_name(path.name + ".ours")
    verify_artifact(path, key=key, signature=signature)


def sign_with_peer(path: Path, *, hash_type: str = "sha256") -> None:
    import model_signing

    hashing = model_signing.hashing.Config().use_file_serialization(hashing_algorithm=hash_type)
    config = model_signing.signing.Config().use_elliptic_key_signer(private_key=find_key(path))
    signature = path.with_name(path.name + ".peer")
    config.set_hashing_config(hashing).sign(path, signature)


def sign_with_peer_and_blake3(path: Path) -> None:
    sign_with_peer(path, hash_type="blake3")


def verify_with_peer(path: Path) -> None:
    import model_signing

    key = find_key(path).with_suffix(".pub")
    config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=key)
    config.verify(path, path.with_name(path.name + ".peer"))


def find_key(path: Path) -> Path:
    """Return the private key beside the data; the case that prepared it made one."""
    return path.parent / "bench.key"


# Steps: what one does besides its own work. The data is a folder that ``_cases.write_step`` made.
STEP = """\
import sys
from pathlib import Path
import numpy
total = sum(numpy.fromfile(f, numpy.uint8).sum() for f in sorted(Path(sys.argv[1]).rglob("*.bin")))
Path(sys.argv[2], "total").write_text(str(total))
"""


def list_step(path: Path) -> list[str]:
    return [sys.executable, str(path / "step.py"), str(path / "in"), str(path / "out")]


def run_plainly(path: Path) -> float:
    started = time.perf_counter()
    subprocess.run(list_step(path), check=True)
    return time.perf_counter() - started


def run_watched(path: Path, *, observe: str, enforce: bool) -> float:
    """The step by itself: from its start, walls and monitor included, to what the monitor saw."""
    from weighbridge.core import DEFAULT_LIMITS
    from weighbridge.workflow._step_monitor import Observe, choose_monitor
    from weighbridge.workflow._step_watch import Grant, run_watched

    readable, writable = (path / "in", path / "step.py"), (path / "out",)
    # ``run`` chooses before it hashes: a cost of each step, however much it reads.
    monitor = choose_monitor(Observe(observe), list_step(path), os.environ)
    started = time.perf_counter()
    watched = run_watched(
        list_step(path),
        os.environ,
        monitor=monitor,
        grant=Grant(readable, writable) if enforce else None,
        limits=DEFAULT_LIMITS,
    )
    seconds = time.perf_counter() - started
    assert watched.completeness == ("enforced" if enforce else "observed"), watched.gaps
    return seconds


def run_observed(path: Path) -> float:
    return run_watched(path, observe="strace", enforce=False)


def run_strace(path: Path) -> float:
    """The step under strace with the same options, and nobody who reads what it writes."""
    from weighbridge.provenance import build_strace_command

    command = build_strace_command(list_step(path), log=path.parent / "strace.log")
    started = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - started


def run_enforced(path: Path) -> float:
    return run_watched(path, observe="none", enforce=True)


def record(path: Path, *command: str, options: tuple[str, ...] = ()) -> float:
    """All of ``weighbridge run``, as a process."""
    program = Path(sys.executable).with_name("weighbridge")
    words = [program, "run", "--kind", "train", "-o", f"out={path / 'out'}", *options]
    words += ["--key", path.parent / "bench.key", "--", *command]
    environment = {**os.environ, "XDG_CACHE_HOME": str(path.parent / "cache")}
    started = time.perf_counter()
    subprocess.run(words, check=True, env=environment, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def record_nothing(path: Path) -> float:
    return record(path, "true")


def record_python(path: Path) -> float:
    return record(path, sys.executable, "-c", "pass")


def record_step(path: Path) -> float:
    options = ("-i", f"in={path / 'in'}", "--observe", "strace")
    return record(path, *list_step(path), options=options)


def promise(path: Path) -> float:
    """What recording was promised to take: 1.5 times the step, its inputs' hashing, and 0.5 s."""
    program = Path(sys.executable).with_name("weighbridge")
    plain = run_plainly(path)
    started = time.perf_counter()
    subprocess.run([program, "hash", path / "in"], check=True, stdout=subprocess.DEVNULL)
    return 1.5 * plain + (time.perf_counter() - started) + 0.5


def look_inputs_up(path: Path) -> None:
    """Hash the inputs of a step again; ``_cases`` had them hashed once."""
    from weighbridge.artifact import DigestCache
    from weighbridge.core import DEFAULT_LIMITS
    from weighbridge.engines import ThreadExecutor
    from weighbridge.workflow._step_inputs import hash_inputs

    cache = DigestCache(path.parent / "cache" / "weighbridge")
    hash_inputs({"in": path}, executor=ThreadExecutor(), limits=DEFAULT_LIMITS, cache=cache)
    cache.save()
    assert not cache.problems, cache.problems


# Lineage: bundles that ``_cases.write_graph`` signed, and what they come to.
def load_lineage_key(path: Path) -> PublicKey:
    from weighbridge.signing import load_public_key

    return load_public_key(find_key(path).with_suffix(".pub"))


def judge_lineage(path: Path) -> dict[str, float]:
    """From the claims file to the verdict of a policy that asks for level 3 all the way down."""
    from datetime import UTC, datetime

    from benchmarks._graphs import BUILDER, hash_name
    from weighbridge.core import (
        Answer,
        ArtifactEvidence,
        ArtifactKind,
        BuilderTrust,
        CardEvidence,
        Completeness,
        Evidence,
        LicenseEvidence,
        ScanReport,
        SignatureEvidence,
        collection_paused,
    )
    from weighbridge.lineage import build_lineage
    from weighbridge.policy import Policy, ProvenanceRule, Signer, evaluate
    from weighbridge.workflow._collect import collect_claims

    key, digest = load_lineage_key(path), hash_name("0")
    policy = Policy(
        "weighbridge.toml",
        signers=(Signer("cluster", "k.pub", ("builder",)),),
        builders=(BuilderTrust(BUILDER, ("cluster",), 3),),
        provenance=ProvenanceRule(3, Completeness.OBSERVED),
    )
    artifact = ArtifactEvidence("model", ArtifactKind.FOLDER, digest, 1, 1)
    others = (SignatureEvidence("", found=False), ScanReport("", (), ()), CardEvidence(None))
    at, signature = datetime.now(UTC), path / "model.sig"
    started, busy = time.perf_counter(), time.process_time()
    with collection_paused():
        found = collect_claims(path, [digest], {"cluster": key}, at=at, signature=signature)
        report = build_lineage(
            digest, found.claims, trust=policy.trust, at=at, set_aside=found.set_aside
        )
    verdict = evaluate(policy, Evidence(artifact, *others, LicenseEvidence(), report), at=at)
    figures = tell_time(started, busy)
    bundles = (path / "claims.jsonl").read_bytes().count(b"\n")
    assert len(report.claims) == bundles
    assert report.level == 3, report.nodes[0]
    assert verdict.answer is Answer.PASS, verdict
    return figures


def judge_lineage_in_memory(path: Path) -> None:
    judge_lineage(path)


def tell_time(started: float, busy: float) -> dict[str, float]:
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - busy,
    }


def check_signatures(path: Path) -> dict[str, float]:
    """The same signatures by ``cryptography`` alone; what is signed is there already."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    from weighbridge.core import DEFAULT_LIMITS, parse_bundle

    key = load_pem_public_key(find_key(path).with_suffix(".pub").read_bytes())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    envelopes = [
        parse_bundle(line, what="it", limits=DEFAULT_LIMITS).envelope
        for line in (path / "claims.jsonl").read_bytes().splitlines()
    ]
    signed = [(e.signatures[0].sig, e.to_signed_bytes()) for e in envelopes]
    started, busy = time.perf_counter(), time.process_time()
    for sig, data in signed:
        key.verify(sig, data, ec.ECDSA(hashes.SHA256()))
    return tell_time(started, busy)


def check_beside_hashing(path: Path) -> float:
    """How much longer ``weighbridge check`` takes than ``weighbridge hash``, both as processes."""
    program = Path(sys.executable).with_name("weighbridge")
    policy = path.with_name("weighbridge.toml")
    started = time.perf_counter()
    check = [program, "check", path, "--policy", policy]
    subprocess.run(check, check=True, stdout=subprocess.DEVNULL)
    between = time.perf_counter()
    subprocess.run([program, "hash", path], check=True, stdout=subprocess.DEVNULL)
    return (between - started) - (time.perf_counter() - between)


JOBS = {
    "check-claims": check_beside_hashing,
    "lineage": judge_lineage,
    "lineage-memory": judge_lineage_in_memory,
    "signatures": check_signatures,
    "hash": hash_artifact,
    "check": check_artifact,
    "again": sign_again,
    "sha256": hash_bytes,
    "hashlib": hash_files,
    "peer": hash_with_peer,
    "sign": sign,
    "sign-blake3": sign_with_blake3,
    "verify": verify,
    "peer-sign": sign_with_peer,
    "peer-sign-blake3": sign_with_peer_and_blake3,
    "peer-verify": verify_with_peer,
    "step-plain": run_plainly,
    "step-observed": run_observed,
    "step-enforced": run_enforced,
    "step-strace": run_strace,
    "run-true": record_nothing,
    "run-python": record_python,
    "run-step": record_step,
    "run-promised": promise,
    "look-up": look_inputs_up,
    **_scan_jobs.JOBS,
}
# Imported before the clock starts, so that what is timed is the work.
IMPORTS = {
    "lineage": "weighbridge.workflow._collect",
    "lineage-memory": "weighbridge.workflow._collect",
    "hash": "weighbridge.workflow._hash",
    "check": "weighbridge.workflow._check",
    "again": "weighbridge.workflow._sign",
    "peer": "model_signing.hashing",
    "sign": "weighbridge.workflow._sign",
    "sign-blake3": "weighbridge.workflow._sign",
    "verify": "weighbridge.workflow._sign",
    "peer-sign": "model_signing",
    "peer-sign-blake3": "model_signing",
    "peer-verify": "model_signing",
    "step-observed": "weighbridge.workflow._step_watch",
    "step-enforced": "weighbridge.workflow._step_watch",
    "step-strace": "weighbridge.provenance._strace",
    "look-up": "weighbridge.workflow._step_inputs",
    **_scan_jobs.IMPORTS,
}


def main() -> None:
    name, path = sys.argv[1], Path(sys.argv[2])
    before = peak_mib()
    if name in IMPORTS:
        __import__(IMPORTS[name])
    started, busy = time.perf_counter(), time.process_time()
    said = JOBS[name](path)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - busy
    figures = {"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak_mib() - before}
    if isinstance(said, dict):  # a job that prepares something looks at the clocks itself
        figures = said
    elif said is not None:  # and so does one that runs others
        figures = {"seconds": said}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
