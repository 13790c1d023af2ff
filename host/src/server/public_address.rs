//! The address that PASV names, for servers behind NAT.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use wharf_core::{Network, Networks};

use crate::server::stop::Stop;

/// How often names are looked up again.
const LOOK_UP_EVERY: Duration = Duration::from_secs(60);

/// The IPv4 address that PASV names in place of the server's own, which clients outside of a NAT
/// cannot reach.
///
/// As text: an address, or a host name that has one, and the networks whose clients are told the
/// server's own address all the same, each after `!`. A session keeps to the address that there was
/// at its beginning. EPSV names none.
///
/// A host name is looked up when the server is started, and again each minute; by a program that
/// [builds](https://docs.rs/wharf) the parts of a server alone, when it calls
/// [`look_up`](Self::look_up). Clones share what has been found.
///
/// ```
/// use wharf_host::PublicAddress;
///
/// let address: PublicAddress = "203.0.113.7,!192.168.0.0/16".parse()?;
/// assert_eq!(address.named_to("192.0.2.1".parse()?), Some([203, 0, 113, 7].into()));
/// assert_eq!(address.named_to("192.168.7.1".parse()?), None);
/// assert!("ftp.example.org,!192.168.0.0/16".parse::<PublicAddress>().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct PublicAddress {
    /// Clients here are told the server's own.
    own_for: Networks,
    source: Source,
}

#[derive(Clone)]
enum Source {
    Fixed(Ipv4Addr),
    Name(Arc<Name>),
}

/// A host name, and what was found for it.
struct Name {
    text: String,
    /// 0.0.0.0 before the first look-up.
    address: AtomicU32,
    /// The last look-up has failed, and that is in the log.
    has_failed: AtomicBool,
}

impl PublicAddress {
    /// Returns the address that PASV names to this client; `None` stands for the server's own.
    pub fn named_to(&self, client: IpAddr) -> Option<Ipv4Addr> {
        if self.own_for.contains(client) { None } else { self.address() }
    }

    /// Returns the address, which a name has once it was found.
    pub fn address(&self) -> Option<Ipv4Addr> {
        match &self.source {
            Source::Fixed(address) => Some(*address),
            Source::Name(name) => name.address(),
        }
    }

    /// Looks the name up again, if it is one, which may take long. Where that fails, the address
    /// stays; the log has the first failure of a row.
    pub fn look_up(&self) -> io::Result<()> {
        match &self.source {
            Source::Fixed(_) => Ok(()),
            Source::Name(name) => name.look_up(),
        }
    }

    /// Returns the name, if it is one.
    pub fn name(&self) -> Option<&str> {
        match &self.source {
            Source::Fixed(_) => None,
            Source::Name(name) => Some(&name.text),
        }
    }

    /// Looks names up again and again, until the server stops.
    #[doc(hidden)]
    pub fn keep_up(all: &[Self], stop: &Stop) {
        let pause = Timespec::try_from(LOOK_UP_EVERY).ok();
        while !stop.is_called() {
            match poll(&mut [PollFd::new(stop, PollFlags::IN)], pause.as_ref()) {
                Ok(0) => {}
                Ok(_) | Err(Errno::INTR) => continue,
                Err(error) => return log::error!("names are not looked up any more: {error}"),
            }
            for address in all {
                // It is in the log, once.
                let _ = address.look_up();
            }
        }
    }
}

impl Name {
    fn address(&self) -> Option<Ipv4Addr> {
        match self.address.load(Ordering::Relaxed) {
            0 => None,
            bits => Some(Ipv4Addr::from_bits(bits)),
        }
    }

    fn look_up(&self) -> io::Result<()> {
        let found = (self.text.as_str(), 0).to_socket_addrs().and_then(first_usable);
        self.take(found)
    }

    /// Takes what a look-up has found.
    fn take(&self, found: io::Result<Ipv4Addr>) -> io::Result<()> {
        let (name, before) = (&self.text, self.address());
        match found {
            Ok(address) => {
                self.has_failed.store(false, Ordering::Relaxed);
                self.address.store(address.to_bits(), Ordering::Relaxed);
                if before.is_some_and(|before| before != address) {
                    log::info!("public address: {name} is {address} now");
                }
                Ok(())
            }
            Err(error) => {
                let is_new = !self.has_failed.swap(true, Ordering::Relaxed);
                if let (true, Some(kept)) = (is_new, before) {
                    log::warn!("public address: {name}: {error}; it stays {kept}");
                }
                Err(error)
            }
        }
    }
}

