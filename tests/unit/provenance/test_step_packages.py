"""Installed packages are checked against the files on disk, never believed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.core import DEFAULT_LIMITS, Dependency
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import WeighbridgeError
from weighbridge.provenance import Interpreter, Packages, list_packages, read_packages
from weighbridge.provenance._records import parse_metadata, parse_record


def row(name: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(data)}\n"


def install(site: Path, name: str = "Some_Pkg", version: str = "1.0+cpu", more: str = "") -> Path:
    """Install by hand what pip would: a module, its metadata and its RECORD."""
    info = site / f"{name}-{version}.dist-info"
    (site / name).mkdir(parents=True)
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n\nName: other\n".encode()
    files = {f"{name}/__init__.py": b"x = 1\n", f"{name}/b.so": bytes(5000)}
    for path, data in {**files, f"{info.name}/METADATA": metadata}.items():
        (site / path).write_bytes(data)
    rows = "".join(row(path, data) for path, data in files.items())
    rows += row(f"{info.name}/METADATA", metadata) + more
    (info / "RECORD").write_text(f"{rows}{name}/__pycache__/a.pyc,,\n{info.name}/RECORD,,\n")
    return info


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    return folder


def read(*path: Path, **options: int) -> Packages:
    program = Path(sys.executable)
    interpreter = Interpreter(program, program, Path(sys.prefix), Path(sys.base_prefix), path)
    limits = replace(DEFAULT_LIMITS, **options)
    installed = list_packages(interpreter, limits=limits)
    return read_packages(installed, executor=ThreadExecutor(2), limits=limits)


def only(packages: Packages) -> Dependency:
    (dependency,) = packages.dependencies
    return dependency


def test_a_whole_package_passes(site: Path) -> None:
    info = install(site)
    packages = read(site)
    assert packages.problems == ()
    dependency = only(packages)
    assert dependency.name == "some-pkg"
    assert dependency.uri == "pkg:pypi/some-pkg@1.0%2Bcpu"
    assert dependency.digest == {
        "sha256": hashlib.sha256((info / "RECORD").read_bytes()).hexdigest()
    }
    assert dependency.annotations["check"] == "pass"
    assert str(site / "Some_Pkg" / "b.so") in packages.verified
    assert len(packages.verified) == 3


@pytest.mark.parametrize(
    "data",
    [b"x = 2\n", b"x = 1\n#", b"x = 1", b""],
    ids=["same size", "longer", "shorter", "empty"],
)
def test_a_changed_file_fails(site: Path, data: bytes) -> None:
    install(site)
    (site / "Some_Pkg" / "__init__.py").write_bytes(data)
    packages = read(site)
    (problem,) = packages.problems
    assert "Some_Pkg 1.0+cpu: not as its RECORD says: Some_Pkg/__init__.py" in problem
    assert only(packages).annotations["check"] == "fail"
    assert str(site / "Some_Pkg" / "__init__.py") not in packages.verified


def test_a_missing_file_fails(site: Path) -> None:
    install(site)
    (site / "Some_Pkg" / "b.so").unlink()
    packages = read(site)
    assert "missing: Some_Pkg/b.so" in packages.problems[0]
    assert only(packages).annotations["check"] == "fail"


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "loop"])
def test_what_is_no_file_is_not_waited_for(site: Path, kind: str) -> None:
    install(site)
    path = site / "Some_Pkg" / "b.so"
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    packages = read(site)
    assert "Some_Pkg/b.so" in packages.problems[0]
    assert only(packages).annotations["check"] != "pass"


def test_a_planted_file_is_found(site: Path) -> None:
    install(site)
    (site / "Some_Pkg" / "evil\x1b[31m.py").write_text("")
    (site / "Some_Pkg" / "__pycache__").mkdir()
    (site / "stray").mkdir()
    (site / "zz.pth").write_text("import os\n")
    packages = read(site)
    planted, strangers = packages.problems
    assert "Some_Pkg/evil\\x1b[31m.py" in planted
    assert "stray" in strangers
    loose = packages.dependencies[-1]
    assert (loose.name, loose.role) == ("site-packages/zz.pth", "package-file")
    assert loose.digest == {"sha256": hashlib.sha256(b"import os\n").hexdigest()}


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("Some_Pkg/c.py,,\n", "gives no digest for Some_Pkg/c.py"),
        ("Some_Pkg/c.py,md5=abc,3\n", "weaker than sha256"),
        ("Some_Pkg/c.py,sha256=@@@,3\n", "not base64"),
        ("Some_Pkg/c.py,sha256=YWJj,3\n", "length"),
        ("Some_Pkg/c.py,sha256=,3\n", "length"),  # as some packages of Debian have it
        ("a,b\n", "three columns"),
        ('"a,b\n', "not CSV"),
        ("a\0,b,c\n", "NUL"),
        ("Some_Pkg/c.py,sha256=" + "A" * 43 + "," + "9" * 18 + "\n", "max_package_bytes"),
    ],
)
def test_a_record_that_proves_nothing_is_said(site: Path, more: str, words: str) -> None:
    install(site, more=more)
    packages = read(site)
    assert any(words in problem for problem in packages.problems)
    assert "sha256" in only(packages).digest
    assert only(packages).annotations["check"] == "unknown"


def test_metadata_that_is_no_file_is_said(site: Path) -> None:
    info = install(site)
    (info / "METADATA").unlink()
    os.mkfifo(info / "METADATA")
    packages = read(site)
    assert any("not a regular file" in problem for problem in packages.problems)
    assert only(packages).uri == "pkg:pypi/some-pkg@1.0%2Bcpu"
    assert only(packages).annotations["check"] == "fail"  # RECORD lists it


def test_no_record_is_said(site: Path) -> None:
    (install(site) / "RECORD").unlink()
    (site / "old-2.egg-info").write_text("Name: old\nVersion: 2\n\n")
    (site / "older.egg-link").write_text("/x")
    packages = read(site)
    *installed, link = packages.dependencies
    assert [(d.name, d.digest) for d in installed] == [("old", {}), ("some-pkg", {})]
    assert link.role == "package-file"
    text = "\n".join(packages.problems)
    assert "no RECORD lists the files of Some_Pkg 1.0+cpu, old 2" in text
    assert "older.egg-link" in text
    assert {d.annotations["check"] for d in installed} == {"unknown"}


def test_installed_twice(site: Path, tmp_path: Path) -> None:
    install(site)
    install(tmp_path / "user-packages", "some.pkg", "2.0")
    packages = read(site, tmp_path / "user-packages", tmp_path / "not there")
    assert len(packages.dependencies) == 2
    assert "second Some_Pkg; Some_Pkg 1.0+cpu is found first" in packages.problems[0]


def test_one_folder_by_two_names(site: Path, tmp_path: Path) -> None:
    install(site)
    (tmp_path / "lib64").symlink_to(tmp_path)
    packages = read(tmp_path / "lib64" / "site-packages", site)
    assert packages.problems == ()
    assert str(site / "Some_Pkg" / "b.so") in packages.verified


@pytest.mark.parametrize(
    ("said", "uri", "annotation"),
    [
        (
            {"url": "https://u:p@h/a.whl", "archive_info": {"hashes": {"sha256": "ab"}}},
            "pkg:pypi/some-pkg@1.0%2Bcpu?download_url=https://h/a.whl",
            ("archive", "sha256:ab"),
        ),
        (
            {"url": "https://tok@h/a", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "pkg:pypi/some-pkg@1.0%2Bcpu?vcs_url=git%2Bhttps://h/a%40abc",
            ("origin", "https://h/a"),
        ),
        (
            {"url": "file:///src/a", "dir_info": {"editable": True}},
            "pkg:pypi/some-pkg@1.0%2Bcpu",
            ("editable", "true"),
        ),
    ],
)
def test_direct_urls(
    site: Path, said: dict[str, object], uri: str, annotation: tuple[str, str]
) -> None:
    data = json.dumps(said).encode()
    path = "Some_Pkg-1.0+cpu.dist-info/direct_url.json"
    install(site, more=row(path, data))
    (site / path).write_bytes(data)
    packages = read(site)
    dependency = only(packages)
    assert dependency.uri == uri
    assert dependency.annotations[annotation[0]] == annotation[1]
    assert bool(packages.problems) == (annotation[0] == "editable")


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    parse_metadata(data)
    try:
        rows = parse_record(data, limits=DEFAULT_LIMITS)
    except WeighbridgeError:
        return
    assert all(r.name and (not r.algorithm or len(r.digest) >= 64) for r in rows)


@given(st.lists(st.tuples(st.text(min_size=1), st.binary()), max_size=5))
def test_what_an_installer_writes_is_read(files: list[tuple[str, bytes]]) -> None:
    names = [n.translate({0: "x", 10: "x", 13: "x"}) for n, _ in files]
    quoted = ['"' + n.replace('"', '""') + '"' for n in names]
    try:
        text = "".join(row(q, d) for q, (_, d) in zip(quoted, files, strict=True)).encode()
    except UnicodeEncodeError:
        return
    rows = parse_record(text, limits=DEFAULT_LIMITS)
    assert [(r.name, r.digest, r.size_bytes) for r in rows] == [
        (n, hashlib.sha256(d).hexdigest(), len(d)) for n, (_, d) in zip(names, files, strict=True)
    ]
