"""What is done to a valid file: damage to bytes, to fields of text, to JSON and to safetensors."""

import gzip
import json
import random
import struct

NUMBERS = (
    "0", "-1", "1", "2147483648", "9223372036854775807", "9223372036854775808", "1" * 30,
    "9" * 5000, "1e308", "1e400", "-1e400", "nan", "inf", "-inf", "0x10", "1_000", "1.", ".",
    "+", "-", "--1",
    "1e", "²", "٣", "١٢", "1\u00a0", " 1", "True", "None", "NA", "", "00",
)  # fmt: skip
WORDS = (
    "", "..", ".", "/", "../x", "/etc/passwd", "-rf", "a\x00b", "a\nb", "\ufeff", "\u202e", "é" * 3,
    "\U0001f9ec", "$(id)", "`id`", ";id", "a'b\"c", "{x}", "{", "%s", "\\", "CON", "multitask",
    "Multitask", "x" * 300, ">", "#", "track", "MOTIF", "\x0b", "\x0c", "\x1c", "\x85", "\u2028",
    "null", "[]", "{}", "chr1", "N", "name", "*", "\t", " ", ",",
)  # fmt: skip
LIMIT = 1 << 20  # bytes of a mutated file


def mutate(data: bytes, rng: random.Random, kind: str) -> bytes:
    """One to four changes of a file of a kind: "text", "json", "arrays" or "bytes"."""
    structured = {
        "json": (change_json,),
        "arrays": (change_header, change_info, change_values),
        "bytes": BYTES,
    }
    own = structured.get(kind, (change_field, change_line, rewrap))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        change = rng.choice(own if rng.random() < 0.7 else BYTES)
        data = change(data, rng)[:LIMIT]
    return data


def cut(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] if rng.random() < 0.7 else data[at:]


def flip(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data or b" ")
    for _ in range(rng.choice((1, 2, 8))):
        changed[rng.randrange(len(changed))] = rng.choice(
            (0, 9, 10, 13, 34, 255, rng.randrange(256))
        )
    return bytes(changed)


