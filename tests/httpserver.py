"""A small HTTP server on loopback that misbehaves in every way a download must survive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from huggingface_hub import constants


@dataclass
class Site:
    """Pages by path, and what was asked for.

    A page is bytes, or a function of the handler and of the number of earlier requests to it.
    """

    pages: dict[str, bytes | Callable[[Handler, int], None]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def ranges(self, path: str) -> list[str | None]:
        """The Range headers of the requests to a path."""
        return [headers.get("Range") for asked, headers in self.requests if asked == path]


class Handler(BaseHTTPRequestHandler):
    """Serves `Site.pages`."""

    site: Site
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output clean."""

    def handle(self) -> None:
        with suppress(ConnectionError):  # the client has had enough
            super().handle()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        earlier = len(self.site.ranges(path))
        if self.command == "GET":
            self.site.requests.append((path, dict(self.headers)))
        page = self.site.pages.get(path)
        if page is None:
            self.answer(404)
        elif callable(page):
            page(self, earlier)
        else:
            self.whole(page)

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A plain answer; underscores in header names become hyphens."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._send(body)

    def _send(self, body: bytes) -> None:
        if self.command == "GET":
            self.wfile.write(body)
            self.wfile.flush()

    def whole(
        self,
        data: bytes,
        ranges: bool = True,
        stop: int | None = None,
        stall: float = 0,
        tag: str = '"a"',
        **headers: str,
    ) -> None:
        """Serve a file: with or without ranges, at most `stop` bytes, then silent for a while."""
        start = 0
        wanted = self.headers.get("Range") if ranges else None
        if wanted and self.headers.get("If-Range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(data):
                self.answer(416, Content_Range=f"bytes */{len(data)}")
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("ETag", tag)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        self._send(body if stop is None else body[:stop])
        if stop is not None and stop < len(body):
            threading.Event().wait(stall)
            self.close_connection = True


@contextmanager
def serve() -> Iterator[Site]:
    """Run a server on a free port of loopback."""
    site = Site()
    handler = type("SiteHandler", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def logged_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """No token of the Hugging Face hub, from whichever place."""
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", "/nowhere")
