import base64
import zlib

import pytest
from atlas_inputs import SVG

from motifloom import report_images as images
from motifloom.files import InputError


def test_svg_loses_only_what_cannot_be_seen():
    svg = (
        '<?xml version="1.0"?>\n<!DOCTYPE svg PUBLIC "x" "y">\n<!-- made -->\n<svg>'
        "<metadata><date>2020</date></metadata>\n  "
        '<path id="a.12345"  d="M 432.123456 10.5 \nL -0.00001 2e1 z"/></svg>'
    )
    assert images.compact_svg(svg) == (
        '<svg> <path id="a.12345" d="M 432.12 10.5 L -0.00 2e1 z"/></svg>'
    )


def test_embedded_images_decode_to_their_svg(tmp_path):
    path = tmp_path / "a.svg"
    path.write_text(SVG)
    head, _, body = images.embedded(images.read_svg(path)).partition(",")
    assert head == "data:image/svg+xml;base64"
    assert base64.b64decode(body).decode() == SVG
    assert images.embedded(images.read_svg(None)) == ""
    with pytest.raises(InputError, match="no such file"):
        images.read_svg(tmp_path / "b.svg")


def test_packed_text_unpacks_to_itself():
    content = "<b>ä</b>" * 500
    packed = images.packed(content)
    assert packed == images.packed(content)
    assert len(packed) < 200
    assert zlib.decompress(base64.b64decode(packed)).decode() == content
