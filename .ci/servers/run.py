#!/usr/bin/env python3
"""Starts an FTP server that is not ours on a free port of loopback, for as long as it is needed.

    run.py vsftpd                                        prints the addresses, serves until Ctrl-C
    run.py proftpd -- curl ftp://user:password@{address}/   runs a command, and ends with its code

In the command {address}, {implicit}, {user}, {password}, {home} and {certificate} are replaced:
HOST:PORT for clear text and AUTH TLS, HOST:PORT for implicit TLS, how to log in, the folder that is
served, and the file of the server's certificate. .ci/servers/install brings the servers.
"""

import argparse
import signal
import subprocess
import sys

from proftpd import Proftpd
from pure_ftpd import PureFtpd
from pyftpd import Pyftpdlib
from server import ServerError, leave_once
from vsftpd import Vsftpd

SERVERS = {server.name: server for server in (Pyftpdlib, Vsftpd, Proftpd, PureFtpd)}


def main() -> int:
    options = parse()
    leave_once()
    try:
        with SERVERS[options.server]() as server:
            names = describe(server)
            if options.command:
                return subprocess.run([fill(part, names) for part in options.command]).returncode
            for name, value in names.items():
                print(f"{name}: {value}", flush=True)
            signal.pause()
    except ServerError as error:
        print(error, file=sys.stderr)
        return 2


def parse():
    parser = argparse.ArgumentParser(description="Starts an FTP server that is not ours.")
    parser.add_argument("server", choices=SERVERS)
    parser.add_argument("command", nargs="*", help="what to run, after --")
    return parser.parse_args()


def describe(server) -> dict:
    return {
        "address": f"127.0.0.1:{server.port}",
        "implicit": f"127.0.0.1:{server.implicit_port}" if server.implicit else "",
        "implicit_port": f"{server.implicit_port}" if server.implicit else "",
        "user": server.USER,
        "password": server.PASSWORD,
        "home": str(server.home),
        "certificate": str(server.certificate),
    }


def fill(part: str, names: dict) -> str:
    for name, value in names.items():
        part = part.replace(f"{{{name}}}", value)
    return part


if __name__ == "__main__":
    sys.exit(main())
