#!/usr/bin/env python3
"""Adapter between the OpenSSF Model Signing conformance suite and the weighbridge command.

The suite calls ``sign-model`` and ``verify-model`` with options of its own and looks at the exit
code. Each method is one row of a table below; what is the same for all stands in ``main``.

Environment:
    WEIGHBRIDGE: The command; ``weighbridge`` by default.
    WEIGHBRIDGE_TRUST_CONFIG: For the method ``sigstore``: which Sigstore to use. The suite's
        ``--use-staging`` needs it, for there is no other way to name that instance.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

# What the suite may say of a model's links and age is always agreed to: the specification wants a
# verifier to apply the link policy that was signed, and the suite has bundles from 2024.
_ALWAYS_ON_VERIFY = ("--allow-symlinks", "--accept-legacy")


@dataclass(frozen=True)
class Method:
    """How one method of the suite is spelled here.

    Attributes:
        options: The suite's option to ours.
        fixed: Given in any case.
        needs: Of the suite's options, those without which the request makes no sense.
    """

    options: dict[str, str]
    fixed: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


SIGN = {
    "key": Method({"private_key": "--key"}, needs=("private_key",)),
    "certificate": Method(
        {
            "private_key": "--key",
            "signing_cert": "--certificate",
            "cert_chain": "--certificate-chain",
        },
        needs=("private_key", "signing_cert"),
    ),
    "sigstore": Method(
        {"identity_token": "--identity-token-file", "trust_config": "--trust-config"},
        fixed=("--keyless",),
    ),
}

VERIFY = {
    "key": Method({"public_key": "--key"}, needs=("public_key",)),
    "certificate": Method({"cert_chain": "--certificate-authority"}, needs=("cert_chain",)),
    "sigstore": Method(
        {
            "identity": "--identity",
            "identity_provider": "--issuer",
            "trust_config": "--trust-config",
        },
        needs=("identity", "identity_provider"),
    ),
}


def main() -> int:
    """Translate one call, run it, and return its exit code."""
    arguments = parse_arguments()
    signing = arguments.verb == "sign-model"
    method = (SIGN if signing else VERIFY)[arguments.method]
    given = {name: value for name, value in vars(arguments).items() if value}
    given["trust_config"] = os.environ.get("WEIGHBRIDGE_TRUST_CONFIG", "")
    if missing := [name for name in method.needs if name not in given]:
        return refuse(f"--method {arguments.method} needs --{missing[0].replace('_', '-')}")
    if arguments.use_staging and not given["trust_config"]:
        return refuse("--use-staging needs WEIGHBRIDGE_TRUST_CONFIG to name that instance")
    signature = arguments.output_bundle if signing else arguments.bundle
    command = [
        os.environ.get("WEIGHBRIDGE", "weighbridge"),
        "sign" if signing else "verify",
        arguments.model_path,
        f"--signature={signature}",
        *method.fixed,
        *(f"--ignore={path}" for path in list_ignored(arguments)),
    ]
    if not signing:
        command += _ALWAYS_ON_VERIFY
        command += ["--ignore-unsigned-files"] if arguments.ignore_unsigned_files else []
    with tempfile.TemporaryDirectory() as folder:
        if "identity_token" in given:
            given["identity_token"] = write_token(folder, str(given["identity_token"]))
        for name, option in method.options.items():
            values = given.get(name) or []
            command += [f"{option}={v}" for v in ([values] if isinstance(values, str) else values)]
        return subprocess.run(command, check=False).returncode


def parse_arguments() -> argparse.Namespace:
    """Read the suite's options; all paths are absolute."""
    parser = argparse.ArgumentParser(prog="weighbridge_adapter")
    verbs = parser.add_subparsers(dest="verb", required=True)
    sign, verify = verbs.add_parser("sign-model"), verbs.add_parser("verify-model")
    for verb, methods in ((sign, SIGN), (verify, VERIFY)):
        verb.add_argument("--method", choices=[*methods], required=True)
        verb.add_argument("--model-path", required=True)
        verb.add_argument("--cert-chain", action="append", default=[])
        verb.add_argument("--ignore-paths", action="append", default=[])
        verb.add_argument("--use-staging", action="store_true")
    for option in ("--private-key", "--signing-cert", "--identity-token"):
        sign.add_argument(option)
    sign.add_argument("--output-bundle", required=True)
    for option in ("--public-key", "--identity", "--identity-provider"):
        verify.add_argument(option)
    verify.add_argument("--bundle", required=True)
    verify.add_argument("--ignore-unsigned-files", action="store_true")
    return parser.parse_args()


def list_ignored(arguments: argparse.Namespace) -> list[str]:
    """Return the paths to ignore as they are named here: from the model's folder."""
    model = Path(arguments.model_path)
    names = []
    for path in map(Path, arguments.ignore_paths):
        if model != path and path.is_relative_to(model):
            names.append(path.relative_to(model).as_posix())
        else:
            sys.stderr.write(f"{path} is not in the model; nothing to ignore\n")
    return names


def write_token(folder: str, token: str) -> str:
    """Write the token to a file that only we can read: it must not be seen in a process list."""
    path = Path(folder) / "token"
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(token)
    return str(path)


def refuse(reason: str) -> int:
    """Say why the request cannot be translated."""
    sys.stderr.write(f"{reason}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
