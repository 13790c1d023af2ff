"""suppaftp, a crate, by a small program that calls its blocking API."""

import library
from harness import Client, Failed
from library import INSTALLED, refused
from transport import EVERY, SECURE

PROGRAM = INSTALLED / "suppaftp/debug/suppaftp-client"

suppaftp = Client("suppaftp", built=PROGRAM)

# rustls takes each ticket of TLS 1.3 for one connection only, and keeps eight at the most.
NO_TICKETS = "an upload brings no ticket: suppaftp has none left behind eight in a row"
IN_A_ROW = {"require": NO_TICKETS}

# Its parser of LIST skips spaces before a name.
NOT_LISTED = " leading space.txt"


def run(c, *operations, **settings) -> list:
    return library.perform(c, [PROGRAM], operations, **settings)


def check_sizes(c, entries):
    for entry in entries:
        c.equal(entry["size"], (c.tree / "names" / entry["name"]).stat().st_size, entry["name"])


@suppaftp.operation("list (MLSD), facts (MLST)", on=EVERY)
def _(c):
    names, empty, tree, facts = run(
        c,
        ("list", "MLSD", "tree/names"),
        ("list", "MLSD", "tree/empty folder"),
        ("list", "MLSD", "tree"),
        ("facts", "tree/text/lines.txt"),
    )
    c.names([entry["name"] for entry in names], "names")
    check_sizes(c, names)
    c.equal({entry["modified"] for entry in names}, {1_700_000_000}, "times")
    c.equal(empty, [], "the empty folder")
    c.equal({entry["folder"] for entry in tree}, {True}, "folders")
    want = {"folder": False, "link": None, "size": 26, "modified": 1_700_000_000}
    c.equal({key: facts[key] for key in want}, want, "facts")


@suppaftp.operation("list (LIST), names (NLST)", on=EVERY)
def _(c):
    names, links, short = run(
        c, ("list", "LIST", "tree/names"), ("list", "LIST", "tree/links"), ("names", "tree/names")
    )
    listed = [entry["name"] for entry in names]
    c.names([NOT_LISTED if name == NOT_LISTED.strip() else name for name in listed], "names")
    check_sizes(c, [entry for entry in names if entry["name"] != NOT_LISTED.strip()])
    targets = {entry["name"]: entry["link"] for entry in links}
    c.equal(targets, {"to-file": "../names/plain.txt", "to-folder": "../text"}, "links")
    c.names([name.removeprefix("tree/names/") for name in short], "names")


@suppaftp.operation("get, put, odd names", on=EVERY, cannot=IN_A_ROW)
def _(c):
    run(c, ("get tree", "MLSD", "tree/names", c.out), ("put tree", c.out, c.up))
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived, c.tree / "names")


@suppaftp.operation("get, all (LIST), with links")
def _(c):
    (c.out / "tree").mkdir()
    folders = [folder for folder in c.tree.iterdir() if folder.name != "names"]
    gets = []
    for folder in folders:
        (c.out / folder.name).mkdir()
        gets.append(("get tree", "LIST", f"tree/{folder.name}", c.out / folder.name))
    run(c, *gets)
    for folder in folders:
        c.same_tree(c.out / folder.name, folder)


@suppaftp.operation("put, all")
def _(c):
    run(c, ("put tree", c.tree, c.up))
    c.same_tree(c.arrived, c.tree, want_links="follow")


@suppaftp.operation("get, put, 64 MiB", on=EVERY)
def _(c):
    down, up = c.out / "large", f"{c.up}/large"
    run(c, ("get", "tree/big/large.bin", down), ("put", down, up))
    c.same_file(down, c.large)
    c.same_file(c.arrived / "large", c.large)


@suppaftp.operation("get, put resumed", on=EVERY)
def _(c):
    down, up = c.part_of_large(c.out / "large"), c.part_of_large(c.arrived / "large")
    size, *_ = run(
        c,
        ("size", f"{c.up}/large"),
        ("get", "tree/big/large.bin", down, 10_000_000),
        ("put", c.large, f"{c.up}/large", 10_000_000),
    )
    c.equal(size, 10_000_000, "size")
    c.same_file(down, c.large)
    c.same_file(up, c.large)


@suppaftp.operation("append", on=EVERY)
def _(c):
    lines = c.tree / "text/lines.txt"
    run(c, *[("append", lines, f"{c.up}/file")] * 2)
    c.equal((c.arrived / "file").read_bytes(), lines.read_bytes() * 2, "content")


