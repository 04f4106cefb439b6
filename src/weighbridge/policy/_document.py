"""A document kept by hand, held against the files and the signed lineage. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from weighbridge.core import (
    Answer,
    DocumentCheck,
    DocumentEntry,
    InputClass,
    RuleResult,
    is_lock,
    list_materials,
    printable,
)
from weighbridge.errors import ParseError
from weighbridge.formats import DocumentSection, parse_license
from weighbridge.policy._document_sources import find_sources, parse_address, to_sha256
from weighbridge.policy._document_training import (
    arrange_training,
    compare_package,
    compare_parameter,
    compare_seed,
    compare_training,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from weighbridge.core import Dependency, Digest, LineageReport
    from weighbridge.formats import DocumentValue, ProvenanceDocument
    from weighbridge.policy._document_sources import Candidate, Sources
    from weighbridge.policy._document_training import Compared, Trained

__all__ = ["FoundFile", "Surroundings", "compare_document", "judge_document"]

_SHOWN_CHARACTERS = 120
_MOST_NAMES = 4
_SHORT_COMMIT = 7  # as git shortens one
_PASS, _FAIL, _UNKNOWN = Answer.PASS, Answer.FAIL, Answer.UNKNOWN
# Files that hold weights: a document's sha256 of "the model" is often that of one of them.
_WEIGHTS: Final = frozenset(
    {
        *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".ggml", ".onnx", ".h5"),
        *(".keras", ".npz", ".npy", ".pkl", ".pickle", ".joblib", ".msgpack", ".tflite", ".pb"),
    }
)
_FILES_OF_IT = frozenset({DocumentSection.MODEL, DocumentSection.FILE})
_CLASSES = {DocumentSection.BASE: InputClass.MODEL, DocumentSection.DATA: InputClass.DATA}
_OF_TRAINING: Final = {
    DocumentSection.PACKAGE: compare_package,
    DocumentSection.SEED: compare_seed,
    DocumentSection.PARAMETER: compare_parameter,
    DocumentSection.TRAINING: compare_training,
}
_WORDS = {InputClass.MODEL: "base model", InputClass.DATA: "data"}


class FoundFile(NamedTuple):
    """What is at a path that a document names.

    Attributes:
        sha256: The artifact digest in hex; empty if it was not hashed.
        size_bytes: None if nobody looked.
        problem: Why there is nothing to compare, half a sentence; empty if there is something.
    """

    sha256: str = ""
    size_bytes: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a document is held against.

    Attributes:
        path: Of the document, for people.
        files: POSIX path to sha256 of each file of the artifact.
        digest: The artifact digest; None if it is not known.
        found: What is at each path that the document names, as it is written there.
        own_name: The document's own path inside the artifact; empty if it lies elsewhere.
        lineage: What the artifact was made from; None if nobody looked.
    """

    path: str
    files: Mapping[str, str]
    digest: Digest | None
    found: Mapping[str, FoundFile]
    own_name: str = ""
    lineage: LineageReport | None = None


def compare_document(document: ProvenanceDocument, around: Surroundings) -> DocumentCheck:
    """Hold everything that a document says against the files and the signed lineage.

    Only what signers whom the policy trusts have stated is compared with. What nothing here can
    tell, and every key that is not known, is UNKNOWN.

    Args:
        document: What it says.
        around: What it is held against.

    Returns:
        One entry for each thing that it says, in its order; last, the files that it leaves out.
    """
    comparison = _Comparison(document, around)
    entries = [entry for value in document.values for entry in comparison.compare(value)]
    return DocumentCheck(around.path, (*entries, *comparison.list_left_out()))


