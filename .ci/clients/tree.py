"""The files that the clients copy to and fro, and how two trees of them are compared."""

import hashlib
import os
import random
from functools import lru_cache
from pathlib import Path

# Names that any client should be able to carry.
ODD_NAMES = [
    "plain.txt",
    "with space.txt",
    "two  spaces.txt",
    " leading space.txt",
    "-leading dash.txt",
    "ümläut 日本語 😀.txt",
    "e\u0301 decomposed.txt",
    "it's quoted.txt",
    'double"quote.txt',
    "brackets[1].txt",
    "star*.txt",
    "question?.txt",
    "curly{a,b}.txt",
    "back\\slash.txt",
    "hash#.txt",
    "percent%41.txt",
    "amp&.txt",
    "dollar$HOME.txt",
    "~tilde.txt",
    "semi;colon=type.txt",
    ".hidden",
    "x" * 196 + ".txt",
]

# Names for the clients that send bytes as they are.
RAW_NAMES = [b"latin-\xe9\xff\xfe.txt", b"new\nline.txt", b"return\r.txt", b"trailing ", b"\xff"]

LARGE_BYTES = 64 * 1024 * 1024
MANY_FILES = 300
DEPTH = 12


def make(root: Path) -> None:
    """Makes `tree` and `raw` below `root`; the same bytes each time."""
    dice = random.Random(959)
    tree = root / "tree"
    for folder in ("names", "many", "big", "text", "links", "empty folder"):
        (tree / folder).mkdir(parents=True)
    for number, name in enumerate(ODD_NAMES):
        (tree / "names" / name).write_bytes(dice.randbytes(100 + number))
    (tree / "names" / "empty").touch()
    for number in range(MANY_FILES):
        (tree / "many" / f"file-{number:03}.bin").write_bytes(dice.randbytes(number * 7))
    deep = tree
    for number in range(1, DEPTH + 1):
        deep = deep / f"deep {number}"
        deep.mkdir()
        (deep / f"at {number}.txt").write_bytes(dice.randbytes(50))
    (tree / "big" / "large.bin").write_bytes(dice.randbytes(LARGE_BYTES))
    (tree / "text" / "lines.txt").write_bytes(b"one\ntwo\n\nlast, without end")
    (tree / "links" / "to-file").symlink_to("../names/plain.txt")
    (tree / "links" / "to-folder").symlink_to("../text")
    (root / "raw").mkdir()
    for name in RAW_NAMES:
        Path(os.fsdecode(os.path.join(os.fsencode(root), b"raw", name))).write_bytes(name)
    # Times that a listing shows to the minute, and MDTM and MLSD to the second.
    for folder, folders, files in os.walk(root):
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.utime(path, (1_700_000_000, 1_700_000_000))


def snapshot(root: Path, links: str = "keep", leave_out=(), digest=None) -> dict:
    """Describes all below `root`: relative path to SHA-256, "folder", or where a link leads.

    `links` is "keep", "follow" or "skip".
    """
    found = {}

    def visit(folder, below):
        for entry in os.scandir(folder):
            path = below + entry.name
            if path in leave_out:
                continue
            if entry.is_symlink() and links == "skip":
                continue
            if entry.is_symlink() and links == "keep":
                found[path] = "link to " + os.readlink(entry.path)
            elif entry.is_dir():
                found[path + "/"] = "folder"
                visit(entry.path, path + "/")
            else:
                found[path] = (digest or sha256)(entry.path)

    visit(root, "")
    return found


def sha256(path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@lru_cache(None)
def _known(path, size: int, changed: int) -> str:
    return sha256(path)


def known_sha256(path) -> str:
    """`sha256` of a file that is looked at again and again, and does not change."""
    status = os.stat(path)
    return _known(os.fspath(path), status.st_size, status.st_ctime_ns)


def difference(got: dict, want: dict) -> str:
    """Says in a few words how two snapshots differ; empty where they do not."""
    groups = [
        ("missing", sorted(want.keys() - got.keys())),
        ("unexpected", sorted(got.keys() - want.keys())),
        ("different", sorted(key for key in want.keys() & got.keys() if got[key] != want[key])),
    ]
    parts = []
    for word, names in groups:
        if names:
            more = f" and {len(names) - 6} more" if len(names) > 6 else ""
            parts.append(f"{word}: {', '.join(map(ascii, names[:6]))}{more}")
    return "; ".join(parts)
