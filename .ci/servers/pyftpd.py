"""pyftpdlib, by a small program of its own."""

import os

from server import PYTHON, Server, package_version

PROGRAM = """
import logging, os, socket, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.prefork import fork_processes
from pyftpdlib.servers import FTPServer

port, home, user, password, certificate, key, processes = sys.argv[1:]


class Handler(TLS_FTPHandler):
    authorizer = DummyAuthorizer()
    certfile, keyfile = certificate, key
    auth_failed_timeout = 0


Handler.authorizer.add_user(user, password, home, perm="elradfmwMT")
listener = socket.create_server(("127.0.0.1", int(port)), backlog=1024)
if int(processes):
    logging.disable()
    FTPServer.max_cons = 20000
    # Each has an epoll of its own, which `serve_forever` with `worker_processes` would share.
    fork_processes(int(processes))
else:
    Handler.authorizer.add_anonymous(home)
FTPServer(listener, Handler).serve_forever(handle_exit=True)
"""


class Pyftpdlib(Server):
    """Has no implicit TLS."""

    name = label = "pyftpdlib"
    program = PYTHON
    implicit = False
    needs_root = False
    # One thread serves everybody, and what holds one session up may hold up others.
    jobs = 1

    def commands(self):
        arguments = [self.port, self.home, self.USER, self.PASSWORD, self.certificate, self.key]
        # sendfile and times that need no time zone are defaults; what is left is a process a core.
        arguments.append(os.cpu_count() if self.fast else 0)
        return [[self.program, "-c", PROGRAM, *map(str, arguments)]]

    def version(self):
        return package_version(self.program, "-c", "import pyftpdlib; print(pyftpdlib.__ver__)")
