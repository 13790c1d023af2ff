//! Bytes within TLS: from memory, over a socket, to memory.

use std::io;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite::TLS13_AES_256_GCM_SHA384, default_provider};
use rustls::{Connection, ServerConfig, ServerConnection};
use wharf_conformance::Tls;

use super::bulk::{flow, read, write_until};
use crate::client::CHUNK;
use crate::control::Result;
use crate::report::Measured;
use crate::wire::{TlsWire, Wire};

/// The server encrypts.
pub(super) fn send(name: &str, time: Duration) -> Result<Measured> {
    let config = config()?;
    let server = |socket, end| write(accept(socket, &config)?, end);
    flow(name, 1, time, server, |socket, _| read(begin(socket)?, |_| Ok(())))
}

/// The server decrypts.
pub(super) fn receive(name: &str, time: Duration) -> Result<Measured> {
    let config = config()?;
    let server = |socket, _: Instant| read(accept(socket, &config)?, |_| Ok(()));
    flow(name, 1, time, server, |socket, end| write(begin(socket)?, end))
}

fn write(mut to: Wire, end: Instant) -> io::Result<u64> {
    let total = write_until(&mut to, end)?;
    to.end()?;
    Ok(total)
}

fn accept(socket: TcpStream, config: &Arc<ServerConfig>) -> io::Result<Wire> {
    let connection = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    wire(socket, connection.into())
}

fn begin(socket: TcpStream) -> io::Result<Wire> {
    let connection = Tls::new().connection(IpAddr::V4(Ipv4Addr::LOCALHOST));
    wire(socket, connection.map_err(io::Error::other)?.into())
}

fn wire(socket: TcpStream, connection: Connection) -> io::Result<Wire> {
    Ok(Wire::Tls(TlsWire::handshake(socket, connection, vec![0; CHUNK])?))
}

/// TLS 1.3 with AES-256-GCM, and a certificate for nothing in particular.
fn config() -> Result<Arc<ServerConfig>> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).map_err(|it| it.to_string())?;
    let suites = vec![TLS13_AES_256_GCM_SHA384];
    let provider = CryptoProvider { cipher_suites: suites, ..default_provider() };
    let builder = ServerConfig::builder_with_provider(Arc::new(provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(|it| it.to_string())?;
    let builder = builder.with_no_client_auth();
    let config = builder.with_single_cert(vec![cert.into()], signing_key.into());
    let mut config = config.map_err(|error| error.to_string())?;
    // The client that only sends would leave them unread, which makes a RST of its FIN.
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}
