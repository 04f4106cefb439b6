"""Where the boxes of a drawing stand: layers from the artifact down, with few crossings.

Source:
    K. Sugiyama, S. Tagawa, M. Toda, "Methods for visual understanding of hierarchical system
    structures", IEEE Transactions on Systems, Man, and Cybernetics 11 (1981).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from weighbridge.export._trace_choice import Drawing, Item, Link

__all__ = ["BOX_HEIGHT", "BOX_WIDTH", "Layout", "Placed", "Route", "lay_out"]

BOX_WIDTH, BOX_HEIGHT = 212.0, 82.0
_WORDS_HEIGHT = 36.0
_GAP = 26.0
_LAYER_GAP = 58.0
_MARGIN = 10.0
_BEND_WIDTH = 14.0
_MAX_BENDS = 4_000  # above that, long lines run straight
_SWEEPS = 12


@dataclass(frozen=True, slots=True)
class Placed:
    """A box with its upper left corner and its height."""

    item: Item
    x: float
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Route:
    """A line, from the bottom of the upper box to the top of the lower one.

    Attributes:
        link: What it joins.
        points: Where it passes.
        is_back: Whether it leads up, since it closes a circle.
    """

    link: Link
    points: tuple[tuple[float, float], ...]
    is_back: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes and lines, and the room that they take."""

    boxes: tuple[Placed, ...]
    routes: tuple[Route, ...]
    width: float
    height: float


@dataclass(slots=True)
class _Grid:
    """Layers of vertices while they are ordered: boxes by key, and bends of long lines by number.

    Attributes:
        layers: Keys from left to right.
        up: The neighbours of each in the layer above.
        down: In the layer below.
    """

    layers: list[list[str]]
    up: dict[str, list[str]] = field(default_factory=dict)
    down: dict[str, list[str]] = field(default_factory=dict)

    def join(self, upper: str, lower: str) -> None:
        self.down.setdefault(upper, []).append(lower)
        self.up.setdefault(lower, []).append(upper)


def lay_out(drawing: Drawing) -> Layout:
    """Place every box; the same drawing always gives the same places."""
    back = _find_back(drawing)
    layer_of = _find_layers(drawing, back)
    grid = _Grid([[] for _ in range(max(layer_of.values(), default=0) + 1)])
    for item in drawing.items:
        grid.layers[layer_of[item.key]].append(item.key)
    bends = _add_bends(drawing, grid, layer_of, back)
    _order(grid)
    centres = _spread(grid, {item.key for item in drawing.items})
    return _measure(drawing, grid, centres, bends, back)


def _find_back(drawing: Drawing) -> set[Link]:
    """Return links that close a circle, seen from the artifact."""
    below: dict[str, list[Link]] = {}
    for link in drawing.links:
        below.setdefault(link.upper, []).append(link)
    back: set[Link] = set()
    done: set[str] = set()
    for start in (item.key for item in drawing.items):
        if start in done:
            continue
        open_ = {start}
        stack: list[tuple[str, Iterator[Link]]] = [(start, iter(below.get(start, ())))]
        while stack:
            name, links = stack[-1]
            for link in links:
                if link.lower in open_:
                    back.add(link)
                elif link.lower not in done:
                    open_.add(link.lower)
                    stack.append((link.lower, iter(below.get(link.lower, ()))))
                    break
            else:
                stack.pop()
                open_.discard(name)
                done.add(name)
    return back


def _ends(link: Link, back: set[Link]) -> tuple[str, str]:
    return (link.lower, link.upper) if link in back else (link.upper, link.lower)


def _find_layers(drawing: Drawing, back: set[Link]) -> dict[str, int]:
    """Give each box the layer below the lowest of what was made from it."""
    pairs = [_ends(link, back) for link in drawing.links]
    waiting = {item.key: 0 for item in drawing.items}
    below: dict[str, list[str]] = {}
    for upper, lower in pairs:
        waiting[lower] += 1
        below.setdefault(upper, []).append(lower)
    layer_of = dict.fromkeys(waiting, 0)
    ready = [key for key, count in waiting.items() if not count]
    while ready:
        upper = ready.pop()
        for lower in below.get(upper, ()):
            layer_of[lower] = max(layer_of[lower], layer_of[upper] + 1)
            waiting[lower] -= 1
            if not waiting[lower]:
                ready.append(lower)
    return layer_of


