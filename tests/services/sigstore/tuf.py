"""An update repository that serves the trusted root and the signing configuration.

Source: https://theupdateframework.github.io/specification/latest/ and the layout of
https://tuf-repo-cdn.sigstore.dev (consistent snapshots, targets under ``targets/``).
"""

from __future__ import annotations

from datetime import timedelta

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from services.keys import now

from .faults import Faults
from .web import Reply, Request

PATH = "/tuf/"
ROLES = ("root", "targets", "snapshot", "timestamp")
LIFETIME_S = 24 * 3600


class UpdateRepository:
    """Signed metadata and targets in memory, by the path under which they are served."""

    def __init__(self, *, faults: Faults) -> None:
        self._faults = faults
        self._files: dict[str, bytes] = {}
        self._keys = {role: CryptoSigner.generate_ecdsa() for role in ROLES}
        self._root = Root(expires=now(LIFETIME_S), consistent_snapshot=True)
        for role in ROLES:
            self._root.add_key(self._keys[role].public_key, role)
        self._version = 0
        self._sign_root(self._keys["root"])
        self.root_json = self._files["1.root.json"]

    def publish(self, targets: dict[str, bytes], *, lifetime_s: int = LIFETIME_S) -> None:
        """Serve these targets from now on; clients see a newer version."""
        self._version += 1
        expires = now(lifetime_s)
        listed = Targets(version=self._version, expires=expires)
        for name, data in targets.items():
            file = TargetFile.from_data(name, data, ["sha256", "sha512"])
            listed.targets[name] = file
            for digest in file.hashes.values():
                self._files[f"targets/{digest}.{name}"] = data
        snapshot = Snapshot(version=self._version, expires=expires)
        snapshot.meta["targets.json"] = MetaFile(version=self._version)
        timestamp = Timestamp(version=self._version, expires=expires)
        timestamp.snapshot_meta = MetaFile(version=self._version)
        self._files[f"{self._version}.targets.json"] = self._sign(listed, "targets")
        self._files[f"{self._version}.snapshot.json"] = self._sign(snapshot, "snapshot")
        self._files["timestamp.json"] = self._sign(timestamp, "timestamp")

    def rotate_root(self) -> None:
        """Replace the root's key: the new root is signed by the old key and by the new one."""
        old, new = self._keys["root"], CryptoSigner.generate_ecdsa()
        self._root.revoke_key(old.public_key.keyid, "root")
        self._root.add_key(new.public_key, "root")
        self._root.version += 1
        self._root.expires = now() + timedelta(seconds=LIFETIME_S)
        self._keys["root"] = new
        self._sign_root(old, new)

    def answer(self, request: Request) -> Reply | None:
        """Answer what lies under ``/tuf/``; None for others."""
        if request.method != "GET" or not request.path.startswith(PATH):
            return None
        if self._faults.tuf_down:
            return Reply(503, b"the update repository is down", "text/plain")
        data = self._files.get(request.path.removeprefix(PATH))
        return (
            Reply(404, b"", "text/plain") if data is None else Reply(200, data, "application/json")
        )

    def _sign_root(self, *signers: CryptoSigner) -> None:
        metadata = Metadata(self._root)
        for signer in signers:
            metadata.sign(signer, append=True)
        self._files[f"{self._root.version}.root.json"] = metadata.to_bytes()

    def _sign(self, signed: Signed, role: str) -> bytes:
        metadata = Metadata(signed)
        metadata.sign(self._keys[role])
        return metadata.to_bytes()
