"""Scope: what of an artifact a caller leaves out, and whether links in it are followed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WHOLE", "Scope"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What belongs to an artifact, beyond what holds for every artifact.

    Attributes:
        ignored: POSIX paths inside the artifact that are left out with everything below them;
            nobody looks at them.
        follow_links: Whether a link to a regular file inside the artifact counts as a file with
            the link's name. Links to folders and links that lead outside are refused all the same.
        link_advice: Half a sentence for whoever meets a link that is not followed.
    """

    ignored: frozenset[str] = frozenset()
    follow_links: bool = False
    link_advice: str = ""


# The artifact as it is.
WHOLE = Scope()
