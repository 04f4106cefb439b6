"""step: the same as ``run`` from inside a program, as a context or a decorator."""

from __future__ import annotations

import os
import sys
from contextlib import ContextDecorator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from weighbridge.core import DEFAULT_LIMITS, IN_PROCESS_BUILDER, Completeness, Limits
from weighbridge.engines import ThreadExecutor
from weighbridge.errors import InputError
from weighbridge.provenance import (
    build_baseline,
    check_names,
    redact_arguments,
    unwatched,
    watch_process,
)
from weighbridge.workflow._rank_choice import RankChoice
from weighbridge.workflow._ranks import begin_rank, record_rank
from weighbridge.workflow._record import (
    OWN_FACTS,
    Outcome,
    Recorded,
    StepPlan,
    prepare_step,
    record_step,
)
from weighbridge.workflow._signers import choose_signer
from weighbridge.workflow._step_cache import drop_if_written, find_step_cache, keep_from_outputs
from weighbridge.workflow._step_claims import check_claiming, choose_store
from weighbridge.workflow._step_inputs import check_outputs
from weighbridge.workflow._step_monitor import Observe
from weighbridge.workflow._step_watch import Watched

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from weighbridge.core import Dependency, JsonValue, Observation
    from weighbridge.core.ports import BundleStore, Executor, StrPath
    from weighbridge.provenance import ProcessWatch
    from weighbridge.signing import Signer, SignerSpec

__all__ = ["step"]


class _Said(NamedTuple):
    """What the caller says of a step under one name."""

    facts: JsonValue
    byproducts: tuple[Dependency, ...]
    gaps: tuple[str, ...]


