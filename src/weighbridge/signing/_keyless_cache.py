"""The cache of what Sigstore instances said last (TUF): sigstore-python's, which others share."""

from __future__ import annotations

import logging
import os
import queue
import stat
import threading
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, parse_json, printable
from weighbridge.errors import IncompleteError, InputError
from weighbridge.signing._keyless_words import to_words

if TYPE_CHECKING:
    from pathlib import Path

    from sigstore.models import ClientTrustConfig

    from weighbridge.core import Limits

__all__ = ["PUBLIC_INSTANCE", "find_cache", "hush", "load_from_tuf"]

PUBLIC_INSTANCE = "https://tuf-repo-cdn.sigstore.dev"

_MAX_VALUES = 10_000


def load_from_tuf(
    url: str, *, offline: bool, root: Path | None = None, limits: Limits = DEFAULT_LIMITS
) -> ClientTrustConfig:
    """Return what an instance said last, after asking it for news unless ``offline``.

    Args:
        url: Its update repository.
        offline: Whether what is cached has to do.
        root: Its first TUF root, if it is not known yet.
        limits: ``max_wait_s`` for all its news together.

    Raises:
        InputError: Nothing is known of it, or the cache cannot be used.
        IncompleteError: It could not be asked, not in time, or its answer does not hold.
    """
    from sigstore.errors import TUFError  # noqa: PLC0415 - start-up time

    hush()
    shown = printable(url, limit=200)
    first = "weighbridge trust update"
    if url != PUBLIC_INSTANCE:
        first += f" --instance {shown} --root ROOT.json"
    folders = find_cache(url)
    for folder in folders:
        _prepare(folder)
    if root is None and not offline:
        _check_cached_root(folders[0], first)
    try:
        return _ask(url, offline=offline, root=root, limit_s=limits.max_wait_s)
    except TUFError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise InputError(
                f"nothing is known of the Sigstore instance {shown}; get its first root from "
                f"whoever runs it, then run {first}"
            ) from error
        raise IncompleteError(
            f"the trust root of {shown} could not be refreshed ({_reason(error)}); "
            "try again, or use what is cached with --offline"
        ) from error
    except _TooSlowError as error:
        raise IncompleteError(
            f"the trust root of {shown} could not be refreshed (no answer within "
            f"{limits.max_wait_s} s); try again, or use what is cached with --offline"
        ) from error
    except FileNotFoundError as error:
        raise InputError(
            f"nothing is cached of the Sigstore instance {shown}; run {first}, with the network"
        ) from error
    except OSError as error:
        raise _no_cache(folders[1], error) from error
    except Exception as error:  # whatever a library does with a damaged file
        raise _damaged(folders[1], first) from error


class _TooSlowError(Exception):
    """An instance did not answer in time; not TimeoutError, which the files of the cache raise."""


def _ask(url: str, *, offline: bool, root: Path | None, limit_s: float) -> ClientTrustConfig:
    """Have sigstore-python ask for news, and wait no longer than so long.

    Its requests wait anew for each byte, so a server that drips would hold anybody up for ever.
    """
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415 - start-up time

    if offline:
        return ClientTrustConfig.from_tuf(url, offline, root)
    done: queue.SimpleQueue[ClientTrustConfig | BaseException] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put(ClientTrustConfig.from_tuf(url, offline, root))
        except BaseException as error:  # noqa: BLE001 - raised again by who waits, whatever it is
            done.put(error)

    threading.Thread(target=work, daemon=True, name="trust-root").start()
    try:
        answer = done.get(timeout=limit_s)
    except queue.Empty:
        raise _TooSlowError from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _check_cached_root(metadata: Path, first: str) -> None:
    """Refuse a damaged cache by name; the library calls that a failure to refresh."""
    try:
        data = (metadata / "root.json").read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise _no_cache(metadata, error) from error
    try:
        parse_json(data, what="", limits=DEFAULT_LIMITS, max_values=_MAX_VALUES)
    except InputError as error:
        raise _damaged(metadata, first) from error


def _damaged(folder: Path, first: str) -> InputError:
    return InputError(
        f"the cached trust root in {printable(str(folder))} is damaged; "
        f"remove that folder, then run {first}"
    )


def _reason(error: BaseException) -> str:
    """Return the innermost words: the outer ones only say that something failed."""
    while error.__cause__ is not None:
        error = error.__cause__
    return to_words(error)


def find_cache(url: str) -> tuple[Path, Path]:
    """Return the folders of an instance's metadata and of its targets."""
    from sigstore._internal.tuf import _get_dirs  # noqa: PLC0415 - start-up time

    return _get_dirs(url)


def _prepare(folder: Path) -> None:
    """Make a folder of the cache that only its owner may enter; refuse one that others may write.

    Raises:
        InputError: It cannot be made, belongs to somebody else, or everybody may write to it, or to
            a folder above it, where it could be replaced.
    """
    try:
        for parent in reversed(folder.parents):
            if not parent.exists():
                parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise _no_cache(folder, error) from error
    open_parents = [path for path in folder.parents if _may_be_replaced_in(path)]
    if status.st_uid not in (0, os.geteuid()) or status.st_mode & stat.S_IWOTH or open_parents:
        shown = printable(str(open_parents[0] if open_parents else folder))
        raise InputError(
            f"others may write to the cache of trust roots, {shown}; "
            "close it to them, or name another with XDG_DATA_HOME and XDG_CACHE_HOME"
        )


def _may_be_replaced_in(folder: Path) -> bool:
    """Return whether everybody may rename what lies in ``folder``; in /tmp they may not."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _no_cache(folder: Path, error: OSError) -> InputError:
    reason = (error.strerror or str(error)).lower()
    return InputError(
        f"the cache of trust roots {printable(str(folder))} cannot be used ({printable(reason)}); "
        "name another with XDG_DATA_HOME and XDG_CACHE_HOME, or give a trust config"
    )


def hush() -> None:
    """Keep the libraries' warnings off stderr; what matters in them comes as an error."""
    for name in ("sigstore", "tuf"):
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
