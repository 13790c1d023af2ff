"""wharf itself, set up in each way that some check asks for."""

import shutil
import socket
import subprocess
from dataclasses import dataclass

from server import NOBODY, Server, make_certificate, package_version

BACKENDS = ["mio", "smol", "threaded"]

HOST = "files.example"

ACCOUNTS = """
[[user]]
name = "user"
password = "{password}"
permissions = "write"

[[user]]
name = "powerless"
password = "{password}"
permissions = ""

[anonymous]
permissions = "read"
"""

# What needs TLS.
SECURE_ACCOUNTS = """
[[user]]
name = "tls-only"
password = "{password}"
permissions = "write"
tls = "login"

[[host]]
name = "{host}"
certificate = "host/certificate.pem"
key = "host/key.pem"

[[host.user]]
name = "hosted"
password = "{password}"
root = "{hosted}"
permissions = "write"
"""


# What other servers do without being asked: they sync no upload, and bar no address.
FAST = [
    *("--write", "--durability", "none", "--login-delay", "0", "--max-login-failures", "0"),
    *("--max-sessions", "1000000", "--max-sessions-per-address", "1000000"),
]


@dataclass(frozen=True)
class Setting:
    """Options of wharf, options of ftpspec that tell of them, and the checks that ask for them."""

    name: str
    wharf: tuple = ()
    ftpspec: tuple = ()
    only: tuple = ()
    tls: bool = True


SETTINGS = [
    Setting("all", ("--login-delay", "0")),
    Setting(
        "impatient",
        ("--idle-timeout", "2", "--data-timeout", "2", "--login-delay", "1"),
        ("--idle-timeout", "2", "--data-timeout", "2", "--login-delay", "1"),
        ("rfc959.no-data", "rfc1123.idle-timeout", "rfc2577.delay"),
    ),
    Setting(
        "strict",
        ("--tls-required", "all", "--tls-resumption", "require", "--login-delay", "0"),
        ("--tls", "explicit", "--tls-required", "--tls-resumption-required"),
        ("rfc4217.required", "rfc4217.reuse", "rfc4217.early-handshake"),
    ),
    Setting("ccc", ("--allow-ccc",), ("--ccc",), ("rfc4217.ccc",)),
    Setting("clear", ("--login-delay", "0"), (), ("rfc2228.auth",), tls=False),
    Setting(
        "crowded",
        ("--max-sessions", "5", "--max-sessions-per-address", "3"),
        ("--max-sessions", "5:3"),
        ("rfc2577.per-ip",),
        tls=False,
    ),
]


class Wharf(Server):
    name = "wharf"
    needs_root = False

    def __init__(self, program, backend: str, setting: Setting = None, fast=None):
        super().__init__(fast)
        self.program, self.backend, self.setting = program, backend, setting
        self.label = f"wharf ({backend})"
        self.implicit = bool(setting and setting.tls)
        self.ipv6 = has_ipv6()

    def commands(self):
        return [self.fast_command() if self.fast else self.command()]

    def fast_command(self):
        password = self.work / "password"
        password.write_text(f"{self.PASSWORD}\n")
        command = [self.program, self.home, "--backend", self.backend, *FAST]
        command += ["--user", self.USER, "--password-file", password, "--run-as", str(NOBODY)]
        command += ["--tls-cert", self.certificate, "--tls-key", self.key]
        return [*command, "--listen", f"127.0.0.1:{self.port}"]

    def version(self):
        return package_version(self.program, "--version").removeprefix("wharf ")

    def command(self):
        hosted = self.work / "hosted"
        hosted.mkdir(exist_ok=True)
        (self.work / "host").mkdir(exist_ok=True)
        make_certificate(self.work / "host", HOST)
        if self.has_large_file():
            with open(self.home / "large", "wb") as large:
                large.truncate((4 << 30) + 1_000_000)
        hashed = subprocess.run(
            [self.program, "passwd"],
            input=f"{self.PASSWORD}\n",
            text=True,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout.strip()
        accounts = self.work / "accounts.toml"
        text = ACCOUNTS + SECURE_ACCOUNTS if self.setting.tls else ACCOUNTS
        accounts.write_text(text.format(password=hashed, host=HOST, hosted=hosted))
        password = self.work / "password"
        password.write_text(f"{self.PASSWORD}\n")
        command = [self.program, self.home, "--backend", self.backend, "--accounts", accounts]
        command += ["--listen", f"127.0.0.1:{self.port}", "--max-login-failures", "0"]
        if self.ipv6:
            command += ["--listen", f"[::1]:{self.port}"]
        if self.setting.tls:
            command += ["--tls-cert", self.certificate, "--tls-key", self.key]
            command += ["--implicit-tls", f"127.0.0.1:{self.implicit_port}"]
        return [*command, *self.setting.wharf]

    def has_large_file(self) -> bool:
        """Tells whether there is room for it, though it is sparse."""
        return shutil.disk_usage(self.home).total > 1 << 30

    def known(self) -> list:
        """Returns the options that tell ftpspec of the server."""
        password = self.work / "password"
        options = ["--anonymous", "--powerless", f"powerless:{password}", "--login-attempts", "3"]
        options += ["--atomic-uploads"]
        options += ["--large-file", "/large"] if self.has_large_file() else []
        if self.setting.tls:
            options += ["--tls-only", f"tls-only:{password}", "--host", f"{HOST}:hosted:{password}"]
            options += ["--implicit", str(self.implicit_port)]
        if self.ipv6:
            options += ["--ipv6", f"[::1]:{self.port}"]
        return [*options, *self.setting.ftpspec]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as listener:
            listener.bind(("::1", 0))
        return True
    except OSError:
        return False
