"""Pure-FTPd, with virtual users."""

import subprocess

from server import NOBODY, ROOT, Server, hash_cheaply, hash_password, package_version


class PureFtpd(Server):
    """Has no implicit TLS, and an anonymous login only where the system has a user "ftp"."""

    name, label = "pure-ftpd", "Pure-FTPd"
    program = ROOT / "usr/sbin/pure-ftpd"
    anonymous = False
    # It answers each a little later, and ends a session after ten.
    login_attempts = False
    implicit = False

    def commands(self):
        users, database = self.work / "passwd", self.work / "users.pdb"
        # Its own way to hash takes a second for each login.
        password = hash_cheaply(self.PASSWORD) if self.fast else hash_password(self.PASSWORD)
        users.write_text(f"{self.USER}:{password}:{NOBODY}:{NOBODY}::{self.home}/./:::::::::::::\n")
        command = [ROOT / "usr/bin/pure-pw", "mkdb", database, "-f", users]
        subprocess.run(command, capture_output=True, check=True)
        command = [self.program, "--bind", f"127.0.0.1,{self.port}", "--pidfile", self.work / "pid"]
        command += ["--login", f"puredb:{database}", "--noanonymous", "--minuid", "1"]
        command += ["--tls", "1", "--certfile", f"{self.certificate},{self.key}"]
        command += ["--dontresolve", "--displaydotfiles"]
        # No setting takes away the random wait of up to 10 ms in each login.
        crowd, entries = ("20000", "2000000:20") if self.fast else ("1000", "10000:20")
        command += ["--maxclientsnumber", crowd, "--maxclientsperip", crowd]
        command += ["--limitrecursion", entries]
        command += ["--ipv4only", "--syslogfacility", "none"] if self.fast else []
        return [command]

    def version(self):
        return package_version(self.program, "--help").split()[1].removeprefix("v")
