"""aioftp of Python: it begins TLS on a data connection before the command."""

from everyday import PROGRAMS, Everyday
from harness import Client
from library import INSTALLED
from transport import EVERY

PYTHON = INSTALLED / "venv/bin/python"

aioftp = Client("aioftp", built=INSTALLED / "venv/modules")

CANNOT = {"active": "aioftp has no active mode", "names (NLST)": "aioftp has no NLST"}

everyday = Everyday(aioftp, [PYTHON, PROGRAMS / "aioftp_client.py"], cannot=CANNOT)


@aioftp.operation("list (LIST), PASV")
def _(c):
    operations = ("list (LIST)", "tree/names"), ("get", "tree/text/lines.txt", c.out / "lines")
    entries, _ = everyday.run(c, *operations, passive="pasv")
    everyday.compare_listing(c, entries, "names", stripped=True)
    c.same_file(c.out / "lines", c.tree / "text/lines.txt")


@aioftp.operation("trees: get, put, remove", on=EVERY)
def _(c):
    # Wherever a tree is to go, its files go below the working directory.
    operations = ("get tree", "tree/names", c.out), ("enter", c.up), ("put tree", c.out, "")
    everyday.run(c, *operations)
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived / c.out.name, c.tree / "names")
    everyday.run(c, ("remove all", f"{c.up}/{c.out.name}"))
    c.equal([path.name for path in c.arrived.iterdir()], [], "left")
