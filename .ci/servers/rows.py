"""What is measured: a row of the page each, and what the machine itself could do at most."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A workload of ftpbench, and the circumstances in which it runs.

    `limits` are names of `ftpbench limits`: the best of them is the most that this machine can do.
    With `one_cpu`, server and clients share one processor, where waking each other costs least.
    `only` names the servers that can do it in a reasonable time, `without` those that cannot do it.
    It is left out where a process may not have so many `open_files`.
    """

    group: str
    title: str
    workload: str
    tls: bool = False
    one_cpu: bool = False
    limits: tuple = ()
    only: tuple = ()
    without: tuple = ()
    open_files: int = 0
    quick: bool = False

    @property
    def key(self) -> str:
        words = [self.workload, "tls" * self.tls, "one-cpu" * self.one_cpu]
        return " ".join(word for word in words if word)


CLEAR, SMALL, LOGINS, COMMANDS, LISTS, TLS, IDLE = GROUPS = [
    "Large files",
    "Small files",
    "Logins",
    "Commands",
    "Listings",
    "TLS",
    "Idle sessions",
]

# Those to which a session is no process.
LIGHT = ("wharf-mio", "wharf-smol", "wharf-threaded", "pyftpdlib")

# A file can be sent and stored in two ways.
SEND_1 = ("limit-sendfile-1", "limit-sendfile-48k-1")
SEND_4 = ("limit-sendfile-4", "limit-sendfile-48k-4")
STORE_1 = ("limit-receive-1", "limit-splice-1")
STORE_4 = ("limit-receive-4", "limit-splice-4")
PIPELINED = ("limit-noop-pipelined",)
ENTRIES = ("limit-list-10000",)
SMALL_ONE_CPU = ("limit-small-retr-1-one-cpu",)

ROWS = [
    Row(CLEAR, "RETR, 1 client", "retr-1", limits=SEND_1, quick=True),
    Row(CLEAR, "RETR, 4 clients", "retr-4", limits=SEND_4),
    Row(CLEAR, "RETR, 16 clients", "retr-16", limits=SEND_4),
    Row(CLEAR, "STOR, 1 client", "stor-1", limits=STORE_1, quick=True),
    Row(CLEAR, "STOR, 4 clients", "stor-4", limits=STORE_4),
    Row(CLEAR, "STOR, 16 clients", "stor-16", limits=STORE_4),
    Row(SMALL, "RETR, 1 client", "small-retr-1", limits=("limit-small-retr-1",), quick=True),
    Row(SMALL, "RETR, 8 clients", "small-retr-8"),
    Row(SMALL, "RETR, 1 client, one CPU", "small-retr-1", one_cpu=True, limits=SMALL_ONE_CPU),
    Row(SMALL, "STOR, 1 client", "small-stor-1"),
    Row(SMALL, "STOR, 8 clients", "small-stor-8"),
    Row(LOGINS, "1 client", "login-1", limits=("limit-login-1",), quick=True),
    Row(LOGINS, "8 clients", "login-8"),
    Row(COMMANDS, "NOOP, one CPU", "noop", one_cpu=True, limits=("limit-noop-one-cpu",)),
    Row(COMMANDS, "NOOP, pipelined", "noop-pipelined", limits=PIPELINED, quick=True),
    Row(LISTS, "LIST, 10,000 entries", "list-10000", limits=ENTRIES, quick=True),
    Row(LISTS, "MLSD, 10,000 entries", "mlsd-10000", without=("vsftpd",), limits=ENTRIES),
    Row(LISTS, "LIST, 100,000 entries", "list-100000", limits=ENTRIES),
    Row(LISTS, "MLSD, 100,000 entries", "mlsd-100000", without=("vsftpd",), limits=ENTRIES),
    Row(TLS, "RETR, 1 client", "retr-1", tls=True, limits=("limit-tls-send-1",), quick=True),
    Row(TLS, "RETR, 4 clients", "retr-4", tls=True),
    Row(TLS, "STOR, 1 client", "stor-1", tls=True, limits=("limit-tls-receive-1",)),
    Row(TLS, "STOR, 4 clients", "stor-4", tls=True),
    Row(TLS, "small RETR, 1 client", "small-retr-1", tls=True),
    Row(TLS, "small RETR, 8 clients", "small-retr-8", tls=True),
    Row(TLS, "login, 1 client", "login-1", tls=True),
    Row(TLS, "login, 8 clients", "login-8", tls=True),
    Row(TLS, "NOOP, one CPU", "noop", tls=True, one_cpu=True),
    Row(IDLE, "100 sessions", "idle-100", quick=True),
    Row(IDLE, "100 sessions, TLS", "idle-100", tls=True),
    Row(IDLE, "1,000 sessions", "idle-1000"),
    # One for each session, and what transfers have to themselves: a third of all.
    Row(IDLE, "10,000 sessions", "idle-10000", only=LIGHT, open_files=16_000),
]
