"""A notebook without traces of running: what git keeps of one, by the filter that ``make setup`` sets.

It imports next to nothing: git calls it for every notebook that somebody has touched.
"""

import json
import sys
from typing import Any


def without_traces(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return a notebook, as JSON has it, with its cells' sources and tags, and nothing else."""
    notebook["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    for number, cell in enumerate(notebook["cells"]):
        cell["id"] = f"cell-{number}"
        tags = cell["metadata"].get("tags")  # papermill leaves empty ones
        cell["metadata"] = {"tags": tags} if tags else {}
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return notebook


def main() -> None:
    """Copy a notebook from standard input to standard output without its traces; what is none stays as it is."""
    text = sys.stdin.buffer.read()
    try:
        notebook = without_traces(json.loads(text))
        text = (json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
    except (ValueError, KeyError, TypeError, AttributeError):
        print("a notebook that can't be read is committed as it is", file=sys.stderr)
    sys.stdout.buffer.write(text)


if __name__ == "__main__":
    main()