class step(ContextDecorator):  # noqa: N801 - read as a verb: with wb.step("train"):
    """Record a block or a function as a step, signed from inside the process.

    The inputs are hashed on entry and looked at again on exit; the outputs are hashed on exit, and
    the claim is put beside each. As one rank of a distributed step it signs a report instead, which
    ``gather`` joins with the others'. If the block raises, nothing is claimed, and a note on the
    exception says so. Steps may be nested and may run in threads; each records its own.

    Attributes:
        recorded: The result, once the block has ended well.
    """

    recorded: Recorded | None = None

    def __init__(  # noqa: PLR0913 - each is one thing that an author may say
        self,
        kind: str,
        *,
        inputs: Mapping[str, StrPath] | None = None,
        outputs: Mapping[str, StrPath] | None = None,
        params: Mapping[str, object] | None = None,
        name: str = "",
        signer: StrPath | SignerSpec | Signer,
        builder: str = IN_PROCESS_BUILDER,
        carry: bool = True,
        rank: str | None = "auto",
        job: str = "",
        ranks: StrPath | None = None,
        store: StrPath | BundleStore | None = None,
        observe: Observe | str = Observe.AUTO,
        entry_point: Sequence[str] = (),
        digest_cache: bool = True,
        executor: Executor | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        """Say what the step is; nothing is read yet.

        Args:
            kind: As for :class:`StepPlan`.
            inputs: Name to a path, or to an address that bears a digest.
            outputs: Name to a path; more can be named inside with :meth:`output`.
            params: Parameters; what is no text is recorded as ``str`` writes it.
            name: What to call the step.
            signer: A ``Path`` of a private key, a URI, or anything that can sign.
            builder: A URI that names who runs it.
            carry: Whether what the inputs' claims say is copied to the outputs'.
            rank: Which rank of a distributed step this is: ``R/N``; ``auto``: as ``RANK`` and
                ``WORLD_SIZE`` say; None: none, for what one process of a job does alone.
            job: The job's name; by default what the launcher calls it.
            ranks: The folder in which the ranks leave their reports; by default ``NAME.ranks``
                beside the first output, which then has to be named here.
            store: Where the claims go besides: a folder, or a store of the caller's own.
            observe: ``auto`` and ``audit``: an audit hook notes what this process opens, in all of
                its threads, while the step is open; ``none``: nothing does.
            entry_point: What runs it; by default this program and its arguments.
            digest_cache: As for :func:`run_step`.
            executor: Where to hash.
            limits: Bounds.

        Raises:
            InputError: ``observe`` is nothing that a step inside a process can have.
        """
        try:
            self._observe = Observe(observe)
        except ValueError as error:
            raise InputError(f"{observe!r} watches no step; use auto, audit or none") from error
        if self._observe is Observe.STRACE:
            raise InputError(
                "strace cannot watch a step inside this process; use audit, or weighbridge run"
            )
        parameters = {key: str(value) for key, value in (params or {}).items()}
        self._plan = StepPlan(
            kind,
            inputs or {},
            outputs or {},
            name,
            parameters,
            builder=builder,
            carry=carry,
            ranks=RankChoice("none" if rank is None else rank, job, ranks),
            store=store,
        )
        self._signer = signer
        self._digest_cache = digest_cache
        self._executor = executor or ThreadExecutor()
        self._limits = limits
        self._entry_point = tuple(entry_point) or ("python", *sys.argv)
        self._said: dict[str, _Said] = {}
        self._started_at: datetime | None = None
        self._watch: ProcessWatch | None = None

    def _recreate_cm(self) -> Self:
        """Return a step of its own for each call of a decorated function."""
        fresh = object.__new__(type(self))
        fresh.__dict__.update(self.__dict__)
        return fresh

    def __call__(self, func: Callable[..., object]) -> Callable[..., object]:  # type: ignore[override]
        """Decorate a function; the record names it."""
        self._entry_point = ("python", f"{func.__module__}:{func.__qualname__}")
        if not self._plan.name:
            self._plan = replace(self._plan, name=func.__name__)
        return super().__call__(func)

    def __enter__(self) -> Self:
        """Open the signer and hash the inputs, so that what is wrong is told before the work.

        Raises:
            InputError: The signer cannot be used; an input is missing or cannot be hashed.
        """
        if self._started_at is not None:
            raise InputError("a step is one run; make another for the next")
        if self._plan.outputs:
            check_outputs(self._plan.outputs, self._plan.inputs)
        with unwatched():
            self._seal = choose_signer(self._signer, None, limits=self._limits)
            self._place = begin_rank(self._plan, os.environ, seal=self._seal, limits=self._limits)
            self._cache = find_step_cache(self._plan.inputs, os.environ, wanted=self._digest_cache)
            keep_from_outputs(self._cache, self._plan.outputs.values())
            self._setting = prepare_step(
                self._place.widen(self._plan) if self._place else self._plan,
                Path(sys.executable) if sys.executable else None,
                os.environ,
                executor=self._executor,
                limits=self._limits,
                cache=self._cache,
            )
        self._started_at = datetime.now(UTC)
        if self._observe is not Observe.NONE:
            self._watch = watch_process(limits=self._limits)
        return self

    def output(self, name: str, path: StrPath) -> None:
        """Name an output.

        Raises:
            InputError: There is one of that name, it overlaps with an input or another output, or
                nothing could be claimed about it.
        """
        if name in self._plan.outputs:
            raise InputError(f"the output {name!r} is named twice; name them apart")
        outputs = {**self._plan.outputs, name: path}
        check_names([name], what="output")
        check_outputs(outputs, self._plan.inputs)
        check_claiming(
            {name: path},
            self._plan.inputs,
            store=choose_store(self._plan.store, limits=self._limits),
            carry=False,
            limits=self._limits,
        )
        self._plan = replace(self._plan, outputs=outputs)

    def describe(
        self,
        name: str,
        facts: JsonValue,
        *,
        byproducts: Sequence[Dependency] = (),
        gaps: Sequence[str] = (),
    ) -> None:
        """Say more of the step than Weighbridge finds out; the last word under a name counts.

        Args:
            name: Under ``internalParameters``.
            facts: JSON; numbers as strings.
            byproducts: What came out besides the outputs.
            gaps: Why an input may be missing, in words.

        Raises:
            InputError: The name is one of Weighbridge's own.
        """
        if name in OWN_FACTS:
            raise InputError(f"{name!r} is recorded by Weighbridge; choose another name")
        self._said = {**self._said, name: _Said(facts, tuple(byproducts), tuple(gaps))}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hash the outputs, sign, and write the claims; or say that there are none.

        Raises:
            InputError: There is no output, one is not there, or claims cannot be written.
            ArtifactChangedError: An input changed meanwhile.
        """
        observation = None if self._watch is None else self._watch.close()
        if error is not None:
            error.add_note("weighbridge: the step failed; its outputs are unclaimed")
            return
        assert self._started_at is not None  # noqa: S101 - set by __enter__
        with unwatched():
            self.recorded = self._record(self._started_at, observation)

    def _record(self, started_at: datetime, observation: Observation | None) -> Recorded:
        outputs = check_outputs(self._plan.outputs, self._plan.inputs)
        keep_from_outputs(self._cache, self._plan.outputs.values())
        if observation is not None:
            observation = drop_if_written(self._cache, observation)
        said = tuple(self._said.values())
        gaps = observation.gaps if observation else ()
        watched = Watched(
            Completeness.DECLARED,
            build_baseline((sys.executable,), os.environ) if observation else (),
            observation,
            gaps=(*gaps, *(gap for item in said for gap in item.gaps)),
        )
        outcome = Outcome(
            tuple(redact_arguments(self._entry_point)),
            started_at,
            watched,
            facts={name: item.facts for name, item in self._said.items()},
            byproducts=tuple(made for item in said for made in item.byproducts),
        )
        if self._place is not None:
            return record_rank(
                self._place,
                self._plan,
                self._setting,
                outcome,
                seal=self._seal,
                executor=self._executor,
                limits=self._limits,
            )
        return record_step(
            self._plan,
            self._setting,
            outputs,
            outcome,
            seal=self._seal,
            executor=self._executor,
            limits=self._limits,
        )
