//! Settings that make no sense are mistakes. They are found before anything is opened or started,
//! and told by the name of the method.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use wharf_host::proto::{TlsPolicy, TlsRequired};

use super::{ServerBuilder, Socket};
use crate::error::StartError;

/// What the smallest upload takes of memory, in bytes.
const LEAST_TRANSFER_MEMORY: u64 = 64 * 1024;

/// The longest name of a host, and of each of its parts (RFC 1035 section 2.3.4).
const LONGEST_HOST: usize = 253;
const LONGEST_LABEL: usize = 63;

const MINUTES_OF_A_DAY: i16 = 24 * 60;

impl ServerBuilder {
    /// Fails with the first mistake, if there is one.
    pub(super) fn check(&mut self) -> Result<(), StartError> {
        if let Some(mistake) = self.mistake.take() {
            return Err(mistake);
        }
        self.check_logins()?;
        self.check_hosts()?;
        self.check_site_commands()?;
        self.check_tls()?;
        self.check_limits()?;
        self.check_times()?;
        self.check_addresses()
    }

    fn check_logins(&self) -> Result<(), StartError> {
        if self.accounts.is_some() {
            let besides = [
                (self.storage.is_some(), "storage"),
                (self.anonymous.is_some(), "anonymous"),
                (!self.users.is_empty(), "user"),
            ];
            return match besides.iter().find(|(is_set, _)| *is_set) {
                Some((_, name)) => mistake(
                    name,
                    "it has no effect besides `accounts`, which decides on all logins: leave one \
                     of the two out",
                ),
                None => Ok(()),
            };
        }
        let mut known = HashSet::new();
        for (name, ..) in &self.users {
            let is_anonymous = ["anonymous", "ftp"].iter().any(|it| name.eq_ignore_ascii_case(it));
            if name.is_empty() {
                return wrong("user", name, "a name is wanted that is not empty");
            } else if !known.insert(name) {
                return wrong("user", name, "the name is given twice");
            } else if is_anonymous && self.anonymous.is_some() {
                let problem = "`anonymous` lets this name in with any password: leave one out";
                return wrong("user", name, problem);
            }
        }
        Ok(())
    }

    fn check_hosts(&self) -> Result<(), StartError> {
        let mut known = HashSet::new();
        for (name, _) in &self.service.hosts {
            if !is_host_name(name) {
                let wanted = "a host name is wanted, such as \"files.example.org\"";
                return wrong("host", name, wanted);
            } else if !known.insert(name) {
                return wrong("host", name, "the name is given twice");
            }
        }
        Ok(())
    }

    fn check_site_commands(&self) -> Result<(), StartError> {
        let mut known = HashSet::from(["HELP"]);
        for (command, _) in &self.service.site_commands {
            let name = command.name.as_str();
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return wrong("site_command", name, "one word of ASCII is wanted");
            } else if !known.insert(name) {
                return wrong("site_command", name, "there is a command of this name already");
            }
        }
        Ok(())
    }

    fn check_tls(&self) -> Result<(), StartError> {
        if self.tls.is_some() {
            Ok(())
        } else if self.tls_policy.required != TlsRequired::None {
            mistake("tls_required", "it needs a certificate: call `tls`")
        } else if !self.listen_implicit.is_empty() {
            mistake("listen_implicit", "implicit TLS needs a certificate: call `tls`")
        } else if self.tls_policy.resumption != TlsPolicy::default().resumption {
            mistake("tls_resumption", "it needs a certificate: call `tls`")
        } else if self.tls_policy.upload_end != TlsPolicy::default().upload_end {
            mistake("tls_upload_end", "it needs a certificate: call `tls`")
        } else if self.tls_policy.allow_ccc {
            mistake("allow_ccc", "it needs a certificate: call `tls`")
        } else {
            Ok(())
        }
    }

    fn check_limits(&self) -> Result<(), StartError> {
        let service = &self.service;
        let numbers = [
            ("max_sessions", service.max_sessions),
            ("max_sessions_per_address", service.max_sessions_per_address),
            ("max_login_attempts", service.session.max_login_attempts as usize),
            ("logins_at_once", service.logins_at_once),
            ("storage_threads", service.storage_threads),
            ("max_stuck_calls", service.max_stuck_calls),
            ("observer_queue", service.observer_queue),
        ];
        if let Some((name, number)) = numbers.iter().find(|(_, number)| *number == 0) {
            return wrong(name, number, "at least 1 is wanted");
        }
        let memory = service.max_transfer_memory;
        if memory < LEAST_TRANSFER_MEMORY {
            let problem = format!("at least {LEAST_TRANSFER_MEMORY} bytes are wanted");
            return wrong("max_transfer_memory", memory, &problem);
        }
        Ok(())
    }

    fn check_times(&self) -> Result<(), StartError> {
        let session = &self.service.session;
        let times = [
            ("idle_timeout", session.idle_timeout),
            ("login_timeout", session.login_timeout),
            ("data_timeout", session.data_timeout),
            ("login_cool_down", self.service.login_cool_down),
            ("list_bounds.time", session.list_bounds.time),
        ];
        if let Some((name, time)) = times.iter().find(|(_, time)| *time == Duration::ZERO) {
            return wrong(name, time, "a time longer than zero is wanted");
        }
        let minutes = session.list_utc_offset_minutes;
        if !(-MINUTES_OF_A_DAY < minutes && minutes < MINUTES_OF_A_DAY) {
            return wrong("list_utc_offset_minutes", minutes, "less than a day is wanted");
        }
        Ok(())
    }

    fn check_addresses(&self) -> Result<(), StartError> {
        for address in self.public_addresses() {
            // A name has no address yet, and is looked at when it has one.
            if let Some(address) = address.address()
                && (address.is_unspecified() || address.is_multicast() || address.is_broadcast())
            {
                let wanted = "an address is wanted that clients can connect to";
                return wrong("public_address", address, wanted);
            }
        }
        let all: Vec<_> = self.listen.iter().chain(&self.listen_implicit).collect();
        let has = |address| all.iter().any(|socket| socket.address() == Some(address));
        let mut known = HashSet::new();
        for (address, _) in &self.rules_at {
            if !has(*address) {
                return wrong("listener_rules", address, "no listener has this address");
            } else if !known.insert(address) {
                return wrong("listener_rules", address, "the address is given twice");
            }
        }
        let mut known = HashSet::new();
        for (method, sockets) in
            [("listen", &self.listen), ("listen_implicit", &self.listen_implicit)]
        {
            for socket in sockets {
                if let Socket::Address(address) = socket
                    && address.port() != 0
                    && !known.insert(address)
                {
                    return wrong(method, address, "the address is given twice");
                }
            }
        }
        Ok(())
    }
}

/// Returns `true` if the text is a name for HOST (RFC 7151 section 3.1), in small letters.
fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let has_hyphen_at_an_end = label.starts_with('-') || label.ends_with('-');
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(is_known)
            && !has_hyphen_at_an_end
    };
    text.len() <= LONGEST_HOST && text.split('.').all(is_label)
}

fn mistake(name: &str, problem: &str) -> Result<(), StartError> {
    Err(StartError::setting(name, problem))
}

fn wrong(name: &str, value: impl fmt::Debug, problem: &str) -> Result<(), StartError> {
    Err(StartError::setting(format!("{name}({value:?})"), problem))
}
