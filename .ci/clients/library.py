"""What the drivers of clients share that are libraries.

A small program of each takes a task as JSON on standard input: where to log in and how, and the
operations as lists of a name and arguments. It answers with a list of JSON objects, one of each
operation, that have a `value`, or an `error` and maybe the `code` of a reply; what goes on between
it and the server, it tells on standard error.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from harness import Failed

# Where .ci/clients/install puts them.
INSTALLED = Path(__file__).parents[2] / "target/clients"


@dataclass
class Refused:
    """An operation that has to be answered with this code."""

    code: int | None
    operation: tuple


def refused(code: int | None, *operation) -> Refused:
    """Without a code, any error will do: the library does not say which reply it was."""
    return Refused(code, operation)


def perform(c, command: list, operations, server=None, env=None, **settings) -> list:
    """Carries out operations on one connection, and returns their values."""
    server = server or c.wharf
    task = {"port": c.port(server), "user": server.user, "password": server.password}
    task |= {"tls": c.tls, "implicit": c.implicit, "certificate": str(c.certificate)} if c.tls else {}
    plain = [one.operation if isinstance(one, Refused) else one for one in operations]
    task |= {**settings, "operations": plain}
    result = c.run(*command, stdin=json.dumps(task, default=os.fspath), env=env)
    answers = json.loads(result.out)
    c.equal(len(answers), len(operations), "answers")
    for one, answer in zip(operations, answers):
        if isinstance(one, Refused):
            if not answer.get("error"):
                raise Failed(f"{one.operation}: not refused")
            if one.code:
                c.equal(answer.get("code"), one.code, f"{one.operation}: {answer}: code")
        elif error := answer.get("error"):
            raise Failed(f"{one}: {error}")
    return [answer.get("value") for answer in answers]
