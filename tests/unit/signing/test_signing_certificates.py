from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.signing.certificate_samples import (
    ANY,
    AUTHORITY,
    CODE,
    DAY,
    NOW,
    SERVER,
    Cert,
    Chain,
    Issued,
    build_chain,
    issue,
    new_key,
)
from unit.signing.signing_samples import manifest_of, read_bundle, signed_bytes
from weighbridge.core import Bundle, ChainMaterial, Envelope, EnvelopeSignature
from weighbridge.errors import InputError, SignatureError, TrustError
from weighbridge.signing import (
    CertificateSigner,
    SignerSpec,
    add_certificate,
    load_certificate_verifier,
    load_signer,
    open_signer,
    sign_manifest,
    verify_bundle,
)

MANIFEST = manifest_of({"a": b"1"})


def seal(issued: Issued, *material: Issued | bytes) -> Bundle:
    """Sign with a key whatever its certificate says, as an attacker would."""
    plain = read_bundle(signed_bytes()).envelope
    if isinstance(issued.key, ec.EllipticCurvePrivateKey):
        sig = issued.key.sign(plain.to_signed_bytes(), ec.ECDSA(hashes.SHA256()))
    elif isinstance(issued.key, ed25519.Ed25519PrivateKey):
        sig = issued.key.sign(plain.to_signed_bytes())
    else:
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

        sig = issued.key.sign(plain.to_signed_bytes(), padding.PKCS1v15(), hashes.SHA256())
    envelope = Envelope(plain.payload, (EnvelopeSignature(sig),))
    ders = tuple(m if isinstance(m, bytes) else m.der for m in material)
    return read_bundle(Bundle.build(ChainMaterial(ders), envelope).raw)


def verify(
    bundle: Bundle,
    folder: Path,
    *roots: Issued,
    identity: str = "",
    at: datetime = NOW,
    timestamps: Any = None,
) -> Any:
    path = folder / "roots.pem"
    path.write_bytes(b"".join(root.pem for root in roots))
    verifier = load_certificate_verifier([path], identity=identity, timestamps=timestamps)
    (attribution,) = verify_bundle(bundle, {"it": verifier}, at=at).attributions
    return attribution


def sign(chain: Chain, folder: Path) -> Bundle:
    chain.write(folder)
    spec = SignerSpec(
        f"file:{folder}/leaf.key",
        certificate=folder / "leaf.pem",
        certificate_chain=[folder / "middle.pem", folder / "root.pem"],
    )
    return read_bundle(sign_manifest(MANIFEST, signer=open_signer(spec), ignore_paths=[]))


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda c: c.name
)
def test_a_chain_signs_and_verifies_and_leaves_the_root_out(
    tmp_path: Path, curve: ec.EllipticCurve
) -> None:
    chain = build_chain(Cert(key=ec.generate_private_key(curve)))
    bundle = sign(chain, tmp_path)
    assert bundle.material == ChainMaterial((chain.leaf.der, chain.middle.der))
    found = verify(bundle, tmp_path, chain.root)
    assert (found.signer, found.method) == ("it", "certificate")
    assert (found.identity, found.issuer) == ("release@example.com", "CN=Root")


@pytest.mark.parametrize(
    "identity", ["release@example.com", "https://example.com/release", "Release"]
)
def test_an_identity_is_an_alternative_name_or_the_common_name(
    tmp_path: Path, identity: str
) -> None:
    chain = build_chain()
    assert verify(sign(chain, tmp_path), tmp_path, chain.root, identity=identity).identity == (
        identity
    )


@pytest.mark.parametrize(
    "identity",
    ["Release@example.com", "release", "example.com", "release@example.com ", "CN=Release", "*"],
)
def test_an_identity_that_is_only_similar_is_refused(tmp_path: Path, identity: str) -> None:
    chain = build_chain()
    with pytest.raises(SignatureError, match=r"that of release@example\.com.* and not of"):
        verify(sign(chain, tmp_path), tmp_path, chain.root, identity=identity)


def test_an_intermediate_authority_may_be_what_is_trusted(tmp_path: Path) -> None:
    chain = build_chain()
    assert verify(sign(chain, tmp_path), tmp_path, chain.middle).issuer == "CN=Issuing"


def test_one_root_of_several_in_a_file_is_enough(tmp_path: Path) -> None:
    chain = build_chain()
    others = [issue(replace(AUTHORITY, cn=f"Other {n}", key=new_key())) for n in range(3)]
    assert verify(sign(chain, tmp_path), tmp_path, *others, chain.root).issuer == "CN=Root"


