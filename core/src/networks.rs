//! Networks, and which clients they let in.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

/// An IP network, such as `192.168.0.0/16`, or a single address.
///
/// An IPv4 address that is mapped into IPv6 (`::ffff:192.0.2.1`) is an IPv4 address, as a part of a
/// network and as a client. So `0.0.0.0/0` has all IPv4 addresses, and `::/0` all others.
///
/// ```
/// use wharf_core::Network;
///
/// let network: Network = "192.168.0.0/16".parse()?;
/// assert!(network.contains("192.168.7.1".parse()?));
/// assert!(network.contains("::ffff:192.168.7.1".parse()?));
/// assert!("192.168.7.1/16".parse::<Network>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its bits after the prefix are 0.
    first: IpAddr,
    prefix: u8,
}

/// Several networks. As text, they are parted by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<Network>);

/// Which clients may come in, by their address.
///
/// ```
/// use wharf_core::NetworkRules;
///
/// let rules = NetworkRules { allow: "10.0.0.0/8".parse()?, deny: "10.0.0.9".parse()? };
/// assert!(rules.admit("10.1.2.3".parse()?));
/// assert!(!rules.admit("10.0.0.9".parse()?));
/// assert!(!rules.admit("192.0.2.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkRules {
    /// These may come in; where there are none, all clients may.
    pub allow: Networks,
    /// These may not, even where they are allowed.
    pub deny: Networks,
}

/// A text that is no network: it names the part that is wrong, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError(String);

impl Network {
    /// Returns `true` if the address is one of the network's.
    pub fn contains(&self, address: IpAddr) -> bool {
        first_of(address.to_canonical(), self.prefix) == Some(self.first)
    }

    /// Reads one network, after spaces have been cut off.
    fn parse(text: &str) -> Result<Self, NetworkError> {
        let wanted = |what: &str| NetworkError(alloc::format!("{text:?}: {what}"));
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let written: IpAddr = address
            .parse()
            .map_err(|_| wanted("an address or a network is wanted, such as 192.168.0.0/16"))?;
        let first = written.to_canonical();
        let longest = length(first);
        let mapped = length(written) - longest;
        let prefix = match prefix {
            None => longest,
            Some(prefix) => {
                let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
                let number = prefix.parse::<u8>().ok().filter(|_| is_number);
                let number = number.and_then(|number| number.checked_sub(mapped));
                number.filter(|number| *number <= longest).ok_or_else(|| {
                    let most = longest + mapped;
                    wanted(&alloc::format!("after / a number from {mapped} to {most} is wanted"))
                })?
            }
        };
        match first_of(first, prefix) {
            Some(start) if start != first => {
                let meant = Self { first: start, prefix };
                Err(wanted(&alloc::format!(
                    "an address within a network; {meant} is the network, {first} the address"
                )))
            }
            _ => Ok(Self { first, prefix }),
        }
    }
}

/// Returns how many bits an address has.
fn length(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Returns the first address of the network that an address is in; `None` where it has fewer bits
/// than the prefix.
fn first_of(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    let rest = u32::from(length(address).checked_sub(prefix)?);
    // To shift by all bits is an overflow.
    Some(match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(rest).unwrap_or(0);
            IpAddr::V4((ip.to_bits() & mask).into())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(rest).unwrap_or(0);
            IpAddr::V6((ip.to_bits() & mask).into())
        }
    })
}

impl Networks {
    /// Returns `true` if one of them has the address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Returns `true` if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl NetworkRules {
    /// Returns `true` if a client with this address may come in.
    pub fn admit(&self, client: IpAddr) -> bool {
        !self.deny.contains(client) && (self.allow.is_empty() || self.allow.contains(client))
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::parse(text.trim())
    }
}

impl FromStr for Networks {
    type Err = NetworkError;

    /// An empty text is a mistake: it would let all clients in where a list was meant.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        text.split(',').map(Network::from_str).collect()
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        Self { first, prefix: length(first) }
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl Extend<Network> for Networks {
    fn extend<I: IntoIterator<Item = Network>>(&mut self, networks: I) {
        self.0.extend(networks);
    }
}

impl IntoIterator for Networks {
    type Item = Network;
    type IntoIter = alloc::vec::IntoIter<Network>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix == length(self.first) {
            self.first.fmt(f)
        } else {
            write!(f, "{}/{}", self.first, self.prefix)
        }
    }
}

impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&names.join(","))
    }
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NetworkError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_has_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("192.168.0.0/16", "192.168.255.1", "192.169.0.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.0/31", "192.0.2.1", "192.0.2.2"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::1", "::1", "::2"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("::ffff:10.0.0.1", "::ffff:10.0.0.1", "10.0.0.2"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(ip(inside)), "{network} {inside}");
            assert!(!parsed.contains(ip(outside)), "{network} {outside}");
        }
        let mapped: Network = "10.0.0.0/8".parse().unwrap();
        assert!(mapped.contains(ip("::ffff:10.1.1.1")));
    }

    #[test]
    fn a_mistake_names_its_part_and_what_would_be_right() {
        for (text, wanted) in [
            ("", "\"\": an address or a network is wanted"),
            ("10.0.0.0/8,", "\"\": an address"),
            ("10.0.0.0/8,here", "\"here\": an address"),
            ("10/8", "\"10/8\": an address"),
            ("10.0.0.0/33", "a number from 0 to 32"),
            ("10.0.0.0/", "a number from 0 to 32"),
            ("10.0.0.0/+8", "a number from 0 to 32"),
            ("::/129", "a number from 0 to 128"),
            ("::ffff:10.0.0.0/8", "a number from 96 to 128"),
            ("10.0.0.1/8", "10.0.0.0/8 is the network, 10.0.0.1 the address"),
            ("2001:db8::1/64", "2001:db8::/64 is the network"),
        ] {
            let error = text.parse::<Networks>().unwrap_err().to_string();
            assert!(error.contains(wanted), "{text:?}: {error}");
        }
    }

    #[test]
    fn as_text_it_can_be_read_again() {
        let text = "10.0.0.0/8,192.0.2.1,2001:db8::/32,::1,0.0.0.0/0";
        let networks: Networks = text.replace(',', " , ").parse().unwrap();
        assert_eq!(networks.to_string(), text);
        assert_eq!("::ffff:10.0.0.0/104".parse::<Network>().unwrap().to_string(), "10.0.0.0/8");
    }

    #[test]
    fn to_deny_wins_and_an_empty_list_allows_all() {
        let rules = |allow: &str, deny: &str| {
            let read = |text: &str| match text {
                "" => Networks::default(),
                text => text.parse().unwrap(),
            };
            NetworkRules { allow: read(allow), deny: read(deny) }
        };
        assert!(rules("", "").admit(ip("192.0.2.1")));
        assert!(rules("192.0.2.0/24", "").admit(ip("192.0.2.1")));
        assert!(!rules("192.0.2.0/24", "").admit(ip("192.0.3.1")));
        assert!(!rules("", "192.0.2.1").admit(ip("192.0.2.1")));
        assert!(rules("", "192.0.2.1").admit(ip("::1")));
        assert!(!rules("192.0.2.0/24", "192.0.2.1").admit(ip("::ffff:192.0.2.1")));
    }
}
