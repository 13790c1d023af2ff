"""What the drivers of single clients share: operations, and the case that each gets."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import tree
from transport import FULL, Transport

# How long one call of a client may take.
LIMIT_SECONDS = 60


class Failed(Exception):
    """The operation did not do what it should; the text says in what way."""


@dataclass
class Operation:
    """`on` are the transports that it is for; `cannot` says why the client has none of some."""

    name: str
    function: object
    on: tuple
    cannot: dict


@dataclass
class Client:
    """A client, and what is done with it; `no_tls` says why there is no TLS.

    `program` is a command, as are those that it needs beside it, `built` a file that
    .ci/clients/install brings.
    """

    name: str
    program: str | None = None
    no_tls: str = ""
    built: Path | None = None
    needs: list = field(default_factory=list)
    operations: list = field(default_factory=list)

    def is_there(self) -> bool:
        commands = [self.program, *self.needs] if self.program else self.needs
        return all(map(shutil.which, commands)) and (self.built is None or self.built.exists())

    def without(self, name, reason, on=FULL):
        """Says that the client has no such operation, and why."""
        self.operations.append(Operation(name, None, on, dict.fromkeys(on, reason)))

    def operation(self, name, on=FULL, cannot=None, in_clear=False):
        """`in_clear` is for what a client does without TLS whatever the transport is."""
        cannot = dict(cannot or {})
        if self.no_tls and not in_clear:
            cannot |= {transport: self.no_tls for transport in on if transport != "clear"}

        def add(function):
            self.operations.append(Operation(name, function, on, cannot))
            return function

        return add


@dataclass
class Result:
    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return (self.out + self.err).decode(errors="replace")


class Case:
    """One operation of one client against one backend.

    `wharf` is the server for writing, `reader` the anonymous one; both serve `root`, in which
    `tree` is what is downloaded and uploaded. `out` is an empty local folder, `up` the name of an
    empty folder on the server.
    """

    def __init__(self, name: str, transport: Transport, wharf, reader, work: Path):
        self.name, self.wharf, self.reader, self.work = name, wharf, reader, work
        self.tls, self.implicit = transport.tls, transport.implicit
        self.must_resume = transport.name == "require"
        self.root: Path = wharf.root
        self.tree = self.root / "tree"
        self.home = work / "home"
        self.out = work / "out" / name
        self.up = f"up/{name}"
        self.arrived = self.root / self.up
        for folder in (self.home, self.out, self.arrived):
            folder.mkdir(parents=True, exist_ok=True)
        self.said = []

    def run(self, *command, ok=(0,), stdin="", cwd=None, env=None) -> Result:
        """Runs a client in a clean environment; `ok` are the exit codes that are right."""
        command = [os.fspath(part) if isinstance(part, Path) else str(part) for part in command]
        surroundings = {"PATH": os.environ["PATH"], "HOME": str(self.home), "TZ": "UTC"}
        surroundings |= {"LC_ALL": "C.UTF-8", **(env or {})}
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd or self.out,
            env=surroundings,
            start_new_session=True,
        )
        try:
            out, err = process.communicate(os.fsencode(stdin), timeout=LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
            self._note(command, stdin, out + err)
            raise Failed(f"took more than {LIMIT_SECONDS} s") from None
        self._note(command, stdin, out + err)
        if process.returncode not in ok:
            last = (err or out).decode(errors="replace").strip().splitlines()
            hint = ascii(last[-1][:160]) if last else "no output"
            raise Failed(f"exit code {process.returncode}: {hint}")
        return Result(process.returncode, out, err)

    def _note(self, command, stdin: str, output: bytes):
        shown = " ".join(command)[:300]
        if stdin:
            shown += " <<< " + "; ".join(stdin.splitlines()[-8:])[-300:]
        self.said.append(f"$ {shown}\n{output.decode(errors='replace')}")

    @property
    def certificate(self) -> Path:
        return self.wharf.tls[0]

    @property
    def scheme(self) -> str:
        return "ftps" if self.implicit else "ftp"

    def port(self, server=None) -> int:
        server = server or self.wharf
        return server.implicit_port if self.implicit else server.port

    def url(self, path="", server=None, login=True) -> str:
        """The URL of a path below the root."""
        server = server or self.wharf
        who = f"{quote(server.user, safe='')}:{quote(server.password, safe='')}@" if login else ""
        return f"{self.scheme}://{who}127.0.0.1:{self.port(server)}/{quote(str(path))}"

    def fresh(self, name: str) -> Path:
        """Another empty local folder."""
        folder = self.out.with_name(f"{self.out.name}-{name}")
        folder.mkdir(parents=True)
        return folder

    def same_tree(self, got: Path, want: Path, links="keep", want_links=None, leave_out=()):
        one = tree.snapshot(got, links)
        two = tree.snapshot(want, want_links or links, leave_out, tree.known_sha256)
        if text := tree.difference(one, two):
            raise Failed(text)

    def same_file(self, got: Path, want: Path):
        if not got.is_file():
            raise Failed(f"no file {got.name!a}")
        if tree.sha256(got) != tree.known_sha256(want):
            sizes = f"{got.stat().st_size} and {want.stat().st_size} bytes"
            raise Failed(f"{got.name!a} has another content ({sizes})")

    def same_time(self, got: Path, want: Path):
        ours, theirs = int(got.stat().st_mtime), int(want.stat().st_mtime)
        if ours != theirs:
            raise Failed(f"{got.name!a} has another time, by {ours - theirs} s")

    def equal(self, got, want, what: str):
        if got != want:
            raise Failed(f"{what}: {_short(got)} instead of {_short(want)}")

    def names(self, got, folder: str, hidden=True):
        """Compares a list of names with what is in a folder of the tree."""
        want = {name for name in os.listdir(self.tree / folder) if hidden or name[0] != "."}
        got = list(got)
        if len(got) != len(set(got)):
            raise Failed("a name is listed twice")
        if text := tree.difference(dict.fromkeys(got), dict.fromkeys(want)):
            raise Failed(text)

    def part_of_large(self, path: Path, size=10_000_000) -> Path:
        """Makes `path` the beginning of the large file, as a broken transfer leaves it."""
        with open(self.tree / "big/large.bin", "rb") as large:
            path.write_bytes(large.read(size))
        return path

    @property
    def large(self) -> Path:
        return self.tree / "big/large.bin"

    def clean(self):
        """Frees the disk: what went well is not looked at again."""
        # Not "{name}*": tls1.2 is not tls's.
        for folder in [self.out, *self.out.parent.glob(f"{self.out.name}-*")]:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(self.arrived, ignore_errors=True)


def _short(value) -> str:
    text = ascii(value)
    return text if len(text) <= 120 else text[:117] + "..."
