"""Lineages to tell: a good one, one with everything wrong, large ones, and hostile ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from support import digest_of
from weighbridge.core import (
    SUMMARY_TYPE,
    Attribution,
    Claim,
    Completeness,
    Decision,
    Dependency,
    Digest,
    EdgeKind,
    Environment,
    HumanReview,
    LineageEdge,
    LineageNode,
    LineageProblem,
    LineageReport,
    Origin,
    ProblemKind,
    Review,
    RootAcceptance,
    SetAside,
    StepRecord,
    Subject,
    TestResult,
    VerificationSummary,
)

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
CLUSTER = "https://example.com/train-cluster/v1"
LOCAL = "https://weighbridge.dev/builders/local/v1"
_FULL = Completeness.ENFORCED


def id_of(name: str) -> str:
    return f"sha256:{digest_of(name)}"


def claim(name: str, content: object = None, kind: str = "https://slsa.dev/provenance/v1") -> Claim:
    return Claim(
        Digest(digest_of(f"claim {name}")),
        (Subject(name, {"sha256": digest_of(name)}),),
        kind,
        (Attribution("cluster", "key", "5f" * 32),),
        content,  # type: ignore[arg-type]
    )


def built(
    name: str,
    kind: str,
    *,
    level: int = 2,
    depth: int = 0,
    completeness: Completeness = Completeness.OBSERVED,
    builder: str = CLUSTER,
    days: int = 3,
) -> LineageNode:
    end = AT - timedelta(days=days)
    step = StepRecord(
        kind=kind,
        name=f"{kind} it",
        builder=builder,
        entry_point=("python", f"{kind}.py"),
        parameters={"seed": "42"},
        inputs=(Dependency("data", {"sha256": digest_of("data")}, role="data"),),
        started_at=end - timedelta(hours=5),
        finished_at=end,
        invocation="urn:uuid:8d3a",
        source="git+https://example.com/org/train@refs/heads/main",
    )
    return LineageNode(
        id_of(name),
        name,
        Origin.BUILT,
        level,
        level,
        completeness,
        completeness,
        True,
        depth,
        builder=builder,
        kind=kind,
        signers=("cluster",) if builder == CLUSTER else ("laptop",),
        made_at=end,
        claim=Digest(digest_of(f"claim {name}")),
        step=step,
    )


def root(name: str, *, depth: int, origin: Origin = Origin.ACCEPTED, level: int = 2) -> LineageNode:
    acceptance = RootAcceptance(
        reason="reviewed by hand",
        fetched_from=f"hf://org/{name}@1f2e",
        license="Apache-2.0",
        license_found="apache-2.0",
        reviewer="5f" * 32,
        accepted_at=AT - timedelta(days=30),
        expires_at=AT + timedelta(days=335),
        max_level=level,
    )
    accepted = origin is Origin.ACCEPTED
    return LineageNode(
        id_of(name),
        name,
        origin,
        level,
        level,
        _FULL,
        _FULL,
        True,
        depth,
        signers=("ml-security",) if accepted else (),
        license="Apache-2.0",
        acceptance=acceptance if accepted else None,
        claim=Digest(digest_of(f"claim {name}")) if accepted else None,
        reason="reviewed by hand",
    )


def unknown(name: str, *, depth: int, required: bool = True) -> LineageNode:
    none = Completeness.UNKNOWN
    node = LineageNode(id_of(name), name, Origin.UNKNOWN, 0, 0, none, none, required, depth)
    message = "nothing that anybody trusted signed says how it was made"
    return replace(node, problems=(LineageProblem(ProblemKind.DEAD_END, message),))


def edge(
    source: str, target: str, role: str = "", kind: EdgeKind = EdgeKind.MADE_FROM
) -> LineageEdge:
    said = None if kind is EdgeKind.PART_OF else Digest(digest_of(f"claim {source}"))
    return LineageEdge(id_of(source), id_of(target), kind, role, target, said)


def report(
    nodes: Iterable[LineageNode],
    edges: Iterable[LineageEdge],
    *,
    path: Sequence[str],
    set_aside: tuple[SetAside, ...] = (),
    claims: tuple[Claim, ...] | None = None,
) -> LineageReport:
    first, *rest = nodes
    known = (first, *sorted(rest, key=lambda node: (node.depth, node.id)))
    told = tuple(claim(node.label) for node in known if node.claim) if claims is None else claims
    end = next(node for node in known if node.id == id_of(path[-1]))
    return LineageReport(
        first.id,
        known,
        tuple(sorted(edges, key=lambda e: (e.source, e.target, e.name))),
        end.level,
        min((node.completeness for node in known), key=lambda c: c.rank),
        tuple(id_of(name) for name in path),
        told,
        set_aside,
    )


SET_ASIDE = (
    SetAside(
        "model/claims.jsonl, line 4",
        "https://slsa.dev/provenance/v1",
        (id_of("package"),),
        "nobody who is trusted signed it",
    ),
    SetAside("model/claims.jsonl, line 9", "", (), "it is not JSON"),
    SetAside(
        "store/ab/cd", "https://slsa.dev/provenance/v1", ("x",), "it is about something else", True
    ),
)


def _result() -> TestResult:
    return TestResult(True, {"accuracy": "0.93"})


def _review(name: str, decision: Decision) -> Review:
    said = HumanReview(decision, "training data", "looked at 200 rows", "5f" * 32, AT)
    return Review(Digest(digest_of(f"review {name}")), ("ml-security",), ("5f" * 32,), said)


def good() -> LineageReport:
    """Eight nodes: raw data and a base model, cleaned, trained, quantized, packaged."""
    package = replace(
        built("package", "package"), level=1, chain_completeness=Completeness.DECLARED
    )
    q4 = replace(
        package, id=id_of("model-q4.gguf"), label="model-q4.gguf", kind="quantize", depth=1
    )
    model = replace(
        built("model", "train", depth=2, days=4, level=3),
        level=1,
        chain_completeness=Completeness.DECLARED,
        results=(_result(),),
        reviews=(_review("model", Decision.APPROVE),),
        environment=Environment({"gpu": {"name": "H100"}}),
    )
    clean = built(
        "clean.parquet",
        "clean",
        level=1,
        depth=3,
        completeness=Completeness.DECLARED,
        builder=LOCAL,
        days=40,
    )
    tokenizer = root("tokenizer", depth=3, origin=Origin.LISTED, level=3)
    return report(
        [
            package,
            q4,
            model,
            clean,
            root("MiniLM-L6", depth=3),
            tokenizer,
            root("raw.csv", depth=4, level=1),
            root("words.txt", depth=4, origin=Origin.LISTED, level=3),
        ],
        [
            edge("package", "model-q4.gguf", "model"),
            edge("model-q4.gguf", "model", "base-model"),
            edge("model", "clean.parquet", "data"),
            edge("model", "MiniLM-L6", "base-model"),
            edge("model", "tokenizer", "tokenizer"),
            edge("package", "tokenizer", "tokenizer"),
            edge("clean.parquet", "raw.csv", "data"),
            edge("clean.parquet", "words.txt", "data"),
        ],
        path=("package", "model-q4.gguf", "model", "clean.parquet"),
        set_aside=SET_ASIDE,
    )


def _wrong(node: LineageNode, *problems: tuple[ProblemKind, str]) -> LineageNode:
    told = tuple(LineageProblem(kind, message) for kind, message in problems)
    return replace(node, problems=node.problems + told, level=0)


def bad() -> LineageReport:
    """A cycle, a conflict, a dead end, something expired and something denied."""
    model = _wrong(
        built("model", "train", depth=1),
        (ProblemKind.CONFLICT, "two provenances disagree about its inputs: cluster and laptop"),
        (ProblemKind.MISSING_RANK, "2 of its 8 ranks said nothing: 3 and 5"),
    )
    a = _wrong(built("a.bin", "merge", depth=2), (ProblemKind.CYCLE, "it was made from itself"))
    b = _wrong(built("b.bin", "merge", depth=3), (ProblemKind.CYCLE, "it was made from itself"))
    base = _wrong(
        replace(root("base", depth=2), origin=Origin.UNKNOWN),
        (ProblemKind.EXPIRED, "its acceptance expired on 2026-11-01"),
    )
    leaked = _wrong(
        root("leaked.csv", depth=2),
        (ProblemKind.DENIED, "the policy denies it: personal data"),
        (ProblemKind.REJECTED, "ml-security rejects it: personal data"),
    )
    alias = _wrong(
        replace(unknown("weights", depth=2), id="gitCommit:" + "1f" * 20),
        (ProblemKind.ALIAS, "two sha256 are said to be it"),
    )
    hidden = replace(unknown("below", depth=3, required=False))
    first = replace(built("package", "package"), level=0, chain_completeness=Completeness.UNKNOWN)
    weights = replace(edge("model", "weights", "base-model"), target=alias.id)
    return report(
        [first, model, a, b, base, leaked, alias, hidden, unknown("data.csv", depth=2)],
        [
            edge("package", "model", "model"),
            edge("model", "a.bin", "base-model"),
            edge("a.bin", "b.bin", "base-model"),
            edge("b.bin", "a.bin", "base-model"),
            edge("model", "base", "base-model"),
            edge("model", "leaked.csv", "data"),
            edge("model", "data.csv", "data"),
            edge("leaked.csv", "below", "data"),
            weights,
        ],
        path=("package", "model", "data.csv"),
        set_aside=SET_ASIDE,
    )


def nothing() -> LineageReport:
    """Nobody who is trusted says anything."""
    return report([unknown("model", depth=0)], [], path=("model",), set_aside=SET_ASIDE)


def unjudged() -> LineageReport:
    """There was no trust map."""
    return replace(nothing(), is_judged=False)


def summarised() -> LineageReport:
    """A verdict of another verifier stands for the base model, and a part of a dataset is used."""
    said = VerificationSummary(
        "https://example.com/verifier",
        AT - timedelta(days=2),
        "hf://org/base",
        "file:strict.toml",
        "sha256:" + "77" * 32,
        True,
        3,
        {3: 4, 2: 1},
    )
    base = replace(root("base", depth=1, origin=Origin.SUMMARY), own_level=2)
    base = replace(base, claim=claim("base").id, signers=("verifier",))
    part = replace(root("part.csv", depth=1, origin=Origin.PART), license="", reason="")
    return report(
        [built("model", "train"), base, part, root("whole", depth=2)],
        [
            edge("model", "base", "base-model"),
            edge("model", "part.csv", "data"),
            edge("part.csv", "whole", kind=EdgeKind.PART_OF),
        ],
        path=("model", "base"),
        claims=(claim("model"), claim("base", said, SUMMARY_TYPE), claim("whole")),
    )


def chain(length: int) -> LineageReport:
    """Each made from the one before; the last is a root."""
    names = [f"model-{index}" for index in range(length)]
    nodes = [built(name, "fine-tune", depth=i, level=2) for i, name in enumerate(names[:-1])]
    nodes.append(root(names[-1], depth=length - 1))
    edges = [edge(a, b, "base-model") for a, b in pairwise(names)]
    return report(nodes, edges, path=names, claims=())


def large(count: int = 5_000) -> LineageReport:
    """Many datasets, each cleaned from one or two files, some of them shared."""
    cleaned = count // 3
    nodes = [built("model", "train")]
    edges = []
    for index in range(cleaned):
        name = f"clean-{index}.parquet"
        nodes.append(built(name, "clean", depth=1, level=1 + index % 3))
        edges.append(edge("model", name, "data"))
        edges.append(edge(name, f"raw-{index}.csv", "data"))
        edges.append(edge(name, f"raw-{(index * 7) % (count - cleaned - 1)}.csv", "data"))
    nodes += [root(f"raw-{i}.csv", depth=2) for i in range(count - cleaned - 1)]
    edges = list({(e.source, e.target): e for e in edges}.values())
    return report(nodes, edges, path=("model", "clean-0.parquet"), claims=())


HOSTILE = (
    "</svg><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\x1b[2J\x1b[31mPASS\x07",
    "safe\u202egpj.exe\u2066\u200b",
    'a" ] ; b -> c [label="\\N \\',
    "&lt;&amp;{{x}}${y}`z`",
    "名前" * 300,
    "x" * 5_000,
    "\udcff\udcfe\nnew line\ttab",
    "שלום/مرحبا",
)


def hostile(name: str) -> LineageReport:
    """All words that strangers choose are this one."""
    first = replace(
        built("package", "package"),
        label=name,
        kind=name,
        builder=name,
        license=name,
        reason=name,
        signers=(name,),
        problems=(LineageProblem(ProblemKind.CONFLICT, name),),
    )
    second = replace(root("base", depth=1), label=name, license=name, reason=name)
    third = replace(unknown("data", depth=1), id=f"unnamed:{name}", label=name)
    aside = SetAside(name, name, (name,), name)
    return report(
        [first, second, third],
        [
            replace(edge("package", "base", name), name=name),
            replace(edge("package", "data", name), target=third.id, name=name),
        ],
        path=("package", "base"),
        set_aside=(aside,),
    )


EVERY: dict[str, Callable[[], LineageReport]] = {
    "good": good,
    "bad": bad,
    "nothing": nothing,
    "unjudged": unjudged,
    "summarised": summarised,
    "chain": lambda: chain(30),
}
