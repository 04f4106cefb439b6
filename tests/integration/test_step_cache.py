"""The digest cache between steps: used where it may be, and never where it must not."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import weighbridge as wb
from support import WEIGHBRIDGE, bare_python, build_model, run_cli, without_privileges
from weighbridge.artifact import DigestCache, identify
from weighbridge.core import DEFAULT_LIMITS
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.provenance import Interpreter, list_packages, read_packages

PYTHON = bare_python()
WRONG = "0" * 64
COPY = "import shutil; shutil.copy('data.csv', 'out/w.bin')"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    build_model(work / "base")
    (work / "data.csv").write_text("x,y\n1,2\n")
    (work / "out").mkdir()
    (tmp_path / "keys").mkdir()
    wb.keygen(tmp_path / "keys" / "k")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.chdir(work)
    return work


def find_folder(place: Path) -> Path:
    return place.parent / "caches" / "weighbridge"


def poison(place: Path, *files: Path, sha256: str = WRONG) -> Path:
    """Put a wrong digest into the cache: whether it comes out shows whether the file was read."""
    cache = DigestCache(find_folder(place))
    found = [(identify(file.stat()), sha256) for file in files]
    cache.add(found, where=str(place), read_from_ns=2**62)
    cache.save()
    assert cache.problems == ()
    return cache.file


def run(
    place: Path, *options: str, code: str = COPY, exit_code: int = 0, program: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Run a step with the input data.csv and the output out; return what ``--json`` says."""
    inputs = () if "-i" in options else ("-i", "data=data.csv")
    given = (*inputs, "-o", "model=out", "--json", *options)
    command = program or (PYTHON, "-c", code)
    done = subprocess.run(  # not run_cli: the step's own traceback may be there
        [WEIGHBRIDGE, "run", "--kind", "train", "--key", "../keys/k.key", *given, "--", *command],
        cwd=place,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == exit_code, done.stderr
    return {"stderr": done.stderr, **(json.loads(done.stdout) if done.stdout.strip() else {})}


def read_built(claims: Path = Path("out/claims.jsonl")) -> dict[str, Any]:
    """Return the build definition of the last claim."""
    bundle = json.loads(claims.read_bytes().splitlines()[-1])
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    return dict(statement["predicate"]["buildDefinition"])


def find_dependency(role: str, built: dict[str, Any] | None = None) -> tuple[str, dict[str, str]]:
    """Return the digest and the annotations of what had this role."""
    (found,) = [
        d
        for d in (built or read_built())["resolvedDependencies"]
        if d.get("annotations", {}).get("role") == role
    ]
    return found["digest"]["sha256"], found["annotations"]


def test_what_the_last_step_hashed_is_not_read_again(place: Path) -> None:
    time.sleep(2.1)  # what is younger could change without a sign of it
    options = ("-i", "data=data.csv", "-i", "base=base")
    run(place, *options)
    first = [find_dependency(role) for role in ("data", "base")]
    assert all("read" not in annotations for _, annotations in first)
    run(place, *options)
    second = [find_dependency(role) for role in ("data", "base")]
    assert [digest for digest, _ in first] == [digest for digest, _ in second]
    files = len(wb.hash("base").resources)
    assert [a["cachedFiles"] for _, a in second] == ["1", str(files)]
    assert [a["read"] for _, a in second] == ["cached", "cached"]
    Path("data.csv").write_text("x,y\n3,4\n")
    run(place, *options)
    digest, annotations = find_dependency("data")
    assert digest == hashlib.sha256(b"x,y\n3,4\n").hexdigest()
    assert "read" not in annotations


def test_it_can_be_turned_off(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = poison(place, place / "data.csv")
    content = file.read_bytes()
    true = hashlib.sha256(Path("data.csv").read_bytes()).hexdigest()
    run(place)
    assert find_dependency("data")[0] == WRONG
    key = place.parent / "keys/k.key"
    with wb.step("train", inputs={"data": "data.csv"}, outputs={"o": "o"}, signer=key):
        Path("o").touch()
    assert find_dependency("data", read_built(Path("o.claims.jsonl")))[0] == WRONG
    file.write_bytes(content)
    run(place, "--no-digest-cache")
    assert find_dependency("data")[0] == true
    options: dict[str, Any] = {"inputs": {"data": "data.csv"}, "signer": key}
    with wb.step("train", outputs={"o": "p"}, digest_cache=False, **options):
        Path("p").touch()
    assert find_dependency("data", read_built(Path("p.claims.jsonl")))[0] == true
    monkeypatch.setenv("WEIGHBRIDGE_DIGEST_CACHE", "off")
    assert "WEIGHBRIDGE_DIGEST_CACHE" not in run(place)["removed_variables"]
    assert find_dependency("data")[0] == true
    with wb.step("train", outputs={"o": "q"}, **options):
        Path("q").touch()
    assert find_dependency("data", read_built(Path("q.claims.jsonl")))[0] == true
    assert file.read_bytes() == content
    monkeypatch.setenv("WEIGHBRIDGE_DIGEST_CACHE", "maybe")
    assert "set it to on or off" in run(place, exit_code=2)["stderr"]
    with pytest.raises(InputError, match="set it to on or off"), wb.step("train", **options):
        pass


def test_who_does_not_record_a_step_reads(place: Path) -> None:
    model, key = place / "base", place.parent / "keys/k.key"
    clean = run_cli("hash", "base", "--manifest").stdout
    scanned = run_cli("scan", "base", "--json").stdout
    files = [file for file in model.rglob("*") if file.is_file()]
    poisoned = poison(place, *files)
    before = poisoned.read_bytes()
    assert run_cli("hash", "base", "--manifest").stdout == clean
    assert run_cli("scan", "base", "--json").stdout == scanned
    assert WRONG not in clean + scanned
    assert run_cli("sign", "base", "--key", key).returncode == 0
    assert run_cli("verify", "base", "--key", key.with_suffix(".pub")).returncode == 0
    checked = run_cli("check", "base", "--json")
    assert str(wb.hash(model).compute_digest()) in checked.stdout
    target = model / "config.json"
    status = target.stat()
    target.write_bytes(bytes(status.st_size))  # a forged cache cannot hide it either
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    poison(place, target, sha256=hashlib.sha256(b"signed").hexdigest())
    assert run_cli("verify", "base", "--key", key.with_suffix(".pub")).returncode == 1
    assert poisoned.read_bytes()[:4096] == before[:4096]


def test_outputs_are_read(place: Path) -> None:
    time.sleep(0.01)
    code = "import os; os.utime('out/w.bin')"
    (place / "out/w.bin").write_bytes(b"weights")
    run(place, code="pass")
    true = run(place, code="pass")["outputs"][0]["digest"]
    poison(place, place / "out/w.bin")
    assert run(place, code="pass")["outputs"][0]["digest"] == true
    assert run(place, code=code)["outputs"][0]["digest"] == true


def test_outputs_are_remembered(place: Path) -> None:
    run(place, code="import time; open('out/w.bin', 'w').write('w'); time.sleep(2.1)")
    Path("next").mkdir()
    command = ("run", "--kind", "train", "--key", "../keys/k.key", "-i", "model=out")
    step = (*command, "-o", "next=next", "--")
    assert run_cli(*step, "touch", "out/y", "next/x").returncode == 1  # a change is still seen
    Path("out/y").unlink()
    assert run_cli(*step, "touch", "next/z").returncode == 0
    built = read_built(Path("next/claims.jsonl"))
    assert find_dependency("model", built)[1]["cachedFiles"] == "1"


PROBE = """
import json, os, sys
folder = sys.argv[1]
said = {}
tried = {
    "read": ("/digests", os.O_RDONLY),
    "write": ("/digests", os.O_WRONLY),
    "make": ("/new", os.O_CREAT | os.O_RDWR),
}
for name, (path, flags) in tried.items():
    try:
        os.close(os.open(folder + path, flags, 0o600))
        said[name] = "open"
    except OSError as error:
        said[name] = type(error).__name__
said["list"] = "denied"
try:
    os.listdir(folder)
    said["list"] = "open"
except OSError:
    pass
said["variable"] = os.environ["WEIGHBRIDGE_DIGEST_CACHE"]
open("out/said", "w").write(json.dumps(said))
"""


def test_a_step_inside_walls_cannot_open_it(place: Path) -> None:
    poison(place, place / "data.csv")
    program = (PYTHON, "-c", PROBE, str(find_folder(place)))
    assert (
        run(place, "--enforce", "--observe", "none", program=program)["completeness"] == "enforced"
    )
    said = json.loads(Path("out/said").read_text())
    assert said.pop("variable") == "off"
    assert "open" not in said.values()
    assert find_dependency("data")[0] == WRONG


def test_it_does_not_lie_in_what_a_step_is_given(place: Path) -> None:
    poison(place, place / "data.csv")
    caches = str(place.parent / "caches")
    for output in (caches, str(find_folder(place)), f"{caches}/weighbridge/x"):
        said = run(place, "-o", f"more={output}", exit_code=2)
        assert "overlap; keep them apart" in said["stderr"]
        key = place.parent / "keys/k.key"
        with (
            pytest.raises(InputError, match="overlap; keep them apart"),
            wb.step("train", inputs={"data": "data.csv"}, signer=key) as step,
        ):
            step.output("more", output)
    said = run(place, "--enforce", "-o", f"more={caches}/new", exit_code=2)
    assert "holds more than outputs" in said["stderr"]
    run(place, "-i", "data=data.csv", "-i", f"caches={caches}")
    assert find_dependency("data")[0] != WRONG
    (problem,) = [p for p in read_built()["internalParameters"]["problems"] if "cache" in p]
    assert "lies in an input, so it is not used" in problem


@pytest.mark.parametrize(
    "forge",
    [
        "open(file, 'r+b').write(b'w')",
        "os.rename(file, file + 'x'); shutil.copy(file + 'x', file)",
        "os.rename(folder, folder + '2'); os.rename(folder + '2', folder)",
        "os.rename('../caches', '../other'); shutil.copytree('../other', '../caches')",
        "os.link(file, 'out/x'); os.open('out/x', os.O_WRONLY); os.unlink('out/x')",
        "os.link(file, 'out/x'); open('out/x', 'w').write('w'); os.unlink('out/x')",
        "subprocess.run(['touch', file])",
    ],
)
@pytest.mark.parametrize("exit_code", [0, 1])
def test_a_step_that_is_seen_to_write_it_ends_it(place: Path, forge: str, exit_code: int) -> None:
    file = poison(place, place / "data.csv")
    names = f"folder = {str(file.parent)!r}; file = {str(file)!r}"
    code = f"import os, shutil, subprocess; {names}; {COPY}; {forge}; os._exit({exit_code})"
    said = run(place, "--observe", "strace", code=code, exit_code=exit_code)
    assert not file.exists()
    if not exit_code:
        assert said["completeness"] == "declared"
        assert "the step wrote to the digest cache, which was removed" in said["gaps"]


def test_a_step_that_is_watched_and_does_not_write_it(place: Path) -> None:
    file = poison(place, place / "data.csv")
    code = f"{COPY}; open({str(file)!r}, 'rb').read()"
    assert run(place, "--observe", "strace", code=code)["completeness"] == "observed"
    assert file.exists()


def test_without_a_place_for_it_steps_are_recorded(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    run(place)
    assert find_dependency("data")[0] == hashlib.sha256(b"x,y\n1,2\n").hexdigest()
    poison(place, place / "data.csv")
    monkeypatch.setenv("XDG_CACHE_HOME", str(place.parent / "caches"))
    (find_folder(place) / "digests").chmod(0o644)
    run(place)
    assert find_dependency("data")[0] != WRONG
    assert any("not believed" in p for p in read_built()["internalParameters"]["problems"])


def test_where_it_cannot_be_written_it_is_still_read(place: Path) -> None:
    if os.geteuid() == 0 and not without_privileges():
        pytest.skip("root may write everything")
    poison(place, place / "data.csv")
    find_folder(place).chmod(0o500)
    (find_folder(place) / "digests").chmod(0o400)
    command = [
        *without_privileges(),
        WEIGHBRIDGE,
        "run",
        "--kind",
        "train",
        "--key",
        "../keys/k.key",
        "-i",
        "data=data.csv",
        "-o",
        "m=out",
        "--",
        "touch",
        "out/x",
    ]
    subprocess.run(command, check=True, capture_output=True)
    assert find_dependency("data")[0] == WRONG
    find_folder(place).chmod(0o700)


def read(site: Path, cache: DigestCache | None) -> Any:
    program = Path(sys.executable)
    interpreter = Interpreter(program, program, Path(sys.prefix), Path(sys.base_prefix), (site,))
    return read_packages(
        list_packages(interpreter), executor=ThreadExecutor(), limits=DEFAULT_LIMITS, cache=cache
    )


def test_packages_are_looked_up_and_what_does_not_fit_is_read(place: Path) -> None:
    site = place.parent / "site-packages"
    info = site / "p-1.dist-info"
    info.mkdir(parents=True)
    contents = {"p/__init__.py": b"x = 1\n", "p/b.so": bytes(5000), "p/c.so": b"c"}
    (site / "p").mkdir()
    rows = ""
    for name, data in contents.items():
        (site / name).write_bytes(data)
        algorithm = "sha512" if name == "p/c.so" else "sha256"
        digest = base64.urlsafe_b64encode(hashlib.new(algorithm, data).digest()).rstrip(b"=")
        rows += f"{name},{algorithm}={digest.decode()},{len(data)}\n"
    (info / "METADATA").write_text("Name: p\nVersion: 1\n")
    (info / "RECORD").write_text(f"{rows}p-1.dist-info/METADATA,,\np-1.dist-info/RECORD,,\n")
    plain = read(site, None)
    files = [site / name for name in contents]
    poison(place, *files)  # it fits no RECORD, so that the files are read
    cache = DigestCache(find_folder(place))
    assert read(site, cache) == plain
    for file in files:
        poison(place, file, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    (dependency,) = read(site, cache).dependencies
    assert dependency.annotations["cachedFiles"] == "2"  # a sha512 has to be computed
    assert read(site, cache).verified == plain.verified
    (site / "p/b.so").write_bytes(bytes(4999) + b"x")
    after = read(site, cache)
    assert after.dependencies[0].annotations["check"] == "fail"
    assert after.dependencies[0].annotations["cachedFiles"] == "1"


def test_undeclared_files_are_looked_up_unless_the_step_wrote_them(place: Path) -> None:
    for name in ("other.txt", "touched.txt"):
        Path(name).write_text(name)
    poison(place, place / "other.txt", place / "touched.txt")
    code = f"{COPY}; open('other.txt').read(); open('touched.txt', 'r+').read()"
    said = run(place, "--observe", "strace", code=code)
    assert len(said["undeclared"]) == 2
    found = {
        d["name"].rpartition("/")[2]: (d["digest"]["sha256"], d["annotations"].get("read"))
        for d in read_built()["resolvedDependencies"]
        if d.get("annotations", {}).get("role") == "undeclared"
    }
    assert found["other.txt"] == (WRONG, "cached")
    assert found["touched.txt"] == (hashlib.sha256(b"touched.txt").hexdigest(), None)


def test_many_inputs(place: Path) -> None:
    folder = place / "many"
    for part in range(20):
        (folder / str(part)).mkdir(parents=True)
        for number in range(1000):
            (folder / str(part) / str(number)).touch()
    inputs = [word for n in range(2000) for word in ("-i", f"i{n}=many/{n // 1000}/{n % 1000}")]
    run(place, "-i", "many=many", *inputs)
    built = read_built()
    assert find_dependency("many", built)[1]["files"] == "20000"
    assert len(built["externalParameters"]["inputs"]) == 2001
    assert Path("out/claims.jsonl").stat().st_size < 2_000_000