class _Comparison:
    """What one comparison looks up; lives for one call of :func:`compare_document`."""

    def __init__(self, document: ProvenanceDocument, around: Surroundings) -> None:
        self._around = around
        self._items = document.group()
        self._sources: Sources = find_sources(around.lineage, around.digest)
        self._steps: tuple[Trained, ...] = arrange_training(self._sources.training)
        self._indexes = {kind: self._sources.index(kind) for kind in _WORDS}
        self._count = {
            section: sum(one is section for one, _ in self._items) for section in DocumentSection
        }
        self._weights = {
            sha256: name
            for name, sha256 in sorted(around.files.items(), reverse=True)
            if PurePosixPath(name).suffix.lower() in _WEIGHTS
        }
        self._all = {sha256: name for name, sha256 in around.files.items()}
        self._matches: dict[tuple[DocumentSection, int], Candidate | None] = {}

    def compare(self, value: DocumentValue) -> Iterable[DocumentEntry]:
        """Yield what comes of one thing that the document says; a path goes with its digest."""
        item = self._items[value.section, value.item]
        if value.field == "path" and "sha256" in item:
            return
        answer, message = self._judge(value, item)
        yield DocumentEntry(value.place, answer, f"{message[0].upper()}{message[1:]}.")

    def _judge(self, value: DocumentValue, item: Mapping[str, str]) -> Compared:
        if value.section is DocumentSection.UNKNOWN:
            return _UNKNOWN, "not compared: this key is not known"
        if (compare := _OF_TRAINING.get(value.section)) is not None:
            return compare(value.field, value.text, self._steps)
        if value.field == "sha256":
            return self._judge_digest(value, item)
        if value.field == "path":
            return self._judge_path(value)
        if value.field == "size":
            return self._judge_size(value, item)
        candidate, why = self._find(value, item)
        return why if candidate is None else _compare_property(value, candidate)

    def _judge_digest(self, value: DocumentValue, item: Mapping[str, str]) -> Compared:
        sha256 = to_sha256(value.text)
        if not sha256:
            named, mark, _ = value.text.partition(":")
            if mark and named.strip().lower() != "sha256":
                return _UNKNOWN, f"the hash {_show(named)} is not compared; give the sha256"
            return _FAIL, f"the text {_show(value.text)} is no sha256 of 64 hexadecimal digits"
        here = self._compare_with_file(sha256, value, item)
        if here is not None and (here[0] is _FAIL or value.section in _FILES_OF_IT):
            return here
        if value.section in _FILES_OF_IT:
            return self._compare_with_artifact(sha256, value)
        signed = self._compare_with_lineage(sha256, value)
        if here is None or signed[0] is _FAIL:
            return signed
        return (_PASS, here[1]) if signed[0] is _UNKNOWN else (_PASS, f"{here[1]}; {signed[1]}")

    def _compare_with_file(
        self, sha256: str, value: DocumentValue, item: Mapping[str, str]
    ) -> Compared | None:
        """Compare with the file that the item names; None if there is none to compare with."""
        if "path" not in item:
            return None
        shown = _show(item["path"])
        found = self._around.found.get(item["path"], FoundFile(problem="was not looked for"))
        if found.sha256 == sha256:
            return _PASS, f"the path {shown} has this digest"
        if found.sha256:
            return _FAIL, f"the path {shown} has the digest sha256:{found.sha256}"
        if value.section in _FILES_OF_IT:
            return _FAIL, f"the path {shown} {found.problem or 'could not be hashed'}"
        return None

    def _compare_with_artifact(self, sha256: str, value: DocumentValue) -> Compared:
        digest = self._around.digest
        if value.section is DocumentSection.MODEL:
            if digest is not None and digest.hex == sha256:
                return _PASS, "this is the digest of the artifact"
            if name := self._weights.get(sha256):
                return _PASS, f"this is the digest of {_show(name)}"
        elif name := self._all.get(sha256):
            return _PASS, f"this is the digest of {_show(name)}"
        if digest is None:
            return _UNKNOWN, "the digest of the artifact is not known"
        return _FAIL, f"the artifact has the digest {digest}, and no file of weights has this one"

    def _compare_with_lineage(self, sha256: str, value: DocumentValue) -> Compared:
        if self._sources.root is None:
            return _UNKNOWN, "there is no signed lineage to compare with"
        if value.section in _CLASSES:
            return self._compare_input(sha256, _CLASSES[value.section])
        if value.section is DocumentSection.LOCK:
            return _is_among(sha256, self._list_locks(), "lock file")
        return _is_among(sha256, self._list_scripts(), "script")

    def _compare_input(self, sha256: str, kind: InputClass) -> Compared:
        index = self._indexes[kind]
        if f"sha256:{sha256}" in index.by_id:
            return _PASS, f"the signed lineage has it as {_WORDS[kind]}"
        if not self._sources.training:
            return _UNKNOWN, "no signed record of the training tells"
        if not index.by_id:
            return _FAIL, f"by the signed lineage nothing was taken in as {_WORDS[kind]}"
        if not index.has_digests:
            return _UNKNOWN, "the signed lineage names something without a sha256"
        if kind is InputClass.DATA and not index.is_known:
            return _UNKNOWN, "it may be what the data of the signed lineage was made from"
        names = ", ".join(id_[:19] for id_ in index.ids[:_MOST_NAMES])
        return _FAIL, f"the signed lineage has other {_WORDS[kind]}: {names}"

    def _list_locks(self) -> list[Dependency]:
        records = [step.node.step for step in self._steps if step.node.step is not None]
        return [i for record in records for i in record.inputs if is_lock(i)]

    def _list_scripts(self) -> list[Dependency]:
        records = [step.node.step for step in self._steps if step.node.step is not None]
        return [i for record in records for i in list_materials(record, "entry-point")]

    def _judge_path(self, value: DocumentValue) -> Compared:
        """Judge a path without a digest; what is there is compared if the lineage names it."""
        found = self._around.found.get(value.text, FoundFile(problem="was not looked for"))
        shown = _show(value.text)
        if found.sha256 and value.section in (DocumentSection.LOCK, DocumentSection.SCRIPT):
            answer, message = self._compare_with_lineage(found.sha256, value)
            return answer, f"the path {shown} is here, and {message}"
        if found.problem and value.section in _FILES_OF_IT:
            return _FAIL, f"the path {shown} {found.problem}"
        if value.section is DocumentSection.SCRIPT and any(
            item.uri == f"file:{value.text}" for item in self._list_scripts()
        ):
            return _PASS, f"the signed record has {shown} as the script"
        there = found.problem or "is here"
        return _UNKNOWN, f"the path {shown} {there}, and no digest is given to compare"

    def _judge_size(self, value: DocumentValue, item: Mapping[str, str]) -> Compared:
        text = value.text.replace("_", "").replace(",", "")
        if not text.isascii() or not text.isdigit() or len(text) > 18:  # noqa: PLR2004
            return (
                _UNKNOWN,
                f"the text {_show(value.text)} is no number of bytes, so it is not compared",
            )
        found = self._around.found.get(item.get("path", ""))
        if found is not None and found.size_bytes is not None:
            if int(text) == found.size_bytes:
                return _PASS, f"the path {_show(item['path'])} has this size"
            return _FAIL, f"the path {_show(item['path'])} has {found.size_bytes:,} bytes"
        candidate, _ = self._find(value, item)
        if candidate is None or not candidate.sizes:
            return _UNKNOWN, "nothing here tells the size"
        if text in candidate.sizes:
            return _PASS, "the signed record has this size"
        return _FAIL, f"the signed record has {_show(min(candidate.sizes))} bytes"

    def _find(
        self, value: DocumentValue, item: Mapping[str, str]
    ) -> tuple[Candidate | None, Compared]:
        """Return what the lineage has that the item means; else what comes of that."""
        if value.section is DocumentSection.MODEL and self._sources.root_source is not None:
            return self._sources.root_source, (_UNKNOWN, "")
        if value.section not in _CLASSES:
            return None, (_UNKNOWN, "nothing here tells")
        if self._sources.root is None:
            return None, (_UNKNOWN, "there is no signed lineage to compare with")
        key = (value.section, value.item)
        if key not in self._matches:
            self._matches[key] = self._match(value.section, item)
        candidate = self._matches[key]
        if candidate is not None:
            return candidate, (_UNKNOWN, "")
        index = self._indexes[_CLASSES[value.section]]
        what = _WORDS[_CLASSES[value.section]]
        address = parse_address(value.text) if value.field in ("uri", "name") else None
        if address is not None and index.by_id and index.has_addresses:
            return None, (_FAIL, f"the signed lineage has no {what} from {_show(value.text)}")
        if not index.by_id and self._sources.training:
            return None, (_FAIL, f"by the signed lineage nothing was taken in as {what}")
        return None, (_UNKNOWN, f"which {what} of the signed lineage this is cannot be told")

    def _match(self, section: DocumentSection, item: Mapping[str, str]) -> Candidate | None:
        index = self._indexes[_CLASSES[section]]
        if sha256 := to_sha256(item.get("sha256", "")):
            return index.by_id.get(f"sha256:{sha256}")
        for text in (item.get("uri", ""), item.get("name", "")):
            address = parse_address(text)
            if address is not None and address.place in index.by_place:
                return index.by_place[address.place]
        if item.get("name", "") in index.by_name:
            return index.by_name[item["name"]]
        is_alone = len(index.by_id) == 1 and self._count[section] == 1
        return index.by_id[index.ids[0]] if is_alone else None

    def list_left_out(self) -> Iterable[DocumentEntry]:
        """Yield an entry if the document lists files, and not all of the artifact's."""
        listed = {
            item["path"].removeprefix("./")
            for (section, _), item in self._items.items()
            if section is DocumentSection.FILE and "path" in item
        }
        if not listed:
            return
        missing = sorted(self._around.files.keys() - listed - {self._around.own_name})
        if missing:
            shown = ", ".join(map(_show, missing[:_MOST_NAMES]))
            more = f" and {len(missing) - _MOST_NAMES:,} more" if missing[_MOST_NAMES:] else ""
            message = f"Not listed, though they are files of the artifact: {shown}{more}."
            yield DocumentEntry("files", _UNKNOWN, message)


