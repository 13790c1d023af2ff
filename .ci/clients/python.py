"""Python's ftplib: also what other clients cannot be brought to do."""

import ftplib
import io
import os
import socket
import threading
from pathlib import Path

import tree
from harness import LIMIT_SECONDS, Client, Failed

python = Client("python")


def connect(c, server=None) -> ftplib.FTP:
    server = server or c.wharf
    ftp = ftplib.FTP(encoding="utf-8")
    ftp.connect("127.0.0.1", server.port, timeout=LIMIT_SECONDS / 3)
    ftp.login(server.user, server.password)
    return ftp


def get(ftp, path, **keywords) -> bytes:
    out = io.BytesIO()
    ftp.retrbinary(f"RETR {path}", out.write, **keywords)
    return out.getvalue()


def refused(code: str, action, *arguments):
    """The action must be answered with this code."""
    try:
        action(*arguments)
    except ftplib.Error as error:
        if str(error)[:3] != code:
            raise Failed(f"{str(error)!a} instead of {code}") from None
    else:
        raise Failed(f"not refused with {code}: {arguments}")


@python.operation("nlst, mlsd, dir")
def _(c):
    with connect(c) as ftp:
        ftp.cwd("tree/names")
        c.equal(ftp.pwd(), "/tree/names", "working directory")
        c.names(ftp.nlst(), "names")
        lines = []
        ftp.dir(lines.append)
        c.equal(len(lines), len(os.listdir(c.tree / "names")), "lines")
        found = {name: facts for name, facts in ftp.mlsd(facts=["type", "size", "modify"])}
        kinds = {found.pop(".")["type"], found.pop("..")["type"]}
        c.equal(kinds, {"cdir", "pdir"}, "kinds")
        c.names(found, "names")
        for name, facts in found.items():
            size = str((c.tree / "names" / name).stat().st_size)
            want = {"type": "file", "size": size, "modify": "20231114221320"}
            c.equal(facts, want, name)
        c.equal(ftp.nlst("/tree/empty folder"), [], "names in the empty folder")
        c.equal(ftp.nlst("/tree/text"), ["/tree/text/lines.txt"], "names of another folder")


@python.operation("get, put odd names")
def _(c):
    with connect(c) as ftp:
        for name in os.listdir(c.tree / "names"):
            content = get(ftp, f"tree/names/{name}")
            (c.out / name).write_bytes(content)
            ftp.storbinary(f"STOR {c.up}/{name}", io.BytesIO(content))
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived, c.tree / "names")


@python.operation("get, put names that are no text")
def _(c):
    """Not UTF-8, or with line ends: LF travels as NUL, CR as CR NUL (RFC 2640 section 3.1)."""

    def on_wire(name: bytes) -> bytes:
        return name.replace(b"\r", b"\r\0").replace(b"\n", b"\0")

    def command(line: bytes) -> str:
        # On the control connection, 0xFF is Telnet's.
        ftp.sock.sendall(line.replace(b"\xff", b"\xff\xff") + b"\r\n")
        return ftp.getresp()

    def data(line: bytes, upload=None) -> bytes:
        host, port = ftp.makepasv()
        with socket.create_connection((host, port), ftp.timeout) as connection:
            c.equal(command(line)[:3], "150", "reply")
            if upload is None:
                got = b"".join(iter(lambda: connection.recv(65536), b""))
            else:
                got = connection.sendall(upload)
        ftp.voidresp()
        return got

    with connect(c) as ftp:
        ftp.voidcmd("TYPE I")
        listed = data(b"NLST raw").split(b"\r\n")
        want = [b"raw/" + on_wire(name) for name in tree.RAW_NAMES]
        c.equal(sorted(listed), sorted([*want, b""]), "names")
        for name in tree.RAW_NAMES:
            c.equal(data(b"RETR raw/" + on_wire(name)), name, "content")
            to = os.fsencode(c.up) + b"/" + on_wire(name)
            data(b"STOR " + to, name)
            command(b"RNFR " + to)
            command(b"RNTO " + to + b"2")
        arrived = {name: (Path(c.arrived) / os.fsdecode(name + b"2")) for name in tree.RAW_NAMES}
        for name, path in arrived.items():
            c.equal(path.read_bytes(), name, "content")
            command(b"DELE " + os.fsencode(c.up) + b"/" + on_wire(name) + b"2")
    c.equal(os.listdir(c.arrived), [], "folder")


@python.operation("retrlines, storlines")
def _(c):
    lines = []
    with connect(c) as ftp:
        ftp.retrlines("RETR tree/text/lines.txt", lines.append)
        with open(c.tree / "text/lines.txt", "rb") as file:
            ftp.storlines(f"STOR {c.up}/lines", file)
    c.equal(lines, ["one", "two", "", "last, without end"], "lines")
    c.equal((c.arrived / "lines").read_text(), "\n".join(lines) + "\n", "lines")


@python.operation("rest: get, put")
def _(c):
    part = c.part_of_large(c.arrived / "large")
    with connect(c) as ftp, open(c.large, "rb") as large:
        got = get(ftp, "tree/big/large.bin", rest=67_000_000)
        large.seek(67_000_000)
        c.equal(got == large.read(), True, "end of the file is right")
        large.seek(10_000_000)
        ftp.storbinary(f"STOR {c.up}/large", large, rest=10_000_000)
        c.same_file(part, c.large)
        # In the middle: what stood there before is written over.
        ftp.storbinary(f"STOR {c.up}/large", io.BytesIO(b"middle"), rest=100)
        refused("554", ftp.storbinary, f"STOR {c.up}/large", io.BytesIO(), 8192, None, 99_999_999)
        refused("554", lambda: get(ftp, "tree/big/large.bin", rest=99_999_999))
    with open(part, "rb") as file:
        file.seek(100)
        c.equal(file.read(6), b"middle", "middle")


