"""weighbridge scan."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from weighbridge import workflow
from weighbridge._version import __version__
from weighbridge.cli._exit import exit_with
from weighbridge.cli._options import FILE, json_option, print_json, signature_option, terminal
from weighbridge.cli._outputs import check_outputs, write_output
from weighbridge.cli._progress import show_progress
from weighbridge.cli._sections import SectionedCommand
from weighbridge.cli._signer_options import SIGNER_OPTIONS, optional_signer_options
from weighbridge.cli._trust_options import offline_option
from weighbridge.cli._vouched import store_option
from weighbridge.core import Answer, ScanTerms, printable, worst
from weighbridge.errors import IncompleteError, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.core.ports import Progress
    from weighbridge.export import ScannedPath
    from weighbridge.workflow import ScanSigning, SignerSpec

__all__ = ["command"]

_SECTIONS = {
    "By what it is judged": ("--policy", "--allow", "--weights", "--signature"),
    "What is written": ("--json", "--html", "--sarif"),
    "Step by step": ("--explain", "--member"),
    "A signed statement about it": ("--sign", "--store", *SIGNER_OPTIONS),
}
_STDIN = "-"
_USAGE = 2
_INCOMPLETE = 3


@click.command("scan", cls=SectionedCommand, sections=_SECTIONS)
@click.argument("paths", type=FILE, nargs=-1, required=True, metavar="PATH...")
@click.option(
    "--policy", type=FILE, metavar="FILE", help="Take require.scan of this weighbridge.toml."
)
@click.option(
    "--allow",
    multiple=True,
    nargs=2,
    metavar="MODULE NAME",
    help="Something that a pickle may refer to, besides the built-in list; repeatable.",
)
@click.option("--weights", is_flag=True, help="Read all tensors, not a sample of each.")
@signature_option
@json_option
@click.option("--html", type=FILE, metavar="FILE", help="Also write one self-contained page.")
@click.option("--sarif", type=FILE, metavar="FILE", help="Also write SARIF 2.1.0.")
@click.option("--explain", is_flag=True, help="Show what the pickles in one file do, in words.")
@click.option(
    "--member", metavar="NAME", help="With --explain: only what is called so inside the file."
)
@click.option("--sign", "signs", is_flag=True, help="Sign what the scan came to; into the claims.")
@store_option
@optional_signer_options
@offline_option
def command(  # noqa: PLR0913 - each is one thing that a user may say
    paths: tuple[str, ...],
    *,
    policy: str | None,
    allow: tuple[tuple[str, str], ...],
    weights: bool,
    signature: str | None,
    as_json: bool,
    html: str | None,
    sarif: str | None,
    explain: bool,
    member: str | None,
    signs: bool,
    store: str | None,
    signer: SignerSpec | None,
    offline: bool,  # noqa: ARG001 - is in the signer
) -> None:
    """Look for dangerous content in files and folders; nothing is executed or unpickled.

    PATH is a file, a folder, or - for standard input. Fails on findings of medium severity and
    above; unknown (exit code 3) if somebody has to look, or if a file could not be examined. Of
    several paths the worst answer counts. weighbridge rules explains the rules.
    """
    if explain:
        if html or sarif or signs or policy:
            raise click.UsageError("--explain goes with --json, --allow and --member only")
        _explain(paths, allow=allow, member=member, as_json=as_json)
        return
    _check_usage(paths, member=member, signature=signature, signs=signs, signer=signer, store=store)
    for path in paths:
        check_outputs((html, sarif), artifact=path, inputs=(policy, signature))
    terms = workflow.load_scan_terms(policy, allowed=frozenset(allow), weights=weights)
    signing = workflow.plan_scan_claims(paths, signer, store=store) if signer is not None else None
    scans: list[ScannedPath] = []
    code = 0
    with show_progress("scanning") as progress:
        for path in paths:
            try:
                scans.append(_scan(path, terms, signature, signing, progress))
            except WeighbridgeError as error:
                if len(paths) == 1:
                    raise
                click.echo(f"weighbridge: {error}", err=True)
                code = _INCOMPLETE if isinstance(error, IncompleteError) else code or _USAGE
    for scan in scans:
        if scan.unsigned:
            told = f"weighbridge: {printable(scan.path)} was not signed: {scan.unsigned}"
            click.echo(told, err=True)
            code = _INCOMPLETE
    _tell(scans, html=html, sarif=sarif, as_json=as_json)
    answer = worst(tuple(scan.counted for scan in scans)) if scans else Answer.PASS
    if code and answer is not Answer.FAIL:
        raise click.exceptions.Exit(code)
    exit_with(answer)


def _check_usage(
    paths: tuple[str, ...],
    *,
    member: str | None,
    signature: str | None,
    signs: bool,
    signer: SignerSpec | None,
    store: str | None,
) -> None:
    if member:
        raise click.UsageError("--member goes with --explain")
    if signs != (signer is not None):
        raise click.UsageError("--sign needs to know who signs, such as --key; and the reverse")
    if store and not signs:
        raise click.UsageError("--store goes with --sign")
    if signs and _STDIN in paths:
        raise click.UsageError("what comes from standard input has no digest that can be signed")
    if signature and len(paths) > 1:
        raise click.UsageError("--signature goes with one PATH")
    if paths.count(_STDIN) > 1:
        raise click.UsageError("standard input can be read once")


def _scan(
    path: str,
    terms: ScanTerms,
    signature: str | None,
    signing: ScanSigning | None,
    progress: Progress | None,
) -> ScannedPath:
    target = sys.stdin.buffer if path == _STDIN else path
    return workflow.scan_one(target, terms, signature=signature, signing=signing, progress=progress)


def _tell(scans: list[ScannedPath], *, html: str | None, sarif: str | None, as_json: bool) -> None:
    from weighbridge import export  # noqa: PLC0415 - not before something is to be told

    if html is not None:
        write_output(html, export.scans_to_html(scans, version=__version__))
    if sarif is not None:
        from weighbridge.core import to_json  # noqa: PLC0415 - seldom asked for

        write_output(sarif, to_json(export.scans_to_sarif(scans, version=__version__)) + "\n")
    if as_json:
        print_json(export.scans_to_json(scans))
    elif scans:
        click.echo(export.scans_to_text(scans, **terminal()))


def _explain(
    paths: tuple[str, ...],
    *,
    allow: tuple[tuple[str, str], ...],
    member: str | None,
    as_json: bool,
) -> None:
    if len(paths) != 1:
        raise click.UsageError("--explain takes one file")
    target = sys.stdin.buffer if paths[0] == _STDIN else paths[0]
    with show_progress("reading") as progress:
        found = workflow.explain_file(target, allowed=frozenset(allow), progress=progress)
    from weighbridge import export  # noqa: PLC0415 - not before something is to be told

    shown = export.pick_member(found, member) if member else found
    if as_json:
        print_json(export.explanation_to_json(shown))
    else:
        click.echo(export.explanation_to_text(shown, **terminal()))
    exit_with(ScanTerms().judge(found.report))
