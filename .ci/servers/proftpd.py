"""ProFTPD, with users from a file."""

import os

from server import NOBODY, ROOT, Server, hash_password, package_version

CONFIGURATION = """
ModulePath {modules}
LoadModule mod_tls.c
LoadModule mod_deflate.c
LoadModule mod_digest.c
LoadModule mod_site_misc.c

ServerName localhost
ServerType standalone
DefaultAddress 127.0.0.1
SocketBindTight on
Port {port}
User nobody
Group nogroup
PidFile {work}/pid
ScoreboardFile {work}/scoreboard
DelayEngine off
DelayTable {work}/delay
ControlsEngine off
ControlsSocket {work}/controls
WtmpLog off
TransferLog none
SystemLog {work}/log
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
  TLSRSACertificateFile {certificate}
  TLSRSACertificateKeyFile {key}
  TLSOptions {options}

  <Anonymous {home}>
    User ftp
    Group ftp
    UserAlias anonymous ftp
    RequireValidShell off
    <Limit WRITE>
      DenyAll
    </Limit>
  </Anonymous>
</Global>

<VirtualHost 127.0.0.1>
  Port {implicit_port}
  TLSOptions {options} UseImplicitSSL
</VirtualHost>
"""


class Proftpd(Server):
    name, label = "proftpd", "ProFTPD"
    program = ROOT / "usr/sbin/proftpd"

    def commands(self):
        password = hash_password(self.PASSWORD)
        users = f"{self.USER}:{password}:{NOBODY}:{NOBODY}::{self.home}:/bin/false\n"
        users += f"ftp:*:{NOBODY}:{NOBODY}::{self.home}:/bin/false\n"
        for name, text in ("passwd", users), ("group", f"ftp:x:{NOBODY}:\n"):
            # It refuses a file that others may read.
            file = os.open(self.work / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(file, "w") as file:
                file.write(text)
        file = self.work / "proftpd.conf"
        text = CONFIGURATION.format(
            modules=ROOT / "usr/lib/proftpd",
            work=self.work,
            home=self.home,
            port=self.port,
            implicit_port=self.implicit_port,
            certificate=self.certificate,
            key=self.key,
            options="NoSessionReuseRequired",
        )
        file.write_text(text.lstrip())
        return [[self.program, "--nodaemon", "--config", file]]

    def version(self):
        return package_version(self.program, "-v").removeprefix("ProFTPD Version ")
