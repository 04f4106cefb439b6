"""Signing keyless: a key of a few minutes, certified for whoever can log in, in a public log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighbridge.core import DEFAULT_LIMITS, parse_bundle, printable
from weighbridge.errors import IncompleteError, InputError, VerificationError, WeighbridgeError
from weighbridge.signing._keyless import KeylessVerifier, read_account
from weighbridge.signing._keyless_network import bound
from weighbridge.signing._keyless_token import find_token
from weighbridge.signing._keyless_trust import SigstoreInstance, load_client_config
from weighbridge.signing._keyless_words import to_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from sigstore.models import ClientTrustConfig, TrustedRoot
    from sigstore.sign import Signer as SigstoreSigner

    from weighbridge.core import Bundle, Limits, Statement
    from weighbridge.signing._signers import SignerSpec

__all__ = ["KeylessSigner", "open_keyless_signer"]

# A certificate lives ten minutes; with less than this left another one is asked for.
_SPARE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Session:
    """A certificate of a few minutes, and the key that goes with it."""

    signer: SigstoreSigner
    identity: str
    issuer: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class KeylessSigner:
    """Signs as whoever the identity token names; the transparency log tells everybody.

    Attributes:
        identity: The account that the certificate names.
        issuer: Who vouches for it.
    """

    identity: str
    issuer: str
    _session: _Session = field(repr=False, compare=False)
    _renew: Callable[[], _Session] = field(repr=False, compare=False)
    _root: TrustedRoot = field(repr=False, compare=False)
    _limits: Limits = field(repr=False, compare=False)

    def sign(self, statement: Statement) -> Bundle:
        """Seal ``statement``: its payload is signed as it is.

        What comes back is verified before it is returned.

        Raises:
            InputError: The certificate ran out meanwhile, and the token that would get another did
                too or is somebody else's.
            IncompleteError: The log or a time-stamp authority does not answer, or what it answers
                does not hold.
        """
        from sigstore.dsse import Statement as SigstoreStatement  # noqa: PLC0415 - start-up time

        session = self._session
        if datetime.now(UTC) + _SPARE > session.expires_at:
            session = self._renew()
            if (session.identity, session.issuer) != (self.identity, self.issuer):
                raise InputError(
                    f"{printable(self.identity)} began to sign and "
                    f"{printable(session.identity)} logged in to end it; sign again"
                )
        try:
            theirs = session.signer.sign_dsse(SigstoreStatement(statement.payload))
            data = theirs.to_json().encode()
        except WeighbridgeError:
            raise
        except Exception as error:  # what a server may answer is up to it
            raise _no_use(error) from error
        try:
            bundle = parse_bundle(data, what="the new bundle", limits=self._limits)
            found = self.own_verifier().verify(bundle, at=datetime.now(UTC))
        except (InputError, VerificationError) as error:
            raise _no_use(error) from error
        if bundle.envelope.payload != statement.payload:
            raise _no_use(ValueError("another payload was signed"))
        if found.notes:
            raise _no_use(ValueError(found.notes[0]))
        return bundle

    def own_verifier(self) -> KeylessVerifier:
        """Return what verifies the same account's signatures by the same instance."""
        return KeylessVerifier(self.identity, self.issuer, lambda: self._root)


def open_keyless_signer(spec: SignerSpec, *, limits: Limits = DEFAULT_LIMITS) -> KeylessSigner:
    """Find out who signs, and have Sigstore certify it for a few minutes.

    Args:
        spec: ``sigstore:`` or ``sigstore:URL`` of an instance's update repository.
        limits: ``max_key_bytes`` applies to the trust config, ``max_wait_s`` to each answer.

    Raises:
        InputError: An option that does not go with it, a trust config or token that cannot be
            used, nobody who could log in, or an identity that the authority refuses.
        IncompleteError: The instance does not answer, or what it answers does not hold.
    """
    if spec.offline:
        raise InputError("keyless signing needs the network; leave out --offline, or use a key")
    if spec.certificate is not None or spec.certificate_chain:
        raise InputError("keyless signing gets its own certificate; leave the certificate out")
    if spec.timestamp_url:
        raise InputError(
            "a Sigstore instance names its own time-stamp authorities; leave the timestamp out"
        )
    config_path = None if spec.trust_config is None else Path(spec.trust_config)
    url = spec.uri.removeprefix("sigstore:")
    instance = SigstoreInstance.build(config_path, url)
    config = load_client_config(instance, limits=limits)

    def begin() -> _Session:
        return _begin(spec.identity_token, config, limits)

    session = begin()
    return KeylessSigner(
        session.identity, session.issuer, session, begin, config.trusted_root, limits
    )


def _begin(
    token: str | Callable[[], str] | None, config: ClientTrustConfig, limits: Limits
) -> _Session:
    """Have a new key certified for whoever signs."""
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415
    from sigstore.sign import SigningContext  # noqa: PLC0415 - start-up time

    who = find_token(token() if callable(token) else token, config)
    services = config.signing_config
    fulcio, rekor, tsas = services.get_fulcio(), services.get_tlogs()[0], services.get_tsas()
    bound(fulcio, "certificate authority", limits, refuses_people=True)
    bound(rekor, "transparency log", limits)
    for tsa in tsas:
        bound(tsa, "time-stamp authority", limits)
        _insist(tsa)
    context = SigningContext(
        fulcio=fulcio, rekor=rekor, trusted_root=config.trusted_root, tsa_clients=tsas
    )
    try:
        with context.signer(who) as signer:
            certificate = signer._signing_cert()  # noqa: SLF001 - there is no public way
            der = certificate.public_bytes(Encoding.DER)
            identity, issuer = read_account(der)
    except (InputError, IncompleteError):
        raise
    except Exception as error:  # what a server may answer is up to it
        raise _no_use(error) from error
    return _Session(signer, identity, issuer, certificate.not_valid_after_utc)


def _no_use(error: Exception) -> IncompleteError:
    return IncompleteError(
        f"what the Sigstore instance answers cannot be used ({to_words(error)}); "
        "no signature was made"
    )


def _insist(tsa: Any) -> None:  # noqa: ANN401 - a client of sigstore-python
    """Make a missing timestamp an error; sigstore-python warns and goes on without."""
    from sigstore._internal.timestamp import TimestampError  # noqa: PLC0415 - start-up time

    ask = tsa.request_timestamp

    def request_timestamp(signature: bytes) -> object:
        try:
            return ask(signature)
        except TimestampError as error:
            raise _no_use(error) from error

    tsa.request_timestamp = request_timestamp
