"""What ftplib's FTP_TLS leaves to its users: implicit TLS, and resuming the TLS session."""

import ftplib
import ssl

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def context(certificate, version: str) -> ssl.SSLContext:
    """Takes this certificate and this version of TLS only."""
    made = ssl.create_default_context(cafile=certificate)
    made.minimum_version = made.maximum_version = VERSIONS[version]
    return made


class Ftps(ftplib.FTP_TLS):
    """With `implicit`, TLS begins at once; with `resume`, data connections resume its session."""

    def __init__(self, certificate, version: str, implicit=False, resume=True):
        self.implicit, self.resume, self._sock = implicit, resume, None
        super().__init__(encoding="utf-8", context=context(certificate, version))

    @property
    def sock(self):
        return self._sock

    @sock.setter
    def sock(self, sock):
        if self.implicit and sock is not None and not isinstance(sock, ssl.SSLSocket):
            sock = self.context.wrap_socket(sock, server_hostname=self.host)
        self._sock = sock

    def protect(self, connection):
        """Begins TLS on a data connection."""
        session = self.sock.session if self.resume else None
        return self.context.wrap_socket(connection, server_hostname=self.host, session=session)

    def ntransfercmd(self, command, rest=None):
        connection, size = ftplib.FTP.ntransfercmd(self, command, rest)
        return (self.protect(connection) if self._prot_p else connection), size
