"""Laws of what people say: what is written is what is read, by the schema and in any zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from weighbridge.core import (
    MAX_LIFE,
    Decision,
    HumanReview,
    RootAcceptance,
    Subject,
    build_acceptance,
    build_review,
    parse_acceptance,
    parse_review,
    parse_statement,
)
from weighbridge.export import load_schema

ACCEPTANCES = Draft202012Validator(load_schema("root-acceptance-v1"))
REVIEWS = Draft202012Validator(load_schema("human-review-v1"))

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200).filter(str.strip)
TEXT_OR_NONE = st.just("") | TEXT
ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1970, 1, 3), datetime(9000, 1, 1), timezones=ZONES)  # noqa: DTZ001
LIVES = st.timedeltas(timedelta(microseconds=1), MAX_LIFE)
SUBJECTS = st.lists(
    st.binary(min_size=32, max_size=32).map(lambda raw: Subject("x", {"sha256": raw.hex()})),
    min_size=1,
    max_size=3,
)


@st.composite
def acceptances(draw: st.DrawFn) -> RootAcceptance:
    since = draw(TIMES)
    return RootAcceptance(
        reason=draw(TEXT),
        fetched_from=draw(TEXT),
        license=draw(TEXT),
        license_found=draw(TEXT_OR_NONE),
        reviewer=draw(TEXT),
        accepted_at=since,
        expires_at=since.astimezone(UTC) + draw(LIVES),
        max_level=draw(st.integers(0, 3)),
    )


@st.composite
def reviews(draw: st.DrawFn) -> HumanReview:
    since, life = draw(TIMES), draw(st.none() | LIVES)
    return HumanReview(
        decision=draw(st.sampled_from(Decision)),
        scope=draw(TEXT),
        note=draw(TEXT_OR_NONE),
        reviewer=draw(TEXT),
        reviewed_at=since,
        expires_at=None if life is None else since.astimezone(UTC) + life,
    )


@given(acceptances(), SUBJECTS)
def test_an_acceptance_is_read_as_it_was_written(
    word: RootAcceptance, subjects: list[Subject]
) -> None:
    statement = build_acceptance(word, subjects)
    again = parse_statement(statement.payload)
    assert parse_acceptance(again) == word
    assert build_acceptance(parse_acceptance(again), again.subjects).payload == statement.payload
    ACCEPTANCES.validate(again.predicate)


@given(reviews(), SUBJECTS)
def test_a_review_is_read_as_it_was_written(word: HumanReview, subjects: list[Subject]) -> None:
    statement = build_review(word, subjects)
    again = parse_statement(statement.payload)
    assert parse_review(again) == word
    assert build_review(parse_review(again), again.subjects).payload == statement.payload
    REVIEWS.validate(again.predicate)