@python.operation("append, store unique")
def _(c):
    with connect(c) as ftp:
        for _ in range(2):
            ftp.storbinary(f"APPE {c.up}/file", io.BytesIO(b"one"))
        c.equal((c.arrived / "file").read_bytes(), b"oneone", "content")
        ftp.cwd(c.up)
        ftp.storbinary("STOU", io.BytesIO(b"unique"))
        ftp.storbinary("STOU", io.BytesIO(b"unique"))
    c.equal(len(os.listdir(c.arrived)), 3, "files")


@python.operation("mkd, rename, size, delete, rmd")
def _(c):
    with connect(c) as ftp:
        made = ftp.mkd(f'{c.up}/a "quoted" name')
        c.equal(made, f'/{c.up}/a "quoted" name', "name made")
        ftp.cwd(made)
        c.equal(ftp.pwd(), made, "working directory")
        ftp.storbinary("STOR -x", io.BytesIO(b"12345"))
        c.equal(ftp.size("-x"), 5, "size")
        ftp.rename("-x", "../ y")
        c.equal((c.arrived / " y").read_bytes(), b"12345", "content")
        refused("550", ftp.rmd, f"/{c.up}")
        ftp.cwd("..")
        ftp.rmd(made)
        ftp.delete(" y")
        refused("550", ftp.delete, " y")
    c.equal(os.listdir(c.arrived), [], "folder")


@python.operation("active: EPRT, PORT")
def _(c):
    with connect(c) as ftp:
        ftp.set_pasv(False)
        for send in (ftp.sendport, lambda _, port: ftp.sendeprt("127.0.0.1", port)):
            ftp.sendport = send
            (c.out / "large").write_bytes(get(ftp, "tree/big/large.bin"))
            c.same_file(c.out / "large", c.large)
            ftp.storbinary(f"STOR {c.up}/file", io.BytesIO(b"active"))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            nobody = listener.getsockname()[1]
        ftp.sendeprt("127.0.0.1", nobody)
        refused("425", ftp.voidcmd, "NLST")
    c.equal((c.arrived / "file").read_bytes(), b"active", "content")


@python.operation("abort")
def _(c):
    """ftplib sends ABOR as urgent data. The session goes on, and an upload is not published."""
    (c.arrived / "old").write_bytes(b"old")
    with connect(c) as ftp:
        for path, verb in [("tree/big/large.bin", "RETR"), (f"{c.up}/old", "STOR")]:
            ftp.voidcmd("TYPE I")
            with ftp.transfercmd(f"{verb} {path}") as data:
                data.recv(1000) if verb == "RETR" else data.sendall(b"new")
                reply = ftp.abort()
                c.equal(reply[:3], "426", "reply to the transfer")
                c.equal(ftp.getresp()[:3], "226", "reply to ABOR")
            c.equal(get(ftp, "tree/text/lines.txt")[:3], b"one", "content afterwards")
    c.equal((c.arrived / "old").read_bytes(), b"old", "content")
    c.equal(os.listdir(c.arrived), ["old"], "files")


@python.operation("hang up in the middle")
def _(c):
    """The open files of the server are looked at when all clients have gone."""
    (c.arrived / "old").write_bytes(b"old")
    commands = [("RETR", "tree/big/large.bin"), ("STOR", f"{c.up}/old"), ("LIST", "tree/many")]
    for verb, path in commands:
        ftp = connect(c)
        data = ftp.transfercmd(f"{verb} {path}")
        if verb == "STOR":
            data.sendall(b"x" * 100_000)
        ftp.sock.close()
        ftp.file.close()
        data.close()
    ftp = connect(c)
    ftp.makepasv()
    ftp.sock.close()
    ftp.file.close()
    with connect(c) as ftp:
        c.equal(get(ftp, "tree/text/lines.txt")[:3], b"one", "content afterwards")
    c.equal((c.arrived / "old").read_bytes()[:3] in (b"old", b"xxx"), True, "an upload is whole")


@python.operation("forty sessions at once")
def _(c):
    faults = []

    def one(number: int):
        try:
            with connect(c) as ftp:
                names = ftp.nlst("tree/many")
                for name in names[number::40]:
                    (c.out / Path(name).name).write_bytes(get(ftp, name))
        except Exception as error:
            faults.append(f"{number}: {error}")

    threads = [threading.Thread(target=one, args=[number]) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    c.equal(faults, [], "faults")
    c.same_tree(c.out, c.tree / "many")


@python.operation("read-only, anonymous")
def _(c):
    with connect(c, c.reader) as ftp:
        c.equal(get(ftp, "tree/text/lines.txt")[:3], b"one", "content")
        refused("550", ftp.storbinary, "STOR up/refused", io.BytesIO())
        refused("550", ftp.storbinary, "APPE tree/text/lines.txt", io.BytesIO())
        refused("550", ftp.delete, "tree/text/lines.txt")
        refused("550", ftp.mkd, "up/refused")
        refused("550", ftp.rmd, "tree/empty folder")
        refused("550", ftp.rename, "tree/text/lines.txt", "up/refused")


@python.operation("not out of the folder")
def _(c):
    (c.arrived / "out").symlink_to("/etc")
    with connect(c) as ftp:
        ftp.cwd("../../../..")
        c.equal(ftp.pwd(), "/", "working directory")
        refused("550", lambda: get(ftp, "../../../../etc/passwd"))
        refused("550", lambda: get(ftp, f"{c.up}/out/passwd"))
        refused("550", ftp.cwd, f"{c.up}/out")
