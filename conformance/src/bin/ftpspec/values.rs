//! What options take, beyond words and numbers.

use std::net::{IpAddr, SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

/// Fails unless this address can be used here to be a stranger to the server.
pub(crate) fn is_elsewhere(address: IpAddr, server: SocketAddr) -> Result<(), String> {
    let wrong = |why: String| Err(format!("--bounce-address {address}: {why}"));
    if address.is_ipv4() != server.is_ipv4() {
        return wrong(format!("not of the family of the server's address, {}", server.ip()));
    }
    if let Err(error) = TcpListener::bind((address, 0)) {
        return wrong(format!("not an address of this machine: {error}"));
    }
    // Nothing is sent: this says which address connections to the server come from.
    let own = UdpSocket::bind((if server.is_ipv4() { "0.0.0.0" } else { "::" }, 0));
    let own = own.and_then(|socket| socket.connect(server).and_then(|()| socket.local_addr()));
    match own {
        Ok(own) if own.ip() == address => {
            wrong("the one that connections come from anyway; it has to be another".to_owned())
        }
        _ => Ok(()),
    }
}

/// Finds the address of a server; of several, one of IPv4.
pub(crate) fn address(server: &str) -> Result<SocketAddr, String> {
    // What has several colons and no brackets is an address of IPv6 alone.
    let (host, port) = match server.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (server, None),
    };
    let port = port.map_or(Ok(21), str::parse).ok().filter(|&port: &u16| port > 0);
    let port = port.ok_or_else(|| format!("{server}: the port has to be one of 1 to 65535"))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = (bare, port).to_socket_addrs();
    let found = found.map_err(|error| format!("{server}: {bare} cannot be found: {error}"))?;
    let found: Vec<_> = found.collect();
    let best = found.iter().find(|address| address.is_ipv4()).or(found.first());
    best.copied().ok_or_else(|| format!("{server}: {bare} has no address"))
}

pub(crate) fn account(text: &str) -> Result<(String, PathBuf), String> {
    let (user, file) = text.split_once(':').ok_or("not of the form USER:FILE")?;
    Ok((user.to_owned(), file.into()))
}

pub(crate) fn host(text: &str) -> Result<(String, String, PathBuf), String> {
    let (name, rest) = text.split_once(':').ok_or("not of the form NAME:USER:FILE")?;
    let (user, file) = account(rest)?;
    Ok((name.to_owned(), user, file))
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let allowed = (0.001..=86_400.0).contains(&seconds);
    let wrong = "not more than nothing and within a day, which has 86400";
    if allowed { Ok(Duration::from_secs_f64(seconds)) } else { Err(wrong.to_owned()) }
}

pub(crate) fn sessions(text: &str) -> Result<[usize; 2], String> {
    let wrong = || "not of the form ALL:EACH, two numbers above 0, the larger first".to_owned();
    let (all, each) = text.split_once(':').ok_or_else(wrong)?;
    let (all, each) = (all.parse().map_err(|_| wrong())?, each.parse().map_err(|_| wrong())?);
    if each > 0 && all >= each { Ok([all, each]) } else { Err(wrong()) }
}
