"""Real, benign files: none is called dangerous, and hardly any needs somebody to look at it.

``scripts/samples`` and ``scripts/train-samples`` get them, ``services/samples/table.py`` says what
each folder is there for, and ``services/samples/known.toml`` lists what is not good yet, and why.
Its lists only shrink: an entry that nothing needs any more fails the last test.
"""

from __future__ import annotations

import pytest

from services.samples.survey import KNOWN, Seen, find_vain, is_excused, scan_folder
from services.samples.table import SHIPPED, TRAINED, WRITTEN

FOLDERS = [*SHIPPED, *WRITTEN, *TRAINED]


@pytest.fixture(scope="module")
def scanned() -> dict[str, dict[str, Seen]]:
    """Folders that this process has scanned already."""
    return {}


def scan(name: str, scanned: dict[str, dict[str, Seen]]) -> dict[str, Seen]:
    if name not in scanned:
        scanned[name] = scan_folder(name)
    return scanned[name]


@pytest.mark.parametrize("name", FOLDERS)
def test_no_benign_file_fails(name: str, scanned: dict[str, dict[str, Seen]]) -> None:
    seen = scan(name, scanned)
    assert seen
    fails = {file: one.words for file, one in seen.items() if one.fails}
    assert {file: fails[file] for file in fails.keys() - KNOWN["false_fails"].keys()} == {}


@pytest.mark.parametrize("name", FOLDERS)
def test_only_known_benign_files_need_a_look(
    name: str, scanned: dict[str, dict[str, Seen]]
) -> None:
    gated = {file: one for file, one in scan(name, scanned).items() if one.gates}
    assert {file: one.words for file, one in gated.items() if not is_excused(file, one)} == {}


@pytest.mark.parametrize(("source", "share"), [(False, 0.03), (True, 0.06)])
def test_few_benign_files_need_a_look(
    scanned: dict[str, dict[str, Seen]], *, source: bool, share: float
) -> None:
    """But for formats that are not examined yet; those are listed by name, and the list shrinks.

    Sources of libraries, unlike those of model repositories, start programs and open connections.
    """
    seen = {
        file: one
        for name in FOLDERS
        for file, one in scan(name, scanned).items()
        if file.endswith((".py", ".tp", ".build")) is source
    }
    gated = [
        file
        for file, one in seen.items()
        if one.fails or one.unknowns or one.gaps - KNOWN["not_yet"].keys()
    ]
    assert len(gated) <= share * len(seen)


def test_the_lists_of_what_is_not_good_yet_hold_nothing_in_vain(
    scanned: dict[str, dict[str, Seen]],
) -> None:
    assert find_vain({f: one for name in FOLDERS for f, one in scan(name, scanned).items()}) == []
