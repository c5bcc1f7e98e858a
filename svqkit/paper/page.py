"""``python -m svqkit.paper.page tour``: ``notebooks/tour.ipynb``, executed, as the page ``docs/tour.md`` with pictures.

So that a visitor on the web sees it without running anything. It needs what the notebook opens.
"""

import argparse
import io
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter
from nbformat import NotebookNode
from PIL import Image

from svqkit.atomic import replacing
from svqkit.errors import exit_status
from svqkit.pipeline.executing import run, strip

FOLDER = Path("docs")


def write(name: str) -> None:
    """Execute a notebook and write its page; pictures of an earlier one that are no longer shown are removed."""
    strip()
    with tempfile.TemporaryDirectory() as folder:
        executed = Path(folder) / f"{name}.ipynb"
        run(name, executed, {})
        page, pictures = as_markdown(nbformat.read(executed, as_version=4), name)
    shown = FOLDER / name
    shown.mkdir(exist_ok=True)
    for path in set(shown.glob("*.png")) - {shown / picture for picture in pictures}:
        path.unlink()
    for picture, content in pictures.items():
        with replacing(shown / picture) as draft:
            draft.write_bytes(content)
    with replacing(FOLDER / f"{name}.md") as draft:
        draft.write_text(page, encoding="utf-8", newline="\n")


def as_markdown(notebook: NotebookNode, folder: str) -> tuple[str, dict[str, bytes]]:
    """Return an executed notebook as Markdown, and its pictures by name; each is called by the title of its section."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        output.get("data", {}).pop("text/html", None)  # tables are Markdown as well
    page, resources = MarkdownExporter().from_notebook_node(notebook)
    sections, pictures = re.split(r"^(?=##? )", page, flags=re.MULTILINE), {}
    for place, section in enumerate(sections):
        title = section.partition("\n")[0].lstrip("# ")
        for number, drawn in enumerate(re.findall(r"!\[png\]\((.*?)\)", section), start=1):
            name = f"{'-'.join(re.findall('[a-z]+', title.lower()))}{f'-{number}' * (number > 1)}.png"
            pictures[name] = _smaller(resources["outputs"][drawn])
            section = section.replace(f"![png]({drawn})", f"![{title}]({folder}/{name})")
        sections[place] = section
    return re.sub(r"\n( *\n){2,}", "\n\n", "".join(sections)).strip() + "\n", pictures


def _smaller(png: bytes) -> bytes:
    """Return a picture in 256 colours, which takes fewer bytes."""
    with Image.open(io.BytesIO(png)) as picture, io.BytesIO() as file:
        few = picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(file, "png", optimize=True)
        return file.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 after an error that is meant for the user."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.paper.page", description=__doc__.partition(": ")[2])
    parser.add_argument("notebook", choices=["tour", "evidence"])
    return exit_status(lambda: write(parser.parse_args(arguments).notebook))


if __name__ == "__main__":
    sys.exit(main())
