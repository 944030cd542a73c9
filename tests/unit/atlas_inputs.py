"""Small results of a run for the tests of the report page."""

import base64
import json
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd

from motifloom.files import write_table
from motifloom.report_run import Run
from motifloom.store import write_arrays

FOLDER = Path(__file__).parents[2] / "report"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0L9 9"/></svg>'
HOSTILE = '<script>alert("1")</script>&\'x'
MEME = """MEME version 4

ALPHABET= ACGT

MOTIF k00
letter-probability matrix: alength= 4 w= 2 nsites= 9
1 0 0 0
0.1 0.2 0.3 0.4
"""
VOID = {"meta", "link", "img", "input", "br", "hr", "path", "line"}


def metric(dataset, model, **values):
    given = {"dataset": dataset, "tf": dataset.upper(), "model": model, "preset": model}
    given |= {"examples": "windows", "negatives": "dinucleotide", "members": 2, "note": ""}
    return given | values


def scores(auroc, n_positive=40):
    return {
        "n": 11 * n_positive, "n_positive": n_positive,
        "auroc": auroc, "auroc_low": auroc - 0.05, "auroc_high": auroc + 0.02,
        "auprc": 0.6, "auprc_low": 0.5, "auprc_high": 0.7,
    }  # fmt: skip


def match(dataset, kernel, evalue, recovers="", model="deepbind", **values):
    given = {"dataset": dataset, "model": model, "kernel": kernel, "n_sites": 120}
    given |= {"information": 9.25, "initialised_from": "", "match": "MA1", "match_name": "REB1"}
    return given | {"evalue": evalue, "recovers": recovers} | values


def text_rows(records):
    """Rows as `read_rows` gives them: all values as text."""
    return [{k: "" if v is None else str(v) for k, v in row.items()} for row in records]


def run_of(folder, files):
    """A run of files name -> rows (a TSV), text, arrays, or a JSON object."""
    paths = []
    for name, content in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, list):
            write_table(pd.DataFrame(content), path)
        elif path.suffix == ".safetensors":
            shapes = {key: (array.shape, array.dtype) for key, array in content.items()}
            write_arrays(path, shapes, content.values(), {"method": "deeplift"})
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        paths.append(path)
    return Run.of(folder, paths)


class Page(HTMLParser):
    """Tags with their attributes, and whether every element was closed in order."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.well_formed = [], [], True
        self.feed(html)
        self.well_formed &= not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        self.well_formed &= bool(self.open) and self.open.pop() == tag

    def attributes(self, name):
        return [given[name] for _, given in self.tags if given.get(name)]


def unpack(content):
    """The object that `packed` packed."""
    return json.loads(zlib.decompress(base64.b64decode(content)))


def sections(html):
    """The unpacked sections of a page in the order of its datasets."""
    found = re.findall(r'<script type="text/plain" id="packed-\d+">([^<]*)</script>', html)
    return [unpack(content) for content in found]
