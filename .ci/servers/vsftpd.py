"""vsftpd, with a virtual user."""

import os
import shutil
from pathlib import Path

from server import ROOT, Server, hash_cheaply, hash_password, package_version

CONFIGURATION = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
implicit_ssl={implicit}
background=NO
session_support=NO
secure_chroot_dir={empty}
# Not to be had in every container.
isolate=NO
isolate_network=NO
seccomp_sandbox=NO

local_enable=YES
guest_enable=YES
# Has a home that is there, which vsftpd insists on; it takes no user by number.
guest_username=bin
nopriv_user=nobody
pam_service_name={service}
virtual_use_local_privs=YES
local_root={home}
chroot_local_user=YES
allow_writeable_chroot=YES
write_enable=YES
local_umask=022
anonymous_enable=YES
ftp_username=daemon
anon_root={home}

ascii_upload_enable=YES
ascii_download_enable=YES
async_abor_enable=YES
ls_recurse_enable=YES
force_dot_files=YES
mdtm_write=YES
connect_from_port_20=NO
max_login_fails=3
delay_failed_login=0
delay_successful_login=0
xferlog_enable=NO

ssl_enable=YES
allow_anon_ssl=YES
rsa_cert_file={certificate}
rsa_private_key_file={key}
ssl_ciphers=HIGH
force_local_logins_ssl=NO
force_local_data_ssl=NO
require_ssl_reuse=NO
strict_ssl_read_eof=YES
strict_ssl_write_shutdown=YES
"""

# Each of these spares system calls; sendfile is a default. `one_process_model` would spare
# processes, but works for anonymous sessions only.
FAST = """
anonymous_enable=NO
ssl_ciphers=ECDHE-ECDSA-AES256-GCM-SHA384
# Nor does it wait for the client's close_notify after a download, which some send late or never.
strict_ssl_write_shutdown=NO
tcp_wrappers=NO
lock_upload_files=NO
setproctitle_enable=NO
text_userdb_names=NO
hide_ids=YES
max_clients=0
max_per_ip=0
"""

PAM = """# Made by .ci/servers/vsftpd.py for as long as it runs.
auth required {module} pwdfile={users}
account required pam_permit.so
session required pam_permit.so
"""


SERVICES, PREFIX = Path("/etc/pam.d"), "wharf-ci-vsftpd-"


def remove_stale():
    """Removes what was left by programs that were killed."""
    for service in SERVICES.glob(f"{PREFIX}*"):
        pid = service.name.removeprefix(PREFIX).split("-")[0]
        if not Path(f"/proc/{pid}").exists():
            service.unlink(missing_ok=True)


class Vsftpd(Server):
    """Knows no users but by PAM, which reads nothing but /etc/pam.d.

    So a file is put there, of a name that is nobody else's, and taken away at the end. It is two
    processes, as one of them has either kind of TLS.
    """

    name = label = "vsftpd"
    program = ROOT / "usr/sbin/vsftpd"

    def __init__(self, fast=None):
        super().__init__(fast)
        self.service = SERVICES / f"{PREFIX}{os.getpid()}-{id(self)}"

    def commands(self):
        remove_stale()
        if not self.fast:
            shutil.chown(self.home, "bin", "bin")
        empty = self.work / "empty"
        empty.mkdir(exist_ok=True)
        module = next(ROOT.glob("**/pam_pwdfile.so"))
        users = self.work / "users"
        hashed = hash_cheaply(self.PASSWORD) if self.fast else hash_password(self.PASSWORD)
        users.write_text(f"{self.USER}:{hashed}\n")
        self.service.write_text(PAM.format(module=module, users=users))
        commands = []
        for port, implicit in (self.port, "NO"), (self.implicit_port, "YES"):
            if port is None:
                continue
            file = self.work / f"vsftpd-{port}.conf"
            text = CONFIGURATION.format(
                port=port,
                implicit=implicit,
                empty=empty,
                service=self.service.name,
                home=self.home,
                certificate=self.certificate,
                key=self.key,
            )
            # What is said later holds.
            file.write_text(text.lstrip() + (FAST if self.fast else ""))
            commands.append([self.program, file])
        return commands

    def after_stop(self):
        self.service.unlink(missing_ok=True)

    def version(self):
        # It writes to its standard input.
        said = package_version("sh", "-c", '"$0" -v 0>&1', self.program)
        return said.removeprefix("vsftpd: version ")
