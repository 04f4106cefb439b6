"""What a bundle says of its own proof, in words and for machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from weighbridge.core import CertificateMaterial, ChainMaterial, PublicKeyMaterial, printable

if TYPE_CHECKING:
    from weighbridge.core import JsonValue, Material

__all__ = ["describe_material", "material_to_json"]


def describe_material(material: Material) -> str:
    """Return the kind of proof and what names it."""
    match material:
        case PublicKeyMaterial():
            return f"a key, hint {printable(material.hint) or 'none'}"
        case ChainMaterial():
            return f"a chain of {len(material.certificates)} certificates"
        case CertificateMaterial():
            return f"a Sigstore certificate and {material.log_entry_count} log entries"


def material_to_json(material: Material) -> dict[str, JsonValue]:
    """Return the same for machines."""
    match material:
        case PublicKeyMaterial():
            return {"proof": "key", "key_hint": material.hint}
        case ChainMaterial():
            return {"proof": "certificate", "certificate_count": len(material.certificates)}
        case CertificateMaterial():
            return {"proof": "keyless", "log_entry_count": material.log_entry_count}
