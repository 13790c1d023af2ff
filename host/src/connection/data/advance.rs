//! How what goes on at the passive port and over the data connection goes on.

use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Event, PortLoss, RequestId, StorageError, TransferEnd};

use super::running::RunningTransfer;
use super::slice::{Slice, StopFlag};
use super::{DataChannel, State, Use};
use crate::connection::context::Context;
use crate::connection::job::Job;
use crate::connection::sockets::acknowledge;
use crate::server::listener::{Accepted, Arrival, accept};
use crate::transfer::pump::Pump;
use crate::transfer::step::{PumpStep, Thread};
use crate::wire::Progress;

impl DataChannel {
    /// Goes one step on; returns `true` if anything happened.
    pub(in crate::connection) fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.state {
            State::None | State::Away { .. } => false,
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
        let State::Listening { id, port, accepts, readable, offered } = &mut self.state else {
            return false;
        };
        if !*accepts {
            return port.is_given_away() && self.lose_port(PortLoss::GivenAway, cx);
        }
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
        let step = transfer.step(wire, socket, Thread::Driver, cx.now.instant);
        match step {
            PumpStep::File => self.send_away(cx),
            PumpStep::Moved(_) | PumpStep::Written { .. } => cx.handle(transfer.progress()),
            PumpStep::Blocked => {
                // What is held back does not stand still.
                if transfer.deadline().is_some() {
                    cx.handle(transfer.progress());
                }
                return false;
            }
            PumpStep::Sent => cx.handle(Event::Sent { id: transfer.id }),
            PumpStep::Ended(end) => self.end(end, cx),
        }
        true
    }

    /// Lets a worker go on with the transfer.
    fn send_away(&mut self, cx: &mut Context<'_>) {
        let stop = StopFlag::default();
        let state = std::mem::replace(&mut self.state, State::None);
        self.state = match state {
            State::Open { socket, wire, using: Use::Transferring(transfer) } => {
                let away = State::Away { id: transfer.id, stop: stop.clone() };
                let slice = Slice::new(socket, wire, transfer, stop, self.clock);
                cx.jobs.push_back(Job::slice(Box::new(slice)));
                away
            }
            other => other,
        };
    }

    /// Takes a transfer back that a worker has carried on; one that was given up meanwhile is
    /// dropped, where that may block.
    pub(in crate::connection) fn take_back(&mut self, slice: Box<Slice>, cx: &mut Context<'_>) {
        let stopped = match &self.state {
            State::Away { id, stop } if *id == slice.id() => stop.is_raised(),
            _ => return cx.jobs.push_back(Job::drop(slice)),
        };
        let Slice { socket, wire, mut transfer, step, has_moved, .. } = *slice;
        let (id, progress) = (transfer.id, has_moved.then(|| transfer.progress()));
        if stopped && !matches!(step, PumpStep::Ended(_)) {
            transfer.stop();
        }
        // To the driver it is another socket: it has let go of it.
        self.generation += 1;
        self.state = State::Open { socket, wire, using: Use::Transferring(transfer) };
        if let Some(progress) = progress {
            cx.handle(progress);
        }
        match step {
            PumpStep::Sent => cx.handle(Event::Sent { id }),
            PumpStep::Ended(end) => self.end(end, cx),
            _ => {}
        }
    }

    /// The data connection is closed before Session hears of the end.
    fn end(&mut self, end: TransferEnd, cx: &mut Context<'_>) {
        if end == TransferEnd::Storage(StorageError::Panicked) {
            wharf_storage::log_limited!(Error, "{}: a storage call panicked", cx.peer);
        }
        let State::Open { using, .. } = &mut self.state else { return };
        let Use::Transferring(transfer) = std::mem::replace(using, Use::Idle) else { return };
        let RunningTransfer { id, bytes, pump, .. } = *transfer;
        match pump {
            Pump::Receive(receive) => {
                let (file, open) = receive.into_written();
                cx.files.insert(file, open);
            }
            pump => cx.jobs.extend(Job::drop_unless(pump, Pump::closes_at_once)),
        }
        self.close(cx.jobs);
        cx.handle(Event::TransferEnded { id, bytes, end });
    }
}
