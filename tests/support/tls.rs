//! The client's side of TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme,
    SupportedProtocolVersion,
};

/// All versions that the server has.
pub(crate) static VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// What a client brings to a handshake; clones share the sessions that they may resume. It trusts
/// any certificate.
#[derive(Clone)]
pub(crate) struct ClientTls {
    config: ClientConfig,
    name: Option<&'static str>,
}

impl ClientTls {
    pub(crate) fn new() -> Self {
        Self::with(&VERSIONS, None)
    }

    /// Takes this version and no other.
    pub(crate) fn only(version: &'static SupportedProtocolVersion) -> Self {
        Self::with(&[version], None)
    }

    /// Shows a certificate of its own.
    pub(crate) fn with_identity(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        Self::with(&VERSIONS, Some((chain, key)))
    }

    fn with(
        versions: &[&'static SupportedProtocolVersion],
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(AnyServer(provider.clone()));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        Self { config, name: None }
    }

    /// Offers these protocols (ALPN).
    pub(crate) fn alpn(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        self
    }

    /// Names the server (SNI).
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name: Some(name), ..self }
    }

    pub(super) fn connection(&self) -> ClientConnection {
        // An address is never named.
        let name = ServerName::try_from(self.name.unwrap_or("127.0.0.1")).unwrap();
        ClientConnection::new(Arc::new(self.config.clone()), name).unwrap()
    }
}

/// What a client says first.
pub(crate) fn hello() -> Vec<u8> {
    let mut bytes = Vec::new();
    ClientTls::new().connection().write_tls(&mut bytes).unwrap();
    bytes
}

/// Reads an alert that comes in clear, and then the end; returns its description.
#[track_caller]
pub(crate) fn read_alert(stream: &mut impl Read) -> u8 {
    let mut alert = [0; 7];
    stream.read_exact(&mut alert).expect("an alert");
    assert_eq!(alert[..1], [21], "{alert:?} is no alert");
    assert_eq!(alert[3..6], [0, 2, 2], "{alert:?} is no fatal alert");
    let mut rest = Vec::new();
    if let Err(error) = stream.read_to_end(&mut rest) {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset, "{error}");
    }
    assert_eq!(rest, b"", "nothing comes after an alert");
    alert[6]
}

/// A connection within TLS.
pub(crate) struct TlsStream {
    tls: ClientConnection,
    records: Records,
}

impl TlsStream {
    /// Does the handshake.
    pub(crate) fn connect(socket: TcpStream, tls: &ClientTls) -> io::Result<Self> {
        Self::shake_hands(tls.connection(), socket)
    }

    pub(super) fn shake_hands(tls: ClientConnection, socket: TcpStream) -> io::Result<Self> {
        let mut stream = Self { tls, records: Records { socket, left: 0 } };
        while stream.tls.is_handshaking() {
            stream.tls.complete_io(&mut stream.records)?;
        }
        stream.flush()?;
        Ok(stream)
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.records.socket
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        self.records.socket
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The protocol that the server has chosen.
    pub(crate) fn protocol(&self) -> Option<&[u8]> {
        self.tls.alpn_protocol()
    }

    /// The certificate that the server has shown.
    pub(crate) fn certificate(&self) -> Vec<u8> {
        self.tls.peer_certificates().unwrap()[0].to_vec()
    }

    /// Says that no more will be written, by close_notify.
    #[track_caller]
    pub(crate) fn notify(&mut self) {
        self.tls.send_close_notify();
        self.flush().expect("close_notify leaves");
    }

    /// Encrypts bytes without sending them.
    pub(crate) fn encrypt(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.tls.writer().write_all(bytes).unwrap();
        self.encrypted()
    }

    /// Makes a close_notify without sending it.
    pub(crate) fn encrypt_notify(&mut self) -> Vec<u8> {
        self.tls.send_close_notify();
        self.encrypted()
    }

    /// Makes new keys, and demands them of the server (TLS 1.3).
    pub(crate) fn refresh_keys(&mut self) {
        self.tls.refresh_traffic_keys().unwrap();
    }

    fn encrypted(&mut self) -> Vec<u8> {
        let mut records = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut records).unwrap();
        }
        records
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.records.socket.write_all(bytes).expect("the connection takes bytes");
    }

    /// Reads up to close_notify, after which nothing comes but the end.
    #[track_caller]
    pub(crate) fn read_all(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).expect("close_notify comes before the end");
        bytes
    }

    /// Waits for the end of the connection below.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let end = self.records.socket.read(&mut [0]).expect("the connection ends in order");
        assert_eq!(end, 0, "nothing comes after close_notify");
    }

    /// Reads up to the end, which comes without close_notify.
    #[track_caller]
    pub(crate) fn read_truncated(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let error = self.read_to_end(&mut bytes).expect_err("no close_notify");
        let cut = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        assert!(cut.contains(&error.kind()), "{error}");
        bytes
    }

    /// Ends it as it should be: close_notify, the server's close_notify, the end.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        self.notify();
        assert_eq!(self.read_all(), b"");
        self.expect_end();
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.tls, &mut self.records).read(buffer)
    }
}

impl Write for TlsStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.tls, &mut self.records).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.records)?;
        }
        Ok(())
    }
}

/// A socket that is never read beyond the record that TLS reads: what comes after its end may be
/// in clear.
struct Records {
    socket: TcpStream,
    left: usize,
}

impl Read for Records {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left > 0 {
            let most = self.left.min(buffer.len());
            let count = self.socket.read(&mut buffer[..most])?;
            self.left -= count;
            return Ok(count);
        }
        if self.socket.read(&mut buffer[..1])? == 0 {
            return Ok(0);
        }
        self.socket.read_exact(&mut buffer[1..5])?;
        self.left = u16::from_be_bytes([buffer[3], buffer[4]]).into();
        Ok(5)
    }
}

impl Write for Records {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A control connection's bytes, in clear or within TLS.
pub(crate) enum Channel {
    Clear(TcpStream),
    Secured(Box<TlsStream>),
    /// In between.
    Broken,
}

impl Channel {
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Secured(tls) => tls.socket(),
            Self::Broken => panic!("a handshake has failed"),
        }
    }

    pub(crate) fn into_socket(self) -> TcpStream {
        match self {
            Self::Clear(socket) => socket,
            Self::Secured(tls) => tls.into_socket(),
            Self::Broken => panic!("a handshake has failed"),
        }
    }

    pub(crate) fn start_tls(
        &mut self,
        start: impl FnOnce(TcpStream) -> io::Result<TlsStream>,
    ) -> io::Result<()> {
        let socket = std::mem::replace(self, Self::Broken).into_socket();
        *self = Self::Secured(Box::new(start(socket)?));
        Ok(())
    }

    pub(crate) fn end_tls(&mut self) {
        let socket = std::mem::replace(self, Self::Broken).into_socket();
        *self = Self::Clear(socket);
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(buffer),
            Self::Secured(tls) => tls.read(buffer),
            Self::Broken => Ok(0),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(bytes),
            Self::Secured(tls) => tls.write(bytes),
            Self::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Secured(tls) => tls.flush(),
            _ => Ok(()),
        }
    }
}

/// Trusts any certificate.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
