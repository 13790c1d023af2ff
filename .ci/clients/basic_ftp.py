"""basic-ftp of npm, by the methods of its Client."""

import shutil
from pathlib import Path

import library
from harness import Client, Failed
from library import INSTALLED, refused
from transport import EVERY, SECURE

FOLDER = INSTALLED / "basic-ftp"

basic_ftp = Client("basic-ftp", "node", built=FOLDER / "node_modules/basic-ftp/package.json")
basic_ftp.without("active", "basic-ftp has no active mode")

# With nothing to send, it ends the data connection before the handshake is done or without
# close_notify, and to the server that is no end of a file.
NO_EMPTY = dict.fromkeys(SECURE, "basic-ftp cuts the TLS of an empty upload short")

PROGRAM = Path(__file__).with_name("basic-ftp") / "client.mjs"

# FileType in its FileInfo.
FILE, FOLDER_TYPE, LINK = 1, 2, 3


def run(c, *operations, **settings) -> list:
    return library.perform(c, ["node", PROGRAM, FOLDER], operations, **settings)


def leave_out_empty(c, folder):
    """Makes it a folder that can be uploaded."""
    for path in folder.rglob("*") if c.tls else ():
        if path.is_file() and path.stat().st_size == 0:
            path.unlink()


@basic_ftp.operation("list (MLSD)", on=EVERY)
def _(c):
    names, links, empty = run(
        c, ("list", "tree/names"), ("list", "tree/links"), ("list", "tree/empty folder")
    )
    c.names([entry["name"] for entry in names], "names")
    for entry in names:
        want = {"type": FILE, "size": (c.tree / "names" / entry["name"]).stat().st_size}
        want |= {"modifiedAt": "2023-11-14T22:13:20.000Z"}
        c.equal({key: entry[key] for key in want}, want, entry["name"])
    kinds = {entry["name"]: entry["type"] for entry in links}
    c.equal(kinds, {"to-file": FILE, "to-folder": LINK}, "links")
    c.equal(empty, [], "the empty folder")


@basic_ftp.operation("list (LIST)")
def _(c):
    listed = ("list", "tree/names"), ("list", "tree/links"), ("list", "tree")
    names, links, tree = run(c, *listed, listing="LIST")
    c.names([entry["name"] for entry in names], "names")
    for entry in names:
        c.equal(entry["size"], (c.tree / "names" / entry["name"]).stat().st_size, entry["name"])
    targets = {entry["name"]: entry["link"] for entry in links if entry["type"] == LINK}
    c.equal(targets, {"to-file": "../names/plain.txt", "to-folder": "../text"}, "links")
    c.equal({entry["type"] for entry in tree}, {FOLDER_TYPE}, "types")


@basic_ftp.operation("downloadToDir, uploadFromDir, odd names", on=EVERY)
def _(c):
    run(c, ("downloadToDir", c.out, "tree/names"))
    c.same_tree(c.out, c.tree / "names")
    leave_out_empty(c, c.out)
    run(c, ("uploadFromDir", c.out, c.up))
    c.same_tree(c.arrived, c.out)


@basic_ftp.operation("uploadFrom, an empty file", on=EVERY, cannot=NO_EMPTY)
def _(c):
    run(c, ("uploadFrom", c.tree / "names/empty", f"{c.up}/empty"))
    c.same_file(c.arrived / "empty", c.tree / "names/empty")


@basic_ftp.operation("downloadToDir, all")
def _(c):
    run(c, ("downloadToDir", c.out, "tree"))
    # It leaves out what MLSD calls a link: that is only one to a folder.
    c.same_tree(c.out, c.tree, want_links="follow", leave_out=["links/to-folder"])


@basic_ftp.operation("uploadFromDir, all")
def _(c):
    folder = c.fresh("tree")
    shutil.copytree(c.tree, folder, dirs_exist_ok=True)
    leave_out_empty(c, folder)
    run(c, ("uploadFromDir", folder, c.up))
    c.same_tree(c.arrived, folder)


@basic_ftp.operation("downloadTo, uploadFrom, 64 MiB", on=EVERY)
def _(c):
    down, up = c.out / "large", f"{c.up}/large"
    run(c, ("downloadTo", down, "tree/big/large.bin"), ("uploadFrom", down, up))
    c.same_file(down, c.large)
    c.same_file(c.arrived / "large", c.large)


