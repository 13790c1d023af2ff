"""pyftpdlib, by a small program of its own."""

from server import PYTHON, Server, package_version

PROGRAM = """
import sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler
from pyftpdlib.servers import FTPServer

port, home, user, password, certificate, key = sys.argv[1:]


class Handler(TLS_FTPHandler):
    authorizer = DummyAuthorizer()
    certfile, keyfile = certificate, key
    auth_failed_timeout = 0


Handler.authorizer.add_user(user, password, home, perm="elradfmwMT")
Handler.authorizer.add_anonymous(home)
FTPServer(("127.0.0.1", int(port)), Handler).serve_forever(handle_exit=True)
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
        arguments = self.port, self.home, self.USER, self.PASSWORD, self.certificate, self.key
        return [[self.program, "-c", PROGRAM, *map(str, arguments)]]

    def version(self):
        return package_version(self.program, "-c", "import pyftpdlib; print(pyftpdlib.__ver__)")
