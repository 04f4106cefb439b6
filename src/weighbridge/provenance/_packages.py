"""Packages: what is installed for a step's interpreter, checked against the files on disk."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from weighbridge.artifact import describe_cached, read_document
from weighbridge.core import DEFAULT_LIMITS, Dependency, collection_paused, parse_json, printable
from weighbridge.errors import WeighbridgeError
from weighbridge.provenance._record_files import check_files, find_unlisted, join_names
from weighbridge.provenance._records import parse_metadata, parse_record
from weighbridge.provenance._secrets import strip_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from weighbridge.artifact import DigestCache
    from weighbridge.core import Limits
    from weighbridge.core.ports import Executor
    from weighbridge.provenance._interpreter import Interpreter
    from weighbridge.provenance._record_files import Checked
    from weighbridge.provenance._records import RecordedFile

__all__ = ["Installed", "Packages", "list_packages", "read_packages"]

_SEPARATORS = re.compile(r"[-_.]+")
_SYSTEM_PACKAGES = Path("/usr/lib/python3/dist-packages")  # dpkg's own; Debian, PEP 668
_DIRECT_URL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Packages:
    """What is installed.

    Attributes:
        dependencies: One for each distribution, sorted by name; then the loose files beside them.
            A digest is the sha256 of RECORD. The annotation ``check`` is ``pass`` if each file that
            RECORD lists with a digest has it and nothing else is wrong, ``fail`` if one has not,
            ``unknown`` if that could not be found out.
        problems: What does not hold or is not known, in sentences; empty if all of it is.
        verified: Absolute paths of the files that have the digest that a RECORD gives them; links
            in the path of the package folder are resolved.
        size_bytes: Of these files.
        recorded: Absolute paths of the files that ``dependencies`` account for: the verified ones,
            each RECORD, the loose ones.
        folders: Real paths of the folders in which packages are looked for, but for that of the
            system's own package manager, which keeps no RECORD.
    """

    dependencies: tuple[Dependency, ...]
    problems: tuple[str, ...]
    verified: frozenset[str]
    size_bytes: int
    recorded: frozenset[str]
    folders: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Distribution:
    """One ``.dist-info`` or ``.egg-info``; ``record_digest`` is empty without a RECORD."""

    name: str
    version: str
    folder: Path
    record_digest: str = ""
    rows: tuple[RecordedFile, ...] = ()
    origin: Mapping[str, str] | None = None
    problem: str = ""

    @property
    def key(self) -> str:
        """The name as the index compares it (PEP 503)."""
        return _SEPARATORS.sub("-", self.name).lower()

    @property
    def shown(self) -> str:
        return f"{printable(self.name)} {printable(self.version)}".strip()


@dataclass(frozen=True, slots=True)
class Installed:
    """The distributions that an interpreter finds, with nothing looked at but their lists.

    Attributes:
        path: Where modules are found.
        distributions: In the order in which Python finds them.
        problems: What is not as it should be, in sentences.
    """

    path: tuple[Path, ...]
    distributions: tuple[_Distribution, ...]
    problems: tuple[str, ...]

    @property
    def names(self) -> frozenset[str]:
        """As the index compares them (PEP 503)."""
        return frozenset(distribution.key for distribution in self.distributions)


def list_packages(interpreter: Interpreter, *, limits: Limits = DEFAULT_LIMITS) -> Installed:
    """List the installed distributions, and what the RECORD of each lists.

    Nothing of a package is imported.

    Args:
        interpreter: Where modules are found.
        limits: ``max_entries`` bounds the distributions and the files of each, ``max_list_bytes``
            the size of one RECORD.

    Source:
        PyPA, Recording installed projects; Direct URL Data Structure; purl, type ``pypi``.
    """
    problems: list[str] = []
    found = _list_distributions(interpreter.path, problems, limits)
    return Installed(interpreter.path, tuple(found), tuple(problems))


def read_packages(
    installed: Installed,
    *,
    executor: Executor,
    limits: Limits = DEFAULT_LIMITS,
    cache: DigestCache | None = None,
) -> Packages:
    """Hash every file that a RECORD lists, and look for those that none lists.

    Bytecode (``.pyc``) has no digest in RECORD and is not checked; nor is the standard library.

    Args:
        installed: As :func:`list_packages` found it.
        executor: Runs one batch of files each.
        limits: ``max_package_bytes`` bounds the files of one distribution, ``max_entries`` those
            that are looked at.
        cache: Knows files that were hashed before.
    """
    problems = list(installed.problems)
    found = installed.distributions
    rows = [(d.folder, d.rows) for d in found]
    checks = check_files(rows, executor=executor, limits=limits, cache=cache)
    dependencies = [_to_dependency(d, check) for d, check in zip(found, checks, strict=True)]
    for distribution, check in zip(found, checks, strict=True):
        problems += _tell_problems(distribution, check)
    without = [d.shown for d in found if not (d.record_digest or d.problem)]
    if without:
        problems.append(f"no RECORD lists the files of {join_names(without)}; they are not checked")
    listed = frozenset(path for check in checks for path in check.listed)
    loose, said = find_unlisted({d.folder for d in found}, listed, limits=limits)
    verified = frozenset(path for check in checks for path in check.verified)
    records = (
        path
        for distribution, check in zip(found, checks, strict=True)
        if distribution.record_digest
        for path in check.listed
        if path.endswith(".dist-info/RECORD")
    )
    return Packages(
        dependencies=(
            *sorted(dependencies, key=lambda d: (d.name, d.uri, d.digest.get("sha256", ""))),
            *loose.values(),
        ),
        problems=(*problems, *said),
        verified=verified,
        size_bytes=sum(check.size_bytes for check in checks),
        recorded=verified.union(records, loose),
        folders=frozenset(map(os.path.realpath, _list_folders(installed.path))),
    )


def _list_folders(path: Iterable[Path]) -> Iterator[Path]:
    for folder in path:
        if folder.name.endswith("-packages") and folder != _SYSTEM_PACKAGES:
            yield folder


@collection_paused()
def _list_distributions(
    path: Iterable[Path], problems: list[str], limits: Limits
) -> list[_Distribution]:
    """Read the distributions in the order in which Python finds them."""
    found: list[_Distribution] = []
    first: dict[str, _Distribution] = {}
    folders = {os.path.realpath(folder): folder for folder in reversed(list(path))}
    for folder in reversed(folders.values()):  # lib64 is often a link to lib
        for name in _list_names(folder, problems):
            if len(found) >= limits.max_entries:
                problems.append(
                    f"there are more than {limits.max_entries:,} packages; not all read"
                )
                return found
            distribution = _read_distribution(folder, name, limits)
            earlier = first.setdefault(distribution.key, distribution)
            if earlier is not distribution:
                problems.append(
                    f"{distribution.shown} in {printable(str(folder))} is a second "
                    f"{printable(earlier.name)}; {earlier.shown} is found first"
                )
            found.append(distribution)
    return found


def _list_names(folder: Path, problems: list[str]) -> list[str]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is needed
    except (FileNotFoundError, NotADirectoryError):
        return []  # as Python does: parts of sys.path need not be there
    except OSError as error:
        problems.append(f"cannot list {printable(str(folder))}: {error.strerror}")
        return []
    problems.extend(
        f"{printable(name)} in {printable(str(folder))} is an old egg; its files are not checked"
        for name in names
        if name.endswith((".egg", ".egg-link"))
    )
    return [name for name in names if name.endswith((".dist-info", ".egg-info"))]


def _read_distribution(folder: Path, name: str, limits: Limits) -> _Distribution:
    info = folder / name
    stem = name.rpartition(".")[0]
    guessed, _, version = stem.partition("-")
    metadata = info if info.is_file() else info / "METADATA"
    if name.endswith(".egg-info") and not info.is_file():
        metadata = info / "PKG-INFO"
    problem = ""
    try:
        data = _read(metadata, limits.max_card_bytes, "max_card_bytes")
        found = parse_metadata(data)
        guessed, version = found[0] or guessed, found[1] or version
    except WeighbridgeError as error:
        problem = str(error)
    plain = _Distribution(guessed, version, folder, problem=problem)
    if not (info / "RECORD").exists():
        return plain
    digest = ""
    try:
        record = _read(info / "RECORD", limits.max_list_bytes, "max_list_bytes")
        digest = hashlib.sha256(record).hexdigest()
        rows = tuple(parse_record(record, limits=limits))
        origin = _read_origin(info, limits)
    except WeighbridgeError as error:
        said = f"its files are not checked: {error}"
        return _Distribution(guessed, version, folder, digest, problem=said)
    return _Distribution(guessed, version, folder, digest, rows, origin, problem)


def _read(path: Path, limit_bytes: int, limit_name: str) -> bytes:
    return read_document(
        path, what="package metadata", limit_name=limit_name, limit_bytes=limit_bytes
    )


def _read_origin(info: Path, limits: Limits) -> dict[str, str] | None:
    """Read direct_url.json: where it was installed from if that was no index."""
    path = info / "direct_url.json"
    if not path.exists():
        return None
    data = _read(path, _DIRECT_URL_BYTES, "direct_url.json")
    said = parse_json(data, what="direct_url.json", limits=limits)
    if not isinstance(said, dict) or not isinstance(said.get("url"), str):
        return {"url": ""}
    url = printable(strip_credentials(str(said["url"])))
    origin = {"url": url}
    vcs, folder, archive = (said.get(key) for key in ("vcs_info", "dir_info", "archive_info"))
    if isinstance(vcs, dict) and isinstance(vcs.get("commit_id"), str):
        origin |= {"vcs": printable(str(vcs.get("vcs"))), "commit": printable(vcs["commit_id"])}
    if isinstance(folder, dict) and folder.get("editable") is True:
        origin["editable"] = "true"
    hashes = archive.get("hashes") if isinstance(archive, dict) else None
    if isinstance(hashes, dict) and isinstance(hashes.get("sha256"), str):
        origin["archive"] = f"sha256:{printable(hashes['sha256'])}"
    return origin


def _to_dependency(distribution: _Distribution, check: Checked) -> Dependency:
    origin = distribution.origin or {}
    answer = "unknown"
    if distribution.record_digest and not distribution.problem and not check.unknown:
        answer = "fail" if check.missing or check.changed else "pass"
    if check.missing or check.changed:
        answer = "fail"
    annotations = {"check": answer, "files": str(len(check.verified)), "digestOf": "RECORD"}
    annotations |= describe_cached(check.cached)
    annotations |= {key: origin[key] for key in ("editable", "archive") if key in origin}
    if origin:
        annotations["origin"] = origin["url"]
    return Dependency(
        name=printable(distribution.key),
        digest={"sha256": distribution.record_digest} if distribution.record_digest else {},
        uri=_to_purl(distribution, origin),
        role="package",
        annotations=annotations,
    )


def _to_purl(distribution: _Distribution, origin: Mapping[str, str]) -> str:
    version = quote(distribution.version, safe="-._~")
    purl = f"pkg:pypi/{quote(distribution.key, safe='-._~')}{'@' if version else ''}{version}"
    if "commit" in origin:
        return f"{purl}?vcs_url=" + quote(
            f"{origin['vcs']}+{origin['url']}@{origin['commit']}", safe="-._~/:"
        )
    if origin.get("url", "").startswith(("http://", "https://")):
        return f"{purl}?download_url=" + quote(origin["url"], safe="-._~/:")
    return purl


def _tell_problems(distribution: _Distribution, check: Checked) -> list[str]:
    shown = distribution.shown
    said = [f"{shown}: {distribution.problem}"] if distribution.problem else []
    if check.changed:
        said.append(
            f"{shown}: not as its RECORD says: {join_names(check.changed)}; install it again"
        )
    if check.missing:
        said.append(f"{shown}: missing: {join_names(check.missing)}; install it again")
    said += [f"{shown}: {words}" for words in check.unknown]
    origin = distribution.origin or {}
    if "editable" in origin:
        said.append(
            f"{shown}: installed as editable from {origin['url']}; "
            "no RECORD lists its files, declare that folder as an input"
        )
    return said
