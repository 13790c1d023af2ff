"""A foreign FTP server as a process on loopback: what all of them have in common."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

# Where `install` puts the servers.
INSTALLED = Path(__file__).resolve().parents[2] / "target/servers"
ROOT = INSTALLED / "root"
PYTHON = INSTALLED / "venv/bin/python"

# How long a server may take to start.
PATIENCE_SECONDS = 20

# Who the servers are when they touch files: the one user without rights that every system has.
NOBODY = 65534


# Servers that run, for when this program is told to end.
RUNNING = set()
LEAVING = threading.Event()

# Ports that servers were told to listen on.
GIVEN = set()
GIVEN_LOCK = threading.Lock()


class ServerError(Exception):
    pass


class Server:
    """Serves one folder: to the user "user" for writing, to anybody for reading where it can.

    What it needs, and all that it writes, is in a temporary folder. TLS can be had by AUTH on
    `port`; on `implicit_port`, where that is not None, it begins at once.

    With `fast`, it serves that folder instead of an empty one, to "user" alone, at the settings
    with which it is fastest: for measurements.
    """

    USER, PASSWORD = "user", "password"

    # Of subclasses: its name here and its own, the program below INSTALLED, whether anonymous and
    # implicit TLS are there, whether three failed logins end a session, and how many checks it may
    # be put to at a time: much of their time is waiting for what does not come.
    name: str
    label: str
    program: Path
    anonymous = True
    implicit = True
    login_attempts = True
    jobs = 4
    needs_root = True

    def __init__(self, fast: Path = None):
        self.fast = fast
        if fast:
            self.anonymous = self.implicit = False
        self.processes = []
        self.port = self.implicit_port = None
        self.work = None

    def commands(self) -> list:
        """Writes the configuration into `work`, and returns the commands that serve the ports."""
        raise NotImplementedError

    def version(self) -> str:
        """Returns the server's version, as its maker numbers it."""
        raise NotImplementedError

    def after_stop(self):
        """Undoes what was done outside of `work`."""

    # Starting and stopping

    def __enter__(self):
        if not self.program.exists():
            raise ServerError(f"{self.program} is not there; see .ci/servers/install")
        if self.needs_root and os.getuid() != 0:
            raise ServerError(f"{self.name} has to be started by root")
        self.work = Path(tempfile.mkdtemp(prefix=f"{self.name}-"))
        RUNNING.add(self)
        try:
            # The server's user has to get through.
            self.work.chmod(0o755)
            self.home = self.fast or self.work / "home"
            if not self.fast:
                self.home.mkdir()
                if os.getuid() == 0:
                    os.chown(self.home, NOBODY, NOBODY)
            self.certificate, self.key = make_certificate(self.work)
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        RUNNING.discard(self)
        try:
            self._stop()
        finally:
            try:
                self.after_stop()
            finally:
                if self.work:
                    shutil.rmtree(self.work, ignore_errors=True)

    def _start(self):
        # Somebody may take a free port before the server does.
        for _ in range(3):
            if LEAVING.is_set():
                raise ServerError(f"{self.name} is not started any more")
            self.port = free_port()
            self.implicit_port = free_port() if self.implicit else None
            self.log = self.work / "log"
            with open(self.log, "ab") as log:
                for command in self.commands():
                    process = subprocess.Popen(
                        [os.fspath(part) for part in command],
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        cwd=self.work,
                        # Ctrl-C is not for it.
                        start_new_session=True,
                    )
                    self.processes.append(process)
            ports = [port for port in (self.port, self.implicit_port) if port]
            if all([self._accepts(port) for port in ports]):
                return
            self._stop()
        raise ServerError(f"{self.name} did not start: {self.errors()}")

    def _accepts(self, port: int) -> bool:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if any(process.poll() is not None for process in self.processes):
                return False
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def _stop(self):
        while self.processes:
            process = self.processes.pop()
            # So that it starts no more sessions while those that are there are looked for.
            process.send_signal(signal.SIGSTOP)
            for pid in descendants(process.pid):
                kill(pid)
            process.kill()
            process.wait()

    def errors(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def is_alive(self) -> bool:
        return all(process.poll() is None for process in self.processes)

    def pem(self) -> Path:
        """Returns a file with both the key and the certificate."""
        pem = self.work / "both.pem"
        pem.write_text(self.key.read_text() + self.certificate.read_text())
        pem.chmod(0o600)
        return pem


def descendants(pid: int) -> list:
    """Returns the processes below one; sessions leave its group, and some outlive it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    below = [[child, *descendants(child)] for child in map(int, children)]
    return sum(below, [])


def kill(pid: int):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def leave_once():
    """Has Ctrl-C and SIGTERM end this program in good order, which another one does not disturb.

    The servers are stopped at once: threads that have work at them would else end it first.
    """

    def leave(number, _):
        for other in signal.SIGINT, signal.SIGTERM:
            signal.signal(other, signal.SIG_IGN)
        LEAVING.set()
        for server in list(RUNNING):
            server.__exit__()
        sys.exit(128 + number)

    for number in signal.SIGINT, signal.SIGTERM:
        signal.signal(number, leave)


def free_port() -> int:
    """Returns a port that is free, and that this program has not named before."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        with GIVEN_LOCK:
            if port not in GIVEN:
                GIVEN.add(port)
                return port


def make_certificate(folder: Path, name="localhost") -> tuple:
    """Makes a certificate that clients can check against itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-addext", f"subjectAltName=IP:127.0.0.1,DNS:{name}"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def hash_password(password: str) -> str:
    """Returns a hash as /etc/shadow has it, made so that a login is quick."""
    salt = "rounds=1000$" + os.urandom(8).hex()
    command = ["openssl", "passwd", "-6", "-salt", salt, "-stdin"]
    done = subprocess.run(command, input=password, text=True, capture_output=True, check=True)
    return done.stdout.strip()


def hash_cheaply(password: str) -> str:
    """Returns the hash that costs least: crypt(3) of 1979, which is good for measurements only."""
    command = ["perl", "-e", "print crypt(<STDIN>, 'ab')"]
    done = subprocess.run(command, input=password, text=True, capture_output=True, check=True)
    return done.stdout


def package_version(program: Path, *options) -> str:
    """Returns what a program says when asked for its version."""
    done = subprocess.run([program, *options], capture_output=True, text=True)
    return (done.stdout + done.stderr).strip().splitlines()[0]
