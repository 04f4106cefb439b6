"""What a Sigstore instance is trusted for: its authorities and logs, from a file or by updates.

A file needs no network. An instance that updates its clients (TUF) is asked for news each time,
unless it must not be; what it said last lies in sigstore-python's cache, which other tools share.
``sigstore`` is imported by the functions that need it: it costs half a second.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from weighbridge.artifact import read_document
from weighbridge.core import DEFAULT_LIMITS, parse_json, printable
from weighbridge.errors import InputError
from weighbridge.signing._keyless_cache import PUBLIC_INSTANCE, find_cache, hush, load_from_tuf
from weighbridge.signing._keyless_words import to_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sigstore.models import ClientTrustConfig, TrustedRoot

    from weighbridge.core import Limits

__all__ = [
    "SigstoreInstance",
    "TrustRoot",
    "TrustedParty",
    "load_client_config",
    "load_trusted_root",
    "read_trust_root",
    "restrict",
    "update_trust_root",
]

_MEDIA = "application/vnd.dev.sigstore."
_CONFIG_TYPE = f"{_MEDIA}clienttrustconfig.v0.1+json"
_ROOT_TYPES = frozenset({f"{_MEDIA}trustedroot+json;version=0.1", f"{_MEDIA}trustedroot.v0.2+json"})
_NO_SIGNING = {"mediaType": f"{_MEDIA}signingconfig.v0.2+json"}
_MAX_VALUES = 10_000


@dataclass(frozen=True, slots=True)
class SigstoreInstance:
    """Which Sigstore: by default the public one.

    Attributes:
        trust_config: Its client trust config, or only its trusted root, in JSON; never refreshed.
        url: Its update repository (TUF), if there is no ``trust_config``.
    """

    trust_config: Path | None = None
    url: str = PUBLIC_INSTANCE

    @classmethod
    def build(cls, trust_config: Path | None, url: str) -> SigstoreInstance:
        """Return the instance that a caller names; an empty ``url`` names none.

        Raises:
            InputError: Both are given, or ``url`` is not one of the web.
        """
        if trust_config is not None and url:
            raise InputError(
                "a trust config and the address of a Sigstore instance are given; give one"
            )
        url = (url or PUBLIC_INSTANCE).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc or not url.isprintable():
            raise InputError(
                f"{printable(url, limit=80)!r} is not the address of a Sigstore instance; "
                "the http(s) URL of its update repository is wanted"
            )
        return cls(trust_config, url)


@dataclass(frozen=True, slots=True)
class TrustedParty:
    """One authority or log that an instance has or had.

    Attributes:
        role: ``certificate authority``, ``transparency log``, ``certificate log`` or
            ``time-stamp authority``.
        name: Its address or its certificate's subject, as the trusted root says.
        fingerprint: sha256 in hex of its certificate, or of its public key, in DER.
        valid_from: From when on it is believed, aware.
        valid_until: Until when; None for an open end.
    """

    role: str
    name: str
    fingerprint: str
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class TrustRoot:
    """What is cached of an instance.

    Attributes:
        url: Its update repository.
        file: Where its trusted root lies.
        refreshed_at: When it was last compared with the repository; None if never: then it is the
            one that came with sigstore-python.
        parties: Everybody in it.
    """

    url: str
    file: Path
    refreshed_at: datetime | None
    parties: tuple[TrustedParty, ...]


def load_trusted_root(
    instance: SigstoreInstance, *, limits: Limits = DEFAULT_LIMITS, offline: bool = False
) -> TrustedRoot:
    """Return whom an instance's signatures are verified against.

    Args:
        instance: Which.
        limits: ``max_key_bytes`` applies to a file.
        offline: Whether what is cached has to do; for the public instance there always is
            something, since its root comes with sigstore-python.

    Raises:
        InputError: The file or the cache is missing or cannot be used.
        IncompleteError: The instance could not be asked for news.
        LimitExceededError: The file is too large.
    """
    return _load(instance, limits=limits, offline=offline, for_signing=False).trusted_root


def load_client_config(
    instance: SigstoreInstance, *, limits: Limits = DEFAULT_LIMITS
) -> ClientTrustConfig:
    """Return the same, and where an instance signs.

    Raises:
        InputError: As :func:`load_trusted_root`, or the file does not say where to sign.
        IncompleteError: The instance could not be asked for news.
        LimitExceededError: The file is too large.
    """
    return _load(instance, limits=limits, offline=False, for_signing=True)


def update_trust_root(
    url: str = "", *, root: Path | None = None, limits: Limits = DEFAULT_LIMITS
) -> TrustRoot:
    """Ask an instance for news, and keep them in the cache.

    Args:
        url: Its update repository; by default that of the public instance.
        root: Its first TUF root, from whoever runs it. Needed once for a private instance: all
            later roots are signed by earlier ones.
        limits: ``max_key_bytes`` applies to ``root``, ``max_wait_s`` to the news as a whole.

    Raises:
        InputError: ``root`` is not a TUF root, is missing the first time, or the cache cannot be
            used.
        IncompleteError: The instance could not be asked, or its answer does not hold.
    """
    instance = SigstoreInstance.build(None, url)
    if root is not None:
        _check_tuf_root(root, limits)
    _check(load_from_tuf(instance.url, offline=False, root=root, limits=limits), instance.url)
    return read_trust_root(instance.url)


def read_trust_root(url: str = "") -> TrustRoot:
    """Return what is cached of an instance; no network.

    Raises:
        InputError: Nothing is, or it is damaged.
    """
    instance = SigstoreInstance.build(None, url)
    config = load_from_tuf(instance.url, offline=True)
    metadata, targets = find_cache(instance.url)
    try:
        refreshed = datetime.fromtimestamp((metadata / "timestamp.json").stat().st_mtime, UTC)
    except OSError:
        refreshed = None
    parties = tuple(_list_parties(config.trusted_root))
    return TrustRoot(instance.url, targets / "trusted_root.json", refreshed, parties)


def restrict(root: TrustedRoot, *, signed_at: datetime, issued_at: datetime) -> TrustedRoot:
    """Return ``root`` with those only who were in use when a signature was made.

    sigstore-python believes a retired authority or log for ever; its period is in the root so that
    a key that leaks later is worth nothing.

    Args:
        root: Everybody.
        signed_at: When the signature was made, proven: selects authorities and logs.
        issued_at: When the certificate was: selects the logs of certificates.
    """
    inner = root._inner  # noqa: SLF001 - there is no public way
    return type(root)(
        inner.model_copy(
            update={
                "certificate_authorities": [
                    one for one in inner.certificate_authorities if _covers(one, signed_at)
                ],
                "tlogs": [one for one in inner.tlogs if _covers(one.public_key, signed_at)],
                "ctlogs": [one for one in inner.ctlogs if _covers(one.public_key, issued_at)],
            }
        )
    )


def _covers(one: Any, at: datetime) -> bool:  # noqa: ANN401 - a key or an authority
    period = one.valid_for
    if period is None:
        return True
    end = period.end
    return bool(period.start <= at and (end is None or at <= end))


def _load(
    instance: SigstoreInstance, *, limits: Limits, offline: bool, for_signing: bool
) -> ClientTrustConfig:
    hush()
    if instance.trust_config is None:
        config = load_from_tuf(instance.url, offline=offline, limits=limits)
        what = instance.url
    else:
        what = f"the trust config {printable(str(instance.trust_config))}"
        config = _read_config(instance.trust_config, what, limits=limits, for_signing=for_signing)
    _check(config, what)
    if for_signing:
        _check_services(config, what)
    return config


def _read_config(path: Path, what: str, *, limits: Limits, for_signing: bool) -> ClientTrustConfig:
    data = read_document(
        path,
        what="trust config",
        limit_name="max_key_bytes",
        limit_bytes=limits.max_key_bytes,
    )
    document = parse_json(data, what=what, limits=limits, max_values=_MAX_VALUES)
    media_type = document.get("mediaType") if isinstance(document, dict) else None
    if isinstance(media_type, str) and media_type in _ROOT_TYPES:
        if for_signing:
            raise InputError(
                f"{what} holds a trusted root only, which does not say where to sign; "
                "give the client trust config of the instance"
            )
        document = {
            "mediaType": _CONFIG_TYPE,
            "trustedRoot": document,
            "signingConfig": _NO_SIGNING,
        }
    elif media_type != _CONFIG_TYPE:
        raise InputError(
            f"{what} is neither a client trust config ({_CONFIG_TYPE}) nor a trusted root; "
            "ask whoever runs the Sigstore instance for one"
        )
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415 - start-up time

    try:
        return ClientTrustConfig.from_json(json.dumps(document))
    except Exception as error:  # whatever a library does with a wrong document
        raise _unusable(what, error) from error


def _check(config: ClientTrustConfig, what: str) -> None:
    """Refuse a trusted root that nothing can be verified against, before anything is."""
    from sigstore._internal.trust import KeyringPurpose  # noqa: PLC0415 - start-up time
    from sigstore.verify import Verifier  # noqa: PLC0415

    try:
        root = config.trusted_root
        Verifier(trusted_root=root)
        root.rekor_keyring(KeyringPurpose.VERIFY)
        root.ct_keyring(KeyringPurpose.VERIFY)
        root.get_timestamp_authorities()
    except Exception as error:  # whatever a library does with a wrong document
        raise _unusable(what, error) from error


def _check_services(config: ClientTrustConfig, what: str) -> None:
    try:
        services = config.signing_config
        services.get_tlogs()
        services.get_tsas()
    except Exception as error:  # whatever a library does with a wrong document
        raise _unusable(what, error) from error


def _unusable(what: str, error: Exception) -> InputError:
    return InputError(
        f"{what} cannot be used ({to_words(error)}); "
        "ask whoever runs the Sigstore instance for its trust config"
    )


def _check_tuf_root(path: Path, limits: Limits) -> None:
    what = f"the root {printable(str(path))}"
    data = read_document(
        path, what="TUF root", limit_name="max_key_bytes", limit_bytes=limits.max_key_bytes
    )
    document = parse_json(data, what=what, limits=limits, max_values=_MAX_VALUES)
    signed = document.get("signed") if isinstance(document, dict) else None
    if not isinstance(signed, dict) or signed.get("_type") != "root":
        raise InputError(f"{what} is not the root of a TUF repository (N.root.json); get it anew")


def _list_parties(root: TrustedRoot) -> Iterator[TrustedParty]:
    inner = root._inner  # noqa: SLF001 - there is no public way
    authorities = (
        ("certificate authority", inner.certificate_authorities),
        ("time-stamp authority", inner.timestamp_authorities),
    )
    logs = (("transparency log", inner.tlogs), ("certificate log", inner.ctlogs))
    for role, listed in authorities:
        for one in listed:
            name = one.uri or one.subject.common_name or one.subject.organization or ""
            der = one.cert_chain.certificates[0].raw_bytes
            yield _to_party(role, name, der, one.valid_for)
    for role, listed_logs in logs:
        for log in listed_logs:
            key = log.public_key
            yield _to_party(role, log.base_url, key.raw_bytes or b"", key.valid_for)


def _to_party(role: str, name: str, der: bytes, period: Any) -> TrustedParty:  # noqa: ANN401
    import hashlib  # noqa: PLC0415 - start-up time

    start, end = (None, None) if period is None else (period.start, period.end)
    return TrustedParty(role, name, hashlib.sha256(der).hexdigest(), start, end)
