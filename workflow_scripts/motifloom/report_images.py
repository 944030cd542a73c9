"""Drawings and pieces of the page in the form in which the page carries them.

Drawings are SVG without needless digits. What is shown only when asked for is packed: compressed
by deflate and written in base64, which the page's script undoes.
"""

import base64
import re
import zlib
from pathlib import Path

from motifloom.files import check_readable

_DROPPED = re.compile(r"<\?xml.*?\?>|<!DOCTYPE[^>]*>|<!--.*?-->|<metadata>.*?</metadata>", re.S)
_PATH = re.compile(r'(?<=\sd=")[^"]*')
_DIGITS = re.compile(r"(?<=\.\d\d)\d+")


def compact_svg(svg: str) -> str:
    """`svg` without prologue, comments, metadata and needless digits of its paths.

    Coordinates keep two decimals, a hundredth of a point in the drawings of matplotlib, which no
    screen can show. A drawing comes out at about half its size.
    """
    paths = _PATH.sub(lambda path: _DIGITS.sub("", path[0]), _DROPPED.sub("", svg))
    return re.sub(r"\s+", " ", paths).strip()


def read_svg(path: Path | None) -> str:
    """An SVG file, compacted; "" for None. Raises InputError where it cannot be read."""
    if path is None:
        return ""
    check_readable(path)
    return compact_svg(path.read_text(encoding="utf-8"))


def packed(content: str) -> str:
    """Text as base64 of its zlib stream; the same text gives the same result."""
    return base64.b64encode(zlib.compress(content.encode(), 9)).decode()


def embedded(svg: str) -> str:
    """An SVG as a data URI, "" for ""."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode() if svg else ""
