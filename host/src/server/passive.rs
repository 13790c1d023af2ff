//! Ports for passive data connections.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::str::FromStr;

use socket2::Domain;

use crate::server::sockets::tcp_socket;

/// How many connections may wait to be accepted, most often until the client says what for. One is
/// wanted; a client that tries twice, or strangers that came first, must not keep it out.
const BACKLOG: i32 = 128;

/// Which ports may be opened for passive data connections (PASV, EPSV).
///
/// They are tried in a random order, another each time: an attacker that can guess the next port can
/// connect to it before the client does (RFC 2577 section 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassivePorts(Option<Range>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    first: u16,
    last: u16,
}

/// The dynamic ports of RFC 6335.
const DYNAMIC: Range = Range { first: 49152, last: 65535 };

/// How many dynamic ports are tried.
const DYNAMIC_ATTEMPTS: usize = 32;

impl PassivePorts {
    /// Any port: one of the dynamic ports 49152 to 65535 (RFC 6335 section 6), or, where many of
    /// them are taken, what the system gives.
    pub const ANY: Self = Self(None);

    /// Allows the ports of one range; it must hold at least one, and not port 0.
    pub fn range(ports: RangeInclusive<u16>) -> Result<Self, PassivePortsError> {
        let (first, last) = ports.into_inner();
        if first == 0 {
            Err(PassivePortsError::Zero)
        } else if first > last {
            Err(PassivePortsError::Empty { first, last })
        } else {
            Ok(Self(Some(Range { first, last })))
        }
    }

    /// Returns the lowest port of the range, or the lowest dynamic port.
    pub fn first(&self) -> u16 {
        self.0.unwrap_or(DYNAMIC).first
    }

    /// Listens on a free port of the address `at`, whatever port that has; the socket does not
    /// block.
    ///
    /// An IPv6 socket takes IPv6 only, and an IPv4 address mapped into IPv6 makes an IPv4 socket. A
    /// link-local address keeps its scope.
    /// The error is [`io::ErrorKind::AddrInUse`] when no port is free, else what the system says.
    pub fn listen(&self, at: SocketAddr) -> io::Result<TcpListener> {
        self.listen_where(at, |_| true)
    }

    /// Listens in the same way, and leaves out ports that `may_be_free` knows better of.
    pub(crate) fn listen_where(
        &self,
        at: SocketAddr,
        may_be_free: impl Fn(SocketAddr) -> bool,
    ) -> io::Result<TcpListener> {
        let at = match at.ip().to_canonical() {
            IpAddr::V4(ip) => SocketAddr::from((ip, 0)),
            IpAddr::V6(_) => at,
        };
        let on = |port| {
            let mut address = at;
            address.set_port(port);
            if !may_be_free(address) {
                return Err(io::ErrorKind::AddrInUse.into());
            }
            Self::listen_on(address)
        };
        // Left to choose from a crowded range, the system may give the first free port each time:
        // that can be guessed.
        let (range, attempts) = match self.0 {
            Some(range) => (range, usize::MAX),
            None => (DYNAMIC, DYNAMIC_ATTEMPTS),
        };
        for port in range.shuffled()?.take(attempts) {
            match on(port) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                result => return result,
            }
        }
        match self.0 {
            Some(_) => Err(io::ErrorKind::AddrInUse.into()),
            None => on(0),
        }
    }

    /// Listens on this address and port.
    pub(crate) fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
        let domain = Domain::for_address(address);
        let socket = tcp_socket(domain)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        if address.port() != 0 {
            // Else a port could not be used for a minute or two after each transfer. Two sockets that
            // listen are still not allowed.
            socket.set_reuse_address(true)?;
        }
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    }
}

impl Range {
    /// Returns each port once, in an order that begins and goes on at random.
    ///
    /// A step that has no factor in common with the number of ports comes to all of them before
    /// it comes back.
    fn shuffled(self) -> io::Result<impl Iterator<Item = u16>> {
        let count = u32::from(self.last - self.first) + 1;
        let random = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let start = (random as u32) % count;
        let mut step = (random >> 32) as u32 % count;
        while common_factor(step, count) != 1 {
            step = (step + 1) % count.max(2);
        }
        let offset = move |turn: u32| {
            (u64::from(start) + u64::from(turn) * u64::from(step)) % u64::from(count)
        };
        Ok((0..count).map(move |turn| self.first + offset(turn) as u16))
    }
}

fn common_factor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_factor(b, a % b) }
}

impl fmt::Display for PassivePorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(range) => write!(f, "{}-{}", range.first, range.last),
            None => f.write_str("any"),
        }
    }
}

impl FromStr for PassivePorts {
    type Err = PassivePortsError;

    /// Reads `FIRST-LAST`, such as `50000-50100`; both ends belong to the range.
    fn from_str(text: &str) -> Result<Self, PassivePortsError> {
        let malformed = || PassivePortsError::Malformed(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(malformed)?;
        let port = |text: &str| {
            let text = text.trim();
            // A plus sign is a number to Rust, but not to people.
            if !text.bytes().all(|byte| byte.is_ascii_digit()) || text.is_empty() {
                return Err(malformed());
            }
            text.parse().map_err(|_| PassivePortsError::TooLarge(text.to_owned()))
        };
        Self::range(port(first)?..=port(last)?)
    }
}

/// Says why something is not a range of ports, and what would be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassivePortsError {
    /// The text is not two numbers.
    Malformed(String),
    /// The number is no port.
    TooLarge(String),
    /// The range begins with port 0.
    Zero,
    /// The range ends before it begins.
    Empty {
        /// Where it begins.
        first: u16,
        /// Where it ends.
        last: u16,
    },
}

