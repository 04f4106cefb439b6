"""Signing again after a random history, by every way of saying what changed, with real git.

Whatever happened since the last signature, what is listed has to be what a full hash lists; a way
that cannot tell has to refuse, which here it must not.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

import weighbridge as wb

NAMES = st.sampled_from(["a.sh", "b.bat", "c.bin", "d/a.sh", "d/b.txt", "e/f/g.bin", "ü x.sh"])
# Lines that can be converted, all too long to be read in any case; two of the same length.
CONTENTS = st.sampled_from([b"one\n" * 400, b"two\n" * 400, b"three\n" * 500, b"\0" * 2000])
ATTRIBUTES = st.sampled_from(["*.bat text eol=crlf\n*.sh text eol=lf\n", "* -text\n", ""])


class Histories(RuleBasedStateMachine):
    """A repository whose model is signed, changed, committed and signed again."""

    @initialize(attributes=ATTRIBUTES, names=st.sets(NAMES, min_size=1), content=CONTENTS)
    def begin(self, attributes: str, names: set[str], content: bytes) -> None:
        self.place = Path(tempfile.mkdtemp())
        self.top = self.place / "top"
        self.root = self.top / "model"
        self.root.mkdir(parents=True)
        self.key = wb.keygen(self.place / "k").private
        self.git("init", "-q")
        (self.top / ".gitattributes").write_text(attributes)
        for name in names:
            self.write(name, content)
        self.sign()

    def teardown(self) -> None:
        if hasattr(self, "place"):
            shutil.rmtree(self.place)

    def git(self, *arguments: str) -> bytes:
        options = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        command = ("git", *options, *arguments)
        return subprocess.run(command, cwd=self.top, check=True, capture_output=True).stdout

    def files(self) -> list[str]:
        paths = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in paths)

    @rule(name=NAMES, content=CONTENTS)
    def write(self, name: str, content: bytes) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    @rule(name=NAMES, content=CONTENTS)
    def write_and_put_the_time_back(self, name: str, content: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            before = (self.root / name).stat()
            self.write(name, content)
            os.utime(self.root / name, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        if len(self.files()) > 1:
            (self.root / name).unlink(missing_ok=True)

    @rule(old=NAMES, new=NAMES, check_out=st.booleans())
    def move(self, old: str, new: str, *, check_out: bool) -> None:
        """As git does; checked out again, line ends are those of the new name."""
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(subprocess.CalledProcessError):
            self.git("mv", "--", f"model/{old}", f"model/{new}")
            if check_out:
                (self.root / new).unlink()
                self.git("checkout", "--", f"model/{new}")

    @rule()
    def add(self) -> None:
        self.git("add", "-A")

    @rule()
    def commit(self) -> None:
        self.git("commit", "-qm", "some", "--allow-empty")

    @rule()
    def check_out_again(self) -> None:
        """Line ends are then those that the attributes want, whatever they were."""
        tracked = self.git("ls-files", "-z", "model").decode().split("\0")[:-1]
        for name in tracked:
            (self.top / name).unlink(missing_ok=True)
        if tracked:
            self.git("checkout", "--", *tracked)

    @rule()
    def sign(self) -> None:
        """Commit everything and sign it: from now on that is the revision that was signed."""
        self.git("add", "-A")
        self.git("commit", "-qm", "signed", "--allow-empty")
        wb.sign(self.root, key=self.key, signature=self.place / "base.sig")
        self.revision = self.git("rev-parse", "HEAD").decode().strip()
        resources = wb.hash(self.root).resources
        self.signed = {resource.name: resource.sha256 for resource in resources}

    @invariant()
    def every_way_gives_what_a_full_hash_gives(self) -> None:
        if not self.files():
            return
        self.git("status")  # refreshes the index: what git prints knows no file times
        full = wb.hash(self.root).resources
        now = {resource.name: resource.sha256 for resource in full}
        either = self.signed.keys() | now.keys()
        differs = sorted(name for name in either if self.signed.get(name) != now.get(name))
        diff = self.git("diff", "--raw", "--no-abbrev", "-z", self.revision)
        others = self.git("ls-files", "-z", "--others", "model").decode().split("\0")[:-1]
        # What git does not list rests on the caller: here also what is one for it and two on disk.
        unlisted = [name.removeprefix("model/") for name in others]
        unlisted += [name for name in differs if f"model/{name}".encode() not in diff]
        base = self.place / "base.sig"
        ways = {
            "list": wb.Reuse(base, changed=differs, strict=True),
            "git": wb.Reuse(base, git_since=self.revision, strict=True),
            "text": wb.Reuse(base, git_diff=diff, git_prefix="model", changed=unlisted),
            "digests": wb.Reuse(base, digests=now),
        }
        for way, reuse in ways.items():
            again = wb.sign(self.root, key=self.key, signature=self.place / "new.sig", reuse=reuse)
            assert again.manifest.resources == full, way
        cached = wb.hash(self.root, stat_cache=self.place / "cache")
        assert cached.resources == full
        for resource in full:
            data = (self.root / resource.name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == resource.sha256


TestHistories = Histories.TestCase
TestHistories.settings = settings(max_examples=8, stateful_step_count=12, deadline=None)
