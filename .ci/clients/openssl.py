"""Settings of OpenSSL for the clients that leave the version of TLS to it."""


def settings(c) -> dict:
    """Returns what the environment has to be so that OpenSSL has the transport's version only."""
    if not c.tls:
        return {}
    file = c.home / f"openssl-{c.tls}.cnf"
    lines = ["openssl_conf = all", "[all]", "ssl_conf = ssl", "[ssl]", "system_default = default"]
    lines += ["[default]", f"MinProtocol = TLSv{c.tls}", f"MaxProtocol = TLSv{c.tls}"]
    file.write_text("\n".join(lines) + "\n")
    return {"OPENSSL_CONF": str(file), "SSL_CERT_FILE": str(c.certificate)}
