"""Services that several tests share: started when first asked for, honest in every test."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from services.chromium import Browser
    from services.sigstore import LocalSigstore
    from services.softhsm import SoftHsm


@pytest.fixture(scope="session", autouse=True)
def _signals_as_usual() -> None:
    """A shell that runs the tests in the background has them ignore Ctrl-C, and their children."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) is signal.SIG_IGN:
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)


@pytest.fixture(scope="session", autouse=True)
def _no_proxy() -> Iterator[None]:
    """Services on this machine are not asked through a proxy that the environment names."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("NO_PROXY", "no_proxy"):
            patch.setenv(name, "127.0.0.1,localhost")
        yield


@pytest.fixture(scope="session", autouse=True)
def _no_user_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests hash is not remembered among the user's files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def _sigstore() -> Iterator[LocalSigstore]:
    from services.sigstore import start  # noqa: PLC0415 - most tests need none of it

    with start() as local:
        yield local


@pytest.fixture
def local_sigstore(
    _sigstore: LocalSigstore, monkeypatch: pytest.MonkeyPatch
) -> Iterator[LocalSigstore]:
    """A Sigstore on this machine; what a test breaks is mended after it.

    Where the tests run in a workflow, its own token is not found instead.
    """
    for name in _sigstore.ci_environment():
        monkeypatch.delenv(name, raising=False)
    _sigstore.faults.clear()
    yield _sigstore
    _sigstore.faults.clear()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A Chromium without a window, to look at pages with."""
    from services.chromium import MissingError, start  # noqa: PLC0415

    try:
        with start() as running:
            yield running
    except MissingError as error:
        pytest.fail(str(error))


@pytest.fixture(scope="session")
def _softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    from services.softhsm import MissingError, make_token  # noqa: PLC0415

    try:
        return make_token(tmp_path_factory.mktemp("softhsm") / "hsm")
    except MissingError as error:
        pytest.fail(str(error))


@pytest.fixture
def softhsm(_softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> Iterator[SoftHsm]:
    """A token with keys (see services.softhsm.KEYS); SOFTHSM2_CONF is set for this test.

    The library is forgotten before and after, so that it reads its configuration again.
    """
    import pkcs11  # noqa: PLC0415

    for name, value in _softhsm.environment.items():
        monkeypatch.setenv(name, value)
    pkcs11.unload(_softhsm.module)
    yield _softhsm
    pkcs11.unload(_softhsm.module)
