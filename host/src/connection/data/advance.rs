//! How what goes on at the passive port and over the data connection goes on.

use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Event, PortLoss, RequestId, TransferEnd};

use super::running::RunningTransfer;
use super::{DataChannel, State, Use};
use crate::connection::context::Context;
use crate::connection::job::Job;
use crate::connection::sockets::acknowledge;
use crate::server::listener::{Accepted, Arrival, accept};
use crate::transfer::step::PumpStep;
use crate::wire::Progress;

impl DataChannel {
    /// Goes one step on; returns `true` if anything happened.
    pub(in crate::connection) fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.state {
            State::None => false,
            State::Listening { .. } => self.await_client(cx),
            State::Connecting { id, socket, writable } => {
                let (id, socket, connected) = (*id, socket.clone(), *writable);
                connected && self.connected(id, socket, cx)
            }
            State::Open { using: Use::Protecting { .. }, .. } => self.shake_hands(cx),
            State::Open { socket, wire, using: using @ Use::Silent(_) } => {
                if !wire.has_input(socket) {
                    return false;
                }
                if let Use::Silent(id) = std::mem::replace(using, Use::Idle) {
                    cx.handle(Event::DataReadable { id });
                }
                true
            }
            State::Open { using: Use::Transferring(_), .. } => self.pump(cx),
            State::Open { using: Use::Idle, .. } => false,
        }
    }

    fn await_client(&mut self, cx: &mut Context<'_>) -> bool {
        let State::Listening { id, port, readable, offered } = &mut self.state else {
            return false;
        };
        if !*readable || offered.is_some() {
            return false;
        }
        match accept(port.socket()) {
            Accepted::Client(Arrival { socket: client, peer, .. }) => {
                *offered = Some(client);
                cx.handle(Event::DataArrived { id: *id, peer: peer.ip() });
                true
            }
            Accepted::NoClient if port.is_given_away() => self.lose_port(PortLoss::GivenAway, cx),
            Accepted::NoClient => {
                *readable = false;
                false
            }
            // Waiting would spin, and the port's own descriptor is wanted elsewhere.
            Accepted::Exhausted(error) => {
                wharf_storage::log_limited!(Warn, "passive port lost: {error}");
                self.lose_port(PortLoss::Failed, cx)
            }
        }
    }

    fn lose_port(&mut self, why: PortLoss, cx: &mut Context<'_>) -> bool {
        if let State::Listening { id, .. } = self.state {
            self.close(cx.jobs);
            cx.handle(Event::PortLost { id, why });
        }
        true
    }

    /// An attempt to connect has come to its end.
    fn connected(&mut self, id: RequestId, socket: Arc<Socket>, cx: &mut Context<'_>) -> bool {
        let established = matches!(socket.take_error(), Ok(None));
        if established {
            // The same socket goes on: the driver need not know.
            self.state = State::open(socket, Use::Idle);
        } else {
            self.close(cx.jobs);
        }
        cx.handle(Event::Connected { id, established });
        true
    }

    fn shake_hands(&mut self, cx: &mut Context<'_>) -> bool {
        let State::Open { socket, wire, using } = &mut self.state else { return false };
        let progress = wire.handshake(socket);
        if let Progress::Blocked = progress {
            return false;
        }
        let Use::Protecting { id, origin } = std::mem::replace(using, Use::Idle) else {
            return false;
        };
        acknowledge(socket);
        let proof = match (progress, wire.tls()) {
            (Progress::Done, Some(tls)) => Some(origin.proof(tls)),
            (Progress::Broken(error), _) => {
                let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
                let peer = peer.map_or_else(String::new, |peer| peer.ip().to_string());
                wharf_storage::log_limited!(
                    Info,
                    "{peer}: TLS handshake on a data connection failed: {error}"
                );
                None
            }
            _ => None,
        };
        cx.handle(Event::DataProtected { id, proof });
        true
    }

    fn pump(&mut self, cx: &mut Context<'_>) -> bool {
        let State::Open { socket, wire, using: Use::Transferring(transfer) } = &mut self.state
        else {
            return false;
        };
        match transfer.step(wire, socket, cx.now) {
            PumpStep::Moved(_) => cx.handle(transfer.progress()),
            PumpStep::Job(job) => cx.jobs.push_back(Job::pump(job)),
            PumpStep::Blocked => {
                // What is held back does not stand still.
                if transfer.deadline().is_some() {
                    cx.handle(transfer.progress());
                }
                return false;
            }
            PumpStep::Waiting => return false,
            PumpStep::Sent => cx.handle(Event::Sent { id: transfer.id }),
            PumpStep::Ended(end) => self.end(end, cx),
        }
        true
    }

    /// The data connection is closed before Session hears of the end.
    fn end(&mut self, end: TransferEnd, cx: &mut Context<'_>) {
        let State::Open { using, .. } = &mut self.state else { return };
        let Use::Transferring(transfer) = std::mem::replace(using, Use::Idle) else { return };
        let RunningTransfer { id, bytes, mut pump, .. } = *transfer;
        match pump.take_written() {
            Some((file, open)) => cx.files.insert(file, open),
            None => cx.jobs.push_back(Job::drop(pump)),
        }
        self.close(cx.jobs);
        cx.handle(Event::TransferEnded { id, bytes, end });
    }
}
