//! Which clients are let in, and what the others are told.

use socket2::Socket;
use wharf_core::{Admission, Endpoint, Session};

use crate::server::Service;
use crate::server::admission::Permit;
use crate::server::rules::ListenerRules;

/// Finds a place for a client's session, or one to be told that there is none. `None`: the client has
/// been told all that it is told.
pub(super) fn enter(
    service: &Service,
    socket: &Socket,
    endpoint: Endpoint,
    implicit_tls: bool,
    rules: Option<&ListenerRules>,
) -> Option<(Endpoint, Permit)> {
    let client = endpoint.peer().ip();
    if rules.is_some_and(|rules| !rules.networks.admit(client)) {
        let endpoint = endpoint.with_admission(Admission::NotAllowed);
        refuse(service, socket, endpoint, implicit_tls);
        return None;
    }
    let admitted = if service.failures.is_cooling(client, service.clock.now().instant) {
        let why = Admission::CoolingDown;
        service.sessions.refuse().map(|permit| (why, permit)).ok_or(why)
    } else {
        service.sessions.enter(client)
    };
    let told = |why| service.observers.refused(endpoint.with_admission(why));
    let (admission, permit) = admitted.map_err(told).ok()?;
    let public_address = rules.and_then(|rules| rules.public_address_for(client));
    let endpoint = endpoint.with_admission(admission).with_public_address(public_address);
    Some((if implicit_tls { endpoint.with_implicit_tls() } else { endpoint }, permit))
}

/// Tells a client that has just come why it is not let in, and keeps nothing of it: it counts among no
/// sessions. Where it would have to shake hands first, it is not told.
fn refuse(service: &Service, socket: &Socket, endpoint: Endpoint, implicit_tls: bool) {
    service.observers.refused(endpoint);
    let client = endpoint.peer().ip();
    wharf_storage::log_limited!(Warn, "{client}: connection refused: its network is not allowed");
    if !implicit_tls {
        let session = Session::new(service.session.clone(), endpoint, service.clock.now());
        // A new socket has room for it; a client that has gone already needs none.
        let _ = socket.send(session.transmit());
    }
}

/// Refuses a proxy whose header there is no room to wait for.
pub(super) fn refuse_proxy(service: &Service, endpoint: Endpoint) {
    service.observers.refused(endpoint.with_admission(Admission::ServerFull));
    let proxy = endpoint.peer().ip();
    wharf_storage::log_limited!(
        Warn,
        "{proxy}: connection dropped: as many as there may be sessions wait for a PROXY header"
    );
}

/// Refuses a client where only proxies may connect: it could name any address as its own.
pub(super) fn refuse_stranger(service: &Service, endpoint: Endpoint) {
    service.observers.refused(endpoint.with_admission(Admission::NotAllowed));
    let client = endpoint.peer().ip();
    wharf_storage::log_limited!(Warn, "{client}: connection refused: it is none of the proxies");
}
