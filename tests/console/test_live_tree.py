"""The tree of the terminal console, fed by hand: who is folded, lit up and under the cursor when actors come and go."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets.tree import TreeNode

from supervision.console.terminal.tui.tree import HIGHLIGHT, LiveTree
from tests.support.scenarios import live

Tree = tuple[LiveTree, Pilot[None]]


class Alone(App[None]):
    """Nothing but a tree."""

    def compose(self) -> Iterable[Widget]:
        """The tree."""
        yield LiveTree()


@contextlib.asynccontextmanager
async def planted() -> AsyncIterator[Tree]:
    """An empty tree."""
    app = Alone()
    async with app.run_test() as pilot:
        yield app.query_one(LiveTree), pilot


def actor(ref: int, label: str, *children: Any, restarts: int = 0, count: int | None = None) -> dict[str, Any]:
    """A node of the API."""
    return {"ref": str(ref), "label": label, "kind": "Worker", "state": "idle", "restarts": restarts, "mailbox": 0,
            "children": list(children), "count": len(children) if count is None else count}  # fmt: skip


def below(node: TreeNode[Any]) -> list[str]:
    """Labels of the children."""
    return [str(child.label).split(" <")[0] for child in node.children]


def lit(tree: LiveTree) -> list[str]:
    """References of the nodes that are lit up."""
    nodes = [tree.root, *tree.root.children, *(leaf for child in tree.root.children for leaf in child.children)]
    return [node.data["ref"] for node in nodes if node.data is not None and "reverse" in str(_label(node).style)]


def _label(node: TreeNode[Any]) -> Any:
    return node.label


def under(tree: LiveTree) -> str | None:
    """The actor under the cursor."""
    node = tree.cursor_node
    return None if node is None or node.data is None else node.data["ref"]


@live
async def test_restarted_actors_are_lit_up_for_a_moment() -> None:
    async with planted() as (tree, _):
        tree.show(actor(1, "top", actor(2, "a"), actor(3, "b", restarts=7)))
        assert lit(tree) == []
        tree.show(actor(1, "top", actor(4, "a", restarts=1), actor(3, "b", restarts=7), actor(5, "newcomer")))
        assert lit(tree) == ["4"]
        for _ in range(HIGHLIGHT - 1):
            tree.show(actor(1, "top", actor(4, "a", restarts=1), actor(3, "b", restarts=7)))
            assert lit(tree) == ["4"]
        tree.show(actor(1, "top", actor(4, "a", restarts=1), actor(3, "b", restarts=7)))
        assert lit(tree) == []


@live
async def test_actors_stand_in_the_order_of_the_server() -> None:
    async with planted() as (tree, _):
        tree.show(actor(1, "top", actor(2, "a"), actor(3, "b"), actor(4, "c")))
        tree.show(actor(1, "top", actor(5, "a"), actor(3, "b"), actor(6, "new"), actor(7, "c")))
        assert below(tree.root) == ["a", "b", "new", "c"]
        tree.show(actor(1, "top", actor(7, "c")))
        assert below(tree.root) == ["c"]


@live
async def test_what_was_folded_stays_folded_over_a_restart() -> None:
    async with planted() as (tree, _):
        tree.show(actor(1, "top", actor(2, "folded", actor(3, "leaf")), actor(4, "open", actor(5, "leaf"))))
        tree.root.children[0].collapse()
        tree.show(actor(1, "top", actor(6, "folded", actor(7, "leaf")), actor(8, "open", actor(9, "leaf"))))
        assert [child.is_expanded for child in tree.root.children] == [False, True]


@live
async def test_cursor_follows_an_actor_through_its_restart() -> None:
    async with planted() as (tree, pilot):
        tree.focus()
        tree.show(actor(1, "top", actor(2, "a", actor(3, "x"), actor(4, "y")), actor(5, "b")))
        await pilot.press("down", "down", "down")
        assert under(tree) == "4"
        tree.show(actor(1, "top", actor(2, "a", actor(6, "x"), actor(7, "y", restarts=1)), actor(5, "b")))
        await settled(tree)
        assert under(tree) == "7"
        tree.show(actor(1, "top", actor(8, "a", actor(9, "x"), actor(10, "y")), actor(11, "b")))
        await settled(tree)
        assert under(tree) == "10"
        tree.show(actor(1, "top", actor(8, "a", actor(9, "x")), actor(11, "b")))
        await settled(tree)
        assert under(tree) == "9"


@live
async def test_cursor_stays_when_others_come_above_it() -> None:
    async with planted() as (tree, pilot):
        tree.focus()
        tree.show(actor(1, "top", actor(2, "a"), actor(3, "b")))
        await pilot.press("down", "down")
        assert under(tree) == "3"
        tree.show(actor(1, "top", actor(2, "a"), actor(4, "new"), actor(5, "newer"), actor(3, "b")))
        await settled(tree)
        assert under(tree) == "3"


@live
async def test_those_left_out_are_counted() -> None:
    async with planted() as (tree, _):
        tree.show(actor(1, "top", actor(2, "a"), count=10_000))
        tree.show(actor(1, "top", actor(2, "a"), actor(3, "b"), count=10_001))
        assert below(tree.root) == ["a", "b", "… 9,999 more: / searches"]


@live
async def test_arrows_fold_and_walk() -> None:
    async with planted() as (tree, pilot):
        tree.focus()
        tree.show(actor(1, "top", actor(2, "a", actor(3, "x"))))
        await pilot.press("right", "right")
        assert under(tree) == "3"
        await pilot.press("left", "left")
        assert under(tree) == "2"
        assert not tree.root.children[0].is_expanded
        await pilot.press("right")
        assert tree.root.children[0].is_expanded
        await pilot.press("left", "left")
        assert under(tree) == "1"


async def settled(tree: LiveTree) -> None:
    """Wait until what was put off until the next refresh is done."""
    done = asyncio.Event()
    tree.call_after_refresh(done.set)
    await done.wait()
