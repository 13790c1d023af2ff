"""fsspec of Python, by the methods of its FTPFileSystem."""

from everyday import PROGRAMS, Everyday
from harness import Client
from library import INSTALLED
from openssl import settings
from transport import EVERY

PYTHON = INSTALLED / "venv/bin/python"

fsspec = Client("fsspec", built=INSTALLED / "venv/modules")

CANNOT = {
    "": {"require": "FTPFileSystem does not resume the TLS session for data"},
    "active": "FTPFileSystem has no active mode",
    "names (NLST)": "FTPFileSystem has no NLST",
    "append": "FTPFileSystem does not append",
    "put resumed": "FTPFileSystem does not resume uploads",
}

everyday = Everyday(
    fsspec, [PYTHON, PROGRAMS / "fsspec_client.py"], cannot=CANNOT, environment=settings
)


@fsspec.operation("files that are read and written in blocks", on=EVERY, cannot=CANNOT[""])
def _(c):
    """It reads ahead, and breaks each transfer off by ABOR; it writes blocks by REST and STOR."""
    operations = [("get through a file", "tree/big/large.bin", c.out / "large")]
    operations += [("write", f"{c.up}/large", c.large)]
    operations += [("get range", "tree/big/large.bin", 100, 10_000_000)]
    *_, got = everyday.run(c, *operations)
    c.same_file(c.out / "large", c.large)
    c.same_file(c.arrived / "large", c.large)
    with open(c.large, "rb") as large:
        large.seek(10_000_000)
        c.equal(got, large.read(100).hex(), "range")


@fsspec.operation("find, glob; trees: get, put, remove")
def _(c):
    found, matched = everyday.run(c, ("find", "tree/text"), ("glob", "tree/many/file-01?.bin"))
    c.equal(set(found) - {"/tree/text"}, {"/tree/text/lines.txt"}, "found")
    c.equal(matched, [f"/tree/many/file-01{n}.bin" for n in range(10)], "matched")
    down, up = c.out / "deep", f"{c.up}/deep"
    everyday.run(c, ("get tree", "tree/deep 1", down), ("put tree", down, up))
    c.same_tree(c.out / "deep", c.tree / "deep 1")
    c.same_tree(c.arrived / "deep", c.tree / "deep 1")
    everyday.run(c, ("remove all", f"{c.up}/deep"))
    c.equal([path.name for path in c.arrived.iterdir()], [], "left")
