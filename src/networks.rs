//! The options that look at where clients come from.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Display;
use std::net::SocketAddr;
use std::str::FromStr;

use clap::Args;
use wharf::{ListenerRules, Networks, PublicAddress, ServerBuilder};

/// Which clients may connect, and where they connect to for data. Each option holds for all listeners, or for the one that it names.
#[derive(Clone, Debug, Args)]
pub(crate) struct NetworkOptions {
    /// Let clients in these networks alone connect, such as 192.168.0.0/16,::1; others get 421. With
    /// ADDR:PORT= before it, this and each option alike holds for that listener alone, in place of
    /// what is said for all; it may be given again
    #[arg(long, value_name = "[ADDR:PORT=]NET,...", value_parser = for_listener::<Networks>)]
    allow_from: Vec<ForListener<Networks>>,

    /// Let no clients in these networks connect, be they in those of --allow-from or not
    #[arg(long, value_name = "[ADDR:PORT=]NET,...", value_parser = for_listener::<Networks>)]
    deny_from: Vec<ForListener<Networks>>,

    /// Tell clients to connect to this IPv4 address for data (behind NAT), or to that of this host
    /// name, which is looked up again each minute and on SIGHUP; but clients in a network after !
    /// to the server's own, as in 203.0.113.7,!192.168.0.0/16
    #[arg(long, value_name = "[ADDR:PORT=]IP|NAME[,!NET]...",
          value_parser = for_listener::<PublicAddress>)]
    public_address: Vec<ForListener<PublicAddress>>,

    /// Take connections from proxies in these networks alone, each beginning with a PROXY header
    /// (version 1 or 2) that names the client
    #[arg(long, value_name = "[ADDR:PORT=]NET,...", value_parser = for_listener::<Networks>)]
    proxy_protocol: Vec<ForListener<Networks>>,
}

/// A value for one listener, or for all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ForListener<T> {
    listener: Option<SocketAddr>,
    value: T,
}

fn for_listener<T: FromStr<Err: Display>>(text: &str) -> Result<ForListener<T>, String> {
    let (listener, rest) = match text.split_once('=') {
        None => (None, text),
        Some((listener, rest)) => {
            let wanted = "before = the address and port of a listener is wanted";
            let address = listener.parse().map_err(|_| format!("{listener:?}: {wanted}"))?;
            (Some(address), rest)
        }
    };
    let value = rest.parse().map_err(|error: T::Err| error.to_string())?;
    Ok(ForListener { listener, value })
}

impl NetworkOptions {
    /// Returns the rules for all listeners, under `None`, and those for some.
    fn rules(&self) -> BTreeMap<Option<SocketAddr>, ListenerRules> {
        let mut rules = BTreeMap::new();
        let mut add = |listener, change: &dyn Fn(ListenerRules) -> ListenerRules| {
            let all: &mut ListenerRules = rules.entry(listener).or_default();
            *all = change(std::mem::take(all));
        };
        for ForListener { listener, value } in &self.allow_from {
            add(*listener, &|rules| rules.allow(value.clone()));
        }
        for ForListener { listener, value } in &self.deny_from {
            add(*listener, &|rules| rules.deny(value.clone()));
        }
        for ForListener { listener, value } in &self.proxy_protocol {
            add(*listener, &|rules| rules.proxy_protocol(value.clone()));
        }
        for ForListener { listener, value } in &self.public_address {
            add(*listener, &|rules| rules.public_address(value.clone()));
        }
        rules
    }

    /// Looks up again the public addresses that are names; what goes wrong is logged.
    pub(crate) fn look_up_names(&self) {
        for address in &self.public_address {
            let _ = address.value.look_up();
        }
    }

    /// Looks for public addresses that are names and have no address; each mistake is a line.
    pub(crate) fn check_names(&self) -> Vec<String> {
        let names = self.public_address.iter().map(|address| &address.value);
        let failed = names.filter_map(|address| {
            let error = address.look_up().err()?;
            Some(format!("--public-address: {}: {error}", address.name().unwrap_or_default()))
        });
        failed.collect()
    }

    /// Looks for a listener that is named and does not exist, and for an address too many.
    pub(crate) fn check(&self, listeners: &[SocketAddr]) -> Result<(), String> {
        let mut seen = HashSet::new();
        if let Some(twice) = self.public_address.iter().find(|it| !seen.insert(it.listener)) {
            let place = twice.listener.map_or("all listeners".into(), |at| at.to_string());
            return Err(format!("--public-address is given twice for {place}"));
        }
        let unknown = self.rules().into_keys().flatten().find(|at| !listeners.contains(at));
        match unknown {
            Some(at) => Err(format!(
                "no listener has the address {at} that is named before =: it has to be one of \
                 --listen or --implicit-tls"
            )),
            None => Ok(()),
        }
    }

    /// Sets the server up accordingly.
    pub(crate) fn apply(&self, server: ServerBuilder) -> ServerBuilder {
        let mut rules = self.rules();
        let server = server.rules(rules.remove(&None).unwrap_or_default());
        rules.into_iter().fold(server, |server, (at, rules)| match at {
            Some(at) => server.listener_rules(at, rules),
            None => server,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_name_its_listener() {
        let networks = |text| for_listener::<Networks>(text).map(|it| (it.listener, it.value));
        let value: Networks = "::1,10.0.0.0/8".parse().unwrap();
        assert_eq!(networks("::1,10.0.0.0/8"), Ok((None, value.clone())));
        let at = "[::1]:2121".parse().ok();
        assert_eq!(networks("[::1]:2121=::1,10.0.0.0/8"), Ok((at, value)));
        assert!(networks("localhost=::1").unwrap_err().contains("of a listener is wanted"));
        assert!(networks("10.0.0.0/33").unwrap_err().contains("from 0 to 32"));
    }
}
