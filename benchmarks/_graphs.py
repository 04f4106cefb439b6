"""Statements of steps that all lead to one model, as ``_cases`` signs them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from weighbridge.core import Dependency, Digest, Observation, Statement, StepRecord, Subject
from weighbridge.provenance import SCAI_TYPE, build_provenance, build_trace, to_scai

BUILDER = "https://example.com/train-cluster/v1"
# About what a Python environment for training has.
_PACKAGES = 60
_FACTS = {
    "topology": {"worldSize": "1"},
    "determinism": {"PYTHONHASHSEED": "0", "torch.deterministic": "true"},
    "accelerator": {"kind": "none"},
    "completeness": {
        "class": "observed",
        "monitor": "https://weighbridge.dev/monitors/strace/v1",
        "enforcer": "",
        "network": "not restricted",
        "connections": [],
        "denied": [],
        "undeclared": "0",
        "gaps": [],
    },
    "environment": {"variables": {"LANG": "C.UTF-8", "OMP_NUM_THREADS": "8"}, "removed": []},
    "problems": [],
}


def hash_name(name: str) -> Digest:
    return Digest(hashlib.sha256(name.encode()).hexdigest())


def list_statements(
    count: int, *, is_whole: bool, model: Digest | None = None
) -> Iterator[Statement]:
    """Yield what is said of a tree of steps whose first one made the model."""
    at = datetime.now(UTC)
    digests = [{"sha256": hash_name(str(number)).hex} for number in range(count)]
    if model is not None:
        digests[0] = {"sha256": model.hex}
    whole, at_hand = list_materials(), hash_name("train.py").hex
    for number in range(count):
        record = StepRecord(
            kind="train",
            name=f"step {number}",
            builder=BUILDER,
            entry_point=("python", "train.py"),
            parameters={"epochs": "3"},
            inputs=tuple(
                Dependency(f"data-{n}", digests[n], f"file:data/{n}", role="data")
                for n in (2 * number + 1, 2 * number + 2)
                if n < count
            ),
            materials=(Dependency("train.py", {"sha256": at_hand}, role="entry-point"),),
            facts={"completeness": {"class": "observed"}},
            started_at=at,
            finished_at=at,
            invocation=f"urn:step:{number}",
        )
        subjects = [Subject(f"out-{number}", digests[number])]
        if not is_whole:
            yield build_provenance(record, subjects)
            continue
        beside = describe_run(record, subjects)
        byproducts = tuple(
            Dependency(
                statement.predicate_type.rsplit("/", 2)[-2],
                {"sha256": hashlib.sha256(statement.payload).hexdigest()},
                annotations={"predicateType": statement.predicate_type},
            )
            for statement in beside
        )
        record = replace(record, materials=whole, facts=_FACTS, byproducts=byproducts)
        yield from beside
        yield build_provenance(record, subjects)


def list_materials() -> tuple[Dependency, ...]:
    """What went into a step besides its inputs, as ``weighbridge run`` finds it."""
    files = (("step.py", "entry-point"), ("cpython", "interpreter"), ("debian 12", "base-image"))
    noted = {"check": "pass", "digestOf": "RECORD", "read": "cached"}
    return (
        *(Dependency(name, {"sha256": hash_name(name).hex}, role=role) for name, role in files),
        *(
            Dependency(
                f"package-{number}",
                {"sha256": hash_name(f"package-{number}").hex},
                f"pkg:pypi/package-{number}@1.{number}.0",
                role="package",
                annotations={**noted, "files": f"{number}", "cachedFiles": f"{number}"},
            )
            for number in range(_PACKAGES)
        ),
    )


def describe_run(record: StepRecord, subjects: list[Subject]) -> tuple[Statement, Statement]:
    """What a monitor saw, and what the step ran on."""
    reads = tuple(f"/usr/lib/x86_64-linux-gnu/libpart{number}.so.1" for number in range(24))
    seen = Observation("https://weighbridge.dev/monitors/strace/v1", reads, ("/tmp/out",))
    flags = "avx avx2 avx512_bf16 avx512_bitalg avx512_vbmi2 avx512_vnni f16c fma gfni sse4_1"
    machine = {
        "cpu": {"count": "8", "flags": flags, "machine": "x86_64", "vendor": "AuthenticAMD"},
        "kernel": {"name": "Linux", "release": "6.1.0", "version": "#1 SMP PREEMPT_DYNAMIC"},
        "memory": {"bytes": "68719476736"},
        "python": {"implementation": "CPython", "version": "3.11.7", "compiler": "GCC 12.2.0"},
        "numpy": {"version": "2.4.6", "blas.name": "scipy-openblas", "simd": "X86_V3 X86_V4"},
        "torch": {"version": "2.9.0", "cuda": "none", "threads": "8", "interop-threads": "4"},
    }
    flat = {f"{group}.{name}": value for group in machine for name, value in machine[group].items()}
    scai = to_scai(flat, producer=record.builder)
    built = Statement.build(subjects, predicate_type=SCAI_TYPE, predicate=scai)
    return build_trace(seen, subjects, record=record), built
