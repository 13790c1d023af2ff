//! FTP within TLS: a server that has it, and what a client does there.

use std::io::{self, Write};
use std::sync::OnceLock;

use wharf::{Backend, Certificate, Server, ServerBuilder, Storage, Tls};

use super::tls::{ClientTls, TlsStream};
use super::{Client, server};

/// A [`server`] with a certificate of its own.
pub(crate) fn tls_server(backend: Backend, storage: impl Storage + 'static) -> ServerBuilder {
    server(backend, storage).tls(tls())
}

/// A certificate, made once.
pub(crate) fn tls() -> Tls {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    let certificate = CERTIFICATE.get_or_init(|| Certificate::self_signed(&["localhost"]).unwrap());
    Tls::new(certificate.clone()).unwrap()
}

impl Client {
    /// Sends AUTH and the first `cut` bytes of the greeting after it in one packet, and then the rest.
    pub(crate) fn start_tls_at_once(&mut self, tls: &ClientTls, cut: usize) -> io::Result<()> {
        let (mut connection, mut first) = (tls.connection(), b"AUTH TLS\r\n".to_vec());
        let auth = first.len();
        connection.write_tls(&mut first).unwrap();
        let (now, later) = first.split_at(auth.saturating_add(cut).min(first.len()));
        self.send_raw(now);
        self.expect_barely(234);
        self.send_raw(later);
        self.adopt(|socket| TlsStream::shake_hands(connection, socket))
    }

    /// Sends close_notify, so many bytes of a command, AUTH and a greeting in one; reads the
    /// server's close_notify, and goes on in the new TLS.
    pub(crate) fn start_tls_behind_another(
        &mut self,
        padding: usize,
        tls: &ClientTls,
    ) -> io::Result<()> {
        let mut bytes = self.tls().encrypt_notify();
        if padding > 0 {
            bytes.extend(std::iter::repeat_n(b'x', padding));
            bytes.extend_from_slice(b"\r\n");
        }
        let mut connection = tls.connection();
        bytes.extend_from_slice(b"AUTH TLS\r\n");
        connection.write_tls(&mut bytes).unwrap();
        self.tls().send_raw(&bytes);
        assert_eq!(self.tls().read_all(), b"");
        self.end_tls();
        if padding > 0 {
            self.expect_barely(500);
        }
        self.expect_barely(234);
        self.adopt(|socket| TlsStream::shake_hands(connection, socket))
    }

    /// Connects within TLS: by AUTH, or to a port for implicit FTPS where there is one.
    #[track_caller]
    pub(crate) fn connect_tls(server: &Server, tls: &ClientTls) -> Self {
        let mut client = match server.implicit_addresses() {
            [] => {
                let mut client = Self::connect(server);
                client.ask("AUTH TLS", 234);
                client
            }
            [address, ..] => Self::dial(*address).expect("the server can be reached"),
        };
        client.start_tls(tls).expect("the handshake succeeds");
        if !server.implicit_addresses().is_empty() {
            client.expect(220);
        }
        client
    }

    /// Logs in within TLS, and chooses binary transfers that are protected.
    #[track_caller]
    pub(crate) fn log_in_tls(server: &Server, tls: &ClientTls) -> Self {
        let mut client = Self::connect_tls(server, tls);
        client.enter();
        client.ask("PBSZ 0", 200);
        client.ask("PROT P", 200);
        client
    }

    /// Begins a protected transfer over a passive data connection.
    #[track_caller]
    pub(crate) fn begin_tls(&mut self, command: &str, tls: &ClientTls) -> TlsStream {
        let data = self.begin(command);
        TlsStream::connect(data, tls).expect("the handshake succeeds")
    }

    /// RETR, LIST and the like, protected.
    #[track_caller]
    pub(crate) fn get_tls(&mut self, command: &str, tls: &ClientTls) -> Vec<u8> {
        let mut data = self.begin_tls(command, tls);
        let bytes = data.read_all();
        data.finish();
        self.expect(226);
        bytes
    }

    /// STOR and the like, protected.
    #[track_caller]
    pub(crate) fn put_tls(&mut self, command: &str, bytes: &[u8], tls: &ClientTls) {
        let mut data = self.begin_tls(command, tls);
        data.write_all(bytes).expect("the data connection takes bytes");
        data.finish();
        self.expect(226);
    }

    /// Does within TLS what a visitor does.
    #[track_caller]
    pub(crate) fn visit_tls(server: &Server) {
        let tls = ClientTls::new();
        let mut client = Self::log_in_tls(server, &tls);
        client.put_tls("STOR tls-visitor", b"I was here.", &tls);
        assert_eq!(client.get_tls("RETR tls-visitor", &tls), b"I was here.");
        client.ask("QUIT", 221);
        client.expect_end();
    }
}
