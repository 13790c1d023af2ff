#!/usr/bin/env python3
"""Drives real FTP clients against wharf, on each of its backends, in clear and by TLS.

    run.py --wharf target/release/wharf [--backend mio ...] [--over tls ...] [--only curl ...]

Ends with 1 where something failed. What went wrong, and what the client said, stands above the
table.
"""

import argparse
import importlib
import io
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from ftplib import FTP
from pathlib import Path

import report
import tree
from ftps import Ftps
from harness import Case, Failed
from server import ServerError, Wharf
from transport import EVERY, TRANSPORTS, make_certificate

BACKENDS = ["mio", "smol", "threaded"]

# Modules, each with a Client of the same name.
CLIENTS = ["curl", "lftp", "wget", "tnftp", "ncftp", "rclone", "aria2", "python", "basic_ftp"]
CLIENTS += ["suppaftp", "php", "php_streams", "ruby", "commons_net", "fsspec", "aioftp", "jlaffaye"]
CLIENTS += ["git_ftp", "filezilla"]

# How much the server's memory may grow while all clients are served.
MEMORY_GROWTH_MIB = 32


def main() -> int:
    options = parse()
    clients, missing = choose_clients(options)
    if missing and not options.skip_missing:
        print(f"not installed: {', '.join(missing)}; see .ci/clients/install", file=sys.stderr)
        return 2
    work = Path(tempfile.mkdtemp(prefix="wharf-clients-"))
    started = time.monotonic()
    try:
        runs = drive(clients, work, options)
    finally:
        if options.keep:
            print(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    report.failures(runs)
    report.table(runs)
    print(f"\n{time.monotonic() - started:.0f} s; without: {', '.join(missing) or 'none'}")
    return 1 if any(outcome.failed for run in runs for outcome in run.outcomes) else 0


def parse():
    parser = argparse.ArgumentParser(description="Drives real FTP clients against wharf.")
    parser.add_argument("--wharf", required=True, type=Path, help="the program")
    parser.add_argument("--backend", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--over", nargs="+", choices=EVERY, default=EVERY, help="transports")
    parser.add_argument("--only", nargs="+", choices=CLIENTS, default=CLIENTS, help="clients")
    parser.add_argument("--match", default="", help="only operations with this in their name")
    parser.add_argument("--skip-missing", action="store_true", help="leave out what is missing")
    parser.add_argument("--jobs", type=int, default=6, help="servers at once")
    parser.add_argument("--keep", action="store_true", help="keep files and the servers' logs")
    parser.add_argument("--verbose", action="store_true", help="run the servers with -vv")
    options = parser.parse_args()
    options.wharf = options.wharf.resolve()
    return options


def choose_clients(options):
    clients, missing = [], []
    for name in options.only:
        client = getattr(importlib.import_module(name), name)
        there = client.is_there()
        (clients if there else missing).append(client if there else name)
    return clients, missing


def drive(clients: list, work: Path, options) -> list:
    """Runs everything against each backend by each transport, and returns the backends' runs."""
    transports = [transport for transport in TRANSPORTS if transport.name in options.over]
    runs = [report.Run(backend) for backend in options.backend]
    # One of them each to a thread: the work is done by servers and clients, and much is waiting.
    with ThreadPoolExecutor(options.jobs) as pool:
        places = list(pool.map(lambda run: Place(work / run.backend), runs))
        parts = []
        for transport in transports:
            for run, place in zip(runs, places):
                part = report.Run(run.backend, over=transport.name)
                task = pool.submit(drive_over, transport, part, clients, place, options)
                parts.append((run, part, task))
        for run, part, task in parts:
            # What comes in the way of one part is a failure, and no reason to lose the others.
            if error := task.exception():
                name = f"{type(error).__name__}: {error}"
                part.outcomes.append(report.Outcome("wharf", "serves", part.over, reason=name))
            run.outcomes += part.outcomes
            run.notes += part.notes
    for run, place in zip(runs, places):
        untouched = report.Outcome("wharf", "what was only read is as it was", transports[-1].name)
        run.outcomes.append(attempt(untouched, place.check, {}))
    return runs


class Place:
    """What is served on a backend, by all transports."""

    def __init__(self, work: Path):
        self.work, self.root = work, work / "root"
        self.root.mkdir(parents=True)
        tree.make(self.root)
        (self.root / "up").mkdir()
        self.before = tree.snapshot(self.root / "tree")
        self.certificate = make_certificate(work)

    def check(self):
        if text := tree.difference(tree.snapshot(self.root / "tree"), self.before):
            raise Failed(text)


def drive_over(transport, run: report.Run, clients: list, place: Place, options):
    """Runs everything against one backend by one transport, with two servers of its own."""
    work = place.work
    tls = place.certificate if transport.tls else None
    more = [*transport.options, *(["-vv"] if options.verbose else [])]

    def start(name: str, anonymous: bool) -> Wharf:
        log = work / f"{name}-{transport.name}.log"
        where = options.wharf, place.root, run.backend, log
        return Wharf(*where, *more, anonymous=anonymous, tls=tls)

    with ExitStack() as stack:
        servers = []
        for name, anonymous in ("server", False), ("reader", True):
            servers.append(start(name, anonymous))
            stack.callback(servers[-1].end)
        use(transport, run, clients, place, options, *servers)


def use(transport, run: report.Run, clients: list, place: Place, options, wharf, reader):
    """Runs everything against two servers, of which the second is for reading."""
    servers = wharf, reader
    for server in servers:
        warm_up(server)
    idle = {server: server.settled_open_files() for server in servers}
    memory = {server: server.memory_mib() for server in servers}
    for client in clients:
        for number, operation in enumerate(client.operations):
            if options.match not in operation.name or transport.name not in operation.on:
                continue
            outcome = report.Outcome(client.name, operation.name, transport.name)
            run.outcomes.append(outcome)
            if reason := operation.cannot.get(transport.name):
                outcome.cannot = reason
                continue
            name = f"{client.name}-{number}-{transport.name}"
            case = Case(name, transport, wharf, reader, place.work)
            attempt(outcome, lambda: operation.function(case), idle)
            outcome.said = case.said
            if not options.keep:
                case.clean()
    for server in servers:
        who = "reader" if server.anonymous else "server"
        checks = {
            f"{who}: open files as before": lambda: check_files(server, idle[server]),
            f"{who}: memory": lambda: check_memory(server, memory[server], run, transport),
            f"{who}: ends when asked": lambda: check_end(server),
            f"{who}: no panic": lambda: check_log(server),
        }
        for name, check in checks.items():
            run.outcomes.append(attempt(report.Outcome("wharf", name, transport.name), check, {}))


def attempt(outcome, action, idle: dict):
    """Carries out an action, and takes note of how it went.

    `idle` says how many files each server has open when nobody is there, as should be the case
    afterwards.
    """
    started = time.monotonic()
    try:
        action()
        for server, files in idle.items():
            if not server.is_alive():
                raise Failed(f"wharf has died: {server.errors()[-300:]!a}")
            check_files(server, files)
    except (Failed, ServerError) as error:
        outcome.reason = str(error)
    except Exception as error:  # A mistake of the harness is a failure too, not the end.
        outcome.reason = f"{type(error).__name__}: {error}"
    outcome.seconds = time.monotonic() - started
    return outcome


def warm_up(server: Wharf):
    """A first session, so that what the server opens once and for all is open."""
    with Ftps(server.tls[0], "1.3") if server.tls else FTP(encoding="utf-8") as ftp:
        ftp.connect("127.0.0.1", server.port, timeout=10)
        ftp.login(server.user, server.password)
        if server.tls:
            ftp.prot_p()
        # As a whole: to follow a link opens /proc.
        ftp.dir("tree/links", lambda line: None)
        ftp.retrbinary("RETR tree/text/lines.txt", lambda chunk: None)
        if not server.anonymous:
            ftp.storbinary(f"STOR up/warm-{server.port}", io.BytesIO(b"warm"))
            ftp.delete(f"up/warm-{server.port}")


def check_files(server: Wharf, idle: int):
    files = server.wait_for_open_files(idle)
    if len(files) > idle:
        raise Failed(f"{len(files)} are open, {idle} were before: {', '.join(files)}")


def check_memory(server: Wharf, before: float, run: report.Run, transport):
    now, peak = server.memory_mib(), server.memory_mib("VmHWM")
    who = f"{transport.name}, {'reader' if server.anonymous else 'server'}"
    figures = f"{before:.1f} MiB before, {now:.1f} after, {peak:.1f} at the most"
    run.notes.append(f"memory: {who}: {figures}")
    if now > before + MEMORY_GROWTH_MIB:
        raise Failed(f"grew from {before:.0f} to {now:.0f} MiB")


def check_end(server: Wharf):
    code = server.stop()
    if code != 0:
        raise Failed(f"exit code {code}")


def check_log(server: Wharf):
    if "panicked" in server.errors():
        raise Failed(server.errors()[-1000:])


if __name__ == "__main__":
    sys.exit(main())