def insert(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice((b"\0", b"\r", b"\xff\xfe", b"\n" * 9, _word(rng))) + data[at:]


def repeat(data: bytes, rng: random.Random) -> bytes:
    first, last = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    return data[:last] + data[first:last] * rng.choice((1, 2, 50)) + data[last:]


BYTES = (cut, flip, insert, repeat)


def _word(rng: random.Random) -> bytes:
    return rng.choice(WORDS + NUMBERS).encode()


def _plain(data: bytes) -> bytes:
    """A gzip file's content, where it is one and whole."""
    try:
        return gzip.decompress(data)[:LIMIT] if data[:2] == b"\x1f\x8b" else data
    except Exception:
        return data


def change_field(data: bytes, rng: random.Random) -> bytes:
    """Another word in one field of a text, or two fields swapped."""
    data = _plain(data)
    mark = max((b"\t", b",", b" "), key=data.count)
    lines = data.split(b"\n")
    row = rng.randrange(len(lines))
    fields = lines[row].split(mark)
    at, other = rng.randrange(len(fields)), rng.randrange(len(fields))
    action = rng.randrange(5)
    if action < 3:
        fields[at] = _word(rng)
    elif action == 3:
        fields[at], fields[other] = fields[other], fields[at]
    else:
        del fields[at]
    lines[row] = mark.join(fields)
    return b"\n".join(lines)


def change_line(data: bytes, rng: random.Random) -> bytes:
    """A line gone, twice, very long, of many columns, or many lines."""
    data = _plain(data)[:LIMIT]
    lines = data.split(b"\n")
    row = rng.randrange(len(lines))
    action = rng.randrange(40)
    if action < 12:
        del lines[row]
    elif action < 20:
        lines.insert(row, lines[rng.randrange(len(lines))] if lines else b"")
    elif action < 26:
        lines.insert(row, _word(rng))
    elif action < 32:
        lines.insert(
            row, rng.choice((b"\t", b" ", b"\t\t\t", b"#", b">", b'"')) * rng.randrange(1, 40)
        )
    elif action < 36:
        lines[row] += b"\t" + _word(rng)
    elif action == 36:
        lines[row] = rng.choice((b"A", b"\t", b"1\t", b"a b ", b"\xc3\xa9")) * rng.choice(
            (999, 40_000)
        )
    elif action == 37:
        lines = lines * (rng.choice((20, 400)) if len(data) < 5000 else 2)
    elif action == 38:
        lines[row] = lines[row][:400] * 2000
    else:
        lines = [line.replace(b"\t", b" ") for line in lines]
    return b"\n".join(lines)


def rewrap(data: bytes, rng: random.Random) -> bytes:
    """Other line ends, encodings and compressions; damaged and excessive ones."""
    data = _plain(data)
    text = data.decode("utf-8", "replace")
    action = rng.randrange(12)
    if action < 5:
        return (
            data.replace(b"\n", b"\r\n"), data.replace(b"\n", b"\r"), b"\xef\xbb\xbf" + data,
            text.encode("utf-16"), text.encode("utf-16-le"),
        )[action]  # fmt: skip
    if action == 5:
        return (text + "é").encode("latin-1", "replace")
    if action == 6:
        return text.encode("utf-32")
    packed = gzip.compress(data, 1, mtime=0)
    if action == 7:
        return packed[: rng.randrange(2, len(packed))]
    if action == 8:
        return flip(packed, rng)
    if action == 9:
        return packed + rng.choice((packed, b"\0" * 20, b"junk"))
    return bomb(data, rng) if action == 10 and rng.random() < 0.2 else packed


def bomb(data: bytes, rng: random.Random) -> bytes:
    """A gzip file that unpacks to a thousand times its size."""
    filling = rng.choice((b"\n", b"\t", b"A", b"chr1\t1\t2\n", b"\0"))
    return gzip.compress(data + filling * (8_000_000 // len(filling)), 9, mtime=0)


# JSON


def json_value(rng: random.Random):
    """Any JSON value, mostly small and mostly wrong."""
    return rng.choice(
        (
            None, True, False, 0, 1, -1, 2, 3.5, -0.0, 1e308, 10**30, 10**400, 2**63, 2**31, 10**9,
            float("nan"), float("inf"), "", "x", "max", "dna", "\ud800", "a\nb", "\0", "../x", [],
            {}, [[]], [1, 2], ["a", "b"], ["a"], [None], {"a": 1}, "9" * 50, "x" * 5000,
            [1e400] * 3,
        )
    )  # fmt: skip


def change_tree(tree, rng: random.Random):
    """A JSON tree with one place changed: another value, a key or item gone or added."""
    places = [(None, None)]

    def walk(node):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            places.append((node, key))
            if isinstance(value, dict | list):
                walk(value)

    if isinstance(tree, dict | list):
        walk(tree)
    parent, key = rng.choice(places)
    action = rng.randrange(10)
    if parent is None:
        return json_value(rng) if action == 0 else tree
    if action == 0:
        del parent[key]
    elif action == 1 and isinstance(parent, dict):
        parent[rng.choice(WORDS)] = json_value(rng)
    elif action == 2 and isinstance(parent, list):
        parent.append(json_value(rng))
    elif action == 3 and isinstance(parent[key], int | float):
        parent[key] = rng.choice(
            (-parent[key], parent[key] + 1, str(parent[key]), parent[key] * 1000)
        )
    elif action == 4:
        other, name = rng.choice(places)
        parent[key] = json_value(rng) if other is None else json.loads(json.dumps(other[name]))
    else:
        parent[key] = json_value(rng)
    return tree


def change_json(data: bytes, rng: random.Random) -> bytes:
    try:
        tree = json.loads(data)
    except (ValueError, RecursionError):
        return flip(data, rng)
    action = rng.randrange(30)
    if action == 0:
        return b"[" * 100_000 + b"]" * 100_000
    if action == 1:
        return data.replace(b":", b":" + b'{"a":' * 3000, 1)
    if action == 2:
        return data.replace(b"1", b"1" * 5000, 1)
    if action == 3:  # a key twice
        return data.replace(b"{", b'{"format": 2, "models": 3,', 1)
    return _dump(change_tree(tree, rng))


def _dump(tree) -> bytes:
    return json.dumps(tree).encode()


# Safetensors


def unpack(data: bytes) -> tuple[dict, bytes] | None:
    """Header and arrays of a safetensors file; None where it is none any more."""
    try:
        (size,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + size])
        return (header, data[8 + size :]) if isinstance(header, dict) else None
    except (ValueError, struct.error, RecursionError, OverflowError):
        return None


def pack(header: dict | bytes, body: bytes) -> bytes:
    encoded = header if isinstance(header, bytes) else _dump(header)
    return struct.pack("<Q", len(encoded)) + encoded + body


def change_header(data: bytes, rng: random.Random) -> bytes:
    """A header that lies: offsets, shapes, dtypes, lengths, keys twice."""
    parts = unpack(data)
    if parts is None:
        return flip(data, rng)
    header, body = parts
    names = [name for name in header if name != "__metadata__"]
    action = rng.randrange(12)
    if action == 0 or not names:
        size = rng.choice((0, 1, 8, 2**20, 10**8, 2**31, 2**63, 2**64 - 1, len(data)))
        return struct.pack("<Q", size) + data[8:]
    name = rng.choice(names)
    entry = header[name]
    if not isinstance(entry, dict):
        return pack(change_tree(header, rng), body)
    if action == 1:
        entry["dtype"] = rng.choice(
            ("F64", "BF16", "F16", "I8", "U64", "BOOL", "F8_E4M3", "X", "U8", 1)
        )
    elif action == 2:
        entry["shape"] = rng.choice(
            ([], [0], [0, 10**18], [0] * 70, [1] * 70, [2**63, 2], [-1], [2**64, 0], [10**30], "x")
        )
    elif action == 3:
        entry["data_offsets"] = rng.choice(([0, 0], [0, 10**12], [-1, 4], [8, 4], [0], [2**64, 0]))
    elif action == 4:  # the same bytes as another array
        entry["shape"] = [*entry.get("shape", []), 1]
    elif action == 5:
        twin = _dump({name: entry})[1:-1]
        return pack(_dump(header)[:-1] + b", " + twin + b"}", body)
    elif action == 6:
        header[rng.choice(WORDS)] = header.pop(name)
    elif action == 7:
        header[rng.choice(("x", "y"))] = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    elif action == 8:
        del header[name]
    elif action == 9:
        body = body[: rng.randrange(len(body) + 1)] if rng.random() < 0.5 else body + b"\0" * 8
    elif action == 10:
        header["__metadata__"] = rng.choice(
            ({}, None, {"motifloom": 1}, {"motifloom": "x"}, [], "x")
        )
    else:
        header = change_tree(header, rng)
    return pack(header, body)


def change_info(data: bytes, rng: random.Random) -> bytes:
    """Another description beside sound arrays."""
    parts = unpack(data)
    try:
        info = json.loads(parts[0]["__metadata__"]["motifloom"])
    except (TypeError, KeyError, ValueError, RecursionError):
        return flip(data, rng)
    action = rng.randrange(25)
    text = json.dumps(change_tree(info, rng))
    if action == 0:
        text = "[" * 100_000
    elif action == 1:
        text = text.replace("1", "1" * 5000, 1)
    parts[0]["__metadata__"]["motifloom"] = text
    return pack(*parts)


def change_values(data: bytes, rng: random.Random) -> bytes:
    """Sound headers over other numbers."""
    parts = unpack(data)
    if parts is None or not parts[1]:
        return flip(data, rng)
    header, body = parts
    first = rng.randrange(len(body))
    size = rng.choice((1, 4, 8, 8, len(body)))
    filling = rng.choice((b"\xff", b"\x7f", b"\0", b"\x05", b"\x80"))
    return pack(header, (body[:first] + filling * size)[: len(body)] + body[first + size :])


def grow(data: bytes, rng: random.Random, kind: str) -> bytes:
    """A file of up to 300 kB made of a small one."""
    size = rng.choice((70_000, 100_000, 300_000))
    if kind == "arrays":
        parts = unpack(data)
        if parts is None:
            return data
        extra = {
            f"x{i}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
            for i in range(size // 60)
        }
        return pack(extra | parts[0], parts[1])
    if kind == "bytes":
        return data + data * (size // len(data))
    if kind == "json":
        filling = rng.choice((b"[" * 50 + b"]" * 50, b'{"a":1}', b"1", b'"x"'))
        return b'{"x": [' + b",".join([filling] * (size // (len(filling) + 1))) + b"]," + data[1:]
    plain = _plain(data)
    start = plain.find(b"\n", len(plain) // 2) + 1
    tail = plain[start:] or b"A"
    return (plain + tail * (size // len(tail)))[:size]
