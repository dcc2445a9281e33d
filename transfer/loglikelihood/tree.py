"""The tree of token sequences that a set of requests needs.

A request is a context and a continuation. What all requests need is a tree: a context that many
requests have is in it once, a prefix that many contexts have is in it once, and so is a prefix that
the continuations of a context have. The tree is made of nodes of two kinds:

- a **stem** is a run of tokens that several nodes continue (a few-shot prefix, a passage),
- a **leaf** is one context, less its stems, with the tree of its continuations behind it.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SHARED_TOKENS = 32
"""Contexts that begin with this many equal tokens share a stem. Fewer are not worth it: on a
CPU a stem costs an attention call of its own in every layer."""

SEEN_PAIRS = 2000
"""Pairs of tokens in a leaf whose attention is computed in vain, beyond which its context becomes
a stem with the continuations as leaves: the calls that this adds cost about as much."""

LEAF_TOKENS = 256
"""Continuations of one context beyond this many tokens are spread over several leaves: the mask of
a leaf grows with its square, and an empty context has all the options of a suite behind it."""


class Encoded(NamedTuple):
    """Token ids of a context, never empty, and of its continuation."""

    context: tuple[int, ...]
    continuation: tuple[int, ...]


def shortened(request: Encoded, longest: int) -> Encoded:
    """Return a request whose context has lost what is over the tokens that the model reads."""
    over = sum(map(len, request)) - (longest + 1)
    return request if over <= 0 else request._replace(context=request.context[over:])


def length(request: Encoded, longest: int) -> int:
    """Return the tokens that a forward pass of a request runs: all but the last."""
    return min(sum(map(len, request)) - 1, longest)


def truncated(encoded: Sequence[Encoded], longest: int) -> int:
    """Return the number of requests whose context loses tokens."""
    return sum(len(context) + len(rest) - 1 > longest for context, rest in encoded)


class Node:
    """A run of tokens of the tree, or a small tree of them.

    Attributes
    ----------
    ids, positions : array, (token)
        Token ids, and how many tokens are before each of them on its path.
    ends : array, (token), or None
        Where the subtree of each token ends in this node; None where the tokens are a chain.
    reads : four lists of int
        Places, requests, orders and targets: the token at a place predicts the target, which is
        token `order` of the request.
    stems : tuple of Node
        The ancestors, from the root.
    children : list of Node
    """

    __slots__ = ("children", "ends", "ids", "positions", "reads", "stems")

    def __init__(self, ids: np.ndarray, positions: np.ndarray, stems: tuple[Node, ...]) -> None:
        self.ids, self.positions, self.stems = ids, positions, stems
        self.ends: np.ndarray | None = None
        self.reads: tuple[list[int], ...] = ([], [], [], [])
        self.children: list[Node] = []

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, places: Sequence[int], request: int, order: int, targets: Sequence[int]) -> None:
        """Have the tokens at places predict targets, tokens `order` and on of a request."""
        count = len(places)
        columns = (places, [request] * count, range(order, order + count), targets)
        for column, more in zip(self.reads, columns, strict=True):
            column.extend(more)


_Tail = tuple[int, tuple[int, ...], tuple[int, ...]]
"""What continues a context: request number, tokens behind it, tokens to predict."""


class _Group(NamedTuple):
    """A context and what continues it."""

    context: np.ndarray
    tails: list[_Tail]


def plant(encoded: Sequence[Encoded], longest: int, shared: bool = True) -> list[Node]:
    """Return the roots of the tree of requests, each shortened to what the model reads.

    Parameters
    ----------
    encoded
        The requests; their numbers are their places here. Equal ones are in the tree once.
    longest
        Tokens that the model reads.
    shared
        Whether a prefix may be shared. If not, every distinct request is a chain of its own.
    """
    groups: dict[tuple[int, ...], _Group] = {}
    for number, request in enumerate(encoded):
        context, continuation = shortened(request, longest)
        tail = continuation[:-1]
        # Equal tokens that are cut at different places are read at different places.
        key = context if shared else (len(context), *context, *tail)
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(np.array(context, dtype=np.int64), [])
        group.tails.append((number, tail, continuation))
    ordered = sorted(groups.values(), key=lambda group: group.context.astype(">u4").tobytes())
    roots: list[Node] = []
    if shared:
        _grow(ordered, roots)
    else:
        for group in ordered:
            _hang(group, 0, (), roots, alone=True)
    _sort(roots)
    return roots


def _grow(groups: Sequence[_Group], roots: list[Node]) -> None:
    """Add the tree of groups, which are in the order of their contexts, to the roots."""
    same = [0, *(_common(a.context, b.context) for a, b in itertools.pairwise(groups))]
    # Depth first without recursion: spans of groups, and the stems that they are under.
    spans: list[tuple[int, int, int, tuple[Node, ...]]] = [(0, len(groups), 0, ())]
    while spans:
        low, high, depth, stems = spans.pop()
        while low < high:
            after = low + 1
            while after < high and same[after] - depth >= SHARED_TOKENS:
                after += 1
            if after - low > 1:
                shared = min(same[low + 1 : after])
                ids = groups[low].context[depth:shared]
                stem = _add(Node(ids, np.arange(depth, shared), stems), roots)
                spans.append((low, after, shared, (*stems, stem)))
            else:
                _hang(groups[low], depth, stems, roots)
            low = after


def _hang(
    group: _Group, depth: int, stems: tuple[Node, ...], roots: list[Node], alone: bool = False
) -> None:
    """Add the leaf of a context whose first `depth` tokens are in stems."""
    context = group.context
    size = len(context)
    if not alone and len(parts := _split(group.tails)) > 1:
        if depth < size:
            stem = _add(Node(context[depth:], np.arange(depth, size), stems), roots)
            stems = (*stems, stem)
        for tails in parts:
            _hang(_Group(context, tails), size, stems, roots, alone=True)
        return
    if depth < size and not alone and _wasteful(size - depth, group.tails):
        stem = _add(Node(context[depth:], np.arange(depth, size), stems), roots)
        for tails in _apart(group.tails):
            _hang(_Group(context, tails), size, (*stems, stem), roots, alone=True)
        return
    before = size - depth
    ids, depths, ends, paths = _branches([tail for _, tail, _ in group.tails], before)
    node = None
    if before or ids:
        positions = np.concatenate([np.arange(depth, size), size + np.array(depths, dtype=int)])
        tokens = np.concatenate([context[depth:], np.array(ids, dtype=np.int64)])
        node = _add(Node(tokens, positions, stems), roots)
        if ids and min(ends) < len(node):
            node.ends = np.concatenate([np.full(before, len(node)), ends])
    for (number, _, targets), path in zip(group.tails, paths, strict=True):
        # The last token of the context predicts the first of the continuation.
        last, place = (node, before - 1) if before else (stems[-1], len(stems[-1]) - 1)
        assert last is not None
        last.read([place], number, 0, targets[:1])
        if path:
            assert node is not None
            node.read(path, number, 1, targets[1:])


def _wasteful(before: int, tails: list[_Tail]) -> bool:
    """Return whether a leaf of a context and its continuations attends to much that none sees."""
    sizes = [len(tail) for tail in {tail for _, tail, _ in tails}]
    if len(sizes) < 2:
        return False
    own = sum(sizes)
    needed = before * before // 2 + own * before + sum(size * size for size in sizes) // 2
    return (before + own) ** 2 - needed > SEEN_PAIRS


def _apart(tails: list[_Tail]) -> list[list[_Tail]]:
    """Return continuations in parts that begin with different tokens."""
    parts: dict[tuple[int, ...], list[_Tail]] = {}
    for entry in tails:
        parts.setdefault(entry[1][:1], []).append(entry)
    return list(parts.values())


def _split(tails: list[_Tail]) -> list[list[_Tail]]:
    """Return continuations in parts of at most `LEAF_TOKENS` distinct tokens, or of one of them."""
    if sum(len(tail) for _, tail, _ in tails) <= LEAF_TOKENS:
        return [tails]
    parts: list[list[_Tail]] = [[]]
    held, before = 0, None
    # In their own order, so that those that begin alike stay together.
    for entry in sorted(tails, key=lambda entry: entry[1]):
        more = 0 if entry[1] == before else len(entry[1])
        if parts[-1] and held + more > LEAF_TOKENS:
            parts.append([])
            held, more = 0, len(entry[1])
        parts[-1].append(entry)
        held, before = held + more, entry[1]
    return parts


def _branches(
    tails: Sequence[tuple[int, ...]], before: int
) -> tuple[list[int], list[int], list[int], list[list[int]]]:
    """Return a tree of runs, depth first, that is put behind `before` tokens.

    Of each token its id, how deep it is, and where its subtree ends; of each run its places.
    """
    ids: list[int] = []
    depths: list[int] = []
    ends: list[int] = []
    paths: dict[tuple[int, ...], list[int]] = {(): []}
    last: tuple[int, ...] = ()
    for tail in sorted(set(tails)):
        shared = 0
        for a, b in zip(last, tail, strict=False):
            if a != b:
                break
            shared += 1
        start, own = before + len(ids), len(tail) - shared
        path = paths[last][:shared]
        for place in path:
            ends[place - before] = start + own
        paths[tail] = [*path, *range(start, start + own)]
        ids.extend(tail[shared:])
        depths.extend(range(shared, len(tail)))
        ends.extend([start + own] * own)
        last = tail
    return ids, depths, ends, [paths[tail] for tail in tails]


def _add(node: Node, roots: list[Node]) -> Node:
    (node.stems[-1].children if node.stems else roots).append(node)
    return node


def _sort(nodes: list[Node]) -> None:
    """Put siblings of like size beside each other: they go into one attention call."""
    open_lists = [nodes]
    while open_lists:
        siblings = open_lists.pop()
        siblings.sort(key=lambda node: (bool(node.children), node.ends is not None, len(node)))
        open_lists.extend(node.children for node in siblings if node.children)


def _common(a: np.ndarray, b: np.ndarray) -> int:
    """Return how many first tokens two sequences share."""
    size = min(len(a), len(b))
    differ = a[:size] != b[:size]
    return int(differ.argmax()) if differ.any() else size
