"""Python's ftplib: also what other clients cannot be brought to do."""

import ftplib
import io
import os
import socket
import ssl
import threading
from pathlib import Path

import tree
from ftps import Ftps
from harness import LIMIT_SECONDS, Client, Failed
from transport import EVERY, SECURE

python = Client("python")


def connect(c, server=None) -> ftplib.FTP:
    ftp = Ftps(c.certificate, c.tls, c.implicit) if c.tls else ftplib.FTP(encoding="utf-8")
    return log_in(c, ftp, server)


def log_in(c, ftp, server=None):
    server = server or c.wharf
    ftp.connect("127.0.0.1", c.port(server), timeout=LIMIT_SECONDS / 3)
    # FTP_TLS itself sends AUTH first, where TLS has not begun.
    ftp.login(server.user, server.password)
    if isinstance(ftp, ftplib.FTP_TLS):
        ftp.prot_p()
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


@python.operation("nlst, mlsd, dir", on=EVERY)
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


@python.operation("get, put odd names", on=EVERY)
def _(c):
    with connect(c) as ftp:
        for name in os.listdir(c.tree / "names"):
            content = get(ftp, f"tree/names/{name}")
            (c.out / name).write_bytes(content)
            ftp.storbinary(f"STOR {c.up}/{name}", io.BytesIO(content))
    c.same_tree(c.out, c.tree / "names")
    c.same_tree(c.arrived, c.tree / "names")


@python.operation("get, put all (MLSD)")
def _(c):
    def get_folder(path, to):
        for name, facts in list(ftp.mlsd(path)):
            if facts["type"] == "dir":
                (to / name).mkdir()
                get_folder(f"{path}/{name}", to / name)
            elif facts["type"] == "file":
                (to / name).write_bytes(get(ftp, f"{path}/{name}"))

    def put_folder(folder, path):
        for entry in folder.iterdir():
            if entry.is_dir():
                put_folder(entry, ftp.mkd(f"{path}/{entry.name}"))
            else:
                with open(entry, "rb") as file:
                    ftp.storbinary(f"STOR {path}/{entry.name}", file)

    with connect(c) as ftp:
        get_folder("tree", c.out)
        # What MLSD calls a link is only one to a folder.
        c.same_tree(c.out, c.tree, want_links="follow", leave_out=["links/to-folder"])
        put_folder(c.out, c.up)
    c.same_tree(c.arrived, c.out)


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
            connection = ftp.protect(connection) if c.tls else connection
            if upload is None:
                got = b"".join(iter(lambda: connection.recv(65536), b""))
            else:
                got = connection.sendall(upload)
            if c.tls:
                connection.unwrap()
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


@python.operation("rest: get, put", on=EVERY)
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


@python.operation("append, store unique", on=EVERY)
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


@python.operation("active: EPRT, PORT", on=EVERY)
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


@python.operation("abort", on=EVERY)
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


@python.operation("hang up in the middle", on=EVERY)
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


@python.operation("forty sessions at once", on=EVERY)
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


@python.operation("read-only, anonymous", on=EVERY)
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


@python.operation("PROT C, PROT P", on=("tls", "tls1.2", "implicit"))
def _(c):
    lines = (c.tree / "text/lines.txt").read_bytes()
    with connect(c) as ftp:
        for protect in (ftp.prot_c, ftp.prot_p, ftp.prot_c):
            protect()
            c.equal(get(ftp, "tree/text/lines.txt"), lines, "content")
            ftp.storbinary(f"STOR {c.up}/file", io.BytesIO(lines))
            c.same_file(c.arrived / "file", c.tree / "text/lines.txt")


@python.operation("CCC", on=("tls",))
def _(c):
    """The login is protected, the commands afterwards are not, and the files are again."""
    with connect(c) as ftp:
        ftp.ccc()
        c.equal(ftp.sock.version(), None, "TLS")
        c.equal(get(ftp, "tree/text/lines.txt")[:3], b"one", "content")
        ftp.storbinary(f"STOR {c.up}/file", io.BytesIO(b"stored"))
        ftp.cwd("tree")
        c.equal(ftp.pwd(), "/tree", "working directory")
    c.equal((c.arrived / "file").read_bytes(), b"stored", "content")


@python.operation("TLS session resumed, and not", on=SECURE)
def _(c):
    for resume in (True, False):
        with log_in(c, Ftps(c.certificate, c.tls, c.implicit, resume)) as ftp:
            if not resume and c.must_resume:
                # The server hangs up on the data connection, and says why on the other.
                try:
                    get(ftp, "tree/text/lines.txt")
                except ssl.SSLError:
                    refused("522", ftp.voidresp)
                else:
                    raise Failed("not refused")
                c.equal(ftp.pwd(), "/", "working directory")
                continue
            for _ in range(50):
                with ftp.transfercmd("RETR tree/text/lines.txt") as data:
                    data.recv(100)
                    c.equal(data.session_reused, resume, "session resumed")
                    data.unwrap()
                ftp.voidresp()


@python.operation("refused in clear", on=("require",), in_clear=True)
def _(c):
    """Neither a login nor data, and not even to anybody."""
    for server in (c.wharf, c.reader):
        with ftplib.FTP(encoding="utf-8") as ftp:
            ftp.connect("127.0.0.1", server.port, timeout=LIMIT_SECONDS / 3)
            refused("530", ftp.login, server.user, server.password)
    with connect(c) as ftp:
        refused("534", ftp.prot_c)
        refused("533", ftp.ccc)
