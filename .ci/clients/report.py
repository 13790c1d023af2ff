"""What is printed at the end."""

from dataclasses import dataclass, field


@dataclass
class Outcome:
    client: str
    operation: str
    reason: str = ""
    seconds: float = 0
    said: list = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return bool(self.reason)


@dataclass
class Run:
    """All that happened on one backend."""

    backend: str
    outcomes: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def failures(runs):
    """Prints each failure, with the end of what the client said."""
    for run in runs:
        for outcome in run.outcomes:
            if not outcome.failed:
                continue
            print(f"\n== {run.backend}: {outcome.client}: {outcome.operation}")
            for said in outcome.said[-2:]:
                lines = said.rstrip().splitlines()
                skipped = ["..."] if len(lines) > 16 else []
                for line in lines[:1] + skipped + lines[1:][-15:]:
                    print(f"   | {line[:400]}")
            print(f"   FAIL: {outcome.reason}")


def table(runs):
    """Prints what came of each operation on each backend, then why something failed."""
    rows = {}
    for run in runs:
        for outcome in run.outcomes:
            key = (outcome.client, outcome.operation)
            rows.setdefault(key, {})[run.backend] = outcome
    wide = [max((len(key[column]) for key in rows), default=0) for column in (0, 1)]
    heads = [run.backend for run in runs]
    line = f"{'client':{wide[0]}} | {'operation':{wide[1]}}"
    print("\n" + " | ".join([line, *(f"{head:8}" for head in heads)]))
    print("-+-".join(["-" * wide[0], "-" * wide[1], *("-" * 8 for _ in heads)]))
    reasons = []
    for (client, operation), outcomes in rows.items():
        cells = []
        for head in heads:
            outcome = outcomes.get(head)
            cells.append(f"{'-' if not outcome else 'FAIL' if outcome.failed else 'ok':8}")
            if outcome and outcome.failed:
                reasons.append(f"{client}: {operation}: {head}: {outcome.reason}")
        print(" | ".join([f"{client:{wide[0]}} | {operation:{wide[1]}}", *cells]))
    total = sum(len(run.outcomes) for run in runs)
    print(f"\n{total - len(reasons)} of {total} ok")
    for run in runs:
        for note in run.notes:
            print(f"{run.backend}: {note}")
        slow = max(run.outcomes, key=lambda outcome: outcome.seconds)
        print(f"{run.backend}: slowest: {slow.client}: {slow.operation}: {slow.seconds:.1f} s")
    for reason in reasons:
        print(f"FAIL {reason[:400]}")
