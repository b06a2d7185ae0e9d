"""The table of the terminal console, fed by hand."""

import html
import re
from collections.abc import Iterable

from textual.app import App
from textual.widget import Widget

from supervision.console.terminal.text import TOPICS
from supervision.console.terminal.tui.rows import RowTable
from tests.support.scenarios import live


class Alone(App[None]):
    """Nothing but a table."""

    def compose(self) -> Iterable[Widget]:
        """The table."""
        yield RowTable(TOPICS)


def drawn(app: App[None]) -> str:
    """What is on the screen, as text."""
    return html.unescape(re.sub("<[^>]*>", "", app.export_screenshot())).replace("\xa0", " ")


@live
async def test_columns_are_as_wide_as_what_is_in_them() -> None:
    app = Alone()
    async with app.run_test() as pilot:
        rows = app.query_one(RowTable)
        rows.show({"a": {"table": "viewers", "key": "canvas", "members": 1}})
        await pilot.pause()
        assert "viewers" in drawn(app)
        rows.show({"a": {"table": "viewers of old", "key": "canvas", "members": 1}})
        await pilot.pause()
        assert "viewers of old" in drawn(app)
        rows.show({"b": {"table": "spectators at large", "key": "canvas", "members": 1_000_000_000}})
        await pilot.pause()
        assert "spectators at large" in drawn(app)
        assert "1,000,000,000" in drawn(app)
