//! TLS on the connections of a session.

use wharf_core::{Event, Now, RequestId};

use super::Connection;

impl Connection {
    pub(super) fn start_tls(&mut self, host: Option<usize>, now: Now) {
        let name = host.and_then(|host| self.service.session.hosts.get(host));
        let started = self.service.tls.as_ref().map(|tls| tls.control(name.map(String::as_str)));
        match started {
            Some(Ok((connection, owner))) => {
                self.owner = Some((owner, host));
                self.control.start_tls(connection);
            }
            other => {
                if let Some(Err(error)) = other {
                    wharf_storage::log_limited!(Error, "TLS cannot begin: {error}");
                }
                self.session.handle(Event::ControlLost, now);
            }
        }
    }

    /// Begins TLS on the data connection; `false` when that cannot be.
    pub(super) fn protect_data(&mut self, id: RequestId, tickets: bool) -> bool {
        let (Some(tls), Some((owner, host))) = (&self.service.tls, &self.owner) else {
            return false;
        };
        let name = host.and_then(|host| self.service.session.hosts.get(host));
        match tls.data(owner, name.map(String::as_str), tickets) {
            Ok((connection, origin)) => {
                let origin = origin.with(self.control.client_certificate().cloned());
                self.data.protect(id, connection, origin)
            }
            Err(error) => {
                wharf_storage::log_limited!(Error, "TLS cannot begin: {error}");
                false
            }
        }
    }
}
