"""How a client's connections are protected; and the certificate for that."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Transport:
    """`tls` is the version that the client must use: "", "1.2" or "1.3"."""

    name: str
    tls: str = ""
    implicit: bool = False
    options: tuple = ()


# The server resumes TLS sessions where a client does so, but for "require", where a client has to,
# and where nothing goes in clear.
TRANSPORTS = [
    Transport("clear"),
    Transport("tls", "1.3", options=("--allow-ccc",)),
    Transport("tls1.2", "1.2"),
    Transport("implicit", "1.3", implicit=True),
    Transport("require", "1.3", options=("--tls-resumption", "require", "--tls-required", "all")),
]

# What an operation may be meant for.
FULL = ("clear", "tls")
MOST = ("clear", "tls", "implicit")
EVERY = tuple(transport.name for transport in TRANSPORTS)
SECURE = EVERY[1:]


def make_certificate(folder: Path) -> tuple:
    """Makes a certificate that clients can check against itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    # rustls takes no certificate of an authority for one of a server.
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key
