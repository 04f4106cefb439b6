"""Signers that other distributions bring, by the scheme of their URIs.

A distribution registers one under the entry-point group ``weighbridge.signers``: the name is the
scheme, the value a callable that takes a :class:`SignerSpec` and ``limits`` and returns a
:class:`Signer`. It is imported only when somebody asks for its scheme.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from weighbridge.core import Attribution, Bundle, parse_bundle, printable
from weighbridge.errors import IncompleteError, InputError, WeighbridgeError
from weighbridge.signing._keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from importlib.metadata import EntryPoint
    from typing import TypeVar

    from weighbridge.core import Limits, Statement
    from weighbridge.signing._ports import Signer, Verifier
    from weighbridge.signing._signers import SignerSpec

    T = TypeVar("T")

__all__ = ["open_plugin_signer"]

_GROUP = "weighbridge.signers"
_OURS = ("file", "pkcs11", "sigstore")
_SCHEME = re.compile("[a-z][a-z0-9+.-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _PluginSigner:
    """A plug-in's signer, of whom nothing is believed.

    Attributes:
        what: The plug-in, in words.
    """

    what: str
    _signer: Signer = field(repr=False)
    _limits: Limits = field(repr=False)

    def sign(self, statement: Statement) -> Bundle:
        """Seal ``statement`` and see that exactly it was sealed.

        Raises:
            IncompleteError: The plug-in failed, or signed something else.
        """
        bundle = _call(self.what, lambda: self._signer.sign(statement))
        wrong = f"the {self.what} gave something else than a signature over what it was handed"
        if not isinstance(bundle, Bundle):
            raise IncompleteError(f"{wrong}; tell its authors")
        try:  # what is written is ``raw``, so that is what has to be right
            again = parse_bundle(bytes(bundle.raw), what="its bundle", limits=self._limits)
        except (TypeError, WeighbridgeError) as error:
            raise IncompleteError(f"{wrong} ({printable(str(error))}); tell its authors") from error
        if again.envelope.payload != statement.payload:
            raise IncompleteError(f"{wrong}; tell its authors")
        return again

    def own_verifier(self) -> Verifier | None:
        """Return what the plug-in says; it is not believed either, unless it is ours.

        Raises:
            IncompleteError: The plug-in failed, or gave no verifier.
        """
        verifier = _call(self.what, self._signer.own_verifier)
        if verifier is None or isinstance(verifier, PublicKey):
            return verifier
        if not callable(getattr(verifier, "verify", None)):
            raise IncompleteError(f"the {self.what} gave no verifier; tell its authors")
        return _PluginVerifier(self.what, verifier)


@dataclass(frozen=True, slots=True)
class _PluginVerifier:
    """A plug-in's verifier of its own signatures, which may fail as its signer may.

    Attributes:
        what: The plug-in, in words.
    """

    what: str
    _verifier: Verifier = field(repr=False)

    def verify(self, bundle: Bundle, *, at: datetime) -> Attribution:
        """Return what the plug-in says.

        Raises:
            IncompleteError: The plug-in failed, or gave something else.
        """
        found = _call(self.what, lambda: self._verifier.verify(bundle, at=at))
        if not isinstance(found, Attribution):
            raise IncompleteError(f"the {self.what} does not say who signed; tell its authors")
        return found


def open_plugin_signer(spec: SignerSpec, *, limits: Limits) -> Signer:
    """Have the plug-in for the URI's scheme open it.

    Messages never show the URI, which may hold what its plug-in keeps secret.

    Args:
        spec: Handed on as it is.
        limits: Handed on as well.

    Raises:
        InputError: There is no plug-in for the scheme, or several, or it cannot be imported.
        IncompleteError: The plug-in failed.
    """
    scheme, colon, _ = spec.uri.partition(":")
    name = scheme.lower()
    if not colon or not _SCHEME.fullmatch(name):
        raise InputError(
            "a signer is named by a URI such as file:release.key, pkcs11:token=... or sigstore:"
        )
    found = () if name in _OURS else _find(name)
    if not found:
        raise InputError(
            f"no signer is known for {name}: URIs; use file:, pkcs11: or sigstore:, "
            "or install the plug-in"
        )
    if len(found) > 1:
        names = " and ".join(sorted(_describe(point) for point in found))
        raise InputError(f"{names} both sign for {name}: URIs; uninstall one of them")
    (point,) = found
    what = f"plug-in {_describe(point)}"
    signer = _call(what, lambda: _load(point, what)(spec, limits=limits))
    if not callable(getattr(signer, "sign", None)) or not callable(
        getattr(signer, "own_verifier", None)
    ):
        raise IncompleteError(f"the {what} gave no signer; tell its authors")
    return _PluginSigner(what, signer, limits)


def _find(name: str) -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # noqa: PLC0415 - start-up time

    return tuple(entry_points(group=_GROUP, name=name))


def _describe(point: EntryPoint) -> str:
    distribution = "" if point.dist is None else point.dist.name
    return repr(printable(distribution or point.value, limit=80))


def _load(point: EntryPoint, what: str) -> Callable[..., Any]:
    try:
        found = point.load()
    except (Exception, SystemExit) as error:
        raise InputError(
            f"the {what} cannot be imported ({type(error).__name__}: "
            f"{printable(str(error), limit=120)}); install it again"
        ) from error
    if not callable(found):
        raise InputError(f"the {what} registers something that cannot be called; tell its authors")
    signer: Callable[..., Any] = found
    return signer


def _call(what: str, function: Callable[[], T]) -> T:
    """Call a plug-in; our own errors are its words, everything else is translated."""
    try:
        return function()
    except WeighbridgeError:
        raise
    except (Exception, SystemExit) as error:
        raise IncompleteError(
            f"the {what} failed ({type(error).__name__}: {printable(str(error), limit=200)}); "
            "nothing was signed"
        ) from error