/// Returns the first address that PASV can name.
fn first_usable(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<Ipv4Addr> {
    let mut addresses = addresses.filter_map(|address| match address.ip() {
        IpAddr::V4(ip) if is_usable(ip) => Some(ip),
        _ => None,
    });
    addresses.next().ok_or_else(|| io::Error::other("it has no IPv4 address to connect to"))
}

/// Returns `true` if clients can connect to the address.
fn is_usable(address: Ipv4Addr) -> bool {
    !(address.is_unspecified() || address.is_multicast() || address.is_broadcast())
}

impl From<Ipv4Addr> for PublicAddress {
    fn from(address: Ipv4Addr) -> Self {
        Self { own_for: Networks::default(), source: Source::Fixed(address) }
    }
}

impl FromStr for PublicAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut own_for, mut source) = (Networks::default(), None);
        for part in text.split(',').map(str::trim) {
            if let Some(network) = part.strip_prefix('!') {
                own_for.extend([network.parse::<Network>().map_err(|error| error.to_string())?]);
            } else if source.is_some() {
                return Err(format!("{part:?}: one address is wanted, and networks after !"));
            } else {
                source = Some(parse_source(part).map_err(|wanted| format!("{part:?}: {wanted}"))?);
            }
        }
        let source = source.ok_or("an address or a host name is wanted beside what is after !")?;
        Ok(Self { own_for, source })
    }
}

fn parse_source(text: &str) -> Result<Source, &'static str> {
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if is_usable(address) => Ok(Source::Fixed(address)),
        Ok(IpAddr::V4(_)) => Err("an IPv4 address is wanted that clients can connect to"),
        Ok(IpAddr::V6(_)) => Err("an IPv4 address is wanted: PASV cannot name another"),
        Err(_) if is_name(text) => Ok(Source::Name(Arc::new(Name {
            text: text.to_string(),
            address: AtomicU32::new(0),
            has_failed: AtomicBool::new(false),
        }))),
        Err(_) => Err("an IPv4 address or a host name is wanted, such as 203.0.113.7"),
    }
}

/// Returns `true` if it can be a host name; its last part is no number, as that of an address is.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(is_known) && !label.starts_with('-')
    };
    let labels = text.strip_suffix('.').unwrap_or(text);
    let last = labels.rsplit('.').next().unwrap_or_default();
    text.len() <= 253
        && labels.split('.').all(is_label)
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

impl PartialEq for PublicAddress {
    fn eq(&self, other: &Self) -> bool {
        let is_same = self.name() == other.name() && self.address() == other.address();
        is_same && self.own_for == other.own_for
    }
}

impl Eq for PublicAddress {}

impl fmt::Debug for PublicAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicAddress")
            .field("name", &self.name())
            .field("address", &self.address())
            .field("own_for", &self.own_for)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Name {
        let source = parse_source("ftp.example.org").unwrap();
        let Source::Name(name) = source else { panic!() };
        Arc::into_inner(name).unwrap()
    }

    #[test]
    fn clients_of_some_networks_are_told_the_own_address() {
        let address: PublicAddress = "!10.0.0.0/8, 203.0.113.7 ,!::1".parse().unwrap();
        for (client, named) in [
            ("192.0.2.1", true),
            ("::ffff:192.0.2.1", true),
            ("10.1.2.3", false),
            ("::ffff:10.1.2.3", false),
            ("::1", false),
        ] {
            let found = address.named_to(client.parse().unwrap());
            assert_eq!(found, named.then_some(Ipv4Addr::new(203, 0, 113, 7)), "{client}");
        }
    }

    #[test]
    fn mistakes_say_what_is_wanted() {
        for (text, wanted) in [
            ("", "\"\": an IPv4 address or a host name is wanted"),
            ("0.0.0.0", "clients can connect to"),
            ("224.0.0.1", "clients can connect to"),
            ("::1", "\"::1\": an IPv4 address is wanted: PASV"),
            ("203.0.113", "an IPv4 address or a host name"),
            ("203.0.113.256", "an IPv4 address or a host name"),
            ("-a.example", "an IPv4 address or a host name"),
            ("a..example", "an IPv4 address or a host name"),
            ("203.0.113.7,192.0.2.1", "\"192.0.2.1\": one address is wanted"),
            ("!10.0.0.0/8", "an address or a host name is wanted beside"),
            ("203.0.113.7,!10.0.0.1/8", "10.0.0.0/8 is the network"),
        ] {
            let error = text.parse::<PublicAddress>().unwrap_err();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_name_keeps_its_address_where_a_look_up_fails() {
        let name = name();
        let failure = || Err(io::Error::other("no network"));
        assert!(name.take(failure()).is_err() && name.address().is_none());
        for last in [1, 2] {
            let address = Ipv4Addr::new(203, 0, 113, last);
            name.take(Ok(address)).unwrap();
            assert!(!name.has_failed.load(Ordering::Relaxed));
            for _ in 0..2 {
                assert!(name.take(failure()).is_err());
                assert_eq!(name.address(), Some(address));
                assert!(name.has_failed.load(Ordering::Relaxed));
            }
        }
    }

    #[test]
    fn of_several_addresses_the_first_that_can_be_named_is_taken() {
        let found = |addresses: &[&str]| {
            first_usable(addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)))
        };
        let first = found(&["::1", "0.0.0.0", "192.0.2.1", "192.0.2.2"]);
        assert_eq!(first.unwrap(), Ipv4Addr::new(192, 0, 2, 1));
        assert!(found(&["::1"]).is_err());
    }

    #[test]
    fn a_look_up_is_shared_by_clones() {
        let address: PublicAddress = "localhost".parse().unwrap();
        let clone = address.clone();
        assert_eq!(clone.address(), None);
        address.look_up().unwrap();
        assert_eq!(clone.address(), Some(Ipv4Addr::LOCALHOST));
    }
}