def _add_bends(
    drawing: Drawing, grid: _Grid, layer_of: Mapping[str, int], back: set[Link]
) -> dict[Link, list[str]]:
    """Give long lines a place of their own in each layer that they cross."""
    bends: dict[Link, list[str]] = {}
    count = 0
    for link in drawing.links:
        upper, lower = _ends(link, back)
        names = [f"\n{count + i}" for i in range(layer_of[lower] - layer_of[upper] - 1)]
        if count + len(names) > _MAX_BENDS:
            names = []
        else:
            count += len(names)
            for offset, name in enumerate(names, start=1):
                grid.layers[layer_of[upper] + offset].append(name)
            chain = [upper, *names, lower]
            for one, other in pairwise(chain):
                grid.join(one, other)
        bends[link] = names
    return bends


def _order(grid: _Grid) -> None:
    """Sort each layer by where its neighbours stand, down and up in turn."""
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        order = grid.layers[1:] if down else grid.layers[-2::-1]
        near = grid.up if down else grid.down
        place = {key: i for layer in grid.layers for i, key in enumerate(layer)}
        for layer in order:
            wish = {
                key: (
                    sum(place[other] for other in near[key]) / len(near[key])
                    if near.get(key)
                    else float(place[key])
                )
                for key in layer
            }
            layer.sort(key=wish.__getitem__)
            place.update({key: i for i, key in enumerate(layer)})


def _spread(grid: _Grid, boxes: set[str]) -> dict[str, float]:
    """Give each vertex the middle of its neighbours, as far as the others leave room."""
    width = {k: BOX_WIDTH if k in boxes else _BEND_WIDTH for layer in grid.layers for k in layer}
    centre: dict[str, float] = {}
    for layer in grid.layers:
        centre |= _settle(layer, dict.fromkeys(layer, 0.0), width)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        near = (grid.up, grid.down) if down else (grid.down, grid.up)
        for layer in grid.layers if down else reversed(grid.layers):
            wish = {}
            for key in layer:
                others = near[0].get(key) or near[1].get(key) or [key]
                wish[key] = sum(centre[other] for other in others) / len(others)
            centre |= _settle(layer, wish, width)
    return centre


def _settle(
    layer: Sequence[str], wish: Mapping[str, float], width: Mapping[str, float]
) -> dict[str, float]:
    """Return places in order and apart, as near as can be (least squares) to the wishes.

    Source:
        Pool-adjacent-violators for isotonic regression, on wishes less the room that is needed.
    """
    needed = [0.0]
    for one, other in pairwise(layer):
        needed.append(needed[-1] + (width[one] + width[other]) / 2 + _GAP)
    pools: list[tuple[float, int]] = []  # mean, how many
    for key, offset in zip(layer, needed, strict=False):
        mean, count = wish[key] - offset, 1
        while pools and pools[-1][0] > mean:
            before, many = pools.pop()
            mean, count = (before * many + mean * count) / (many + count), many + count
        pools.append((mean, count))
    means = [mean for mean, count in pools for _ in range(count)]
    return {key: mean + off for key, mean, off in zip(layer, means, needed, strict=False)}


def _measure(
    drawing: Drawing,
    grid: _Grid,
    centres: Mapping[str, float],
    bends: Mapping[Link, list[str]],
    back: set[Link],
) -> Layout:
    items = {item.key: item for item in drawing.items}
    left = min(x - (BOX_WIDTH if k in items else 0) / 2 for k, x in centres.items()) - _MARGIN
    right = max(x + (BOX_WIDTH if k in items else 0) / 2 for k, x in centres.items()) + _MARGIN
    top, tops, heights = _MARGIN, dict[str, float](), dict[str, float]()
    for layer in grid.layers:
        real = [key for key in layer if key in items]
        own = {k: BOX_HEIGHT if items[k].node else _WORDS_HEIGHT for k in real}
        height = max(own.values(), default=0.0)
        for key in layer:
            tops[key] = top
            heights[key] = own.get(key, height)
        top += height + _LAYER_GAP
    boxes = tuple(
        Placed(item, centres[key] - BOX_WIDTH / 2 - left, tops[key], heights[key])
        for key, item in items.items()
    )
    routes = []
    for link in drawing.links:
        upper, lower = _ends(link, back)
        points = [(centres[upper] - left, tops[upper] + heights[upper])]
        for name in bends[link]:
            x = centres[name] - left
            points += [(x, tops[name]), (x, tops[name] + heights[name])]
        points.append((centres[lower] - left, tops[lower]))
        routes.append(Route(link, tuple(points), link in back))
    return Layout(boxes, tuple(routes), right - left, top - _LAYER_GAP + _MARGIN)