def _is_among(sha256: str, items: Iterable[Dependency], what: str) -> Compared:
    digests = [item.digest["sha256"] for item in items if "sha256" in item.digest]
    if not digests:
        return _UNKNOWN, f"no signed record tells the {what}"
    if sha256 in digests:
        return _PASS, f"the signed record has this {what}"
    return _FAIL, f"the signed record has another {what}, sha256:{printable(digests[0][:12])}"


def _compare_property(value: DocumentValue, candidate: Candidate) -> Compared:
    match value.field:
        case "uri":
            return _compare_address(value.text, candidate)
        case "revision":
            return _compare_revision(value.text, candidate)
        case "license":
            return _compare_license(value.text, candidate.license)
        case "version" if value.text in candidate.revisions:
            return _PASS, f"the signed lineage has the version {_show(value.text)}"
        case "name" if value.text in candidate.names:
            return _PASS, f"the signed lineage calls it {_show(value.text)}"
        case "name" if "/" in value.text and any(a.kind == "hub" for a in candidate.addresses):
            return _compare_address(value.text, candidate)
    return _UNKNOWN, f"nothing that is signed tells the {value.field}"


def _compare_address(text: str, candidate: Candidate) -> Compared:
    address = parse_address(text)
    if address is None or not candidate.addresses:
        return _UNKNOWN, "the signed lineage has no address of it to compare with"
    places = sorted({(one.kind, one.place) for one in candidate.addresses})
    shown = ", ".join(_show(place) for _, place in places[:_MOST_NAMES])
    if (address.kind, address.place) not in places:
        return _FAIL, f"the signed lineage has it from {shown}"
    if address.revision:
        return _compare_revision(address.revision, candidate)
    return _PASS, f"the signed lineage has it from {shown}"


