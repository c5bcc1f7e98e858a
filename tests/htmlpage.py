"""A page of HTML taken apart, for tests of what is written as HTML."""

from collections import Counter
from html.parser import HTMLParser

VOID = {"meta", "br", "img", "hr", "link", "input"}


class Page(HTMLParser):
    """A page taken apart; a tag that is closed in the wrong place is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.tags: Counter[str] = Counter()
        self.words: list[str] = []
        self.headings: list[str] = []
        self.rows: list[list[str]] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and what it links to."""
        given = dict(attrs)
        assert len(given) == len(attrs), f"an attribute of {tag} stands twice"
        assert not (tag in ("p", "ul", "table", "details", "div", "h3", "figure") and "p" in self.open), f"{tag} in p"
        self.tags[tag] += 1
        if "id" in given:
            self.ids[str(given["id"])] += 1
        if tag == "a":
            self.links.append(str(given["href"]))
        elif tag == "img":
            self.pictures.append(given)
        elif tag == "h2":
            self.headings.append("")
        elif tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the tag that was opened last."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note words, and where they stand."""
        if "style" not in self.open:
            self.words.append(data)
        if "h2" in self.open:
            self.headings[-1] += data
        if "td" in self.open or "th" in self.open:
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        """All words, one space apart."""
        return " ".join(" ".join(self.words).split())
