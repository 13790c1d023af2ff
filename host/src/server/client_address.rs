//! Which client a peer address stands for.

use std::net::{IpAddr, Ipv4Addr};

/// A client, as far as its address tells: what is counted for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ClientAddress {
    /// An IPv4 address, mapped into IPv6 or not.
    V4(Ipv4Addr),
    /// The first 64 bits: a client with one address of such a network has all of them.
    V6(u64),
}

impl ClientAddress {
    pub(crate) fn of(peer: IpAddr) -> Self {
        match peer.to_canonical() {
            IpAddr::V4(ip) => Self::V4(ip),
            IpAddr::V6(ip) => Self::V6((ip.to_bits() >> 64) as u64),
        }
    }
}
