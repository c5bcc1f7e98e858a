"""Files that come from somebody else: what is no plain file is never opened, and no file takes more than it holds.

Every reader of the kit opens a file of the user's only after :func:`refuse_special`, and believes a header only after
:func:`refuse_promise`. Their words are put on a page by :func:`escape_markdown`.
"""

import json
import os
import re
import stat
import zipfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, MappingNode, Node, ScalarNode
from ruamel.yaml.error import YAMLError

from svqkit.errors import SvqkitError, shown

MOST_TEXT, MOST_YAML = 2**24, 2**20
# Of settings, with everything that is named twice counted twice.
MOST_VALUES, MOST_CHARACTERS, MOST_DIGITS = 10**6, 4000, 100
# DEFLATE, which npz, HDF5 and NetCDF use, makes of a byte at most 1032. Below the second number nobody is harmed.
MOST_TIMES, HARMLESS = 1032, 2**26
# How files begin that are often called as if they were of another kind, and what to do with them.
FOREIGN = {
    b"\x1f\x8b": "a gzip archive. Unpack it",
    b"BZh": "a bzip2 archive. Unpack it",
    b"\xfd7zXZ": "an xz archive. Unpack it",
    b"<": "a web page. Download the file that it links to",
    b"version https://git-lfs": "a pointer of Git LFS. Fetch the file itself, e.g. with `git lfs pull`",
}

# The types of YAML that settings have; others, such as !!binary and !!set, would arrive as text that nobody wrote.
PLAIN_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "timestamp", "seq", "map", "merge")
}
_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
_BREAKS = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
# A link ends with "](", "][" or "]:"; a tag, or an address in angles, begins with "<" and no space.
_MARKUP = re.compile(r"&(?=#?\w+;)|[`*|$\\]|~(?=~)|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|<(?=\S)")
# At a line's start: headings, quotations, lists, rules.
_LEADS = re.compile(r"^(\s*\d*)(>|[#=+-]+(?=\s|$)|(?<=\d)[.)](?=\s|$))")
# Where a DVC cache keeps a file: `cache.type symlink` makes every tracked file a link into it.
_IN_DVC_CACHE = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?")


def refuse_special(path: str | Path) -> None:
    """Refuse what is there but is no plain file that can be read: to open a named pipe would wait for ever.

    Links are followed.

    Raises:
        SvqkitError: it is a folder, a named pipe, a socket or a device, or this user may not read it.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return  # what is not there is told of by whoever reads it
    except (OSError, ValueError) as error:
        raise SvqkitError(f"{path} can't be read: {getattr(error, 'strerror', error)}. Name another file.") from error
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "a device")
        raise SvqkitError(f"{path} can't be read: it is {kind}, not a file. Put the file there, or name another one.")
    if not os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
        raise SvqkitError(f"{path} can't be read: this user has no permission. Give it, or name another file.")


def foreign(path: str | Path) -> str:
    """Return what a file is that has the name of another kind, told by its first bytes, and what to do; else ""."""
    with open(path, "rb") as file:
        head = file.read(262)
    if zipfile.is_zipfile(path) and Path(path).suffix.lower() != ".npz":
        return "a ZIP archive. Unpack it"
    if head[257:] == b"ustar":
        return "a tar archive. Unpack it"
    text = head.lstrip(b"\xef\xbb\xbf \r\n")
    return next((what for mark, what in FOREIGN.items() if text.startswith(mark)), "")


@contextmanager
def reading(path: str | Path, kind: str = "", aid: str = "Fetch it again.", plain: bool = True) -> Iterator[None]:
    """Say in one sentence, naming the file, whatever libraries raise while they read it.

    Args:
        path: what is read.
        kind: what it should be, such as "HDF5".
        aid: what to do when it is not.
        plain: it must be a plain file; a Zarr store is a folder.

    Raises:
        SvqkitError: that sentence, when it is not there, can't be read, or is cut short, damaged or of another kind.
    """
    if plain:
        refuse_special(path)
    try:
        yield
    except (SvqkitError, MemoryError):
        raise
    except ImportError as error:
        raise SvqkitError(f"{path} can't be read: {error}. Install what it names.") from error
    except PermissionError as error:
        where = error.filename or path
        raise SvqkitError(f"{where} can't be read: {error.strerror}. Let this user read it.") from error
    except UnicodeEncodeError as error:
        raise SvqkitError(f"{path} can't be read: its name is no UTF-8, which its library needs. Rename it.") from error
    except Exception as error:  # a damaged file can raise anything in the libraries
        if isinstance(error, FileNotFoundError) and "://" not in str(path) and not os.path.exists(path):
            raise SvqkitError(f"There is no file {Path(path).absolute()}. {aid}") from error
        is_file = os.path.isfile(path)
        size = f" ({os.path.getsize(path):,} bytes)" if is_file else ""
        found = (foreign(path) if is_file else "") or f"truncated, damaged or of another kind. {aid.rstrip('.')}"
        as_kind = f" as {kind}" if kind else ""
        raise SvqkitError(
            f"{path}{size} can't be read{as_kind} ({str(error)[:300] or type(error).__name__}): it is {found}."
        ) from error


def refuse_escape(path: Path, root: Path) -> None:
    """Refuse a path that leads out of the folder ``root`` by a link or by "..", other than into a DVC cache.

    Raises:
        SvqkitError: it leads elsewhere.
    """
    where = os.path.realpath(path)
    if not Path(where).is_relative_to(os.path.realpath(root)) and not _IN_DVC_CACHE.fullmatch(where):
        raise SvqkitError(
            f"{path} leads out of the folder {root}, to {where}: what lies elsewhere is not read. Put the file itself "
            "there, or name the folder that holds it as the root."
        )


def refuse_twice(named: Iterable[tuple[Hashable, Path]], says: Callable[[Any, str], str]) -> None:
    """Refuse two paths under one name; ``says`` makes a sentence of the name and "a and b".

    Raises:
        SvqkitError: there are two.
    """
    seen: dict[Hashable, Path] = {}
    for name, path in named:
        if (other := seen.setdefault(name, path)) != path:
            raise SvqkitError(f"{says(name, f'{other} and {path}')} Remove one of them.")


def refuse_promise(where: object, promised: int, stored: int) -> None:
    """Refuse a header that promises more bytes of values than ``stored`` bytes can hold, however compressed.

    Raises:
        SvqkitError: it does.
    """
    if promised > max(HARMLESS, MOST_TIMES * stored):
        raise SvqkitError(
            f"{where}: the header promises {promised:,} bytes of values, {stored:,} are stored. It is truncated or "
            "damaged; fetch it again, or write it again."
        )


def refuse_packed(path: str | Path) -> None:
    """Refuse a checkpoint of torch whose parts are compressed: torch never does that, and would unpack any number.

    Raises:
        SvqkitError: they are.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if any(part.compress_type != zipfile.ZIP_STORED for part in file.infolist()):
                raise SvqkitError(f"{path} has compressed parts, which torch.save never writes. Save it again.")


