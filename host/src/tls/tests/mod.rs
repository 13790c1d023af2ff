//! Handshakes in memory, between [`Tls`](super::Tls) and the client of rustls.

mod certificates;
mod clients;
mod greetings;
mod reload;
mod resumption;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls12Resumption, Tls13ClientSessionValue,
};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, Error, NamedGroup, RootCertStore, SupportedProtocolVersion,
};

use super::{Certificate, ServerConnection};

/// How a client resumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Tls13,
    Tls12Ticket,
    Tls12SessionId,
}

impl Way {
    const ALL: [Self; 3] = [Self::Tls13, Self::Tls12Ticket, Self::Tls12SessionId];

    fn version(self) -> &'static SupportedProtocolVersion {
        if self == Self::Tls13 { &TLS13 } else { &TLS12 }
    }
}

/// A client that has its own store of sessions and trusts the certificates it is told to.
#[derive(Clone)]
struct Client {
    config: ClientConfig,
    store: Arc<Store>,
}

impl Client {
    fn new(way: Way, trusted: &[&Certificate]) -> Self {
        Self::with(way, trusted, None)
    }

    fn with(
        way: Way,
        trusted: &[&Certificate],
        identity: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in trusted {
            roots.add(certificate.key().cert[0].clone()).unwrap();
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[way.version()])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
            None => builder.with_no_client_auth(),
        };
        let store = Arc::new(Store::new());
        let tls12 = match way {
            Way::Tls12SessionId => Tls12Resumption::SessionIdOnly,
            _ => Tls12Resumption::SessionIdOrTickets,
        };
        config.resumption = Resumption::store(Arc::clone(&store) as _).tls12_resumption(tls12);
        Self { config, store }
    }

    fn alpn(mut self, protocols: &[&str]) -> Self {
        self.config.alpn_protocols = protocols.iter().map(|&name| name.into()).collect();
        self
    }

    fn without_sni(mut self) -> Self {
        self.config.enable_sni = false;
        self
    }

    /// Connects to a server of this name.
    fn connect(
        &self,
        name: &str,
        server: &mut ServerConnection,
    ) -> Result<ClientConnection, Error> {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(self.config.clone()), name)?;
        shake(&mut client, server)?;
        Ok(client)
    }

    /// How many TLS 1.3 tickets came since this was last asked.
    fn tickets(&self) -> usize {
        self.store.tickets.swap(0, Ordering::Relaxed)
    }
}

/// Carries bytes to and fro until both sides are silent.
fn shake(client: &mut ClientConnection, server: &mut ServerConnection) -> Result<(), Error> {
    let mut came = Vec::new();
    loop {
        let (mut there, mut back) = (Vec::new(), Vec::new());
        while client.wants_write() {
            client.write_tls(&mut there).unwrap();
        }
        came.extend_from_slice(&there);
        let refused = serve(server, &mut came, &mut back, &[]).map(drop);
        let mut rest = &back[..];
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            // What the server says of its own fault tells more than the alert.
            if let Err(error) = client.process_new_packets() {
                return refused.and(Err(error));
            }
        }
        refused?;
        if there.is_empty() && back.is_empty() {
            return Ok(());
        }
    }
}

/// Has the server process what came, and say this if it can; what it has to send goes to `back`.
/// Returns what it has decrypted.
fn serve(
    server: &mut ServerConnection,
    came: &mut Vec<u8>,
    back: &mut Vec<u8>,
    say: &[u8],
) -> Result<Vec<u8>, Error> {
    let (mut plain, mut refused) = (Vec::new(), None);
    let mut nothing = Vec::new();
    let mut room = [0; 8192];
    loop {
        let come = if refused.is_some() { &mut nothing } else { &mut *came };
        let UnbufferedStatus { discard, state, .. } = server.process_tls_records(come);
        let mut waits = false;
        match state {
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                let count = data.encode(&mut room).unwrap();
                back.extend_from_slice(&room[..count]);
            }
            Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                plain.extend_from_slice(traffic.next_record().unwrap().unwrap().payload);
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                let count = traffic.encrypt(say, &mut room).unwrap();
                back.extend_from_slice(&room[..count]);
                waits = true;
            }
            Ok(_) => waits = true,
            Err(error) => refused = Some(error),
        }
        come.drain(..discard);
        // After an error there is only an alert to be sent.
        if waits || refused.is_some() && !server.wants_write() {
            return refused.map_or(Ok(plain), Err);
        }
    }
}

/// The certificate that a client got to see.
fn seen(client: &ClientConnection) -> Vec<u8> {
    client.peer_certificates().unwrap()[0].to_vec()
}

fn der(certificate: &Certificate) -> Vec<u8> {
    certificate.key().cert[0].to_vec()
}

/// Sessions of a client that offers them to every server alike, whatever its name.
#[derive(Debug)]
struct Store {
    cache: ClientSessionMemoryCache,
    tickets: AtomicUsize,
}

impl Store {
    fn new() -> Self {
        Self { cache: ClientSessionMemoryCache::new(8), tickets: AtomicUsize::new(0) }
    }
}

fn any_server() -> ServerName<'static> {
    ServerName::try_from("any-server").unwrap()
}

impl ClientSessionStore for Store {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.cache.set_kx_hint(any_server(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.cache.kx_hint(&any_server())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.cache.set_tls12_session(any_server(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.cache.tls12_session(&any_server())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.cache.remove_tls12_session(&any_server());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.tickets.fetch_add(1, Ordering::Relaxed);
        self.cache.insert_tls13_ticket(any_server(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.cache.take_tls13_ticket(&any_server())
    }
}
