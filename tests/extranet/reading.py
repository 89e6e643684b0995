"""Reading a page as text: its tables row by row, and what else is in it. HTML is parsed, never searched for tags."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "br", "hr", "img", "wbr"})


@dataclass(slots=True)
class Element:
    """An element with its own words and children, in order."""

    name: str
    attributes: dict[str, str]
    parts: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All words below, with single spaces."""
        return " ".join("".join(part if isinstance(part, str) else f" {part.text} " for part in self.parts).split())

    def all(self, name: str, /, **attributes: str) -> list["Element"]:
        """Elements below with this name and attributes (`class_` means that one of the classes)."""
        found: list[Element] = []
        for part in self.parts:
            if isinstance(part, Element):
                if part.name == name and all(part.has(key, value) for key, value in attributes.items()):
                    found.append(part)
                found += part.all(name, **attributes)
        return found

    def one(self, name: str, /, **attributes: str) -> "Element":
        """The only such element."""
        (found,) = self.all(name, **attributes)
        return found

    def has(self, key: str, value: str) -> bool:
        """Whether an attribute has a value; of `class_`, whether it is among them."""
        if key == "class_":
            return value in self.attributes.get("class", "").split()
        return self.attributes.get(key.rstrip("_").replace("_", "-")) == value


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("page", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        made = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].parts.append(made)
        if tag not in VOID:
            self._open.append(made)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].parts.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open[-1].name == tag, f"</{tag}> closes <{self._open[-1].name}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)


def read(html: str) -> Element:
    """The page as elements; an element that isn't closed, or closed twice, fails the test."""
    reader = _Reader()
    reader.feed(html)
    assert reader._open == [reader.root]
    return reader.root


def rows(table: Element) -> list[list[str]]:
    """The body's cells as text, a list a row."""
    return [cells(row) for row in table.one("tbody").all("tr")]


def cells(row: Element) -> list[str]:
    """A row's cells as text."""
    return [part.text for part in row.parts if isinstance(part, Element)]


def table(page: Element, caption: str) -> Element:
    """The table whose caption begins so."""
    (found,) = [one for one in page.all("table") if one.one("caption").text.startswith(caption)]
    return found