impl fmt::Display for PassivePortsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(text) => {
                write!(f, "{text:?} is not a range of ports: write FIRST-LAST, such as 50000-50100")
            }
            Self::TooLarge(text) => {
                write!(f, "{text} is not a port: the largest is 65535")
            }
            Self::Zero => f.write_str("port 0 cannot be listened on: the smallest is 1"),
            Self::Empty { first, last } => {
                write!(f, "{first}-{last} holds no port: write the smaller first, {last}-{first}")
            }
        }
    }
}

impl std::error::Error for PassivePortsError {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};

    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn at(ip: IpAddr) -> SocketAddr {
        SocketAddr::new(ip, 2121)
    }

    #[test]
    fn ranges_are_read_and_written() {
        let ports: PassivePorts = "50000-50100".parse().unwrap();
        assert_eq!(ports, PassivePorts::range(50_000..=50_100).unwrap());
        assert_eq!(ports.to_string(), "50000-50100");
        assert_eq!("1-65535".parse::<PassivePorts>().unwrap().to_string(), "1-65535");
        assert_eq!(PassivePorts::ANY.to_string(), "any");
    }

    #[test]
    fn errors_say_what_would_be_right() {
        for (text, expected) in [
            ("", "such as 50000-50100"),
            ("50000", "such as 50000-50100"),
            ("a-b", "such as 50000-50100"),
            ("1-2-3", "such as 50000-50100"),
            ("-5", "such as 50000-50100"),
            ("+1-5", "such as 50000-50100"),
            ("1-65536", "the largest is 65535"),
            ("0-5", "the smallest is 1"),
            ("9-5", "5-9"),
        ] {
            let error = text.parse::<PassivePorts>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }

    #[test]
    fn every_port_comes_once_and_in_no_order() {
        for count in [1_u16, 2, 3, 8, 30, 97, 100, 65_535] {
            let range = Range { first: 1, last: count };
            let ports: Vec<u16> = range.shuffled().unwrap().collect();
            let distinct: HashSet<u16> = ports.iter().copied().collect();
            assert_eq!((ports.len(), distinct.len()), (count.into(), count.into()));
            assert!(distinct.iter().all(|port| (1..=count).contains(port)));
        }
        let range = Range { first: 1_000, last: 1_999 };
        let orders: HashSet<Vec<u16>> =
            (0..20).map(|_| range.shuffled().unwrap().take(3).collect()).collect();
        assert!(orders.len() > 10, "{orders:?}");
    }

    /// A stretch of ports that are free at the moment, outside the system's own range.
    fn free_range(count: u16) -> PassivePorts {
        for first in (20_000..32_000).step_by(usize::from(count)) {
            let range = Range { first, last: first + count - 1 };
            let free = |port| PassivePorts::listen_on(SocketAddr::new(LOCAL, port)).is_ok();
            if (range.first..=range.last).all(free) {
                return PassivePorts(Some(range));
            }
        }
        panic!("no free ports");
    }

    #[test]
    fn a_range_fills_up_in_random_order() {
        let ports = free_range(24);
        let fill = || -> (Vec<TcpListener>, Vec<u16>) {
            let listeners: Vec<_> = (0..24).map(|_| ports.listen(at(LOCAL)).unwrap()).collect();
            let numbers = listeners.iter().map(|l| l.local_addr().unwrap().port()).collect();
            (listeners, numbers)
        };
        let (listeners, first) = fill();
        assert_eq!(ports.listen(at(LOCAL)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listeners);
        let (_listeners, second) = fill();
        assert_ne!(first, second);
        assert!(!first.is_sorted() && !second.is_sorted());
        let distinct: HashSet<u16> = first.iter().copied().collect();
        assert_eq!(distinct.len(), 24);
        assert_eq!(distinct, second.into_iter().collect());
    }

    #[test]
    fn a_port_can_be_used_again_at_once() {
        let ports = free_range(1);
        for _ in 0..3 {
            let listener = ports.listen(at(LOCAL)).unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, _) = loop {
                match listener.accept() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        std::thread::yield_now();
                    }
                    result => break result.unwrap(),
                }
            };
            // The side that closes first is left in TIME_WAIT.
            drop(server);
            drop(client);
        }
    }

    #[test]
    fn listeners_do_not_block() {
        let listener = PassivePorts::ANY.listen(at(LOCAL)).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn families_do_not_mix() {
        let mapped = IpAddr::V6(Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        assert!(PassivePorts::ANY.listen(at(mapped)).unwrap().local_addr().unwrap().is_ipv4());
        // Not every machine that builds this has IPv6.
        let Ok(any) = PassivePorts::ANY.listen(at(Ipv6Addr::UNSPECIFIED.into())) else { return };
        let port = any.local_addr().unwrap().port();
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
