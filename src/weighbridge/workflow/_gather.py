"""gather: the statements of all ranks of a distributed step, joined to one about its outputs."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.core import DEFAULT_LIMITS, Completeness, Limits, printable
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError, RanksError
from weighbridge.provenance import (
    build_provenance,
    check_step,
    find_rank_problems,
    join_ranks,
    to_ranges,
)
from weighbridge.workflow._paths import to_path
from weighbridge.workflow._rank_choice import RankChoice
from weighbridge.workflow._rank_files import RankSource, Reading, read_ranks
from weighbridge.workflow._ranks import FOLDER, record_rank
from weighbridge.workflow._record import Recorded, claim_outputs, hash_outputs
from weighbridge.workflow._signers import choose_signer
from weighbridge.workflow._step_claims import check_claiming, choose_store
from weighbridge.workflow._step_inputs import check_outputs, describe_path
from weighbridge.workflow._trust import load_verifier

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from weighbridge.core import Bundle, StepRecord
    from weighbridge.core.ports import BundleStore, Executor, Progress, StrPath
    from weighbridge.provenance import RankProblem
    from weighbridge.signing import Signer, SignerSpec, Verifier
    from weighbridge.workflow._ranks import RankPlace
    from weighbridge.workflow._record import Claimed, Outcome, Setting, StepPlan
    from weighbridge.workflow._step_inputs import Output
    from weighbridge.workflow._trust import Trust

__all__ = ["Gathered", "conclude_rank", "gather_ranks"]

_POLL_S = 0.25
_MOST_POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Gathered:
    """The ranks of a job, joined.

    Attributes:
        recorded: The statement about the outputs.
        job: Which job.
        world_size: How many ranks.
        ignored: Names in the folder that are no rank's, sorted.
        junk_count: How many lines of the ranks' claims files are no claims; they were not copied.
        moved: Which outputs were hashed at another place than the ranks wrote to, in sentences.
    """

    recorded: Recorded
    job: str
    world_size: int
    ignored: tuple[str, ...] = ()
    junk_count: int = 0
    moved: tuple[str, ...] = ()


def gather_ranks(  # noqa: PLR0913 - each is one thing that a user may say
    ranks: StrPath,
    *,
    outputs: Mapping[str, StrPath],
    key: StrPath | None = None,
    signer: StrPath | SignerSpec | Signer | None = None,
    trust: Trust | None = None,
    job: str = "",
    wait_s: float = 0,
    apart: bool = False,
    builder: str = "",
    carry: bool = True,
    store: StrPath | BundleStore | None = None,
    offline: bool = False,
    tell: Callable[[str], None] | None = None,
    executor: Executor | None = None,
    limits: Limits = DEFAULT_LIMITS,
    progress: Progress | None = None,
) -> Gathered:
    """Verify the statement of every rank, hash the outputs, and sign what they were made from.

    If a rank is missing, doubled, not signed by whom it has to be, changed, or does not fit to the
    others, nothing is written.

    Args:
        ranks: The folder in which the ranks left their reports.
        outputs: Name to path, the names being those that the ranks gave.
        key: A private key in PEM; or give ``signer``.
        signer: As for ``sign``.
        trust: Whose signatures of ranks are taken; by default those of whoever signs now.
        job: Which job it has to be; empty: the one that the ranks are of.
        wait_s: How long to wait for ranks that have not ended.
        apart: Whether a rank may have ended before another began.
        builder: A URI that names who joins them; empty: as the ranks say.
        carry: Whether the ranks' claims are copied to the outputs'.
        store: Where the claim goes besides: a folder, or a store of the caller's own.
        offline: Whether the network must not be used to verify them.
        tell: Is told whom it waits for.
        executor: Where to hash; by default threads, one for each processor.
        limits: Bounds on reports, claims and outputs.
        progress: Is told the bytes.

    Raises:
        InputError: The folder, the signer or an output cannot be used.
        RanksError: The ranks are not all there, or do not fit together; says which.
        ArtifactChangedError: An output changed meanwhile.
        LimitExceededError: There are more reports or claims than is bearable.
        IncompleteError: A service that signing needs does not answer.
    """
    folder = to_path(ranks, what=FOLDER)
    if FOLDER in outputs:
        raise InputError(f"no output of ranks is called {FOLDER!r}; name it as the ranks did")
    made = check_outputs({**outputs, FOLDER: folder}, {})[:-1]
    if not made:
        raise InputError("a step without an output leaves nothing to speak of; name one")
    kept = choose_store(store, limits=limits)
    check_claiming(outputs, {}, store=kept, carry=False, limits=limits)
    seal = choose_signer(signer, key, limits=limits)
    verifier = (
        _own_verifier(seal)
        if trust is None
        else load_verifier(trust, limits=limits, offline=offline)
    )
    source = RankSource(folder, verifier, 0, limits)
    choice = RankChoice(job=job, gather_wait_s=wait_s, apart=apart, tell=tell)
    reading = _wait(source, choice)
    return _join(
        reading,
        made,
        seal=seal,
        builder=builder,
        carry=carry,
        store=kept,
        executor=executor or ThreadExecutor(),
        limits=limits,
        progress=progress,
    )


def conclude_rank(  # noqa: PLR0913 - as for record_step
    place: RankPlace,
    plan: StepPlan,
    setting: Setting,
    outcome: Outcome,
    *,
    seal: Signer,
    executor: Executor,
    limits: Limits,
    progress: Progress | None = None,
) -> Recorded:
    """Record one rank; if it is rank 0 and was asked to, wait for the others and join them.

    Raises:
        InputError: As ``record_rank`` and :func:`gather_ranks`.
        RanksError: As :func:`gather_ranks`.
        ArtifactChangedError: As both.
        LimitExceededError: As both.
    """
    recorded = record_rank(
        place,
        plan,
        setting,
        outcome,
        seal=seal,
        executor=executor,
        limits=limits,
        progress=progress,
    )
    topology, choice = place.topology, plan.ranks
    if choice.gather_wait_s is None or topology.rank != 0:
        return recorded
    source = RankSource(place.folder, _own_verifier(seal), topology.world_size, limits)
    gathered = _join(
        _wait(source, replace(choice, job=topology.job)),
        check_outputs(plan.outputs, plan.inputs),
        seal=seal,
        builder=plan.builder,
        carry=plan.carry,
        store=setting.store,
        executor=executor,
        limits=limits,
        progress=progress,
    )
    return replace(gathered.recorded, removed=recorded.removed)


def _own_verifier(seal: Signer) -> Verifier:
    verifier = seal.own_verifier()
    if verifier is None:
        raise InputError(
            "whoever signs now cannot verify the ranks' signatures; say whose they are with the "
            "options --ranks-... of weighbridge gather"
        )
    return verifier


def _wait(source: RankSource, choice: RankChoice) -> Reading:
    """Read the ranks until they are all there, or until it is clear that they will not be.

    Raises:
        InputError: The folder cannot be read.
        RanksError: As said.
    """
    deadline = time.monotonic() + (choice.gather_wait_s or 0)
    poll_s = _POLL_S
    told: str | None = None
    while True:
        reading = read_ranks(source, at=datetime.now(UTC))
        problems = _find_problems(reading, choice)
        if not problems:
            return reading
        left_s = deadline - time.monotonic()
        # What is left over from an earlier run is replaced when its rank begins.
        passing = {rank for problem in problems if problem.may_pass for rank in problem.ranks}
        stays = [p for p in problems if not p.may_pass and not passing.issuperset(p.ranks)]
        if left_s <= 0 or stays:
            blamed = sorted({rank for problem in problems for rank in problem.ranks})
            raise RanksError(tuple(blamed), problems=tuple(_to_words(p) for p in problems))
        words = to_ranges(rank for problem in problems for rank in problem.ranks)
        if choice.tell is not None and words != told:
            many = "" if words.isdigit() else "s"
            choice.tell(
                f"waiting for rank{many} {words} of {reading.world_size:,}"
                if reading.world_size
                else "waiting for the first rank"
            )
            told = words
        time.sleep(min(poll_s, left_s))
        poll_s = min(poll_s * 1.2, _MOST_POLL_S)


def _find_problems(reading: Reading, choice: RankChoice) -> list[RankProblem]:
    """Return what is wrong with single ranks, then with all of them; each is blamed once."""
    blamed = {rank for problem in reading.problems for rank in problem.ranks}
    found = list(reading.problems)
    for problem in find_rank_problems(
        reading.ranks, world_size=reading.world_size, job=choice.job, apart=choice.apart
    ):
        ranks = tuple(rank for rank in problem.ranks if rank not in blamed)
        if ranks:
            found.append(replace(problem, ranks=ranks))
    return found


def _to_words(problem: RankProblem) -> str:
    return str(problem) if problem.ranks else problem.words


def _join(  # noqa: PLR0913 - as for record_step
    reading: Reading,
    outputs: tuple[Output, ...],
    *,
    seal: Signer,
    builder: str,
    carry: bool,
    store: BundleStore | None,
    executor: Executor,
    limits: Limits,
    progress: Progress | None,
) -> Gathered:
    first = reading.ranks[0]
    wanted, given = sorted(first.report.outputs), sorted(output.name for output in outputs)
    if wanted != given:
        raise InputError(
            f"the outputs of the ranks are {printable(', '.join(wanted))}, and not "
            f"{printable(', '.join(given))}; name the same"
        )
    if builder:
        check_step(first.report.kind, builder, inputs=(), parameters={})
    moved = _find_moved(first.report.outputs, outputs)
    subjects, kinds = hash_outputs(outputs, executor=executor, limits=limits, progress=progress)
    record = join_ranks(
        reading.ranks,
        builder=builder,
        invocation=f"urn:uuid:{uuid.uuid4()}",
        finished_at=datetime.now(UTC),
        problems=moved,
    )
    record = replace(record, facts={**record.facts, "outputs": {**kinds}})
    bundle = seal.sign(build_provenance(record, subjects))
    carried = reading.claims if carry else ()
    claimed = claim_outputs(
        outputs, subjects, (bundle,), carried=carried, store=store, limits=limits
    )
    return Gathered(
        _to_recorded(bundle, claimed, record),
        first.report.job,
        len(reading.ranks),
        reading.ignored,
        reading.junk_count,
        moved,
    )


def _find_moved(said: Mapping[str, str], outputs: tuple[Output, ...]) -> tuple[str, ...]:
    """Say which outputs were hashed at another place than the ranks wrote to."""
    found = ((o.name, describe_path(o.path)) for o in outputs)
    return tuple(
        f"the output {printable(name)!r} was hashed at {printable(here)}, and the ranks wrote it "
        f"to {printable(said[name])}; that it is the same, only whoever joined them says"
        for name, here in found
        if here != said[name]
    )


def _to_recorded(bundle: Bundle, claimed: tuple[Claimed, ...], record: StepRecord) -> Recorded:
    facts = record.facts["completeness"]
    assert isinstance(facts, dict)  # noqa: S101 - join_ranks wrote it
    denied = facts["denied"]
    return Recorded(
        bundle,
        claimed,
        Completeness(facts["class"]),
        tuple(item.name for item in record.materials if item.role == "undeclared"),
        tuple(map(str, facts["gaps"])),
        denied=tuple(map(str, denied)) if isinstance(denied, list) else None,
    )
