"""The beginning of an XML document: what it declares, and its outermost element."""

from __future__ import annotations

from dataclasses import dataclass
from xml.parsers import expat

from weighbridge.errors import ParseError

__all__ = ["XmlOutline", "read_xml_outline"]

_MAX_ENTITIES = 1_000
_PIECE_CHARACTERS = 16 * 1024


@dataclass(frozen=True, slots=True)
class XmlOutline:
    """What stands in an XML document up to the start of its first element.

    Attributes:
        root: Name of the first element, as it is written; empty if a declaration ended the look.
        attributes: Of that element, as they are written: (name, value).
        external: (name, address) of entities that stand for other files or addresses.
        nested: Names of entities that are made of other entities.
        entities: How many entities are declared.
    """

    root: str
    attributes: tuple[tuple[str, str], ...]
    external: tuple[tuple[str, str], ...]
    nested: tuple[str, ...]
    entities: int


class _RootReachedError(Exception):
    """Ends the parser; never leaves this module."""


class _Look:
    """What the handlers note; lives for one call of :func:`read_xml_outline`."""

    def __init__(self) -> None:
        self.root = ""
        self.attributes: tuple[tuple[str, str], ...] = ()
        self.external: list[tuple[str, str]] = []
        self.nested: list[str] = []
        self.entities = 0

    def declare(
        self,
        name: str,
        _parameter: int,
        value: str | None,
        _base: str | None,
        system: str | None,
        public: str | None,
        _notation: str | None,
    ) -> None:
        self.entities += 1
        if value is None:
            self.external.append((name, system or public or ""))
        elif "&" in value or "%" in value:
            self.nested.append(name)
        if self.entities > _MAX_ENTITIES:
            raise _RootReachedError

    def start(self, name: str, attributes: list[str]) -> None:
        self.root = name
        self.attributes = tuple(zip(attributes[::2], attributes[1::2], strict=True))
        raise _RootReachedError


def read_xml_outline(text: str) -> XmlOutline:
    """Return what an XML document declares before its first element, and that element.

    Nothing is fetched and nothing is expanded: entities are only counted, and the parser is stopped
    at the first element, before it could meet a reference to one. An entity in the attributes of
    that element is bounded by expat's own limit of amplification.

    Args:
        text: The document; the caller bounds its size.

    Raises:
        ParseError: Not XML up to there.

    Source:
        XML 1.0, sections 2.8 and 4.2.
    """
    look = _Look()
    # The encoding that the document claims was undone by the caller.
    parser = expat.ParserCreate(encoding="utf-8")
    parser.ordered_attributes = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.EntityDeclHandler = look.declare
    parser.StartElementHandler = look.start
    try:
        for at in range(0, len(text), _PIECE_CHARACTERS):
            parser.Parse(text[at : at + _PIECE_CHARACTERS].encode(), False)
    except _RootReachedError:
        pass
    except (expat.ExpatError, UnicodeEncodeError) as error:
        raise ParseError(f"not XML: {error}") from error
    if not look.root and not look.entities:
        raise ParseError("not XML: it has no element")
    return XmlOutline(
        look.root, look.attributes, tuple(look.external), tuple(look.nested), look.entities
    )
