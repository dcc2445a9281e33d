"""Packs: the nodes of a tree that one forward pass takes.

They are laid out one after the other without padding, every node after its ancestors. A token sees
the tokens whose subtree it is in: with the tokens in this order, token `i` sees token `j` if
`j <= i < end[j]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from transfer.loglikelihood.tree import Node


class Pack:
    """Nodes that one forward pass takes, in order.

    Attributes
    ----------
    nodes, starts : lists
        The nodes, and where each of them begins.
    size : int
        Tokens.
    seen : list of (stem, first, last)
        Stems, of this pack or an earlier one, and the range of tokens of this pack below them.
    kept : list of Node
        The stems of this pack that nodes of a later pack are under.
    dropped : list of Node
        The stems of earlier packs that no later pack needs.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.starts: list[int] = []
        self.size = 0
        self.seen: list[tuple[Node, int, int]] = []
        self.kept: list[Node] = []
        self.dropped: list[Node] = []

    def add(self, node: Node) -> None:
        """Put a node at the end."""
        self.nodes.append(node)
        self.starts.append(self.size)
        self.size += len(node)

    def ids(self) -> np.ndarray:
        """Return the token ids."""
        return np.concatenate([node.ids for node in self.nodes])

    def positions(self) -> np.ndarray:
        """Return the place of every token in its own sequence."""
        return np.concatenate([node.positions for node in self.nodes])

    def ends(self) -> np.ndarray:
        """Return where the subtree of every token ends in this pack."""
        below = {id(stem): last for stem, _, last in self.seen}
        parts = []
        for node, start in zip(self.nodes, self.starts, strict=True):
            if node.ends is not None:
                parts.append(start + node.ends)
            else:
                parts.append(np.full(len(node), below.get(id(node), start + len(node))))
        return np.concatenate(parts)

    def reads(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places that predict a token, and their (request, order, target)."""
        counts = [len(node.reads[0]) for node in self.nodes]
        places, *rest = (
            np.array([value for node in self.nodes for value in node.reads[column]], dtype=np.int64)
            for column in range(4)
        )
        return places + np.repeat(self.starts, counts), np.stack(rest, 1)


def packs(roots: Iterable[Node], budget: int) -> list[Pack]:
    """Return packs of at most `budget` tokens, or of one node that is longer."""
    done: list[Pack] = []
    pack = Pack()
    ranges: dict[int, list[int]] = {}
    last: dict[int, int] = {}
    stems: dict[int, Node] = {}

    def close() -> None:
        pack.seen = [(stems[key], first, after) for key, (first, after) in ranges.items()]
        ranges.clear()
        done.append(pack)

    roots = list(roots)
    sizes = subtree_sizes(roots)
    for node in _walk(roots):
        # A subtree that fits into a pack is not cut, if the one before is half full.
        whole = sizes[id(node)]
        wanted = whole if whole <= budget and pack.size > budget // 2 else len(node)
        if pack.nodes and pack.size + wanted > budget:
            close()
            pack = Pack()
        first = pack.size
        pack.add(node)
        for stem in node.stems:
            stems[id(stem)] = stem
            last[id(stem)] = len(done)
            ranges.setdefault(id(stem), [first, first])[1] = pack.size
    if pack.nodes:
        close()
    for number, made in enumerate(done):
        made.kept = [node for node in made.nodes if last.get(id(node), number) > number]
        for node in made.kept:
            done[last[id(node)]].dropped.append(node)
    return done


def side_by_side(nodes: Sequence[Node], budget: int, read_budget: int | None) -> list[Pack]:
    """Return packs of sequences that are padded to the longest, each of one sequence or more.

    Parameters
    ----------
    nodes
        Sequences, the shortest first.
    budget
        Tokens of a pack, padding included.
    read_budget
        Tokens from the first that is read in any of the sequences; None where these cost nothing.
    """
    done: list[Pack] = []
    first = 0
    for node in nodes:
        count = len(done[-1].nodes) + 1 if done else 0
        first = min(first, *node.reads[0])
        over = read_budget is not None and count * (len(node) - first) > read_budget
        if not done or count * len(node) > budget or over:
            done.append(Pack())
            first = min(node.reads[0])
        done[-1].add(node)
    return done


def subtree_sizes(roots: Iterable[Node]) -> dict[int, int]:
    """Return the tokens of every node's subtree, by the node's id."""
    sizes: dict[int, int] = {}
    for node in reversed(list(_walk(roots))):
        sizes[id(node)] = len(node) + sum(sizes[id(child)] for child in node.children)
    return sizes


def _walk(roots: Iterable[Node]) -> Iterator[Node]:
    """Yield every node after its ancestors, a whole subtree at a time."""
    open_nodes = list(roots)[::-1]
    while open_nodes:
        node = open_nodes.pop()
        yield node
        open_nodes.extend(reversed(node.children))
