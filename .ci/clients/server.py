"""A wharf process, and what can be seen of it from outside."""

import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

# How long the server may take to start, to stop, and to let go of what clients left.
PATIENCE_SECONDS = 10


class ServerError(Exception):
    pass


class Wharf:
    """Serves `root`: to the user "u" for writing, or where `anonymous` to anybody for reading."""

    USER, PASSWORD = "u", "p-ä &/:@#"

    def __init__(
        self, program, root: Path, backend: str, log: Path, *options, anonymous=False, tls=None
    ):
        """With `tls`, which is a certificate and its key, there is a second port for implicit TLS."""
        self.root, self.log, self.anonymous, self.tls = root, log, anonymous, tls
        self.said = b""
        self.user = "anonymous" if anonymous else self.USER
        self.password = "me@example.org" if anonymous else self.PASSWORD
        command = [program, root, "--listen", "127.0.0.1:0", "--backend", backend]
        if not anonymous:
            command += ["--user", self.USER, "--write"]
        if tls:
            certificate, key = tls
            command += ["--tls-cert", certificate, "--tls-key", key]
            command += ["--implicit-tls", "127.0.0.1:0"]
        command += options
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "WHARF_PASSWORD": self.PASSWORD},
            )
        self.port = self._read_port("ftp")
        self.implicit_port = self._read_port("ftps") if tls else None

    def _read_port(self, scheme: str) -> int:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            if match := re.search(rf"\b{scheme}://127\.0\.0\.1:(\d+)/".encode(), self.said):
                return int(match[1])
            if not select.select([self.process.stdout], [], [], max(0, until - time.monotonic()))[0]:
                break
            chunk = os.read(self.process.stdout.fileno(), 4096)
            self.said += chunk
            if not chunk:
                break
        self.process.kill()
        raise ServerError(f"wharf did not start: {self.said!r} {self.errors()}")

    def errors(self) -> str:
        return self.log.read_text(errors="replace")

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def open_files(self) -> list:
        """What the process has open, by what it is."""
        found, folder = [], f"/proc/{self.process.pid}/fd"
        for number in os.listdir(folder):
            try:
                found.append(re.sub(r":\[\d+\]", "", os.readlink(f"{folder}/{number}")))
            except FileNotFoundError:
                pass
        return sorted(found)

    def memory_mib(self, field="VmRSS") -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) / 1024

    def settled_open_files(self) -> int:
        """Returns how much is open once that does not change any more."""
        count, since = len(self.open_files()), time.monotonic()
        while time.monotonic() < since + 0.3:
            time.sleep(0.01)
            if (now := len(self.open_files())) != count:
                count, since = now, time.monotonic()
        return count

    def wait_for_open_files(self, most: int) -> list:
        """Returns what is open once that is no more than `most`, or patience is at its end."""
        until = time.monotonic() + PATIENCE_SECONDS
        while len(files := self.open_files()) > most and time.monotonic() < until:
            time.sleep(0.01)
        return files

    def end(self):
        """Ends the process where that was not done, at once."""
        if self.is_alive():
            self.process.kill()
            self.process.wait()

    def stop(self) -> int:
        """Asks the process to end; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise ServerError(f"wharf did not stop within {PATIENCE_SECONDS} s") from None
        finally:
            self.process.stdout.close()
