"""ProFTPD, with users from a file."""

import os

from server import NOBODY, ROOT, Server, hash_cheaply, hash_password, package_version

CONFIGURATION = """
ModulePath {folder}
LoadModule mod_tls.c
{modules}

ServerName localhost
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
Port {port}
User nobody
Group nogroup
PidFile {work}/pid
ScoreboardFile {scoreboard}
DelayEngine off
DelayTable {work}/delay
ControlsEngine off
ControlsSocket {work}/controls
WtmpLog off
TransferLog none
SystemLog {system_log}
UseReverseDNS off
MaxInstances none

<Global>
  AuthOrder mod_auth_file.c
  AuthUserFile {work}/passwd
  AuthGroupFile {work}/group
  RequireValidShell off
  DefaultRoot ~
  Umask 022
  AllowOverwrite on
  AllowStoreRestart on
  AllowRetrieveRestart on
  UseSendfile on
  MaxLoginAttempts 3
  TimesGMT on
  DefaultTransferMode binary

  TLSEngine on
  TLSRequired off
  TLSECCertificateFile {certificate}
  TLSECCertificateKeyFile {key}
  TLSOptions NoSessionReuseRequired
  # Else each session reads all certificates that the system trusts, which takes 200 ms.
  TLSCACertificateFile {certificate}
{settings}
</Global>
{host}
"""

MODULES = """
LoadModule mod_deflate.c
LoadModule mod_digest.c
LoadModule mod_site_misc.c
"""

ANONYMOUS = """
  <Anonymous {home}>
    User ftp
    Group ftp
    UserAlias anonymous ftp
    RequireValidShell off
    <Limit WRITE>
      DenyAll
    </Limit>
  </Anonymous>
"""

IMPLICIT = """
<VirtualHost 127.0.0.1>
  Port {implicit_port}
  TLSOptions NoSessionReuseRequired UseImplicitSSL
</VirtualHost>
"""

# The rest of what makes it fast, such as sendfile, checks have too.
FAST = """
  TLSProtocol TLSv1.3
  TLSSessionTickets on
  UseGlobbing off
  ShowSymlinks off
  AuthFileOptions SyntaxCheck
"""


class Proftpd(Server):
    name, label = "proftpd", "ProFTPD"
    program = ROOT / "usr/sbin/proftpd"

    def commands(self):
        password = hash_cheaply(self.PASSWORD) if self.fast else hash_password(self.PASSWORD)
        users = f"{self.USER}:{password}:{NOBODY}:{NOBODY}::{self.home}:/bin/false\n"
        users += f"ftp:*:{NOBODY}:{NOBODY}::{self.home}:/bin/false\n"
        for name, text in ("passwd", users), ("group", f"ftp:x:{NOBODY}:\n"):
            # It refuses a file that others may read.
            file = os.open(self.work / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(file, "w") as file:
                file.write(text)
        text = CONFIGURATION.format(
            folder=ROOT / "usr/lib/proftpd",
            modules="" if self.fast else MODULES,
            work=self.work,
            port=self.port,
            certificate=self.certificate,
            key=self.key,
            scoreboard="none" if self.fast else self.work / "scoreboard",
            system_log="none" if self.fast else self.work / "log",
            settings=FAST if self.fast else ANONYMOUS.format(home=self.home),
            host="" if self.fast else IMPLICIT.format(implicit_port=self.implicit_port),
        )
        file = self.work / "proftpd.conf"
        file.write_text(text.lstrip())
        return [[self.program, "--nodaemon", "--config", file]]

    def version(self):
        return package_version(self.program, "-v").removeprefix("ProFTPD Version ")