def _compare_revision(text: str, candidate: Candidate) -> Compared:
    if not candidate.revisions:
        return _UNKNOWN, "no signed record tells which revision it was"
    wanted, known = text.strip().lower(), sorted(candidate.revisions)
    for one in known:
        if one == text or (len(wanted) >= _SHORT_COMMIT and one.startswith(wanted)):
            return _PASS, f"the signed lineage has the revision {_show(one)}"
    if len(wanted) >= _SHORT_COMMIT and not wanted.strip("0123456789abcdef"):
        return _FAIL, f"the signed lineage has the revision {_show(known[0])}"
    return _UNKNOWN, "a branch or tag may move, and no signed record says where it was"


def _compare_license(text: str, known: str) -> Compared:
    if not known:
        return _UNKNOWN, "no signed statement says under which licence it is"
    try:
        said, recorded = str(parse_license(text)), str(parse_license(known))
    except ParseError as error:
        return _UNKNOWN, f"the licences cannot be compared: {error}"
    if said == recorded:
        return _PASS, f"it was accepted under {_show(recorded)}"
    return _FAIL, f"it says {_show(said)}; it was accepted under {_show(recorded)}"


def judge_document(check: DocumentCheck) -> RuleResult:
    """Judge a document: fail if anything is not so, pass if something was compared and all is so.

    A document that cannot be read, or of which nothing could be compared, is unknown.
    """
    shown = printable(check.path, limit=_SHOWN_CHARACTERS)
    if check.problem:
        problem = printable(check.problem)
        remedy = "Correct the document, or leave it out."
        return RuleResult("document", _UNKNOWN, f"{shown} cannot be read: {problem}", (), remedy)
    failed = [entry for entry in check.entries if entry.answer is _FAIL]
    if failed:
        more = f" (and {len(failed) - 1:,} more)" if failed[1:] else ""
        first = f"{printable(failed[0].place)}: {printable(failed[0].message)}{more}"
        remedy = "Correct the document, or find out why what it says is not so."
        return RuleResult("document", _FAIL, f"{shown} disagrees at {first}", (), remedy)
    agreeing = sum(entry.answer is _PASS for entry in check.entries)
    others = len(check.entries) - agreeing
    if not agreeing:
        remedy = "Give the document sha256 digests, or a policy by which the lineage is believed."
        reason = f"Nothing that {shown} says could be compared"
        return RuleResult("document", _UNKNOWN, reason, (), remedy)
    rest = f"; {others:,} could not be compared" if others else ""
    so = "thing that it says is" if agreeing == 1 else "things that it says are"
    reason = f"{shown}: {agreeing:,} {so} so{rest}"
    return RuleResult("document", _PASS, reason)


def _show(text: str) -> str:
    return printable(text, limit=_SHOWN_CHARACTERS)
