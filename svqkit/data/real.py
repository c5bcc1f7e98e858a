"""``python -m svqkit.data.real``: the measured data of profile real, put below ``real/``.

A file with a public address is fetched from there and held against its SHA-256. What has none, and all where there is
no network, is copied from a folder that holds it (``--copies``). What is there already and whole is kept.
"""

import argparse
import hashlib
import shutil
import sys
import tomllib
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from svqkit.atomic import replacing
from svqkit.errors import SvqkitError, exit_status
from svqkit.progress import progress

BLOCK_BYTES, PATIENCE = 2**20, 30.0


@dataclass(frozen=True)
class Published:
    """Where the raw files of a dataset come from; ``real.toml`` tells what each field is."""

    copy: str
    terms: str
    url: str = ""
    sha256: Mapping[str, str] = field(default_factory=dict)


_SOURCES = tomllib.loads(Path(__file__).with_name("real.toml").read_text(encoding="utf-8"))
PUBLISHED = {name: Published(**source) for name, source in _SOURCES.items()}


def put_in_place(folder: Path, copies: Path) -> list[str]:
    """Put the raw files of each dataset into ``folder``; return what can't be had, in words.

    Raises:
        SvqkitError: a file that was fetched is not the published one, or the disk is full.
    """
    lacking = []
    for name, published in PUBLISHED.items():
        target, copy = folder / name, copies / published.copy
        if published.sha256 and all(_digest(target / file) == digest for file, digest in published.sha256.items()):
            print(f"{target}: there already")
            continue
        try:
            if not published.url:
                raise URLError("it has no public address")
            with replacing(target) as draft:
                draft.mkdir(parents=True)
                for file, digest in published.sha256.items():
                    _fetch(published.url + file, draft / file, digest)
            print(f"{target}: fetched from {published.url} ({published.terms})")
        except (URLError, TimeoutError, ConnectionError) as error:
            why = getattr(error, "reason", error)
            if target.exists():
                print(f"{target}: kept as it is; the published files can't be fetched: {why}")
            elif copy.exists():
                with replacing(target) as draft:
                    for path in [copy] if copy.is_file() else filter(Path.is_file, copy.rglob("*")):
                        place = draft / (path.relative_to(copy) if copy.is_dir() else path.name)
                        place.parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(path, place)
                print(f"{target}: copied from {copy}, since {why} ({published.terms})")
            else:
                lacking.append(f"{target}: {why}, and there is no copy in {copies}. Put it there ({published.terms}).")
    return lacking


def _fetch(url: str, target: Path, digest: str) -> None:
    with urllib.request.urlopen(url, timeout=PATIENCE) as source, target.open("wb") as file:
        bar = progress(int(source.headers.get("Content-Length") or 0), target.name, "B")
        while block := source.read(BLOCK_BYTES):
            file.write(block)
            bar.update(len(block))
        bar.close()
    if (found := _digest(target)) != digest:
        raise SvqkitError(
            f"{url} is not the file that was measured: its SHA-256 is {found}, expected {digest}. Give the command "
            "again; if that doesn't help, the file has changed there."
        )


def _digest(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return 1 when something could not be had."""
    parser = argparse.ArgumentParser(prog="python -m svqkit.data.real", description=__doc__.partition(": ")[2])
    parser.add_argument("--folder", type=Path, default=Path("real"), help="where profile real looks for them")
    parser.add_argument("--copies", type=Path, default=Path("../shared/data"), help="a folder that holds them")
    options = parser.parse_args(arguments)
    return exit_status(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    lacking = put_in_place(options.folder, options.copies)
    print(*lacking, sep="\n", end="\n" * bool(lacking), file=sys.stderr)
    print("Next: `profile: real` in params.yaml, then `make repro` (or `make repro ONLY=era5_uk`).")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
