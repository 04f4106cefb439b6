"""Secrets stay out of what is recorded; what is none stays in."""

from __future__ import annotations

import base64
import hashlib
import random
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.provenance import (
    REDACTED,
    choose_environment,
    clean_environment,
    redact_arguments,
    redact_text,
    strip_credentials,
)

ALNUM = string.ascii_letters + string.digits
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
PLANTED = (
    "ghp_" + "a1B2" * 9,
    "github_pat_11AAAAAAA0" + "x" * 40,
    "hf_" + "QwErTyUiOpAsDfGhJkLzXcVbNm" + "abcdefgh",
    "sk-proj-abcdEFGH1234ijklMNOP",
    "sk-ant-api03-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "AIza" + "SyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
    "glpat-abcdefghij1234567890",
    "xoxb-1234567890-abcdef",
    "pypi-AgEIcHlwaS5vcmcCJDU2",
    "npm_" + "a" * 36,
    "w7al4XUtnF3MIq/K7MxENG2bPxRf9CYaX4mPLe5Z",
    JWT,
)
PLAIN = (
    "train.py",
    "--lr=1e-4",
    "3e-5",
    "models/Llama-3.1-70B-Instruct/model-00001-of-00030.safetensors",
    "meta-llama/Meta-Llama-3-8B-Instruct",
    f"/home/u/.cache/huggingface/hub/models--org--Model2Vec_Base/snapshots/{'0123abcd' * 5}/c.json",
    "sha256:" + "ab" * 32,
    "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    "8a8ee39e8c4e2253c461444cc6b536bc94f8ce52",
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "--max-tokens=512",
    "--tokenizer=bert-base-uncased",
    "--pad-token=<pad>",
    "--keyboard=us",
    "--num-attention-heads=12",
    "trainer.accumulate_grad_batches=4",
    "https://example.com/data/train.parquet?version=2",
    "sk-learn-pipeline-for-tabular-data",
    "risk-assessment-model-version-2024",
    "Qwen2.5-VL-7B-Instruct-AWQ-Int4-GPTQ",
    "checkpoint-epoch=03-val_loss=0.1234.ckpt",
    "2026-11-22T01:31:09Z",
)


@pytest.mark.parametrize("secret", PLANTED)
@pytest.mark.parametrize("form", ["{}", "--note={}", "a {} b", "X={}", "https://h/p?token={}"])
def test_a_known_form_is_redacted_wherever_it_stands(secret: str, form: str) -> None:
    (said,) = redact_arguments([form.format(secret)])
    assert secret not in said
    assert REDACTED in said


@pytest.mark.parametrize("argument", PLAIN)
def test_what_is_no_secret_stays(argument: str) -> None:
    assert redact_arguments([argument]) == [argument]


@pytest.mark.parametrize(
    "argv",
    [
        ["--token", "x1"],
        ["--hf_token", "x1"],
        ["--api-key", "x1"],
        ["--apiKey", "x1"],
        ["--password=x1"],
        ["HF_TOKEN=x1"],
        ["+auth.token=x1"],
        ["trainer.logger.api_key=x1"],
        ["-H", "Authorization: Bearer x1abcdefg"],
        ["https://user:x1@example.com/a"],
        ["env", "PGPASSWORD=x1"],
        ["-u", "me:x1"],
        ["--conn=Server=h;Password=x1;b=2"],
        ['--config={"api_key": "x1"}'],
        ["python", "-c", "import os; os.environ['HF_TOKEN']='x1'"],
        ["--wandb-key", "x1" * 20],
        ["--wandb-key=" + "x1" * 20],
        ["postgresql+psycopg://user:x1@db/a"],
        ["https://h/a?X-Amz-Signature=x1&b=2"],
        ["bash", "-c", "curl 'https://h/a?sig=x1'"],
    ],
)
def test_a_name_that_says_so_makes_a_secret(argv: list[str]) -> None:
    said = redact_arguments(argv)
    assert "x1" not in " ".join(said)
    assert len(said) == len(argv)


def test_a_switch_does_not_eat_the_next_option() -> None:
    argv = ["--use-auth-token", "--lr", "1e-4", "--eos-token", "</s>", "--max-token", "5"]
    argv += ["--sort-key", "length", "-u", "1000:1000", "python", "-u", "train.py"]
    assert redact_arguments(argv) == argv


@given(
    st.sampled_from(["ghp_", "hf_", "gho_", "glpat-", "sk_live_", "dckr_pat_"]),
    st.text(ALNUM, min_size=20, max_size=60),
    st.text(string.ascii_lowercase + " =,:", max_size=8),
)
def test_no_tail_of_a_token_is_left(prefix: str, tail: str, before: str) -> None:
    said = redact_text(f"{before} {prefix}{tail}")
    assert tail[-12:] not in said


@given(st.binary(min_size=1), st.sampled_from(["sha256", "sha1", "sha512"]))
def test_digests_stay(data: bytes, name: str) -> None:
    digest = hashlib.new(name, data)
    encoded = base64.b64encode(digest.digest()).decode()
    argv = [digest.hexdigest(), f"{name}:{digest.hexdigest()}", f"{name}-{encoded}"]
    assert redact_arguments(argv) == argv


