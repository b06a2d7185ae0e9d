"""The live tree. The cursor stays on its actor, and restarted actors are highlighted for a moment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Tree
from textual.widgets.tree import TreeNode

from supervision.console.terminal import text
from supervision.console.terminal.text import Json
from supervision.console.terminal.tui.link import Link
from supervision.console.terminal.tui.search import Search
from supervision.console.terminal.tui.view import OpenActor, SearchDone, View

MAX_CHILDREN = 200
"""Maximum number of children shown of one actor; a search finds the others."""
HIGHLIGHT = 3
"""Updates for which a restarted actor is highlighted."""


class LiveTree(Tree[Json]):
    """The tree widget. A node's data is a node of the API; None on the node that stands for omitted children."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Open"),
        Binding("space", "toggle_node", "Fold"),
        Binding("left", "fold", "Fold", show=False),
        Binding("right", "unfold", "Unfold", show=False),
    ]

    def __init__(self) -> None:
        super().__init__("")
        self.auto_expand = False
        self._known: set[str] | None = None
        self._highlighted: dict[str, int] = {}

    def show(self, top: Json) -> None:
        """Show the current tree."""
        self._highlight(top)
        selected = self.cursor_node
        path = [] if selected is None else _path(selected)
        self._fill(self.root, top)
        self.root.expand()
        if selected is not None and self._is_gone(selected):
            self.call_after_refresh(self._follow, path)

    def _highlight(self, top: Json) -> None:
        """Highlight the actors that were restarted since the last update."""
        nodes = {node["ref"]: node for node in _all(top)}
        self._highlighted = {ref: left - 1 for ref, left in self._highlighted.items() if left > 1}
        if self._known is not None:
            new = nodes.keys() - self._known
            self._highlighted |= {ref: HIGHLIGHT for ref in new if nodes[ref]["restarts"]}
        self._known = set(nodes)

    def _fill(self, node: TreeNode[Json], seen: Json) -> None:
        node.data = seen
        node.set_label(self._label(seen))
        node.allow_expand = bool(seen["children"])
        below = {child.data["ref"]: child for child in node.children if child.data is not None}
        folded = {_label(child.data): not child.is_expanded for child in below.values() if child.data is not None}
        refs = [child["ref"] for child in seen["children"]]
        for child in list(node.children):
            if child.data is None or child.data["ref"] not in refs:
                child.remove()
        for number, child in enumerate(seen["children"]):
            its = below.get(child["ref"]) or node.add("", before=number, expand=not folded.get(_label(child), False))
            self._fill(its, child)
        if seen["count"] > len(refs):
            node.add_leaf(Text(f"… {seen['count'] - len(refs):,} more: / searches", "dim"))

    def _label(self, seen: Json) -> Text:
        highlighted = seen["ref"] in self._highlighted
        label = Text(text.actor_name(seen), "bold reverse" if highlighted else "bold" if seen["children"] else "")
        return label.append(f"  {text.node_facts(seen)}", "reverse" if highlighted else "dim")

    def _is_gone(self, node: TreeNode[Json]) -> bool:
        above: TreeNode[Json] | None = node
        while above is not None and above is not self.root:
            if above.parent is None or above not in above.parent.children:
                return True
            above = above.parent
        return False

    def _follow(self, path: list[tuple[str, int]]) -> None:
        """Move the cursor to the successor of the actor it was on, or else to a neighbour or ancestor."""
        node = self.root
        for label, number in path:
            children = list(node.children)
            same = [child for child in children if child.data is not None and child.data["label"] == label]
            if same:
                node = same[0]
            elif children:
                node = children[min(number, len(children) - 1)]
                break
        self.move_cursor(node)

    def action_open(self) -> None:
        """Open the actor under the cursor."""
        node = self.cursor_node
        if node is not None and node.data is not None:
            self.post_message(OpenActor(node.data["ref"]))

    def action_fold(self) -> None:
        """Fold the node, or move to its parent."""
        node = self.cursor_node
        if node is None:
            return
        if node.is_expanded and node.children:
            node.collapse()
        elif node.parent is not None:
            self.move_cursor(node.parent)

    def action_unfold(self) -> None:
        """Unfold the node, or move to its first child."""
        node = self.cursor_node
        if node is None or not node.children:
            return
        if node.is_expanded:
            self.move_cursor(node.children[0])
        else:
            node.expand()


class TreeView(View):
    """The tree, and its search field."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("slash", "search", "Search", key_display="/")]

    def __init__(self) -> None:
        super().__init__()
        self._tree = LiveTree()
        self._search = Search()

    def compose(self) -> Iterable[Widget]:
        yield self._tree
        yield self._search

    async def load(self, link: Link) -> None:
        """Show the current tree."""
        self._tree.show(await link.get("tree", q=self._search.value, limit=MAX_CHILDREN))

    def focus_main(self) -> None:
        """Focus the tree."""
        self.screen.set_focus(self._tree)

    def action_search(self) -> None:
        """Open the search field."""
        self._search.begin()

    @on(SearchDone)
    def _searched(self, event: SearchDone) -> None:
        event.stop()
        self.focus_main()


def _all(node: Json) -> Iterable[Json]:
    yield node
    for child in node["children"]:
        yield from _all(child)


def _label(seen: Json) -> str:
    return str(seen["label"])


def _path(node: TreeNode[Json]) -> list[tuple[str, int]]:
    """Return the labels and positions from below the root down to a node."""
    path: list[tuple[str, int]] = []
    while node.parent is not None and node.data is not None:
        path.insert(0, (_label(node.data), list(node.parent.children).index(node)))
        node = node.parent
    return path
