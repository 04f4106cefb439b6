"""Make the bundles in ``data/model_signing``: one folder for each release of the peer.

Run by hand with ``python tests/conformance/make_model_signing_bundles.py``; it needs ``uv`` and a
package index. Each release is installed into an environment of its own in a temporary folder and
signs the same small model with the same test key. The tests verify the results forever; making
them again gives other signatures over the same files.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DATA = Path(__file__).resolve().parent / "data" / "model_signing"
# Releases before 1.1 do not say which sigstore they can be used with: it is a major version ago.
OLD = ("sigstore<4", "sigstore-protobuf-specs==0.3.2", "cryptography<44")
RELEASES = {
    "0.1.0": OLD,
    "0.1.1": OLD,
    "0.2.0": OLD,
    "0.3.0": OLD,
    "0.3.1": OLD,
    "1.0.0": OLD,
    "1.0.1": OLD,
    "1.1.0": (),
    "1.1.1": (),
}
SHARD_BYTES = 100

# Names for which the order of code points is not that of path components, more shards than ten in
# one file, and an empty file.
FILES = {
    "a/b": b"1",
    "a-b/c": b"2",
    "a.txt": b"3",
    "empty.txt": b"",
    "weights.bin": bytes(i % 251 for i in range(1234)),
}

# Runs inside the release's own environment.
SIGN = """
import sys
from pathlib import Path

release, shard_bytes, data = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
model, bare = data / "model", data / "model" / "weights.bin"
key, out = data / "TEST-ONLY.key", data / release
out.mkdir(exist_ok=True)


def sign_before_0_3():
    if release.startswith("0.1"):
        from model_signing.hashing import file, memory
        from model_signing.serialization import serialize_by_file
        from model_signing.signature import key as keys
        from model_signing.signing import in_toto, in_toto_signature

        def factory(path):
            return file.SimpleFileHasher(path, memory.SHA256())

        manifest = serialize_by_file.ManifestSerializer(factory).serialize(model)
    else:
        from model_signing import api
        from model_signing.signature import key as keys
        from model_signing.signing import in_toto, in_toto_signature

        manifest = api.hash(model)
    payload = in_toto.DigestsIntotoPayload.from_manifest(manifest)
    signer = in_toto_signature.IntotoSigner(keys.ECKeySigner.from_path(str(key)))
    signer.sign(payload).write(out / "folder-files-sha256.sig")


def sign(what, name, hashing):
    import model_signing

    # Before 1.1 making a Config fetches trust roots of Sigstore, which no key needs.
    config = object.__new__(model_signing.signing.Config)
    config.use_elliptic_key_signer(private_key=key)
    config.set_hashing_config(hashing).sign(what, out / (name + ".sig"))


def sign_all():
    from model_signing import hashing

    hashes = ["sha256", "blake2", *(["blake3"] if release.startswith("1.1") else [])]
    for kind, what in (("folder", model), ("bare", bare)):
        for algorithm in hashes:
            files = hashing.Config().use_file_serialization(hashing_algorithm=algorithm)
            shards = hashing.Config().use_shard_serialization(
                hashing_algorithm=algorithm, shard_size=shard_bytes
            )
            sign(what, kind + "-files-" + algorithm, files)
            sign(what, kind + "-shards-" + algorithm, shards)


(sign_before_0_3 if release < "0.3" else sign_all)()
"""


def main() -> None:
    write_model()
    for release, extra in RELEASES.items():
        with tempfile.TemporaryDirectory(prefix="model-signing-") as folder:
            python = Path(folder) / "bin" / "python"
            run("uv", "venv", "-q", "--python", "3.11", folder)
            run(
                "uv", "pip", "install", "-q", "--python", str(python), *requirements(release, extra)
            )
            script = Path(folder) / "sign.py"
            script.write_text(SIGN)
            run(str(python), str(script), release, str(SHARD_BYTES), str(DATA))


def write_model() -> None:
    """Write the model and, if there is none yet, the test key."""
    shutil.rmtree(DATA / "model", ignore_errors=True)
    for name, data in FILES.items():
        path = DATA / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    key = DATA / "TEST-ONLY.key"
    if not key.exists():
        run(
            "openssl",
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            str(key),
        )
        run("openssl", "pkey", "-in", str(key), "-pubout", "-out", str(key.with_suffix(".pub")))


def requirements(release: str, extra: tuple[str, ...]) -> tuple[str, ...]:
    return (f"model-signing=={release}", "pyopenssl", *extra)


def run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    sys.exit(main())
