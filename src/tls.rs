//! TLS, as the command line has it.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use wharf::{
    Certificate, ClientCertificates, ClientRoots, FileHost, Resumption, Tls, TlsRequired, UploadEnd,
};

use crate::options::address;

/// What is to be protected, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct TlsOptions {
    /// Offer TLS with this certificate (PEM, followed by its chain). A changed file is taken up
    /// without a restart
    #[arg(long, value_name = "FILE", requires = "tls_key", conflicts_with = "tls_self_signed")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// The certificate's private key (PEM); may be the same file
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Offer TLS with a certificate that is made up at every start, for trying out: its SHA-256
    /// fingerprint is shown
    #[arg(long)]
    pub(crate) tls_self_signed: bool,

    /// Listen here for clients that begin with TLS (implicit FTPS); may be given again
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) implicit_tls: Vec<SocketAddr>,

    /// What clients have to protect: none, login, data (files and listings), or all
    #[arg(long, value_name = "WHAT", default_value_t)]
    pub(crate) tls_required: TlsRequired,

    /// Whether data connections resume the TLS session of their control connection: off, prefer, or
    /// require, which keeps others from taking them over but some clients out
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) tls_resumption: Resumption,

    /// Whether an upload within TLS may end without close_notify: strict takes it for cut off, lenient
    /// for whole, as clients need that never send it. Accounts may differ
    #[arg(long, value_name = "HOW", default_value_t)]
    pub(crate) tls_upload_end: UploadEnd,

    /// Ask clients for certificates that these authorities (PEM) have signed; the accounts file
    /// says for whom one stands in place of a password
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// Turn clients away that show no certificate; no client can log in without TLS then
    #[arg(long, requires = "tls_client_ca")]
    pub(crate) tls_client_required: bool,

    /// Let clients go back to clear text on the control connection (CCC), for a NAT that has to read
    /// along
    #[arg(long)]
    pub(crate) allow_ccc: bool,
}

/// TLS that is ready, and what the user is told of it.
pub(crate) struct Ready {
    pub(crate) tls: Tls,
    /// SHA-256 of the certificate.
    pub(crate) fingerprint: String,
    /// The certificate was made at this start.
    pub(crate) self_signed: bool,
}

impl TlsOptions {
    /// Reads and checks all that is named, for a server that listens on these addresses; `None`
    /// where there is to be no TLS. The error is one line.
    pub(crate) fn load(
        &self,
        listen: &[SocketAddr],
        hosts: &[FileHost],
    ) -> Result<Option<Ready>, String> {
        let (certificate, self_signed) = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                (Certificate::from_files(cert, key).map_err(|error| error.to_string())?, false)
            }
            _ if self.tls_self_signed => (self.make_certificate(listen)?, true),
            _ => return self.nothing(hosts).map(|()| None),
        };
        let fingerprint = certificate.fingerprint();
        let mut tls = Tls::new(certificate).map_err(|error| error.to_string())?;
        for host in hosts {
            if let Some((cert, key)) = &host.certificate {
                let own = Certificate::from_files(cert, key).map_err(|error| error.to_string())?;
                tls = tls.host(&host.name, own);
            }
        }
        if let Some(file) = &self.tls_client_ca {
            let roots = ClientRoots::from_file(file).map_err(|error| error.to_string())?;
            tls = tls.client_certificates(match self.tls_client_required {
                true => ClientCertificates::Required(roots),
                false => ClientCertificates::Optional(roots),
            });
        }
        Ok(Some(Ready { tls, fingerprint, self_signed }))
    }

    /// Returns what has to be protected, all options taken together.
    pub(crate) fn required(&self) -> TlsRequired {
        match self.tls_client_required {
            true => self.tls_required.and(TlsRequired::Login),
            false => self.tls_required,
        }
    }

    /// Fails if an option or a host needs TLS, as there is no certificate.
    fn nothing(&self, hosts: &[FileHost]) -> Result<(), String> {
        let wants = "needs a certificate: --tls-cert and --tls-key, or --tls-self-signed";
        let needing_tls = [
            ("--implicit-tls", !self.implicit_tls.is_empty()),
            ("--tls-required", self.tls_required != TlsRequired::None),
            ("--tls-resumption", self.tls_resumption != Resumption::default()),
            ("--tls-upload-end", self.tls_upload_end != UploadEnd::default()),
            ("--tls-client-ca", self.tls_client_ca.is_some()),
            ("--allow-ccc", self.allow_ccc),
        ];
        match needing_tls.iter().find(|(_, asked)| *asked) {
            Some((option, _)) => Err(format!("{option} {wants}")),
            None => match hosts.iter().find(|host| host.certificate.is_some()) {
                Some(host) => {
                    Err(format!("the certificate of host {} alone: TLS {wants}", host.name))
                }
                None => Ok(()),
            },
        }
    }

    /// Makes a certificate for this computer's names.
    fn make_certificate(&self, listen: &[SocketAddr]) -> Result<Certificate, String> {
        let mut names = vec!["localhost".to_string(), "127.0.0.1".into(), "::1".into()];
        let addresses = listen.iter().chain(&self.implicit_tls).map(SocketAddr::ip);
        for ip in addresses.filter(|ip: &IpAddr| !ip.is_unspecified()) {
            let name = ip.to_string();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Certificate::self_signed(&names).map_err(|error| format!("--tls-self-signed: {error}"))
    }
}
