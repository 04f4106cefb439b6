from __future__ import annotations

from pathlib import Path

import pytest

from weighbridge.cli._main import run
from weighbridge.errors import InputError
from weighbridge.signing import SignerSpec, open_signer

CONFLICTS = {
    "verify": {
        "": "whose signature is trusted?",
        "--identity a": "--identity needs --issuer",
        "--issuer u": "--issuer needs --identity",
        "--key k --issuer u": "--key and --issuer exclude each other",
        "--key k --certificate-authority c": "--key and --certificate-authority exclude",
        "--certificate-authority c --issuer u --identity i": "exclude each other",
        "--key k --trust-config t": "--trust-config needs --identity and --issuer",
        "--identity i --issuer u --timestamp-authority t": "--timestamp-authority does not go",
        "--timestamp-authority t": "needs somebody whose signature",
    },
    "sign": {
        "": "who signs?",
        "--key k --keyless": "--key and --keyless exclude each other",
        "--signer file:k --keyless": "--signer and --keyless exclude each other",
        "--key k --reuse o --reuse-identity a": "--reuse-identity needs --reuse-issuer",
        "--key k --reuse-key o": "--reuse-key needs --reuse OLD.sig",
        "--key k --reuse-certificate-authority o": "--reuse-certificate-authority needs --reuse",
    },
}


@pytest.mark.parametrize(
    ("verb", "options", "words"),
    [(verb, options, words) for verb, rows in CONFLICTS.items() for options, words in rows.items()],
)
def test_options_that_make_no_sense_are_named(
    verb: str, options: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, "model", *options.split()]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "verify model --certificate-authority ca.pem --identity",
        "verify model --identity a --issuer",
        "verify model --identity a --issuer u --instance",
        "sign model --key k --timestamp",
        "sign model --key k --reuse o --reuse-certificate-authority c --reuse-identity",
        "sign model --key k --reuse o --reuse-identity a --reuse-issuer",
        "sign model --key k --reuse o --reuse-identity a --reuse-issuer u --reuse-instance",
        "trust update --instance",
        "trust show --instance",
    ],
)
def test_an_empty_text_is_not_an_option_that_was_left_out(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--identity "$UNSET" would trust everybody whom the authority certifies."""
    assert run([*words.split(), ""]) == 2
    told = capsys.readouterr().err
    assert f"'{words.rsplit(maxsplit=1)[-1]}': it is empty; check the variable" in told


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("file:", "is empty"),
        ("file://elsewhere/k", "another machine"),
        ("file:k?x=1", "%3F"),
        ("release.key", "named by a URI such as file:"),
        ("\x1b]0;kms:a", "named by a URI"),
        ("kms:a", "no signer"),
    ],
)
def test_a_uri_that_names_no_signer_is_refused(uri: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        open_signer(SignerSpec(uri))
    assert "\x1b" not in str(caught.value)


def test_a_file_uri_may_be_relative_absolute_and_escaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["keygen", "a b?"]) == 0
    path = tmp_path / "a b?.key"
    for uri in ("file:a%20b%3F.key", f"file://{tmp_path!s}/a%20b%3f.key", path.as_uri()):
        assert open_signer(SignerSpec(uri)).own_verifier() is not None