def test_roots_with_the_same_name_are_told_apart(tmp_path: Path) -> None:
    """An authority that was renewed with a new key."""
    chain = build_chain()
    namesake = issue(replace(AUTHORITY, key=new_key()))
    bundle = sign(chain, tmp_path)
    assert verify(bundle, tmp_path, namesake, chain.root)
    with pytest.raises(SignatureError, match="does not lead to an authority that is trusted"):
        verify(bundle, tmp_path, namesake)


CA = replace(AUTHORITY, cn="Issuing")
LATE = {"starts": NOW - 9 * DAY, "ends": NOW - DAY}
EARLY = {"starts": NOW + DAY, "ends": NOW + 9 * DAY}
RSA_KEY = rsa.generate_private_key(65537, 2048)

# What is wrong, the chain, and what the message says.
BAD_LEAVES = {
    "expired": (Cert(**LATE), "Release expired on "),
    "not yet valid": (Cert(**EARLY), "Release is not valid before "),
    "TLS server": (Cert(purposes=(SERVER,)), "is for TLS servers and not for code signing"),
    "any purpose": (Cert(purposes=(ANY,)), "is not for code signing"),
    "no purpose": (Cert(purposes=()), "is not for code signing"),
    "no digital signature": (Cert(usage=("key_encipherment",)), "no key usage 'digital signature'"),
    "no key usage": (Cert(usage=None), "no key usage 'digital signature'"),
    "authority": (Cert(ca=True), "is that of an authority"),
    "RSA": (Cert(key=RSA_KEY), "its key is not an EC key on P-256, P-384 or P-521"),
    "Ed25519": (Cert(key=ed25519.Ed25519PrivateKey.generate()), "its key is not an EC key"),
    "secp256k1": (
        Cert(key=ec.generate_private_key(ec.SECP256K1())),
        "its key is not an EC key",
    ),
    "unknown critical extension": (
        Cert(extra=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\5\0"), True),)),
        r"demands what nobody here knows \(extension 1\.2\.3\)",
    ),
}


@pytest.mark.parametrize("name", BAD_LEAVES)
def test_a_certificate_that_may_not_sign_is_refused(tmp_path: Path, name: str) -> None:
    wanted, message = BAD_LEAVES[name]
    chain = build_chain(wanted)
    with pytest.raises(SignatureError, match=message) as caught:
        verify(seal(chain.leaf, chain.leaf, chain.middle), tmp_path, chain.root)
    assert "\n" not in str(caught.value)


BAD_AUTHORITIES = {
    "expired": (replace(CA, **LATE), None, "Issuing expired on "),
    "not yet valid": (replace(CA, **EARLY), None, "Issuing is not valid before "),
    "expired root": (None, replace(AUTHORITY, **LATE), "Root expired on "),
    "no authority": (replace(CA, ca=False), None, "cA must be asserted"),
    "no constraints": (replace(CA, basic=False), None, "missing required extension"),
    "may not issue": (replace(CA, usage=("digital_signature",)), None, "may not issue"),
    "for TLS servers": (replace(CA, purposes=(SERVER,)), None, "is not for code signing"),
    "path too long": (None, replace(AUTHORITY, path_length=0), "path length constraint violated"),
    "other mail addresses": (
        replace(CA, extra=((x509.NameConstraints([x509.RFC822Name("example.org")], None), True),)),
        None,
        "no permitted name constraints matched",
    ),
    "other people": (
        replace(
            CA,
            extra=(
                (
                    x509.NameConstraints(
                        [x509.DirectoryName(x509.Name([]))],
                        None,
                    ),
                    True,
                ),
            ),
        ),
        None,
        "name ?[cC]onstraint",
    ),
    "other sites": (
        replace(
            CA,
            extra=(
                (
                    x509.NameConstraints(None, [x509.UniformResourceIdentifier("example.com")]),
                    False,
                ),
            ),
        ),
        None,
        "name ?[cC]onstraint",
    ),
}


@pytest.mark.parametrize("name", BAD_AUTHORITIES)
def test_an_authority_that_may_not_issue_is_refused(tmp_path: Path, name: str) -> None:
    middle, root, message = BAD_AUTHORITIES[name]
    chain = build_chain(
        middle=replace(middle or CA, key=new_key()), root=replace(root or AUTHORITY, key=new_key())
    )
    with pytest.raises(SignatureError, match=message):
        verify(seal(chain.leaf, chain.leaf, chain.middle), tmp_path, chain.root)


def test_a_common_name_does_not_get_around_name_constraints(tmp_path: Path) -> None:
    only = (x509.NameConstraints([x509.RFC822Name("example.com")], None), True)
    chain = build_chain(
        Cert(cn="ceo@example.org", names=()), middle=replace(CA, key=new_key(), extra=(only,))
    )
    bundle = seal(chain.leaf, chain.leaf, chain.middle)
    with pytest.raises(SignatureError, match=r"and not of ceo@example\.org"):
        verify(bundle, tmp_path, chain.root, identity="ceo@example.org")


@pytest.mark.parametrize(
    ("names", "identity"),
    [
        ([x509.UniformResourceIdentifier("ceo@example.org")], "ceo@example.org"),
        ([x509.DNSName("ceo@example.org")], "ceo@example.org"),
        (
            [
                x509.RFC822Name("me@example.com"),
                x509.UniformResourceIdentifier("ceo@example.org"),
            ],
            "ceo@example.org",
        ),
        ([x509.DNSName("https://example.org/ci")], "https://example.org/ci"),
    ],
)
def test_a_name_of_another_kind_does_not_get_around_name_constraints(
    tmp_path: Path, names: list[x509.GeneralName], identity: str
) -> None:
    """The authority may certify mail addresses of example.com; constraints bind one kind each."""
    only = (x509.NameConstraints([x509.RFC822Name("example.com")], None), True)
    chain = build_chain(
        Cert(cn="x", names=tuple(names)), middle=replace(CA, key=new_key(), extra=(only,))
    )
    bundle = seal(chain.leaf, chain.leaf, chain.middle)
    with pytest.raises(SignatureError, match="and not of"):
        verify(bundle, tmp_path, chain.root, identity=identity)


@pytest.mark.parametrize(
    "name",
    [
        x509.RFC822Name("build.example.com"),
        x509.RFC822Name("https://example.com/@x"),
        x509.UniformResourceIdentifier("build.example.com"),
        x509.UniformResourceIdentifier("1:x"),
        x509.DNSName("a:b"),
    ],
)
def test_a_name_that_is_not_of_its_kind_is_nobody(tmp_path: Path, name: x509.GeneralName) -> None:
    chain = build_chain(Cert(cn="Somebody", names=(name,)))
    bundle = seal(chain.leaf, chain.leaf, chain.middle)
    assert verify(bundle, tmp_path, chain.root).identity == "Somebody"
    with pytest.raises(SignatureError, match="and not of"):
        verify(bundle, tmp_path, chain.root, identity=str(name.value))


@pytest.mark.parametrize(
    "name",
    [
        x509.RFC822Name("release+ml@example.com"),
        x509.UniformResourceIdentifier("spiffe://example.com/ci"),
        x509.UniformResourceIdentifier("urn:uuid:1"),
        x509.UniformResourceIdentifier("mailto:release@example.com"),
        x509.DNSName("build.example.com"),
        x509.DNSName("*.example.com"),
    ],
)
def test_a_name_of_each_kind_is_known(tmp_path: Path, name: x509.GeneralName) -> None:
    chain = build_chain(Cert(cn="Somebody", names=(name,)))
    bundle, wanted = seal(chain.leaf, chain.leaf, chain.middle), str(name.value)
    assert verify(bundle, tmp_path, chain.root, identity=wanted).identity == wanted


def test_purposes_of_an_authority_may_be_code_signing_or_any(tmp_path: Path) -> None:
    for purpose in (CODE, ANY):
        chain = build_chain(middle=replace(CA, key=new_key(), purposes=(purpose,)))
        assert verify(seal(chain.leaf, chain.leaf, chain.middle), tmp_path, chain.root)


def test_chains_that_are_broken_are_refused(tmp_path: Path) -> None:
    chain, other = build_chain(), build_chain()
    leaf, middle = chain.leaf, chain.middle
    with pytest.raises(SignatureError, match=r"of whoever issued that of CN=Release is not there"):
        verify(seal(leaf, leaf), tmp_path, chain.root)
    with pytest.raises(SignatureError, match=r"of whoever issued that of CN=Issuing is not there"):
        verify(seal(leaf, leaf, middle), tmp_path, other.root)
    with pytest.raises(SignatureError, match="does not lead to"):  # a root of the signer's own
        verify(seal(leaf, leaf, middle, chain.root), tmp_path, other.root)
    with pytest.raises(SignatureError, match="does not hold for the key in its certificate"):
        verify(seal(other.leaf, leaf, middle), tmp_path, chain.root)
    with pytest.raises(SignatureError, match="certificate 2 of the signature cannot be read"):
        verify(seal(leaf, leaf, b"junk"), tmp_path, chain.root)
    with pytest.raises(SignatureError, match="certificate 1 of the signature cannot be read"):
        verify(seal(leaf, b"\x30\x82\xff\xff" * 30_000), tmp_path, chain.root)
    assert verify(seal(leaf, leaf, *[middle] * 9), tmp_path, chain.root)
    with pytest.raises(InputError, match="11 things"):
        seal(leaf, leaf, *[middle] * 10)


def test_a_long_chain_ends(tmp_path: Path) -> None:
    above = root = issue(AUTHORITY)
    way = []
    for number in range(8):
        above = issue(replace(AUTHORITY, cn=f"Level {number}", key=new_key()), above)
        way.append(above)
    deep = issue(Cert(), way[-1])
    with pytest.raises(SignatureError, match="chain construction exceeds max depth"):
        verify(seal(deep, deep, *way), tmp_path, root)
    near = issue(Cert(), way[4])
    assert verify(seal(near, near, *way[:5]), tmp_path, root)


def test_authorities_that_issue_each_other_in_circles_end(tmp_path: Path) -> None:
    """Nine of one name and one key would be 9^5 paths, if nobody left them out."""
    key = new_key()
    same = [issue(replace(CA, key=key)) for _ in range(9)]
    leaf = issue(Cert(), same[0])
    with pytest.raises(SignatureError, match="whoever issued that of CN=Release is not there"):
        verify(seal(leaf, leaf, *same), tmp_path, SHARED.root)
    one, two = issue(replace(CA, cn="A", key=key)), issue(replace(CA, cn="B", key=key))
    circle = [issue(replace(CA, cn="A", key=key), two) for _ in range(4)]
    circle += [issue(replace(CA, cn="B", key=key), one) for _ in range(5)]
    leaf = issue(Cert(), one)
    with pytest.raises(SignatureError, match="does not lead to an authority"):
        verify(seal(leaf, leaf, *circle), tmp_path, SHARED.root)


def test_a_tampered_payload_is_noticed(tmp_path: Path) -> None:
    chain = build_chain()
    bundle = sign(chain, tmp_path)
    payload = bundle.envelope.payload.replace(b'"a"', b'"b"')
    assert payload != bundle.envelope.payload
    forged = Bundle.build(bundle.material, replace(bundle.envelope, payload=payload))
    with pytest.raises(SignatureError, match="does not hold"):
        verify(forged, tmp_path, chain.root)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_change_of_a_bit_gives_another_signer(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """RFC 5280, 6.1.3: the signature of every certificate on the path is verified.

    The number of unused bits before a signature is not signed itself; anything else is.
    """
    chain, folder = SHARED, tmp_path_factory.mktemp("bit")
    which = data.draw(st.integers(0, 1))
    ders = [chain.leaf.der, chain.middle.der]
    spoiled = bytearray(ders[which])
    bit = data.draw(st.integers(0, len(spoiled) * 8 - 1))
    spoiled[bit // 8] ^= 1 << (bit % 8)
    before, ders[which] = ders[which], bytes(spoiled)
    try:
        verify(seal(chain.leaf, *ders), folder, chain.root)
    except SignatureError:
        return
    old, new = map(x509.load_der_x509_certificate, (before, ders[which]))
    assert new.tbs_certificate_bytes == old.tbs_certificate_bytes
    assert new.signature == old.signature


SHARED = build_chain()


@settings(max_examples=50, deadline=None)
@given(junk=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=10))
def test_junk_is_refused_and_nothing_else_is_raised(
    tmp_path_factory: pytest.TempPathFactory, junk: list[bytes]
) -> None:
    with pytest.raises(SignatureError):
        verify(seal(SHARED.leaf, *junk), tmp_path_factory.mktemp("junk"), SHARED.root)


# -- exactly one certificate is trusted


def test_a_certificate_that_is_trusted_itself_needs_no_authority(tmp_path: Path) -> None:
    chain = build_chain()
    for bundle in (sign(chain, tmp_path), seal(chain.leaf, chain.leaf)):
        assert verify(bundle, tmp_path, chain.leaf).issuer == "CN=Release"
    other = build_chain()
    with pytest.raises(SignatureError, match="does not lead to"):
        verify(sign(other, tmp_path), tmp_path, chain.leaf)


def test_a_self_signed_certificate_is_trusted_for_itself_alone(tmp_path: Path) -> None:
    """As the conformance suite of OpenSSF Model Signing has one: its own authority, for signing."""
    mine = issue(Cert(cn="Self", ca=True))
    assert verify(seal(mine, mine), tmp_path, mine)
    child = issue(Cert(), mine)
    with pytest.raises(SignatureError, match="may not issue certificates"):
        verify(seal(child, child, mine), tmp_path, mine)
    spec = SignerSpec(f"file:{tmp_path}/self.key", certificate=tmp_path / "self.pem")
    (tmp_path / "self.key").write_bytes(mine.key_pem)
    (tmp_path / "self.pem").write_bytes(mine.pem)
    data = sign_manifest(MANIFEST, signer=open_signer(spec), ignore_paths=[])
    assert verify(read_bundle(data), tmp_path, mine)


@pytest.mark.parametrize("name", [name for name in BAD_LEAVES if name != "authority"])
def test_trusting_a_certificate_itself_excuses_nothing_else(tmp_path: Path, name: str) -> None:
    mine = issue(BAD_LEAVES[name][0], SHARED.middle)
    with pytest.raises(SignatureError):
        verify(seal(mine, mine), tmp_path, mine)


# -- time


@dataclass(frozen=True)
class Proven:
    """A source of times that says the same of every bundle."""

    time: datetime | None

    def prove(self, bundle: Bundle, *, at: datetime) -> datetime | None:  # noqa: ARG002
        return self.time


def test_certificates_are_judged_at_the_time_that_is_proven(tmp_path: Path) -> None:
    chain = build_chain(Cert(starts=NOW - 9 * DAY, ends=NOW - 5 * DAY))
    bundle = seal(chain.leaf, chain.leaf, chain.middle)
    root = replace(AUTHORITY, key=chain.root.key, starts=NOW - 90 * DAY)
    middle = issue(replace(CA, key=chain.middle.key, starts=NOW - 90 * DAY), issue(root))
    bundle = seal(chain.leaf, chain.leaf, middle)
    then = NOW - 7 * DAY
    found = verify(bundle, tmp_path, issue(root), timestamps=Proven(then))
    assert found.existed_by == then
    with pytest.raises(SignatureError, match=r"expired on .*no timestamp that is trusted"):
        verify(bundle, tmp_path, issue(root), timestamps=Proven(None))
    with pytest.raises(SignatureError, match=r"expired on .*the signature was made by"):
        verify(bundle, tmp_path, issue(root), timestamps=Proven(NOW - DAY))


def test_the_first_and_the_last_second_are_valid_and_those_beside_are_not(tmp_path: Path) -> None:
    chain, leaf = SHARED, SHARED.leaf
    bundle = seal(leaf, leaf, chain.middle)
    starts, ends = leaf.cert.not_valid_before_utc, leaf.cert.not_valid_after_utc
    for at in (starts, ends):
        assert verify(bundle, tmp_path, chain.root, at=at)
    for at in (starts - timedelta(seconds=1), ends + timedelta(seconds=1)):
        with pytest.raises(SignatureError, match=r"expired|not valid before"):
            verify(bundle, tmp_path, chain.root, at=at)


# -- files


def test_what_is_no_file_of_roots_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roots.pem"
    for content, message in (
        (b"", "holds no certificate in PEM"),
        (SHARED.root.der, "holds no certificate in PEM"),
        (SHARED.root.pem + SHARED.root.key_pem, "holds a private key"),
        (b"-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n", "cannot be read"),
        (SHARED.root.pem.replace(b"CERT", b"TRUSTED CERT"), "openssl x509 -in OLD -out NEW"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_certificate_verifier([path])
    with pytest.raises(InputError, match="there is no certificate at"):
        load_certificate_verifier([tmp_path / "nothing"])
    with pytest.raises(InputError, match="no authority is trusted"):
        load_certificate_verifier([])


def test_text_around_certificates_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "roots.pem"
    text = b"subject=CN = Root\r\n" + SHARED.root.pem.replace(b"\n", b"\r\n") + b"\n# the end"
    path.write_bytes(text)
    bundle = seal(SHARED.leaf, SHARED.leaf, SHARED.middle)
    verifier = load_certificate_verifier([path])
    assert verify_bundle(bundle, {"it": verifier}, at=NOW).signers == ("it",)


# -- signing


@pytest.mark.parametrize("name", [n for n in BAD_LEAVES if "key" not in BAD_LEAVES[n][1]])
def test_nobody_signs_with_a_certificate_that_nobody_could_verify(
    tmp_path: Path, name: str
) -> None:
    chain = build_chain(BAD_LEAVES[name][0])
    with pytest.raises(InputError, match="nobody could verify a signature made with"):
        sign(chain, tmp_path)


def test_a_certificate_for_another_key_is_refused(tmp_path: Path) -> None:
    chain = build_chain()
    chain.write(tmp_path)
    (tmp_path / "leaf.key").write_bytes(build_chain().leaf.key_pem)
    with pytest.raises(InputError, match="is for another key"):
        add_certificate(load_signer(tmp_path / "leaf.key"), tmp_path / "leaf.pem")


def test_a_certificate_that_does_not_lead_on_is_refused(tmp_path: Path) -> None:
    chain, other = build_chain(), build_chain()
    chain.write(tmp_path)
    (tmp_path / "middle.pem").write_bytes(other.middle.pem)
    with pytest.raises(InputError, match="CN=Issuing does not lead on from the signer's"):
        add_certificate(
            load_signer(tmp_path / "leaf.key"), tmp_path / "leaf.pem", [tmp_path / "middle.pem"]
        )


def test_the_order_of_a_chain_and_what_comes_twice_do_not_matter(tmp_path: Path) -> None:
    root = issue(AUTHORITY)
    upper = issue(replace(CA, cn="Upper", key=new_key()), root)
    lower = issue(replace(CA, cn="Lower", key=new_key()), upper)
    chain = Chain(root, lower, issue(Cert(), lower))
    chain.write(tmp_path)
    everything = upper.pem + chain.leaf.pem + root.pem + lower.pem + upper.pem
    (tmp_path / "leaf.pem").write_bytes(chain.leaf.pem + everything)
    signer = add_certificate(load_signer(tmp_path / "leaf.key"), tmp_path / "leaf.pem")
    assert signer.material == ChainMaterial((chain.leaf.der, lower.der, upper.der))


def test_a_chain_alone_is_refused(tmp_path: Path) -> None:
    SHARED.write(tmp_path)
    spec = SignerSpec(f"file:{tmp_path}/leaf.key", certificate_chain=[tmp_path / "middle.pem"])
    with pytest.raises(InputError, match="give that one too"):
        open_signer(spec)


def test_a_signer_knows_its_own_bundles_by_the_key(tmp_path: Path) -> None:
    chain = build_chain()
    bundle = sign(chain, tmp_path)
    renewed = issue(Cert(key=chain.leaf.key, starts=NOW - 9 * DAY, ends=NOW - DAY), chain.middle)
    old = seal(renewed, renewed, chain.middle)
    signer = add_certificate(load_signer(tmp_path / "leaf.key"), tmp_path / "leaf.pem")
    assert isinstance(signer, CertificateSigner)
    own = signer.own_verifier()
    assert own.verify(bundle, at=NOW).method == "certificate"
    assert own.verify(old, at=NOW)
    strange = build_chain()
    with pytest.raises(TrustError, match="made with another key"):
        own.verify(seal(strange.leaf, strange.leaf), at=NOW)
    with pytest.raises(SignatureError, match="does not hold"):
        own.verify(seal(strange.leaf, chain.leaf), at=NOW)
    with pytest.raises(TrustError, match="not made with a certificate"):
        own.verify(read_bundle(signed_bytes()), at=NOW)


def test_a_bare_key_and_a_certificate_do_not_stand_in_for_each_other(tmp_path: Path) -> None:
    chain = build_chain()
    bundle = sign(chain, tmp_path)
    key = load_signer(tmp_path / "leaf.key").public_key
    with pytest.raises(SignatureError, match="with a certificate and not with a bare key"):
        verify_bundle(bundle, {"it": key}, at=NOW)
    with pytest.raises(SignatureError, match="does not come with a certificate of a signer"):
        verify(read_bundle(signed_bytes()), tmp_path, chain.root)
