"""The operations that every library is put to that has a small program in programs/.

The programs know: `get` and `put` (with an offset at the end: resumed), `append`, `list`, `names`,
`size`, `time`, `where`, `enter`, `make`, `rename`, `remove` and `remove folder`; see library.py.
"""

import os
from pathlib import Path

import library
from harness import Failed
from library import refused
from transport import EVERY, MOST

PROGRAMS = Path(__file__).with_name("programs")

MODIFIED = 1_700_000_000


def one_ticket(library: str) -> dict:
    """Returns why a library that leaves the TLS session to OpenSSL cannot do several uploads."""
    reason = f"{library} keeps one TLS 1.3 ticket, uses it once, and an upload brings no other"
    operations = ["get, put, odd names", "put over an old file, append", "active"]
    return dict.fromkeys([*operations, "thirty transfers in a row"], {"require": reason})


class Everyday:
    """`command` starts the program; `cannot` has reasons for what the library has none of.

    A reason is a text, or texts by transports, under the name of an operation, or under "" for all.
    `codes` says whether the program knows the codes of replies, `left_out` has reasons for odd names
    that the library cannot carry, and `environment(c)` is what its environment has to be.
    """

    def __init__(self, client, command, cannot=None, codes=True, left_out=None, environment=None):
        self.client, self.command, self.cannot = client, command, cannot or {}
        self.codes, self.environment = codes, environment
        self.left_out = left_out or {}
        for name, reason in self.left_out.items():
            client.without(f"the name {name!a}", reason)
        for name in ("append", "where"):
            if name in self.cannot:
                client.without(name, self.cannot[name])
        self._operations()

    def run(self, c, *operations, **settings) -> list:
        env = self.environment(c) if self.environment else None
        return library.perform(c, self.command, operations, env=env, **settings)

    def refused(self, code: int, *operation):
        return refused(code if self.codes else None, *operation)

    def names(self, c) -> list:
        return sorted(set(os.listdir(c.tree / "names")) - self.left_out.keys())

    def operation(self, name: str, on=EVERY, in_clear=False):
        cannot = {}
        for key in ("", name) if not in_clear else ():
            reason = self.cannot.get(key, {})
            cannot |= reason if isinstance(reason, dict) else dict.fromkeys(on, reason)
        return self.client.operation(name, on=on, cannot=cannot, in_clear=in_clear)

    def compare_listing(self, c, entries, folder: str, stripped=False):
        """With `stripped`, the library takes the spaces before a name for those of the columns."""
        found = {entry["name"]: entry for entry in entries if entry["name"] not in (".", "..")}
        for path in (c.tree / folder).iterdir():
            name = path.name.lstrip() if stripped else path.name
            if path.name in self.left_out:
                found.pop(name, None)
                continue
            if not (entry := found.pop(name, None)):
                raise Failed(f"{name!a} of {folder} is not listed")
            c.equal(bool(entry["folder"]), path.is_dir(), f"{name} is a folder")
            if path.is_file():
                c.equal(entry["size"], path.stat().st_size, f"size of {name}")
        c.equal(sorted(found), [], f"more names in {folder}")

    def has_folder(self) -> bool:
        """Returns `True` if the library has a working directory."""
        return "where" not in self.cannot

    def folder_operations(self, *operations) -> list:
        return list(operations) if self.has_folder() else []

    def _operations(self):
        run, names = self.run, self.names

        @self.operation("list", on=MOST)
        def _(c):
            folders = ["names", "empty folder", "deep 1", "text"]
            listed = run(c, *[("list", f"tree/{folder}") for folder in folders])
            for folder, entries in zip(folders, listed):
                self.compare_listing(c, entries, folder)

        @self.operation("names (NLST)", on=MOST)
        def _(c):
            got, empty = run(c, ("names", "tree/names"), ("names", "tree/empty folder"))
            got = {name.removeprefix("tree/names/") for name in got}
            c.equal(sorted(got - self.left_out.keys()), names(c), "names")
            c.equal(empty or [], [], "the empty folder")

        @self.operation("get, put, odd names")
        def _(c):
            gets = [("get", f"tree/names/{name}", c.out / name) for name in names(c)]
            run(c, *gets, *[("put", c.out / name, f"{c.up}/{name}") for name in names(c)])
            c.same_tree(c.out, c.tree / "names", leave_out=self.left_out)
            c.same_tree(c.arrived, c.tree / "names", leave_out=self.left_out)

        @self.operation("get, put, many", on=("clear", "tls"))
        def _(c):
            listed = {entry["name"] for entry in run(c, ("list", "tree/many"))[0]} - {".", ".."}
            c.equal(sorted(listed), sorted(os.listdir(c.tree / "many")), "names")
            some = sorted(listed)[::3]
            gets = [("get", f"tree/many/{name}", c.out / name) for name in some]
            run(c, *gets, *[("put", c.out / name, f"{c.up}/{name}") for name in some[::2]])
            for folder, names in (c.out, some), (c.arrived, some[::2]):
                c.equal(sorted(os.listdir(folder)), names, "files")
                for name in names:
                    c.same_file(folder / name, c.tree / "many" / name)

        @self.operation("get, put, 64 MiB")
        def _(c):
            down, up = c.out / "large", f"{c.up}/large"
            run(c, ("get", "tree/big/large.bin", down), ("put", down, up))
            c.same_file(down, c.large)
            c.same_file(c.arrived / "large", c.large)

        @self.operation("get resumed", on=MOST)
        def _(c):
            part = c.part_of_large(c.out / "large")
            run(c, ("get", "tree/big/large.bin", part, 10_000_000))
            c.same_file(part, c.large)

        @self.operation("put resumed", on=MOST)
        def _(c):
            part = c.part_of_large(c.arrived / "large")
            run(c, ("put", c.large, f"{c.up}/large", 10_000_000))
            c.same_file(part, c.large)

        @self.operation("put over an old file, append")
        def _(c):
            lines = c.tree / "text/lines.txt"
            (c.arrived / "file").write_bytes(b"what was there before, and is longer than the new one")
            appends = [("append", lines, f"{c.up}/file")] * 2 if "append" not in self.cannot else []
            run(c, ("put", lines, f"{c.up}/file"), *appends)
            want = lines.read_bytes() * (1 + len(appends))
            c.equal((c.arrived / "file").read_bytes(), want, "content")

        @self.operation("active")
        def _(c):
            gets = [("get", f"tree/names/{name}", c.out / name) for name in names(c)]
            puts = [("put", c.out / name, f"{c.up}/{name}") for name in names(c)]
            large = c.fresh("large") / "large"
            run(c, *gets, *puts, ("get", "tree/big/large.bin", large), mode="active")
            c.same_tree(c.out, c.tree / "names", leave_out=self.left_out)
            c.same_tree(c.arrived, c.tree / "names", leave_out=self.left_out)
            c.same_file(large, c.large)

        @self.operation("make, rename, size, time, remove", on=("clear", "tls"))
        def _(c):
            made = f"/{c.up}/a b ü"
            lines = c.tree / "text/lines.txt"
            operations = [("make", made), ("put", lines, f"{made}/file")]
            operations += [("rename", f"{made}/file", f"{made}/ moved")]
            operations += self.folder_operations(("enter", made), ("where",))
            operations += [("size", f"{made}/ moved"), ("time", "/tree/text/lines.txt")]
            *_, where, size, time = run(c, *operations)
            if self.has_folder():
                c.equal(where, made, "folder")
            c.equal(size, lines.stat().st_size, "size")
            c.equal(time, MODIFIED, "time")
            c.same_file(c.arrived / "a b ü/ moved", lines)
            run(c, ("remove", f"{made}/ moved"), ("remove folder", made))
            c.equal(os.listdir(c.arrived), [], "left")

        @self.operation("refusals", on=MOST)
        def _(c):
            """The session goes on after each."""
            lines = c.out / "lines"
            operations = [self.refused(550, "get", "tree/none", c.out / "none")]
            operations += [self.refused(550, "put", c.large, "tree/text/lines.txt/file")]
            operations += [self.refused(550, "remove folder", "tree/text")]
            enter = self.refused(550, "enter", "tree/text/lines.txt")
            operations += self.folder_operations(enter, ("where",))
            *_, where, _ = run(c, *operations, ("get", "tree/text/lines.txt", lines))
            if self.has_folder():
                c.equal(where, "/", "folder")
            c.same_file(lines, c.tree / "text/lines.txt")

        @self.operation("anonymous, refused upload", on=MOST)
        def _(c):
            lines = c.out / "lines"
            run(
                c,
                ("get", "tree/text/lines.txt", lines),
                self.refused(550, "put", lines, "up/refused"),
                self.refused(550, "remove", "tree/text/lines.txt"),
                server=c.reader,
            )
            c.same_file(lines, c.tree / "text/lines.txt")

        @self.operation("thirty transfers in a row")
        def _(c):
            gets = [("get", "tree/text/lines.txt", c.out / "lines")] * 10
            puts = [("put", c.tree / "text/lines.txt", f"{c.up}/lines")] * 10
            run(c, *gets, *puts, *gets)
            c.same_file(c.arrived / "lines", c.out / "lines")

        @self.operation("refused in clear", on=("require",), in_clear=True)
        def _(c):
            for server in (c.wharf, c.reader):
                try:
                    run(c, ("size", "tree/text/lines.txt"), server=server, tls="", port=server.port)
                except Failed as failed:
                    c.equal("530" in f"{failed}{c.said[-1]}" or not self.codes, True, str(failed))
                else:
                    raise Failed("not refused")
