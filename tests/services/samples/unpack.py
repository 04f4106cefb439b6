"""Unpack downloaded packages as data: nothing of them is installed or imported."""

from __future__ import annotations

import base64
import hashlib
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# Programs and the sources of programs in other languages: no loader of models takes them.
LEFT_OUT = re.compile(
    r"\.(so(\.\d+)*|pyd|dll|dylib|a|c|h|cc|cpp|pyx|pxd|pyi|js|mjs|cjs|ts|map|wasm|f90|f)$"
    r"|\.(dist-info|libs|data)/"
)


def list_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield what an archive holds; names that lead out of the folder are refused."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                if not entry.is_dir():
                    yield entry.filename, wheel.read(entry)
        return
    with tarfile.open(archive) as package:
        for member in package:
            stream = package.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read()


def unpack(archive: Path, target: Path) -> None:
    for name, data in list_members(archive):
        if ".." in PurePosixPath(name).parts or name.startswith("/"):
            raise SystemExit(f"{archive.name} would write outside: {name}")
        if not LEFT_OUT.search(name):
            file = target / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)


def name_of(archive: Path) -> str:
    return re.split(r"-\d", archive.name)[0].lower().replace("_", "-")


def check_npm(lock: Path, folder: Path) -> None:
    """Refuse a package of npm whose bytes are not those of the lock."""
    wanted = dict(line.split() for line in lock.read_text().splitlines())
    found = set()
    for archive in folder.glob("*.tgz"):
        digest = hashlib.sha512(archive.read_bytes()).digest()
        found.add("sha512-" + base64.b64encode(digest).decode())
    for package, digest in wanted.items():
        if digest not in found:
            raise SystemExit(f"{package} is not what locks/{lock.name} says")


def main() -> None:
    downloads, lock, target = map(Path, sys.argv[1:])
    check_npm(lock, downloads)
    for archive in sorted(downloads.iterdir()):
        unpack(archive, target / name_of(archive))


if __name__ == "__main__":
    main()
