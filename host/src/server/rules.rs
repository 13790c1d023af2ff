//! What holds for the clients of one listener.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use wharf_core::{NetworkRules, Networks};

use crate::server::public_address::PublicAddress;

/// What holds for the clients of one listener, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerRules {
    pub(crate) networks: NetworkRules,
    pub(crate) public_address: Option<PublicAddress>,
    /// Connections come from these alone, and name their clients first.
    pub(crate) proxies: Networks,
}

impl ListenerRules {
    /// Makes rules that let all clients in.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets clients in these networks alone connect.
    pub fn allow(mut self, networks: Networks) -> Self {
        self.networks.allow.extend(networks);
        self
    }

    /// Lets no client in these networks connect, be it in [allowed](Self::allow) ones or not.
    pub fn deny(mut self, networks: Networks) -> Self {
        self.networks.deny.extend(networks);
        self
    }

    /// Names this address in the reply to PASV.
    pub fn public_address(mut self, address: impl Into<PublicAddress>) -> Self {
        self.public_address = Some(address.into());
        self
    }

    /// Expects each connection to come from a proxy in these networks, and to begin with a header that
    /// names the client (PROXY protocol, version 1 or 2), before TLS where that comes first. All that
    /// looks at the client's address goes by the header's. Other connections are closed.
    pub fn proxy_protocol(mut self, proxies: Networks) -> Self {
        self.proxies.extend(proxies);
        self
    }

    /// Returns `true` if connections begin with a header.
    pub(crate) fn expect_header(&self) -> bool {
        !self.proxies.is_empty()
    }

    /// Returns the address that PASV names, if it is set.
    #[doc(hidden)]
    pub fn named_address(&self) -> Option<&PublicAddress> {
        self.public_address.as_ref()
    }

    /// Takes from `others` what these rules say nothing of; what either denies is denied.
    #[doc(hidden)]
    pub fn or(mut self, others: &Self) -> Self {
        let fill = |own: &mut Networks, other: &Networks| {
            if own.is_empty() {
                own.clone_from(other);
            }
        };
        fill(&mut self.networks.allow, &others.networks.allow);
        self.networks.deny.extend(others.networks.deny.clone());
        fill(&mut self.proxies, &others.proxies);
        self.public_address = self.public_address.or_else(|| others.public_address.clone());
        self
    }

    /// Returns the address that PASV names to this client, if it is not the server's own.
    pub(crate) fn public_address_for(&self, client: IpAddr) -> Option<Ipv4Addr> {
        self.public_address.as_ref()?.named_to(client)
    }

    /// Returns the rules as they are shared by connections; `None` where they say nothing.
    pub(crate) fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_does_not_say_is_as_for_all() {
        let networks = |text: &str| text.parse::<Networks>().unwrap();
        let all = ListenerRules::new().allow(networks("10.0.0.0/8")).deny(networks("10.0.0.1"));
        let own = ListenerRules::new().allow(networks("192.0.2.0/24"));
        let own = own.deny(networks("192.0.2.9"));
        let both = own.clone().deny(networks("10.0.0.1"));
        assert_eq!(own.or(&all), both);
        assert_eq!(ListenerRules::new().or(&all), all);
        assert!(ListenerRules::new().shared().is_none() && all.shared().is_some());
    }
}
