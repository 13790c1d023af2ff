//! Bytes within TLS: from memory, over a socket, to memory.

use std::io;
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite::TLS13_AES_256_GCM_SHA384, default_provider};
use rustls::server::UnbufferedServerConnection;
use wharf_conformance::Tls;

use super::bulk::{flow, write_until};
use crate::client::CHUNK;
use crate::control::Result;
use crate::report::Measured;
use crate::tls::{Buffers, Side, TlsWire};

/// The server encrypts.
pub(super) fn send(name: &str, streams: u32, time: Duration) -> Result<Measured> {
    let config = config()?;
    let server = |socket, end| write(*accept(socket, &config)?, end);
    flow(name, streams, time, server, |socket, _| begin(socket)?.receive(&mut |_| ()))
}

/// The server decrypts.
pub(super) fn receive(name: &str, streams: u32, time: Duration) -> Result<Measured> {
    let config = config()?;
    let server = |socket, _: Instant| accept(socket, &config)?.receive(&mut |_| ());
    flow(name, streams, time, server, |socket, end| write(*begin(socket)?, end))
}

fn write<S: Side>(mut to: TlsWire<S>, end: Instant) -> io::Result<u64> {
    let total = write_until(&mut to, end)?;
    to.end()?;
    // What is left unread would make a RST of the FIN.
    to.receive(&mut |_| ())?;
    Ok(total)
}

fn accept(
    socket: TcpStream,
    config: &Arc<ServerConfig>,
) -> io::Result<Box<TlsWire<UnbufferedServerConnection>>> {
    let tls = UnbufferedServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    TlsWire::handshake(socket, tls, Buffers::new(CHUNK))
}

fn begin(socket: TcpStream) -> io::Result<Box<TlsWire<UnbufferedClientConnection>>> {
    let tls = Tls::new().unbuffered(Ipv4Addr::LOCALHOST.into()).map_err(io::Error::other)?;
    TlsWire::handshake(socket, tls, Buffers::new(CHUNK))
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
    Ok(Arc::new(config.map_err(|error| error.to_string())?))
}
