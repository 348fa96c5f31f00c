"""What a notebook is given: whether it is whole, and what of it would be read."""

from __future__ import annotations

from html.parser import HTMLParser

EMPTY = {"br", "hr"}
SCRIPTS = {"script", "iframe", "object", "embed", "link", "img", "form"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in SCRIPTS, tag
        assert not [name for name, _ in attrs if name.startswith("on")], attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(markup: str) -> str:
    """The text of *markup*, of which every element is closed, and none acts."""
    assert markup.startswith("<")
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    assert not reader.open, reader.open
    return reader.text
