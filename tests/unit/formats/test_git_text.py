"""What git prints, in all of its forms; each line here is one that git 2.39 or 2.47 printed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import ParseError
from weighbridge.formats import GitChange, parse_git_diff_text, parse_git_status_text

ZERO, ONE, TWO = "0" * 40, "1" * 40, "2" * 40


def status(text: str) -> list[GitChange]:
    return parse_git_status_text(text.encode("utf-8", "surrogateescape"))


def diff(text: str) -> list[GitChange]:
    return parse_git_diff_text(text.encode("utf-8", "surrogateescape"))


def test_status_in_version_1() -> None:
    text = '## main...origin/main [ahead 1]\n M a\nMM "b c"\nA  d\n?? new/\n!! "\\303\\274.log"\n'
    names = ["a", "b c", "d", "new/", "ü.log"]
    assert status(text) == [GitChange(name) for name in names]
    assert status(" D a\0D  b\0AD c\0") == [GitChange(n, is_gone=True) for n in "abc"]


def test_status_in_version_1_does_not_say_whether_a_rename_changed_the_bytes() -> None:
    both = [GitChange("new"), GitChange("old", is_gone=True)]
    assert status("R  old -> new\n") == status("R  new\0old\0") == both
    odd = [GitChange("b -> c"), GitChange("a -> b", is_gone=True)]
    assert status('R  "a -> b" -> "b -> c"\n') == odd
    assert status("C  old -> new\n") == [GitChange("new")]


def test_status_in_version_2() -> None:
    head = f"# branch.oid {ONE}\n"
    text = (
        f"1 .M N... 100644 100644 100644 {ONE} {ONE} a\n"
        f'1 D. N... 100644 000000 000000 {ONE} {ZERO} "b\\tc"\n'
        f"2 R. N... 100644 100644 100644 {ONE} {ONE} R100 new\told\n"
        "? u/\n! i\n"
    )
    wanted = [
        GitChange("a"),
        GitChange("b\tc", is_gone=True),
        GitChange("new", "old"),
        GitChange("u/"),
        GitChange("i"),
    ]
    assert status(head + text) == wanted
    with_nul = text.replace("\told", "\nold").replace('"b\\tc"', "b\tc").replace("\n", "\0")
    assert status(head.replace("\n", "\0") + with_nul) == wanted


@pytest.mark.parametrize(
    ("letters", "old", "new"),
    [("R.", ONE, TWO), ("RM", ONE, ONE), ("R.", ONE[:8], ONE[:8]), ("R.", ZERO, ZERO)],
)
def test_a_rename_with_other_bytes_is_a_change(letters: str, old: str, new: str) -> None:
    """git says R100 of files whose lines stand in another order, too."""
    text = f"2 {letters} N... 100644 100644 100644 {old} {new} R100 b\ta\n"
    assert status(text) == [GitChange("b"), GitChange("a", is_gone=True)]


def test_a_rename_that_was_deleted() -> None:
    text = f"2 RD N... 100644 100644 000000 {ONE} {ONE} R100 b\ta\n"
    assert status(text) == [GitChange("b", is_gone=True), GitChange("a", is_gone=True)]


def test_what_git_cannot_answer_for_is_told() -> None:
    (sub,) = status(f"1 .M S.M. 160000 160000 160000 {ONE} {ONE} sub\n")
    (unmerged,) = status(f"u UU N... 100644 100644 100644 100644 {ONE} {ONE} {ONE} a\n")
    assert (sub.is_submodule, unmerged.is_unmerged) == (True, True)
    assert [change.is_unmerged for change in status("UU a\nAA b\nDD c\nDU d\n")] == [True] * 4
    assert diff(f":160000 160000 {ONE} {TWO} M\tsub\n")[0].is_submodule
    assert diff(f":000000 100644 {ZERO} {ZERO} U\ta\n")[0].is_unmerged
    assert diff("U\ta\n")[0].is_unmerged


def test_diff_in_all_forms() -> None:
    names = 'M\ta\nD\tb\nR100\told\tnew\nC075\tfrom\t"t\\"o"\nT\tt\n'
    wanted = [
        GitChange("a"),
        GitChange("b", is_gone=True),
        GitChange("new"),
        GitChange("old", is_gone=True),
        GitChange('t"o'),
        GitChange("t"),
    ]
    assert diff(names) == wanted
    assert diff(names.replace('"t\\"o"', 't"o').replace("\t", "\0").replace("\n", "\0")) == wanted
    raw = f":100644 100644 {ONE} {ONE} R100\told\tnew\n:100644 000000 {ONE} {ZERO} D\tb\n"
    wanted = [GitChange("new", "old"), GitChange("b", is_gone=True)]
    assert diff(raw) == wanted
    assert diff(raw.replace("\t", "\0").replace("\n", "\0")) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "M a",  # no end
        "M\n",
        "XX a\n",
        "   a\n",
        "??\n",
        "m  a\n",
        "diff --git a/x b/x\n",
        '"a"\n',
        'M  "a\n',
        'M  "a\\q"\n',
        "R  a\n",
        "R  a -> b -> c\n",
        "R  a\0",
        f"1 M. N... 100644 100644 100644 {ONE} a\n",
        f"1 M. Q... 100644 100644 100644 {ONE} {ONE} a\n",
        f"2 R. N... 100644 100644 100644 {ONE} {ONE} R100 b\n",
        "fatal: not a git repository\n",
    ],
)
def test_other_status_texts_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        status(text)


@pytest.mark.parametrize(
    "text",
    [
        "M\ta",
        "M a\n",
        "M\n",
        "M\0",
        "M\ta\tb\n",
        "R100\ta\n",
        "R100\0a\0",
        "Q\ta\n",
        f"::100644 100644 100644 {ONE} {ONE} {ONE} MM\ta\n",
        f":040000 040000 {ONE} {TWO} M\tfolder\n",
        f":100644 100644 {ONE} M\ta\n",
        f"{ONE}\n",
        "diff --git a/x b/x\nindex 1..2 100644\n",
        " M a\n",
    ],
)
def test_other_diff_texts_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        diff(text)


@given(st.binary(max_size=200) | st.text('MRDU?!#12u.N \t\n\0"\\037ab->:').map(str.encode))
def test_whatever_the_bytes_are(data: bytes) -> None:
    for parse in (parse_git_status_text, parse_git_diff_text):
        try:
            changes = parse(data)
        except ParseError:
            continue
        assert all(change.name for change in changes)