@basic_ftp.operation("downloadTo resumed (startAt)", on=EVERY)
def _(c):
    part = c.part_of_large(c.out / "large")
    run(c, ("downloadTo", part, "tree/big/large.bin", 10_000_000))
    c.same_file(part, c.large)


@basic_ftp.operation("upload resumed (appendFrom, localStart)", on=EVERY)
def _(c):
    part = c.part_of_large(c.arrived / "large")
    start = {"localStart": 10_000_000}
    size, _ = run(c, ("size", f"{c.up}/large"), ("appendFrom", c.large, f"{c.up}/large", start))
    c.equal(size, 10_000_000, "size")
    c.same_file(part, c.large)


@basic_ftp.operation("appendFrom", on=EVERY)
def _(c):
    lines = c.tree / "text/lines.txt"
    run(c, *[("appendFrom", lines, f"{c.up}/file")] * 2)
    c.equal((c.arrived / "file").read_bytes(), lines.read_bytes() * 2, "content")


@basic_ftp.operation("passive: PASV")
def _(c):
    run(c, ("downloadToDir", c.out, "tree/names"), passive="PASV")
    c.same_tree(c.out, c.tree / "names")
    leave_out_empty(c, c.out)
    run(c, ("uploadFromDir", c.out, c.up), passive="PASV")
    c.same_tree(c.arrived, c.out)


@basic_ftp.operation("ensureDir, rename, remove, removeDir")
def _(c):
    (c.arrived / "file").write_bytes(b"12345")
    (c.arrived / "full/folder/.hidden").mkdir(parents=True)
    (c.arrived / "full/folder/file").touch()
    made = f"/{c.up}/a b/ü"
    *_, where, size, time = run(
        c,
        ("ensureDir", made),
        ("rename", f"/{c.up}/file", " moved"),
        ("pwd",),
        ("size", " moved"),
        ("lastMod", "/tree/text/lines.txt"),
    )
    c.equal((where, size), (made, 5), "folder and size")
    c.equal(time, "2023-11-14T22:13:20.000Z", "time")
    c.equal((c.arrived / "a b/ü/ moved").read_bytes(), b"12345", "content")
    run(c, ("remove", f"{made}/ moved"), ("removeEmptyDir", made), ("removeDir", f"{c.up}/full"))
    c.equal([str(path.relative_to(c.arrived)) for path in c.arrived.rglob("*")], ["a b"], "left")


@basic_ftp.operation("refusals", on=EVERY)
def _(c):
    """The session goes on behind each."""
    values = run(
        c,
        refused(550, "downloadTo", c.out / "none", "tree/none"),
        refused(550, "list", "tree/none"),
        refused(550, "cd", "tree/text/lines.txt"),
        refused(550, "uploadFrom", c.large, f"{c.up}/none/file"),
        refused(550, "removeEmptyDir", "tree/text"),
        ("pwd",),
        ("downloadTo", c.out / "lines", "tree/text/lines.txt"),
    )
    c.equal(values[5], "/", "folder")
    c.same_file(c.out / "lines", c.tree / "text/lines.txt")


@basic_ftp.operation("anonymous, refused upload", on=EVERY)
def _(c):
    lines = c.out / "lines"
    run(
        c,
        ("downloadTo", lines, "tree/text/lines.txt"),
        refused(550, "uploadFrom", lines, "up/refused"),
        refused(550, "remove", "tree/text/lines.txt"),
        server=c.reader,
    )
    c.same_file(lines, c.tree / "text/lines.txt")


@basic_ftp.operation("TLS session resumed for data", on=SECURE)
def _(c):
    """Many transfers on one connection: it has to have a ticket left for each."""
    downloads = [("downloadTo", c.out / "lines", "tree/text/lines.txt")] * 10
    uploads = [("uploadFrom", c.tree / "text/lines.txt", f"{c.up}/lines")] * 10
    run(c, *downloads, *uploads, *downloads)
    c.same_file(c.arrived / "lines", c.out / "lines")


@basic_ftp.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    for server in (c.wharf, c.reader):
        try:
            run(c, ("pwd",), server=server, tls="", port=server.port)
        except Failed as failed:
            c.equal("530 " in str(failed), True, str(failed))
        else:
            raise Failed("not refused")
