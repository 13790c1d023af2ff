"""What is printed at the end."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    client: str
    operation: str
    transport: str
    reason: str = ""
    # Why the client has no such thing.
    cannot: str = ""
    seconds: float = 0
    said: list = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.reason)

    @property
    def word(self) -> str:
        return "FAIL" if self.failed else "n/a" if self.cannot else "ok"


@dataclass
class Run:
    """All that happened on one backend."""

    backend: str
    # The transport, where this is a part of a run.
    over: str = ""
    outcomes: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def failures(runs):
    """Prints each failure, with the end of what the client said."""
    for run in runs:
        for outcome in run.outcomes:
            if not outcome.failed:
                continue
            print(f"\n== {run.backend}, {outcome.transport}: {outcome.client}: {outcome.operation}")
            for said in outcome.said[-2:]:
                lines = said.rstrip().splitlines()
                skipped = ["..."] if len(lines) > 16 else []
                for line in lines[:1] + skipped + lines[1:][-15:]:
                    print(f"   | {line[:400]}")
            print(f"   FAIL: {outcome.reason}")


def table(runs):
    """Prints what came of each operation over each transport on each backend, and then why."""
    outcomes = [(run.backend, outcome) for run in runs for outcome in run.outcomes]
    rows = {}
    for backend, outcome in outcomes:
        row = rows.setdefault((outcome.client, outcome.operation), {})
        row[outcome.transport, backend] = outcome
    # By client, as some operations are done over some transports only.
    clients = list(dict.fromkeys(client for client, _ in rows))
    keys = sorted(rows, key=lambda key: clients.index(key[0]))
    transports = list(dict.fromkeys(outcome.transport for _, outcome in outcomes))
    backends = [run.backend for run in runs]
    wide = [max((len(key[column]) for key in keys), default=0) for column in (0, 1)]

    def line(client, operation, groups, between=" | "):
        cells = [" ".join(f"{word[:4]:4}" for word in group) for group in groups]
        print(between.join([f"{client:{wide[0]}}", f"{operation:{wide[1]}}", *cells]).rstrip())

    group = 5 * len(backends) - 1
    heads = " | ".join(f"{transport:{group}}" for transport in transports)
    print(f"\n{'':{wide[0]}} | {'':{wide[1]}} | {heads}")
    line("client", "operation", [backends] * len(transports))
    print("-+-".join("-" * width for width in [*wide, *([group] * len(transports))]))
    for key in keys:
        words = {place: outcome.word for place, outcome in rows[key].items()}
        groups = [[words.get((over, name), "-") for name in backends] for over in transports]
        line(*key, groups)

    failed = [(backend, outcome) for backend, outcome in outcomes if outcome.failed]
    cannot = [outcome for _, outcome in outcomes if outcome.cannot]
    done = len(outcomes) - len(cannot)
    print(f"\n{done - len(failed)} of {done} ok, {len(cannot)} not applicable")
    print("-: not tried over this transport; n/a: the client cannot do it:")
    for reason in dict.fromkeys(f"{outcome.client}: {outcome.cannot}" for outcome in cannot):
        print(f"  {reason}")
    for run in runs:
        for note in run.notes:
            print(f"{run.backend}: {note}")
        slow = max(run.outcomes, key=lambda outcome: outcome.seconds)
        what = f"{slow.client}: {slow.operation}: {slow.transport}"
        print(f"{run.backend}: slowest: {what}: {slow.seconds:.1f} s")
    seconds = {client: 0 for client in clients}
    for _, outcome in outcomes:
        seconds[outcome.client] += outcome.seconds
    by_client = ", ".join(f"{client} {time:.0f}" for client, time in seconds.items())
    print(f"seconds, of which many at once: {by_client}")
    for backend, outcome in failed:
        where = f"{outcome.client}: {outcome.operation}: {outcome.transport}: {backend}"
        print(f"FAIL {where}: {outcome.reason[:400]}")
