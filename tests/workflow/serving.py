"""A web server on this machine for tests of downloads: it counts, cuts short and can be stopped."""

import functools
import hashlib
import threading
from collections.abc import Iterable
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(SimpleHTTPRequestHandler):
    def log_message(self, format, *arguments):
        self.server.requests.append((self.command, self.path.lstrip("/")))

    def do_GET(self):
        if self.path.lstrip("/") not in self.server.cut_short:
            return super().do_GET()
        body = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2])
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """Serves a folder on a free port of the loopback address.

    requests:  (method, path) of all requests so far
    cut_short: paths of which only the first half is sent
    """

    daemon_threads = True

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
        self.folder = folder
        self.requests: list[tuple[str, str]] = []
        self.cut_short: set[str] = set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}).start()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()


def sha256(path: Path) -> str:
    """The digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_downloads(path: Path, lines: Iterable[tuple[str, str, str]]) -> None:
    """A table of downloads of (path, url, sha256)."""
    text = "".join("\t".join(line) + "\n" for line in [("path", "url", "sha256"), *lines])
    path.write_text(text, encoding="utf-8")
