"""scan: what is dangerous in an artifact, and what was not looked at."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO

from weighbridge.artifact import find_changes, refuse_changes, weigh
from weighbridge.core import (
    DEFAULT_LIMITS,
    Coverage,
    CoverageStatus,
    Explanation,
    Limits,
    Location,
    ReadFailure,
    ReadFailureKind,
    ScanTerms,
    Subject,
    build_scan,
    printable,
)
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError, LimitExceededError
from weighbridge.export import ScannedPath
from weighbridge.formats import MemorySource, SliceSource, open_expanded
from weighbridge.scanning import build_inspector, conclude, explain, list_rules
from weighbridge.workflow._paths import to_optional_path, to_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from weighbridge.artifact import Tree
    from weighbridge.core import FileScan, PickleListing, ScanReport
    from weighbridge.core.ports import BundleStore, ByteSource, Executor, Progress, StrPath
    from weighbridge.signing import Signer
    from weighbridge.workflow._people import ClaimPlace
    from weighbridge.workflow._signers import SignerSpec

    Scannable: TypeAlias = "StrPath | bytes | bytearray | memoryview | BinaryIO"

__all__ = [
    "ScanSigning",
    "changes_as_failures",
    "explain_file",
    "list_rules",
    "load_scan_terms",
    "plan_scan_claims",
    "scan_artifact",
    "scan_one",
]

_CHUNK_BYTES = 1024 * 1024
_NO_NAME = "-"


def scan_artifact(  # noqa: PLR0913 - each is one thing that a user may say
    path: Scannable,
    *,
    allowed: frozenset[tuple[str, str]] = frozenset(),
    signature: StrPath | None = None,
    weights: bool = False,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ScanReport:
    """Examine every file of the artifact at ``path``; nothing is executed, imported or unpickled.

    Bytes and file objects are examined as one file, and nothing is hashed. A seekable file object
    is read from its beginning, whatever its position, since loaders of archives do so, and once
    more from there; it is left where it stood. Another is read to its end. Of a file object 4 MiB
    are held in memory, more goes to a temporary file.

    Args:
        path: A file or a folder; or its content: bytes, or a file object that was opened in
            binary mode. The name is then that of the file object, else ``-``.
        allowed: (module, name) pairs that a pickle may refer to, besides the built-in list.
        signature: The signature file, if it is not ``model.sig`` in the folder.
        weights: Whether to read every tensor; otherwise a sample of each is looked at.
        executor: Where to work; by default threads, one for each processor.
        limits: Bounds on all work.
        progress: Is told the bytes.

    Returns:
        Findings and coverage; a file that is no part of an artifact (a link, a device) or that
        changed meanwhile is a finding.

    Raises:
        InputError: ``path`` is missing, empty, a link or a device; or a file object that cannot
            be read or gives text.
        LimitExceededError: Too many files, or too deep.
        IncompleteError: There is no room for a temporary file.
    """
    return scan_one(
        path,
        ScanTerms(allowed=allowed, weights=weights),
        signature=signature,
        executor=executor,
        limits=limits,
        progress=progress,
    ).report


def load_scan_terms(
    policy: StrPath | None = None,
    *,
    allowed: frozenset[tuple[str, str]] = frozenset(),
    weights: bool = False,
    limits: Limits = DEFAULT_LIMITS,
) -> ScanTerms:
    """Return by what a scan is judged: the ``require.scan`` of a policy, or the built-in one.

    Args:
        policy: A ``weighbridge.toml``.
        allowed: (module, name) pairs besides those of the policy.
        weights: Whether to read every tensor.
        limits: Bounds on the policy; those that are not the default ones are noted.

    Raises:
        InputError: The policy cannot be used, or asks nothing of a scan.
        LimitExceededError: It is too large.
    """
    terms = ScanTerms(allowed=allowed)
    file = to_optional_path(policy, what="policy")
    if file is not None:
        from weighbridge.workflow._policy_trust import (  # noqa: PLC0415 - costs start-up time
            load_policy,
        )

        rules = load_policy(file, limits=limits)
        if rules.scan is None:
            shown = printable(rules.name)
            raise InputError(f"{shown} asks nothing of a scan; add a line scan = {{}} to [require]")
        terms = ScanTerms(
            policy=rules.name,
            policy_digest=rules.digest,
            allowed=rules.allowed | allowed,
            fail_on=rules.scan.fail_on,
            complete=rules.scan.complete,
            warn_only=rules.scan.warn_only,
        )
    changed = tuple(
        (one.name, getattr(limits, one.name))
        for one in fields(Limits)
        if getattr(limits, one.name) != getattr(DEFAULT_LIMITS, one.name)
    )
    return replace(terms, weights=weights, limits=changed)


@dataclass(frozen=True, slots=True)
class ScanSigning:
    """Who signs scans, and where the statement about each path goes."""

    signer: Signer
    places: Mapping[str, ClaimPlace]


def plan_scan_claims(
    paths: Sequence[StrPath],
    signer: StrPath | SignerSpec | Signer | None,
    *,
    key: StrPath | None = None,
    store: StrPath | BundleStore | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ScanSigning:
    """Refuse what would keep the claims about scans from being signed, before anything is read.

    Args:
        paths: The artifacts.
        signer: ``file:PATH``, ``pkcs11:...``, ``sigstore:``, or anything that can sign.
        key: A private key in PEM; or give ``signer``.
        store: A folder or a store that gets the claims as well.
        limits: Bounds on the claims file.

    Raises:
        InputError: An artifact, the key, the claims file or the store cannot be used.
        LimitExceededError: A claims file is too large.
    """
    from weighbridge.workflow._people import ClaimPlace  # noqa: PLC0415 - costs start-up time
    from weighbridge.workflow._signers import choose_signer  # noqa: PLC0415

    places = {str(path): ClaimPlace.open(path, store, limits) for path in paths}
    return ScanSigning(choose_signer(signer, key, limits=limits), places)


def scan_one(  # noqa: PLR0913 - each is one thing that a user may say
    target: Scannable,
    terms: ScanTerms,
    *,
    signature: StrPath | None = None,
    signing: ScanSigning | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> ScannedPath:
    """Scan one artifact, judge it, and sign what the scan came to, if ``signing`` says who does.

    Only a digest that was computed in the read that was scanned is signed. Where an entry cannot
    be hashed, or changed meanwhile, nothing is signed, and ``unsigned`` says why.

    Args:
        target: As for :func:`scan_artifact`.
        terms: By what it is scanned and judged.
        signature: As for :func:`scan_artifact`.
        signing: Who signs, and where the claim goes.
        executor: As for :func:`scan_artifact`.
        limits: As for :func:`scan_artifact`.
        progress: As for :func:`scan_artifact`.

    Raises:
        InputError: As for :func:`scan_artifact`.
        ArtifactChangedError: It is to be signed and changed behind the scan.
        WeighbridgeError: As :func:`scan_artifact`; or it could not be signed or kept.
    """
    inspector = build_inspector(limits=limits, allowed=terms.allowed, weights=terms.weights)
    scanned_at = datetime.now(UTC)
    if isinstance(target, bytes | bytearray | memoryview) or hasattr(target, "read"):
        name, scans = _inspect_content(target, inspector, limits)
        report = conclude(scans, failures=(), out_of_scope=())
        return ScannedPath(name, report, terms.judge(report), terms)
    root = to_path(target, what="artifact")
    own_signature = to_optional_path(signature, what="signature file")
    weighed = weigh(
        root,
        executor=executor or ThreadExecutor(),
        limits=limits,
        inspector=inspector,
        signature=own_signature,
        progress=progress,
    )
    changes = changes_as_failures(
        weighed.tree, root, limits=limits, signature=own_signature, known=weighed.failures
    )
    failures = (*weighed.failures, *changes)
    report = conclude(weighed.inspections, failures=failures, out_of_scope=weighed.tree.unwalked)
    done = ScannedPath(str(target), report, terms.judge(report), terms)
    if failures:
        return done if signing is None else replace(done, unsigned=_tell_unsigned(failures))
    manifest = weighed.to_manifest()
    digest = manifest.compute_digest()
    done = replace(done, digest=digest)
    if signing is None:
        return done
    from weighbridge.signing import describe_signer  # noqa: PLC0415 - costs start-up time

    refuse_changes(weighed.tree, root, limits=limits, signature=own_signature)
    statement = build_scan(
        report,
        terms,
        (Subject(printable(manifest.label), {"sha256": digest.hex}),),
        scanner=printable(describe_signer(signing.signer)),
        scanned_at=scanned_at,
    )
    _, claims = signing.places[str(target)].write(statement, signing.signer)
    return replace(done, claims=str(claims))


def _tell_unsigned(failures: tuple[ReadFailure, ...]) -> str:
    """Say why there is no digest that could be signed."""
    first = f"{printable(failures[0].name)} {failures[0].reason}"
    more = f", and {len(failures) - 1:,} more like it" if len(failures) > 1 else ""
    return f"there is no digest of all of it: {first}{more}"


def _inspect_content(
    target: object, inspector: Callable[[ByteSource], FileScan], limits: Limits
) -> tuple[str, list[FileScan]]:
    """Examine bytes or a file object as one file; return its name and what was found."""
    if isinstance(target, bytes | bytearray | memoryview):
        return _NO_NAME, [inspector(MemorySource(_NO_NAME, bytes(target)))]
    file: BinaryIO = target  # type: ignore[assignment]  # whatever has a ``read``
    given = getattr(file, "name", None)
    name = given if isinstance(given, str) and given and given != "<stdin>" else _NO_NAME
    position = _find_position(file)
    try:
        return name, _inspect_stream(file, name, position, inspector, limits)
    finally:
        if position is not None:
            file.seek(position)


def _inspect_stream(
    file: BinaryIO,
    name: str,
    position: int | None,
    inspector: Callable[[ByteSource], FileScan],
    limits: Limits,
) -> list[FileScan]:
    read_bytes = 0
    scans: list[FileScan] = []

    def spend(count: int) -> None:
        nonlocal read_bytes
        read_bytes += count
        limit = limits.max_expanded_bytes
        if read_bytes > limit:
            raise LimitExceededError(
                "max_expanded_bytes", limit=limit, actual=read_bytes, subject=printable(name)
            )

    if position:
        file.seek(0)
    try:
        with open_expanded(_read_chunks(file, name), name=name, spend=spend) as whole:
            scans.append(inspector(whole.source))
            size = whole.source.size_bytes
            if position and position < size:  # where a loader would go on
                rest = SliceSource(name, whole.source, position, size - position)
                scans.append(inspector(rest))
    except LimitExceededError as error:
        row = Coverage(Location(name), CoverageStatus.NOT_EXAMINED, "unknown", str(error))
        scans[-1] = replace(scans[-1], coverage=(*scans[-1].coverage, row))
    return scans


def _find_position(file: BinaryIO) -> int | None:
    """Return where a file object stands; None if it cannot be sought in."""
    try:
        return file.tell() if file.seekable() else None
    except (AttributeError, OSError, ValueError):
        return None


def _read_chunks(file: BinaryIO, name: str) -> Iterator[bytes]:
    shown = printable(name)
    while True:
        try:
            chunk: object = file.read(_CHUNK_BYTES)
        except (OSError, ValueError) as error:
            raise InputError(f"{shown} cannot be read: {error}") from error
        if not isinstance(chunk, bytes | bytearray | memoryview):
            raise InputError(f"{shown} gives no bytes; open it in binary mode, and blocking")
        if not chunk:
            return
        yield bytes(chunk)


def explain_file(
    target: Scannable,
    *,
    allowed: frozenset[tuple[str, str]] = frozenset(),
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Explanation:
    """Scan one file with the same engines, and list its pickles opcode by opcode.

    Args:
        target: A file, or its content, as for :func:`scan_artifact`.
        allowed: As for :func:`scan_artifact`.
        limits: As for :func:`scan_artifact`.
        progress: As for :func:`scan_artifact`.

    Raises:
        InputError: It is a folder; or as for :func:`scan_artifact`.
        WeighbridgeError: As for :func:`scan_artifact`.
    """
    pickles: list[PickleListing] = []

    def inspector(source: ByteSource) -> FileScan:
        scan, listings = explain(source, limits=limits, allowed=allowed)
        pickles.extend(listings)
        return scan

    if isinstance(target, bytes | bytearray | memoryview) or hasattr(target, "read"):
        name, scans = _inspect_content(target, inspector, limits)
        report = conclude(scans, failures=(), out_of_scope=())
        return Explanation(report, tuple(pickles), name, ScanTerms(allowed=allowed))
    root = to_path(target, what="file")
    if root.is_dir():
        raise InputError(f"{printable(str(root))} is a folder; name one file of it")
    weighed = weigh(
        root, executor=ThreadExecutor(), limits=limits, inspector=inspector, progress=progress
    )
    report = conclude(
        weighed.inspections, failures=weighed.failures, out_of_scope=weighed.tree.unwalked
    )
    return Explanation(report, tuple(pickles), str(target), ScanTerms(allowed=allowed))


def changes_as_failures(
    tree: Tree,
    path: Path,
    *,
    limits: Limits,
    signature: Path | None,
    known: tuple[ReadFailure, ...],
) -> tuple[ReadFailure, ...]:
    """List the artifact again and return a failure for each file that is not as it was.

    Args:
        tree: The artifact as it was listed.
        path: Where it is.
        limits: As for listing it first.
        signature: As for listing it first.
        known: Failures that are known already; their files are not named again.
    """
    named = {failure.name for failure in known}
    return tuple(
        ReadFailure(name, ReadFailureKind.CHANGED, "changed after it was examined")
        for name in find_changes(tree, path, limits=limits, signature=signature, out_of_scope=True)
        if name not in named
    )
