"""The order of stages, and what cannot be one."""

from __future__ import annotations

from pathlib import Path

from weighbridge.formats import DvcEntry, DvcStage
from weighbridge.integrations._dvc_order import order_stages
from weighbridge.integrations._dvc_repository import Place, Stage

ROOT = Path("/repo")


def place(name: str) -> Place:
    entry = DvcEntry(name.rstrip("/"), is_folder=name.endswith("/"))
    return Place(entry, entry.path, ROOT / entry.path)


def stage(name: str, takes: str, makes: str) -> Stage:
    recorded = DvcStage(name, ("a",), (), ())
    inputs, outputs = (tuple(map(place, text.split())) for text in (takes, makes))
    return Stage(name, recorded, inputs, outputs)


def order(*stages: Stage) -> tuple[list[str], dict[str, str]]:
    """Return the names in order, and the problems by name."""
    ordered = order_stages(stages, root=ROOT)
    return [s.name for s in ordered], {s.name: s.problem for s in ordered if s.problem}


def test_files_of_a_folder_and_folders_of_a_file() -> None:
    names, problems = order(
        stage("c", "out/sub/x other", "end"), stage("b", "a/", "other"), stage("a", "", "a/in/")
    )
    assert (names, problems) == (["a", "b", "c"], {})
    names, problems = order(stage("c", "out/sub/x", "end"), stage("b", "", "out/"))
    assert (names, problems) == (["b", "c"], {})


def test_a_circle_and_what_is_behind_it() -> None:
    names, problems = order(
        stage("behind", "y", "z"),
        stage("one", "y", "x"),
        stage("two", "x", "y"),
        stage("free", "", "w"),
    )
    assert names[0] == "free"
    assert set(problems) == {"one", "two", "behind"}
    assert all("needs what it makes itself" in words for words in problems.values())


def test_two_that_make_the_same() -> None:
    for first, second in (("x", "x"), ("x/", "x/y"), ("x/y", "x/")):
        _, problems = order(stage("a", "", first), stage("b", "", second), stage("c", "", "z"))
        assert set(problems) == {"a", "b"}


def test_the_same_twice() -> None:
    _, problems = order(stage("a", "x x", "y"), stage("b", "", "z z"))
    assert set(problems) == {"a", "b"}


def test_claims_beside_a_file_that_a_folder_holds() -> None:
    """They would change the folder that the other stage takes in."""
    _, problems = order(stage("a", "", "data/x"), stage("b", "data/", "z"))
    assert set(problems) == {"a"}
    assert "make the folder the output" in problems["a"]


def test_many_stages_that_share_folders() -> None:
    """The work grows with the paths, not with their pairs."""
    makers = [stage(f"m{n}", "", f"d/{n}/") for n in range(10_000)]
    takers = [stage(f"t{n}", "d/", f"e/{n}") for n in range(10_000)]
    names, problems = order(*takers, *makers)
    assert not problems
    assert all(name.startswith("m") for name in names[:10_000])