def read_text(path: str | Path, most: int = MOST_TEXT, errors: str = "strict") -> str:
    """Return the text of a UTF-8 file, without the byte-order mark that some editors write.

    ``errors`` says, as in :func:`open`, what becomes of bytes that are no UTF-8.

    Raises:
        SvqkitError: it is no plain file, larger than ``most`` bytes, or no permission is given to read it.
        FileNotFoundError, NotADirectoryError: there is none.
        UnicodeDecodeError: it is no UTF-8.
    """
    path = Path(path)
    refuse_special(path)
    if (size := path.stat().st_size) > most:
        raise SvqkitError(f"{path} has {size:,} bytes; a file of this kind has at most {most:,}. Name another one.")
    return path.read_text(encoding="utf-8-sig", errors=errors)


def read_json(path: str | Path) -> Any:
    """Return what a JSON file holds.

    Raises:
        SvqkitError: it is no plain file, can't be read, is too large, or no JSON.
        FileNotFoundError: there is none.
    """
    try:
        return json.loads(read_text(path))
    except SvqkitError:
        raise
    except (ValueError, RecursionError) as error:
        raise SvqkitError(f"{path} is not valid JSON: {error}. Write it again.") from error


def read_yaml(path: str | Path) -> Any:
    """Return what a YAML file holds, as plain dicts, lists and values.

    Raises:
        SvqkitError: it is no plain file, can't be read, is too large, or no YAML, or much larger than it looks.
        FileNotFoundError: there is none.
    """
    try:
        text = read_text(path, MOST_YAML)
    except UnicodeDecodeError as error:
        raise SvqkitError(f"{path} is not valid YAML: {error}") from error
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """Return the value that a YAML text writes; ``where`` is how errors call it.

    Raises:
        SvqkitError: it is no YAML, nested too deeply, its aliases or numbers make it much larger than it looks, or it
            has values of a type that settings don't have, such as ``!!binary``.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
        if node is None:
            return None
        _refuse_doubling(node, where)
        return yaml.constructor.construct_document(node)
    except SvqkitError:
        raise
    except RecursionError as error:
        raise SvqkitError(f"{where} is nested too deeply. Write it flatter.") from error
    except (YAMLError, ValueError, TypeError) as error:
        raise SvqkitError(f"{where} is not valid YAML: {error}") from error


def _refuse_doubling(root: Node, where: str) -> None:
    """Refuse a document whose aliases, each written out, make it too large: ``<<`` and JSON do write them out."""
    counts: dict[int, int] = {}

    def count(node: Node) -> int:
        if id(node) in counts:
            if not counts[id(node)]:
                raise SvqkitError(f"{where}: a value contains itself (line {node.start_mark.line + 1}). Write it out.")
            return counts[id(node)]
        counts[id(node)] = 0
        if node.tag not in PLAIN_TAGS:
            kind, line = str(node.tag).rpartition(":")[2], node.start_mark.line + 1
            raise SvqkitError(
                f"{where}, line {line}: a value of type {kind!r}; expected text, a number, true or false, a list or a "
                "mapping. Write one of these."
            )
        parts = [part for pair in node.value for part in pair] if isinstance(node, MappingNode) else node.value
        if isinstance(node, ScalarNode):
            number = node.tag.endswith((":int", ":float"))
            if len(node.value) > (MOST_DIGITS if number else MOST_CHARACTERS):
                raise SvqkitError(f"{where}: {shown(node.value)} has {len(node.value):,} characters. Write it shorter.")
            parts = []
        counts[id(node)] = 1 + sum(map(count, parts))
        return counts[id(node)]

    if (total := count(root)) > MOST_VALUES:
        raise SvqkitError(f"{where}: with its aliases written out it has {total:,} values. Write it without them.")


def escape_markdown(text: str) -> str:
    """Return text on one line, with every sign escaped that Markdown (as Jupyter and GitHub read it) would obey.

    An underscore within a word, or a bracket that begins no link, is none.
    """
    return _LEADS.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", _BREAKS.sub(" ", text)))