@suppaftp.operation("active: PORT", on=EVERY)
def _(c):
    # It looks for the connection of each transfer ten times a second.
    file, down, up = c.tree / "many/file-299.bin", c.out / "file", f"{c.up}/file"
    names, *_ = run(
        c,
        ("list", "MLSD", "tree/names"),
        ("get", "tree/many/file-299.bin", down),
        ("put", down, up),
        ("append", file, f"{c.up}/other"),
        mode="active",
    )
    c.names([entry["name"] for entry in names], "names")
    c.same_file(c.arrived / "file", file)
    c.same_file(c.arrived / "other", file)


@suppaftp.operation("passive: EPSV")
def _(c):
    both = ("get tree", "MLSD", "tree/names", c.out), ("put tree", c.out, c.up)
    run(c, *both, mode="extended")
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived, c.tree / "names")


@suppaftp.operation("ASCII")
def _(c):
    """It turns LF to CRLF on the way up, and leaves CRLF as it is on the way down."""
    lines, down = c.tree / "text/lines.txt", c.out / "lines"
    run(c, ("ASCII",), ("get", "tree/text/lines.txt", down), ("put", lines, f"{c.up}/lines"))
    c.equal(down.read_bytes(), lines.read_bytes().replace(b"\n", b"\r\n"), "text")
    c.same_file(c.arrived / "lines", lines)


@suppaftp.operation("make, rename, remove, size, time, features")
def _(c):
    (c.arrived / "file").write_bytes(b"12345")
    made = f"/{c.up}/a b"
    *_, where, size, time, features, _ = run(
        c,
        ("make", made),
        ("enter", made),
        ("rename", f"/{c.up}/file", " moved ü"),
        ("where",),
        ("size", " moved ü"),
        ("time", "/tree/text/lines.txt"),
        ("features",),
        ("leave",),
    )
    c.equal((where, size, time), (made, 5, 1_700_000_000), "folder, size and time")
    c.equal({"SIZE", "MDTM", "UTF8", "EPSV"} - set(features), set(), "features that are not there")
    c.equal((c.arrived / "a b/ moved ü").read_bytes(), b"12345", "content")
    run(c, ("remove", f"{made}/ moved ü"), ("remove folder", made))
    c.equal(list(c.arrived.iterdir()), [], "folder")


@suppaftp.operation("abort", on=EVERY)
def _(c):
    abort = "begin and abort", "tree/big/large.bin"
    run(c, abort, abort, ("get", "tree/text/lines.txt", c.out / "lines"))
    c.same_file(c.out / "lines", c.tree / "text/lines.txt")


@suppaftp.operation("refusals", on=EVERY)
def _(c):
    """The session goes on behind each."""
    values = run(
        c,
        refused(550, "get", "tree/none", c.out / "none"),
        refused(550, "list", "LIST", "tree/none"),
        refused(550, "enter", "tree/text/lines.txt"),
        refused(550, "put", c.large, f"{c.up}/none/file"),
        refused(550, "remove folder", "tree/text"),
        refused(554, "get", "tree/text/lines.txt", c.out / "none", 1_000_000),
        ("where",),
        ("get", "tree/text/lines.txt", c.out / "lines"),
    )
    c.equal(values[6], "/", "folder")
    c.same_file(c.out / "lines", c.tree / "text/lines.txt")


@suppaftp.operation("anonymous, refused upload", on=EVERY)
def _(c):
    lines = c.out / "lines"
    run(
        c,
        ("get", "tree/text/lines.txt", lines),
        refused(550, "put", lines, "up/refused"),
        refused(550, "remove", "tree/text/lines.txt"),
        server=c.reader,
    )
    c.same_file(lines, c.tree / "text/lines.txt")


@suppaftp.operation("TLS session resumed for data", on=SECURE)
def _(c):
    """Many transfers on one connection: it has to have a ticket left for each."""
    down = "get", "tree/text/lines.txt", c.out / "lines"
    up = "put", c.tree / "text/lines.txt", f"{c.up}/lines"
    run(c, *[down, up] * 20)
    c.same_file(c.arrived / "lines", c.out / "lines")


@suppaftp.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    for server in (c.wharf, c.reader):
        try:
            run(c, ("where",), server=server, tls=None, port=server.port)
        except Failed as failed:
            c.equal("[530]" in str(failed), True, str(failed))
        else:
            raise Failed("not refused")