@given(st.floats(allow_nan=False), st.integers())
def test_numbers_stay(number: float, whole: int) -> None:
    argv = ["--lr", str(number), f"--seed={whole}", f"a.b={number}"]
    assert redact_arguments(argv) == argv


@given(st.lists(st.text("abcdefgh_-.0123456789", min_size=1, max_size=12), max_size=8))
def test_lower_case_paths_stay(parts: list[str]) -> None:
    path = "/".join(["data", *parts])
    assert redact_arguments([path]) == [path]


def test_long_random_strings_are_redacted() -> None:
    lot = random.Random(7)
    missed = 0
    for _ in range(2_000):
        token = "".join(lot.choices(ALNUM + "+/", k=40))
        missed += REDACTED not in redact_text(token)
    assert missed < 20  # one in a hundred has no digit or few changes


PARTS = [
    "a",
    "A1b-",
    "a://",
    "?token",
    "token",
    "eyJ-",
    "eyJaaaaaaaa.",
    "sk-aaaaaaaa",
    "--a",
    "Aa",
    "@",
    "password",
    "api_key:",
    "a:",
    "Bearer",
]


@pytest.mark.parametrize("part", PARTS)
def test_a_long_argument_takes_no_long_time(part: str) -> None:
    """Where a pattern looked from each place to the end, 100,000 characters took 25 s."""
    began_s = time.process_time()
    redact_arguments(["?" + part * (100_000 // len(part))])
    assert time.process_time() - began_s < 10


@given(st.lists(st.text()))
def test_the_number_of_arguments_stays_and_redacting_again_changes_nothing(argv: list[str]) -> None:
    said = redact_arguments(argv)
    assert len(said) == len(argv)
    assert redact_arguments(said) == said


ENVIRON = {
    "PATH": "/usr/bin",
    "HOME": "/root",
    "PWD": "/root",
    "OLDPWD": "/",
    "MYSQL_PWD": "abc",
    "OMP_NUM_THREADS": "4",
    "PYTHONHASHSEED": "0",
    "TOKENIZERS_PARALLELISM": "false",
    "LS_COLORS": "rs=0",
    "KEYBOARD": "us",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "HF_TOKEN": "abc",
    "WANDB_API_KEY": "abc",
    "AWS_REGION": "eu-west-1",
    "AWS_SECRET_ACCESS_KEY": "abc",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "https://h",
    "ACTIONS_RUNTIME_TOKEN": "abc",
    "WEIGHBRIDGE_PASSWORD": "abc",
    "MYSQL_PASSWORD": "abc",
    "my_client_secret": "abc",
    "GOOGLE_APPLICATION_CREDENTIALS": "/key.json",
    "DATABASE_URL": "postgresql://u:p@h/d",
    "HARMLESS": "ghp_" + "a1B2" * 9,
    "PROJECT_URL": "https://example.com/a",
}
KEPT = {
    "PWD",
    "OLDPWD",
    "PATH",
    "HOME",
    "OMP_NUM_THREADS",
    "PYTHONHASHSEED",
    "TOKENIZERS_PARALLELISM",
    "LS_COLORS",
    "KEYBOARD",
    "PROJECT_URL",
}


def test_a_step_starts_without_secrets_and_it_is_said() -> None:
    kept, removed = clean_environment(ENVIRON)
    assert kept.keys() == KEPT
    assert list(removed) == sorted(ENVIRON.keys() - KEPT)


def test_what_the_user_allows_is_kept() -> None:
    kept, removed = clean_environment(ENVIRON, keep=["HF_TOKEN"])
    assert kept["HF_TOKEN"] == "abc"
    assert "HF_TOKEN" not in removed


def test_only_listed_variables_are_recorded() -> None:
    assert choose_environment(ENVIRON) == {
        "OMP_NUM_THREADS": "4",
        "PYTHONHASHSEED": "0",
        "TOKENIZERS_PARALLELISM": "false",
    }
    planted = {"XLA_FLAGS": f"--x {PLANTED[0]}"}
    assert choose_environment(planted) == {"XLA_FLAGS": f"--x {REDACTED}"}


@given(st.dictionaries(st.text(), st.text()))
def test_cleaning_takes_away_and_changes_nothing_else(environ: dict[str, str]) -> None:
    kept, removed = clean_environment(environ)
    assert {**kept, **{name: environ[name] for name in removed}} == environ
    assert clean_environment(kept) == (kept, ())
    assert choose_environment(environ).keys() <= environ.keys()


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://u:p@example.com/a/b.git", "https://example.com/a/b.git"),
        ("https://tok@example.com/a?private_token=x#y", "https://example.com/a"),
        ("git@github.com:acme/ml.git", "ssh://git@github.com/acme/ml.git"),
        ("ssh://git:pw@host:22/a", "ssh://git@host:22/a"),
        ("git+ssh://git@host/a", "git+ssh://git@host/a"),
        ("/srv/git/a", "file:///srv/git/a"),
        ("ext::sh -c 'curl secret'", ""),
        ("../a", ""),
    ],
)
def test_urls_lose_their_credentials(url: str, stripped: str) -> None:
    assert strip_credentials(url) == stripped
