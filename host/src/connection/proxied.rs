//! The beginning of a connection that a proxy passes on: first comes the header that names the client
//! (PROXY protocol), and only then there is a session, which counts as that client's.

use std::io;
use std::sync::Arc;

use wharf_core::{Admission, Endpoint, Instant, Now, Session};

use super::end::Life;
use super::{Connection, Turn, entrance};
use crate::server::proxy_header::ProxyHeader;
use crate::wire::Flow;
use crate::workers::JobOwner;

impl Connection {
    /// Reads on in the header; `None` where it is whole, and the session begins.
    pub(super) fn read_header(&mut self, until: Instant, now: Now) -> Option<Turn> {
        loop {
            match ProxyHeader::parse(self.control.unread()) {
                Ok(Some(header)) => return self.begin(header, now),
                Ok(None) => {}
                Err(_) => return self.give_up("what came is no PROXY header"),
            }
            match self.control.read_ahead() {
                Flow::Moved(_) => {}
                Flow::Blocked if now.instant < until => return Some(Turn::Wait),
                Flow::Blocked => return self.give_up("no PROXY header came in time"),
                // So proxies see whether the server is there.
                Flow::Ended => return self.leave(),
                Flow::Broken(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return self.leave();
                }
                Flow::Broken(error) => return self.give_up(&error.to_string()),
            }
        }
    }

    /// Begins the session of the client that the header names, if it may come in.
    fn begin(&mut self, header: ProxyHeader, now: Now) -> Option<Turn> {
        let client = header.client.unwrap_or(self.peer);
        self.control.pass_header(header.length, client.ip().to_canonical());
        let rules = self.awaited_by.take();
        let endpoint = Endpoint::new(self.local, client, Admission::Welcome);
        let (service, socket) = (&self.service, self.control.socket());
        let entered =
            entrance::enter(service, socket, endpoint, self.implicit_tls, rules.as_deref());
        let Some((endpoint, permit)) = entered else { return self.leave() };
        self.session = Session::new(self.service.session.clone(), endpoint, now);
        self.peer = endpoint.peer();
        self.permit = permit;
        self.permit.await_login(self.control.socket());
        self.job_owner = Arc::new(JobOwner::new(self.peer.ip()));
        self.teller = self.service.observers.teller(endpoint);
        self.life = Life::Alive;
        None
    }

    fn give_up(&mut self, why: &str) -> Option<Turn> {
        let proxy = self.peer.ip();
        wharf_storage::log_limited!(Warn, "{proxy}: connection of a proxy closed: {why}");
        self.leave()
    }

    /// Ends what has not begun.
    fn leave(&mut self) -> Option<Turn> {
        self.life = Life::Over;
        Some(Turn::Over)
    }
}
