"""A page looked at in a headless Chromium: how it lies on the screen, and what it asks for in vain."""

import json
import shutil
import subprocess
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr")
PATIENCE = 90  # seconds
# Each size in a frame of its own: no window of a browser is as narrow as a telephone.
PROBE = """<!DOCTYPE html><title>probe</title><body><script>
(async () => {
  const seen = [];
  for (const [width, height] of SIZES) {
    const frame = document.createElement("iframe");
    Object.assign(frame, {width, height, src: PAGE});
    document.body.append(frame);
    await new Promise(ready => frame.onload = ready);
    const page = frame.contentDocument, root = page.documentElement;
    const used = [...page.querySelectorAll("a, img, link")].map(part => part.href || part.src);
    for (const address of new Set(used.map(one => one.split("#")[0]))) await fetch(address);
    const place = page.querySelector(FIRST)?.getBoundingClientRect();
    seen.push({
      width, height, overflow: root.scrollWidth - root.clientWidth, top: place?.top, bottom: place?.bottom,
      lost: used.map(one => one.split("#")[1]).filter(id => id && !page.getElementById(decodeURIComponent(id))),
    });
  }
  await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
})();
</script>"""


def chromium() -> str | None:
    """Return the path of a Chromium; None where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


needed = pytest.mark.skipif(not chromium(), reason=f"needs a Chromium on the path: {', '.join(NAMES)}")


def check(page: Path, first: str, profile: Path) -> None:
    """Check that a page fits a desktop and a telephone, shows what should be seen first, and leads somewhere."""
    seen, wrong = look(page, first, [(1440, 900), (390, 844)], profile)
    assert wrong == "", "the console is silent, and everything that the page names is there"
    for screen in seen:
        assert screen["overflow"] == 0, f"{screen}: it is wider than the screen"
        assert 0 <= screen["top"] < screen["bottom"] <= screen["height"], f"{screen}: not on the first screen"
        assert screen["lost"] == [], f"{screen}: anchors that lead nowhere"


def look(page: Path, first: str, sizes: Sequence[tuple[int, int]], profile: Path) -> tuple[list[dict[str, Any]], str]:
    """Open a page, and all that it links to, from a server of its folder.

    Args:
        page: a file of HTML.
        first: the selector of what should be seen first.
        sizes: width and height of the screen, in pixels.
        profile: an empty folder for the browser.

    Returns:
        For each size ``overflow``, by how many pixels the page is too wide; ``top`` and ``bottom`` of what should be
        seen first; ``lost``, anchors that lead nowhere. And what went wrong: the console's messages, and addresses
        that were not there.
    """
    values = {"SIZES": json.dumps(sizes), "PAGE": json.dumps("/" + quote(page.name)), "FIRST": json.dumps(first)}
    probe = PROBE
    for name, value in values.items():
        probe = probe.replace(name, value)
    found: list[list[dict[str, Any]]] = []
    wrong: list[str] = []
    done = threading.Event()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/probe":
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(probe.encode())

        def do_POST(self) -> None:
            found.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *words: Any) -> None:
            pass

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            if int(code) >= 400 and self.path != "/favicon.ico":
                wrong.append(f"{int(code)} {self.path}")

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(page.parent))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/probe"
        command = [str(chromium()), *FLAGS, f"--user-data-dir={profile}", address]
        with (profile / "messages.txt").open("w+") as messages:
            browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
            try:
                assert done.wait(PATIENCE), f"{command[0]} has not looked at {page} in {PATIENCE} seconds."
            finally:
                browser.terminate()
                browser.wait()
                server.shutdown()
            messages.seek(0)
            wrong += [line.strip() for line in messages if "CONSOLE" in line and "favicon" not in line]
    return found[0], "\n".join(wrong)
