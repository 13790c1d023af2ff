"""jlaffaye/ftp of Go, as Debian has it: it begins TLS on a data connection before the command."""

from everyday import Everyday
from harness import Client
from library import INSTALLED
from transport import EVERY

PROGRAM = INSTALLED / "jlaffaye"

jlaffaye = Client("jlaffaye/ftp", built=PROGRAM)

everyday = Everyday(jlaffaye, [PROGRAM], cannot={"active": "jlaffaye/ftp has no active mode"})


@jlaffaye.operation("walk, set time, remove all", on=EVERY)
def _(c):
    (c.arrived / "full/folder/.hidden").mkdir(parents=True)
    (c.arrived / "full/file").write_bytes(b"x")
    (c.arrived / "file").write_bytes(b"x")
    walked, *_ = everyday.run(
        c,
        ("walk", "tree/names"),
        ("set time", f"{c.up}/file", 1_700_000_000),
        ("remove all", f"{c.up}/full"),
    )
    c.names([path.removeprefix("tree/names/") for path in walked if path != "tree/names"], "names")
    c.equal([path.name for path in c.arrived.iterdir()], ["file"], "left")
    c.same_time(c.arrived / "file", c.tree / "text/lines.txt")


@jlaffaye.operation("list (LIST), PASV")
def _(c):
    lines = c.tree / "text/lines.txt"
    [entries] = everyday.run(c, ("list", "tree/names"), mode="LIST")
    everyday.compare_listing(c, entries, "names")
    operations = ("get", "tree/text/lines.txt", c.out / "x"), ("put", lines, f"{c.up}/x")
    everyday.run(c, *operations, mode="PASV")
    c.same_file(c.out / "x", lines)
    c.same_file(c.arrived / "x", lines)
