"""Order: what can be derived from what, best first, and what goes in circles. Nothing recurses."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Derived", "Rule", "derive", "find_circles"]


class Rule(NamedTuple):
    """One reason to believe in a node: it is worth ``value``, if all its inputs are worth as much.

    Attributes:
        head: The node.
        value: What it is worth by itself; more than 0.
        inputs: The nodes that it rests on, each once.
        order: Among reasons that give the same, the least comes first.
    """

    head: int
    value: int
    inputs: tuple[int, ...]
    order: int


class Derived(NamedTuple):
    """What each node is worth, 0 if nothing is to be believed, and by which rule; -1 for none."""

    values: list[int]
    rules: list[int]


def derive(count: int, rules: Sequence[Rule]) -> Derived:
    """Find what each node is worth: the most that any of its rules gives.

    A rule gives the least of its own value and of those of its inputs. Since no rule gives more
    than its inputs, the nodes are settled in falling order, each once; a node that could only be
    derived from itself never is. The rule that is noted for a node rests on nodes that were settled
    before it, so that following these rules ends. Time is ``n log n`` in the rules' sizes.

    Source:
        D. E. Knuth, A Generalization of Dijkstra's Algorithm, 1977 (superior functions).
    """
    values = [0] * count
    chosen = [-1] * count
    worth = [rule.value for rule in rules]
    waiting = [len(rule.inputs) for rule in rules]
    users: list[list[int]] = [[] for _ in range(count)]
    for index, rule in enumerate(rules):
        for item in rule.inputs:
            users[item].append(index)
    ready = [(-rule.value, rule.order, i) for i, rule in enumerate(rules) if not rule.inputs]
    heapq.heapify(ready)
    while ready:
        negative, _, index = heapq.heappop(ready)
        head = rules[index].head
        if chosen[head] >= 0:
            continue
        values[head], chosen[head] = -negative, index
        for user in users[head]:
            waiting[user] -= 1
            worth[user] = min(worth[user], -negative)
            if not waiting[user]:
                heapq.heappush(ready, (-worth[user], rules[user].order, user))
    return Derived(values, chosen)


def find_circles(edges: Sequence[Sequence[int]]) -> list[int]:
    """Return for each node the number of the circle that it lies in; -1 if it lies in none.

    Two nodes that lead to each other have the same number. A node that leads to itself alone is no
    circle. Linear in nodes and edges.

    Source:
        R. E. Tarjan, Depth-First Search and Linear Graph Algorithms, 1972; with a stack of its own.
    """
    count = len(edges)
    numbers, lows, circles = [-1] * count, [0] * count, [-1] * count
    is_open = [False] * count
    members: list[int] = []
    number = 0
    for start in range(count):
        if numbers[start] >= 0:
            continue
        walk = [(start, 0)]
        while walk:
            node, step = walk.pop()
            if not step:
                numbers[node] = lows[node] = number
                number += 1
                members.append(node)
                is_open[node] = True
            else:
                lows[node] = min(lows[node], lows[edges[node][step - 1]])
            while step < len(edges[node]):
                target = edges[node][step]
                step += 1
                if numbers[target] < 0:
                    walk += [(node, step), (target, 0)]
                    break
                if is_open[target]:
                    lows[node] = min(lows[node], numbers[target])
            else:
                if lows[node] == numbers[node]:
                    found = _close(members, node)
                    for member in found:
                        is_open[member] = False
                        circles[member] = numbers[node] if len(found) > 1 else -1
    return circles


def _close(members: list[int], node: int) -> list[int]:
    """Take off all that were walked since ``node``, with it."""
    found: list[int] = []
    while not found or found[-1] != node:
        found.append(members.pop())
    return found
