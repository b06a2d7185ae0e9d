from protocol import Headers


def test_names_are_looked_up_without_regard_to_case() -> None:
    headers = Headers([("Sec-WebSocket-Key", "a")])
    assert headers.get("sec-websocket-KEY") == "a"
    assert "SEC-websocket-key" in headers


def test_get_returns_the_first_line_and_get_all_every_one() -> None:
    headers = Headers([("A", "1"), ("B", "2"), ("a", "3")])
    assert headers.get("a") == "1"
    assert headers.get_all("A") == ["1", "3"]


def test_a_missing_name_has_its_default_no_lines_and_no_tokens() -> None:
    headers = Headers()
    assert headers.get("a") is None
    assert headers.get("a", "x") == "x"
    assert headers.get_all("a") == []
    assert headers.tokens("a") == []
    assert "a" not in headers
    assert 1 not in headers


def test_tokens_run_over_all_lines_without_empty_ones() -> None:
    headers = Headers([("Connection", "keep-alive, ,Upgrade"), ("connection", "\tfoo ,")])
    assert headers.tokens("connection") == ["keep-alive", "Upgrade", "foo"]


def test_items_keep_order_and_spelling() -> None:
    lines = (("B", "1"), ("a", "2"), ("b", "3"))
    assert Headers(lines).items() == lines
    assert tuple(Headers(lines)) == lines
    assert len(Headers(lines)) == 3


def test_equality_ignores_the_case_of_names_and_nothing_else() -> None:
    assert Headers([("A", "1")]) == Headers([("a", "1")])
    assert Headers([("A", "1")]) != Headers([("A", "2")])
    assert Headers([("A", "1")]) != {"A": "1"}


def test_changing_what_get_all_returned_changes_nothing() -> None:
    headers = Headers([("A", "1")])
    headers.get_all("A").append("2")
    assert headers.get_all("A") == ["1"]


def test_repr_shows_the_lines() -> None:
    assert repr(Headers([("A", "1")])) == "Headers([('A', '1')])"
