"""Proven times: which timestamps hold, for whom, and when."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from services.keys import YEAR, build_ca, new_key
from services.sigstore.tsa import refuse, to_imprint
from unit.signing.certificate_samples import AUTHORITY, DAY, Cert, Chain, build_chain
from unit.signing.signing_samples import openssl, public_key_of
from unit.signing.timestamp_samples import (
    STAMPING,
    Leaf,
    Stamper,
    believe,
    embed,
    is_ago,
    query_for,
    signature_of,
    stamped,
    to_pem,
    unstamped,
    with_stamps,
)
from weighbridge.core import DEFAULT_LIMITS, Bundle, ChainMaterial, EnvelopeSignature, Limits
from weighbridge.errors import InputError, LimitExceededError, SignatureError
from weighbridge.signing import (
    TimestampAuthorities,
    TimestampedVerifier,
    load_certificate_verifier,
    load_timestamp_authorities,
    read_claimed_times,
    verify_bundle,
)

MINUTE = timedelta(minutes=1)
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def honest() -> Stamper:
    return Stamper()


@pytest.fixture(scope="module")
def old_stamp(honest: Stamper) -> tuple[Stamper, Bundle]:
    return honest, stamped(honest, -60 * MINUTE)


def test_a_believed_timestamp_proves_its_time(tmp_path: Path, honest: Stamper) -> None:
    times = believe(tmp_path, honest.chain)
    proven = times.prove(stamped(honest), at=datetime.now(UTC))
    assert is_ago(proven, 0 * MINUTE)
    assert proven is not None
    assert proven.tzinfo is not None


def test_without_a_timestamp_no_time_is_proven(tmp_path: Path, honest: Stamper) -> None:
    assert believe(tmp_path, honest.chain).prove(unstamped(), at=datetime.now(UTC)) is None


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_certificates_may_stand_in_any_order(tmp_path: Path, order: tuple[int, ...]) -> None:
    stamper = Stamper(Leaf(through=True))
    chain = [stamper.certificate, *stamper.between, stamper.root]
    times = believe(tmp_path, [chain[index] for index in order])
    assert times.prove(stamped(stamper), at=datetime.now(UTC))


def test_what_stands_twice_counts_once(tmp_path: Path, honest: Stamper) -> None:
    assert believe(tmp_path, [*honest.chain, *honest.chain]).prove(
        stamped(honest), at=datetime.now(UTC)
    )


def test_a_root_alone_is_enough_if_the_answer_has_the_rest(tmp_path: Path) -> None:
    stamper = Stamper(Leaf(through=True))
    assert believe(tmp_path, [stamper.root]).prove(stamped(stamper), at=datetime.now(UTC))


def test_an_intermediate_is_taken_from_the_file_if_the_answer_lacks_it(tmp_path: Path) -> None:
    stamper = Stamper(Leaf(through=True))
    bundle = unstamped()
    answer = stamper.stamp(query_for(signature_of(bundle)))
    bundle = with_stamps(bundle, answer)
    assert believe(tmp_path, [stamper.root, *stamper.between]).prove(bundle, at=datetime.now(UTC))
    with pytest.raises(SignatureError, match="nobody whose time is believed"):
        believe(tmp_path, [stamper.root]).prove(bundle, at=datetime.now(UTC))


def test_a_named_signing_certificate_excludes_others_of_the_root(
    tmp_path: Path, honest: Stamper
) -> None:
    sibling = Stamper(root=honest)
    assert believe(tmp_path, [honest.root]).prove(stamped(sibling), at=datetime.now(UTC))
    with pytest.raises(SignatureError, match="nobody whose time is believed"):
        believe(tmp_path, honest.chain).prove(stamped(sibling), at=datetime.now(UTC))
    both = [sibling.certificate, *honest.chain]
    assert believe(tmp_path, both).prove(stamped(sibling), at=datetime.now(UTC))


def test_an_authority_may_be_its_own_root(tmp_path: Path) -> None:
    stamper = Stamper(Leaf(signs_itself=True))
    assert believe(tmp_path, [stamper.certificate]).prove(stamped(stamper), at=datetime.now(UTC))


def test_a_stranger_proves_nothing(tmp_path: Path, honest: Stamper) -> None:
    with pytest.raises(SignatureError, match=r"nobody whose time is believed .*authority-0\.pem"):
        believe(tmp_path, Stamper().chain).prove(stamped(honest), at=datetime.now(UTC))


def test_any_of_several_authorities_will_do(tmp_path: Path, honest: Stamper) -> None:
    times = believe(tmp_path, Stamper().chain, honest.chain)
    assert times.prove(stamped(honest), at=datetime.now(UTC))


def test_a_timestamp_of_another_signature_is_refused(tmp_path: Path, honest: Stamper) -> None:
    (replayed,) = stamped(honest).timestamps
    other = with_stamps(unstamped({"evil": b"payload"}), replayed)
    with pytest.raises(SignatureError, match="of another signature"):
        believe(tmp_path, honest.chain).prove(other, at=datetime.now(UTC))


class TestSeveral:
    def test_the_earliest_counts(self, tmp_path: Path, honest: Stamper) -> None:
        bundle, query = unstamped(), query_for(signature_of(unstamped()))
        query = query_for(signature_of(bundle))
        stamps = [honest.stamp_at(query, MINUTE * m) for m in (-10, -30, -20)]
        proven = believe(tmp_path, honest.chain).prove(
            with_stamps(bundle, *stamps), at=datetime.now(UTC)
        )
        assert is_ago(proven, 30 * MINUTE)

    def test_a_stranger_beside_a_believed_one_does_not_count(
        self, tmp_path: Path, honest: Stamper
    ) -> None:
        """It could be left out by anybody, so that refusing it would protect nobody."""
        bundle = unstamped()
        query = query_for(signature_of(bundle))
        stamps = [Stamper().stamp_at(query, -60 * MINUTE), honest.stamp_at(query, -5 * MINUTE)]
        proven = believe(tmp_path, honest.chain).prove(
            with_stamps(bundle, *stamps), at=datetime.now(UTC)
        )
        assert is_ago(proven, 5 * MINUTE)

    def test_one_that_is_replayed_or_broken_spoils_all(
        self, tmp_path: Path, honest: Stamper
    ) -> None:
        bundle = unstamped()
        good = honest.stamp(query_for(signature_of(bundle)))
        times = believe(tmp_path, honest.chain)
        for bad in (Stamper().stamp(query_for(b"other")), b"\x30\x00", good[:-1]):
            with pytest.raises(SignatureError):
                times.prove(with_stamps(bundle, good, bad), at=datetime.now(UTC))

    def test_the_same_twice_is_refused(self, tmp_path: Path, honest: Stamper) -> None:
        (stamp,) = stamped(honest).timestamps
        bundle = with_stamps(unstamped(), stamp, stamp)
        with pytest.raises(SignatureError, match="one timestamp twice"):
            believe(tmp_path, honest.chain).prove(bundle, at=datetime.now(UTC))


class TestClocks:
    def test_a_time_to_come_is_refused_beyond_five_minutes(
        self, tmp_path: Path, honest: Stamper
    ) -> None:
        times = believe(tmp_path, honest.chain)
        now = datetime.now(UTC)
        assert times.prove(stamped(honest, 4 * MINUTE), at=now)
        with pytest.raises(SignatureError, match="yet to come"):
            times.prove(stamped(honest, 6 * MINUTE), at=now)

    def test_a_timestamp_outlives_its_authority(self, tmp_path: Path) -> None:
        gone = Stamper(Leaf(start=-YEAR / 2, end=-10 * MINUTE))
        times = believe(tmp_path, gone.chain)
        assert times.prove(stamped(gone, -20 * MINUTE), at=datetime.now(UTC))
        for later in (-5 * MINUTE, -YEAR * 0.7):
            with pytest.raises(SignatureError, match="nobody whose time is believed"):
                times.prove(stamped(gone, later), at=datetime.now(UTC))


class TestWrongCertificates:
    @pytest.mark.parametrize(
        "leaf",
        [
            Leaf(usages=()),
            Leaf(usages=(ExtendedKeyUsageOID.CODE_SIGNING,)),
            Leaf(critical=False),
            Leaf(usages=(STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)),
        ],
        ids=["no usage", "code signing", "not critical", "two usages"],
    )
    def test_only_a_certificate_for_timestamps_and_nothing_else_stamps(
        self, tmp_path: Path, leaf: Leaf
    ) -> None:
        stamper = Stamper(leaf)
        with pytest.raises(SignatureError, match="nobody whose time is believed"):
            believe(tmp_path, [stamper.root]).prove(stamped(stamper), at=datetime.now(UTC))

    def test_a_forged_certificate_beside_the_true_one_lends_it_nothing(
        self, tmp_path: Path
    ) -> None:
        """The library looks the signer up by issuer and number; both can be copied."""
        usages = (ExtendedKeyUsageOID.CODE_SIGNING,)
        inside = Stamper(Leaf(usages=usages, serial=77))
        forged = Stamper(Leaf(serial=77))
        bundle = unstamped()
        answer = inside.stamp(query_for(signature_of(bundle)))
        for pair in itertools.permutations([inside.certificate, forged.certificate]):
            with pytest.raises(SignatureError):
                believe(tmp_path, [inside.root]).prove(
                    with_stamps(bundle, embed(answer, pair)), at=datetime.now(UTC)
                )

    def test_certificates_in_the_answer_are_no_roots(self, tmp_path: Path, honest: Stamper) -> None:
        stranger = Stamper()
        bundle = unstamped()
        answer = stranger.stamp(query_for(signature_of(bundle)))
        answer = embed(answer, [stranger.certificate, stranger.root, *honest.chain])
        with pytest.raises(SignatureError, match="nobody whose time is believed"):
            believe(tmp_path, honest.chain).prove(with_stamps(bundle, answer), at=datetime.now(UTC))


class TestHostileBytes:
    def test_a_refusal_is_no_timestamp(self, tmp_path: Path, honest: Stamper) -> None:
        bundle = with_stamps(unstamped(), refuse("bad_request"))
        with pytest.raises(SignatureError, match="refusal"):
            believe(tmp_path, honest.chain).prove(bundle, at=datetime.now(UTC))

    def test_granted_without_a_timestamp(self, tmp_path: Path, honest: Stamper) -> None:
        bundle = with_stamps(unstamped(), bytes.fromhex("30053003020100"))
        with pytest.raises(SignatureError, match="malformed"):
            believe(tmp_path, honest.chain).prove(bundle, at=datetime.now(UTC))
        assert read_claimed_times(bundle) == (None,)

    def test_sha512_is_taken_and_sha1_is_not(self, tmp_path: Path, honest: Stamper) -> None:
        bundle = unstamped()
        times = believe(tmp_path, honest.chain)
        strong = honest.stamp(query_for(signature_of(bundle), algorithm="SHA512"))
        assert times.prove(with_stamps(bundle, strong), at=datetime.now(UTC))
        imprint = to_imprint(signature_of(bundle))
        imprint["hash_algorithm"] = {"algorithm": "sha1"}
        weak = honest._grant(imprint, 1, certified=True)
        with pytest.raises(SignatureError, match="hash other than SHA-256"):
            times.prove(with_stamps(bundle, weak), at=datetime.now(UTC))

    def test_too_large_is_not_read(self, tmp_path: Path, honest: Stamper) -> None:
        stamp = bytes(DEFAULT_LIMITS.max_timestamp_bytes + 1)
        bundle = with_stamps(unstamped(), stamp)
        with pytest.raises(SignatureError, match="max_timestamp_bytes = 65,536"):
            believe(tmp_path, honest.chain).prove(bundle, at=datetime.now(UTC))
        assert read_claimed_times(bundle) == (None,)

    @settings(
        max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.data())
    def test_no_change_makes_another_time(
        self, tmp_path: Path, old_stamp: tuple[Stamper, Bundle], data: st.DataObject
    ) -> None:
        honest, bundle = old_stamp
        (stamp,) = bundle.timestamps
        before = believe(tmp_path, honest.chain).prove(bundle, at=datetime.now(UTC))
        where = data.draw(st.integers(0, len(stamp) - 1))
        cut = data.draw(st.integers(0, 12))
        changed = stamp[:where] + data.draw(st.binary(max_size=12)) + stamp[where + cut :]
        try:
            after = believe(tmp_path, honest.chain).prove(
                with_stamps(bundle, changed), at=datetime.now(UTC)
            )
        except SignatureError:
            return
        assert after == before

    @settings(max_examples=200, deadline=None)
    @given(st.binary(min_size=1, max_size=400))
    @example(b"\x30\x80")
    def test_what_cannot_be_read_is_said_and_nothing_more(self, junk: bytes) -> None:
        assert read_claimed_times(with_stamps(unstamped(), junk)) == (None,)


class TestFiles:
    def write(self, folder: Path, text: str) -> list[Path]:
        (folder / "tsa.pem").write_text(text)
        return [folder / "tsa.pem"]

    def test_a_root_has_to_be_there(self, tmp_path: Path) -> None:
        stamper = Stamper(Leaf(through=True))
        text = to_pem(stamper.certificate, *stamper.between)
        with pytest.raises(InputError, match="holds no root certificate"):
            load_timestamp_authorities(self.write(tmp_path, text))

    def test_a_certificate_for_something_else_is_named(
        self, tmp_path: Path, honest: Stamper
    ) -> None:
        server = Stamper(Leaf(usages=(ExtendedKeyUsageOID.SERVER_AUTH,)), root=honest)
        text = to_pem(server.certificate, honest.root)
        with pytest.raises(InputError, match=r"CN=stamper.* neither signs certificates nor"):
            load_timestamp_authorities(self.write(tmp_path, text))

    def test_a_name_is_not_a_signature(self, tmp_path: Path) -> None:
        """A certificate that bears one name twice, signed by somebody else, is no root."""
        key = new_key()
        namesake = build_ca(key, "root")
        odd = build_ca(new_key(), "root", issuer=(key, namesake))
        with pytest.raises(InputError, match="holds no root certificate"):
            load_timestamp_authorities(self.write(tmp_path, to_pem(odd)))

    @pytest.mark.parametrize(
        "text",
        ["", "hello", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"],
        ids=["empty", "words", "broken"],
    )
    def test_what_is_no_certificate_is_refused(self, tmp_path: Path, text: str) -> None:
        with pytest.raises(InputError, match=r"tsa\.pem holds (no|a) certificate"):
            load_timestamp_authorities(self.write(tmp_path, text))

    def test_files_are_bounded_and_have_to_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"tsa\.pem"):
            load_timestamp_authorities([tmp_path / "tsa.pem"])
        paths = self.write(tmp_path, "x" * 100)
        with pytest.raises(LimitExceededError):
            load_timestamp_authorities(paths, limits=Limits(max_key_bytes=50))
        with pytest.raises(InputError, match="no time-stamp authority"):
            load_timestamp_authorities([])


class TestAttribution:
    def test_a_key_with_a_timestamp(self, tmp_path: Path, honest: Stamper) -> None:
        verifier = TimestampedVerifier(public_key_of("release"), believe(tmp_path, honest.chain))
        done = verify_bundle(stamped(honest), {"release": verifier}, at=datetime.now(UTC))
        assert done.attributions[0].existed_by is not None
        assert done.attributions[0].notes == ()

    def test_nobody_asked(self, honest: Stamper) -> None:
        done = verify_bundle(
            stamped(honest), {"release": public_key_of("release")}, at=datetime.now(UTC)
        )
        assert done.attributions[0].existed_by is None
        assert done.attributions[0].notes == ("a timestamp, since no authority is named for it",)

    def test_nothing_to_ask_about(self, tmp_path: Path, honest: Stamper) -> None:
        verifier = TimestampedVerifier(public_key_of("release"), believe(tmp_path, honest.chain))
        done = verify_bundle(unstamped(), {"release": verifier}, at=datetime.now(UTC))
        assert done.attributions[0].existed_by is None
        assert done.attributions[0].notes == ("the time of signing, since there is no timestamp",)

    def test_a_signature_that_does_not_hold_is_not_saved_by_its_timestamp(
        self, tmp_path: Path, honest: Stamper
    ) -> None:
        verifier = TimestampedVerifier(public_key_of("other"), believe(tmp_path, honest.chain))
        with pytest.raises(SignatureError, match="another key"):
            verify_bundle(stamped(honest), {"other": verifier}, at=datetime.now(UTC))


class TestCertificates:
    """A certificate of four days last week, judged now."""

    @pytest.fixture
    def chain(self) -> Chain:
        old = replace(AUTHORITY, starts=NOW - 90 * DAY)
        return build_chain(
            Cert(starts=NOW - 9 * DAY, ends=NOW - 5 * DAY),
            root=replace(old, key=new_key()),
            middle=replace(old, cn="Issuing", key=new_key()),
        )

    def seal(self, chain: Chain) -> Bundle:
        plain = unstamped().envelope
        sig = chain.leaf.key.sign(plain.to_signed_bytes(), ec.ECDSA(hashes.SHA256()))
        envelope = replace(plain, signatures=(EnvelopeSignature(sig),))
        return Bundle.build(ChainMaterial((chain.leaf.der, chain.middle.der)), envelope)

    def verify(
        self, bundle: Bundle, chain: Chain, folder: Path, *, times: TimestampAuthorities | None
    ) -> datetime | None:
        (folder / "root.pem").write_bytes(chain.root.pem)
        verifier = load_certificate_verifier([folder / "root.pem"], timestamps=times)
        (found,) = verify_bundle(bundle, {"it": verifier}, at=datetime.now(UTC)).attributions
        return found.existed_by

    def test_a_timestamp_from_then_keeps_it_valid(
        self, tmp_path: Path, chain: Chain, honest: Stamper
    ) -> None:
        bundle = self.seal(chain)
        stamp = honest.stamp_at(query_for(signature_of(bundle)), -7 * DAY)
        bundle = with_stamps(bundle, stamp)
        times = believe(tmp_path, honest.chain)
        proven = self.verify(bundle, chain, tmp_path, times=times)
        assert is_ago(proven, 7 * DAY)
        with pytest.raises(SignatureError, match="expired"):
            self.verify(bundle, chain, tmp_path, times=None)
        with pytest.raises(SignatureError, match="nobody whose time is believed"):
            self.verify(bundle, chain, tmp_path, times=believe(tmp_path, Stamper().chain))

    def test_one_from_before_or_after_does_not(
        self, tmp_path: Path, chain: Chain, honest: Stamper
    ) -> None:
        times = believe(tmp_path, honest.chain)
        bundle = self.seal(chain)
        query = query_for(signature_of(bundle))
        for days, words in ((-4, "expired"), (-10, "not valid before|starts|not yet")):
            stamped_then = with_stamps(bundle, honest.stamp_at(query, days * DAY))
            with pytest.raises(SignatureError, match=words):
                self.verify(stamped_then, chain, tmp_path, times=times)
        with pytest.raises(SignatureError, match="expired"):
            self.verify(bundle, chain, tmp_path, times=times)

    def test_one_of_another_signature_does_not(
        self, tmp_path: Path, chain: Chain, honest: Stamper
    ) -> None:
        """What a thief of an expired key would try."""
        stamp = honest.stamp_at(query_for(signature_of(self.seal(chain))), -7 * DAY)
        again = with_stamps(self.seal(chain), stamp)
        with pytest.raises(SignatureError, match="of another signature"):
            self.verify(again, chain, tmp_path, times=believe(tmp_path, honest.chain))


class TestOpenssl:
    def test_it_verifies_what_we_store(self, tmp_path: Path, honest: Stamper) -> None:
        bundle = stamped(honest)
        (tmp_path / "r.tsr").write_bytes(bundle.timestamps[0])
        (tmp_path / "sig").write_bytes(signature_of(bundle))
        (tmp_path / "root.pem").write_text(to_pem(honest.root))
        said = openssl(
            *("ts", "-verify", "-in", str(tmp_path / "r.tsr"), "-data", str(tmp_path / "sig")),
            *("-CAfile", str(tmp_path / "root.pem")),
        )
        assert b"Verification: OK" in said

    @pytest.mark.parametrize("certified", [True, False])
    def test_we_verify_what_it_makes(
        self, tmp_path: Path, honest: Stamper, *, certified: bool
    ) -> None:
        (tmp_path / "tsa.pem").write_text(to_pem(honest.certificate))
        key = honest._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (tmp_path / "tsa.key").write_bytes(key)
        (tmp_path / "ts.cnf").write_text(
            f"[tsa]\ndefault_tsa=t\n[t]\nserial={tmp_path}/serial\ncrypto_device=builtin\n"
            f"signer_cert={tmp_path}/tsa.pem\nsigner_key={tmp_path}/tsa.key\n"
            "signer_digest=sha256\ndefault_policy=1.2.3.4\ndigests=sha256\naccuracy=secs:1\n"
            "ordering=yes\ntsa_name=yes\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n"
        )
        bundle = unstamped()
        (tmp_path / "q").write_bytes(query_for(signature_of(bundle), certified=certified))
        config, query = str(tmp_path / "ts.cnf"), str(tmp_path / "q")
        answer = openssl("ts", "-reply", "-config", config, "-queryfile", query)
        bundle = with_stamps(bundle, answer)
        times = believe(tmp_path, honest.chain)
        assert times.prove(bundle, at=datetime.now(UTC))
        if not certified:  # nobody could tell by which certificate, unless the file names it
            with pytest.raises(SignatureError):
                believe(tmp_path, [honest.root]).prove(bundle, at=datetime.now(UTC))
