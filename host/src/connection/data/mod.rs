//! The passive port, the data connection, and the transfer over it.

mod refusal;
mod running;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Event, Instant, Mode, Now, Plan, PortLoss, RequestId, Session, TransferEnd};

use crate::connection::job::Job;
use crate::server::listener::{Accepted, Arrival, accept};
use crate::server::ports::{OpenPort, OpenPorts};
use crate::tls::{DataOrigin, ServerConnection};
use crate::transfer::files::Files;
use crate::transfer::memory::{Needs, TLS_PORTION, TransferMemory};
use crate::transfer::pump::Pump;
use crate::transfer::step::{PumpStep, Pumped};
use crate::wire::{Progress, Readiness, Wire};

use running::RunningTransfer;

use super::sockets::{SocketHandle, acknowledge, send_at_once, start_connecting};

/// The passive port or the data connection of a session: at most one socket at a time, and one
/// connection that was refused.
pub(super) struct DataChannel {
    state: State,
    /// A connection that was refused, in its lingering close until then.
    refused: Option<(Arc<Socket>, Instant)>,
    /// Tells one socket from the next.
    generation: u64,
    /// A socket was given up: the driver must let go of it before another is opened.
    replaced: bool,
    transfer: Option<RunningTransfer>,
    /// What all transfers share.
    memory: Arc<TransferMemory>,
}

enum State {
    None,
    Listening {
        id: RequestId,
        port: OpenPort,
        readable: bool,
        offered: Option<Socket>,
    },
    Connecting {
        id: RequestId,
        socket: Arc<Socket>,
        writable: bool,
    },
    /// `silent`: the port at which it was accepted, as long as nothing has come over it.
    Open {
        socket: Arc<Socket>,
        wire: Wire,
        silent: Option<RequestId>,
        protecting: Option<Protecting>,
    },
}

/// A TLS handshake on the data connection.
struct Protecting {
    id: RequestId,
    origin: DataOrigin,
}

/// The socket that a driver must watch beside the control connection's.
#[derive(Clone, Debug)]
pub struct DataSocket {
    /// Changes when another socket takes the place of this one.
    pub generation: u64,
    /// The socket.
    pub socket: SocketHandle,
    /// What is waited for.
    pub interest: Readiness,
}

impl State {
    fn open(socket: Arc<Socket>, silent: Option<RequestId>) -> Self {
        Self::Open { socket, wire: Wire::new(), silent, protecting: None }
    }
}

impl DataChannel {
    pub(super) fn new(memory: Arc<TransferMemory>) -> Self {
        Self {
            state: State::None,
            refused: None,
            generation: 0,
            replaced: false,
            transfer: None,
            memory,
        }
    }

    pub(super) fn socket(&self) -> Option<DataSocket> {
        let (socket, interest) = match &self.state {
            State::None => return None,
            State::Listening { port, readable, offered, .. } => {
                let readable = !readable && offered.is_none();
                (port.socket(), Readiness { readable, writable: false })
            }
            State::Connecting { socket, writable, .. } => {
                (socket, Readiness { readable: false, writable: !writable })
            }
            State::Open { socket, wire, silent, .. } => {
                let mut wanted =
                    self.transfer.as_ref().map(RunningTransfer::interest).unwrap_or_default();
                // What has come unasked is not read, and not waited for again.
                wanted.readable |= silent.is_some();
                (socket, wire.not_ready(wanted))
            }
        };
        let socket = SocketHandle(socket.clone());
        Some(DataSocket { generation: self.generation, socket, interest })
    }

    pub(super) fn set_ready(&mut self, ready: Readiness) {
        match &mut self.state {
            State::None => {}
            State::Listening { readable, .. } => *readable |= ready.readable,
            State::Connecting { writable, .. } => *writable |= ready.writable,
            State::Open { wire, .. } => wire.set_ready(ready),
        }
    }

    /// Tells whether a socket was given up since the driver last looked.
    pub(super) fn was_replaced(&self) -> bool {
        self.replaced
    }

    /// Like [`was_replaced`](Self::was_replaced), and the driver looks now.
    pub(super) fn take_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaced)
    }

    fn set(&mut self, state: State) {
        self.replaced |= !matches!(self.state, State::None);
        self.generation += 1;
        self.state = state;
    }

    /// Opens a passive port; returns its number.
    pub(super) fn listen(
        &mut self,
        id: RequestId,
        peer: IpAddr,
        at: SocketAddr,
        ports: &Arc<OpenPorts>,
    ) -> Option<u16> {
        self.close_refused();
        match ports.open(peer, at) {
            Ok(port) => {
                let number = port.port();
                self.set(State::Listening { id, port, readable: true, offered: None });
                Some(number)
            }
            Err(error) => {
                wharf_storage::log_limited!(Warn, "no passive port: {error}");
                None
            }
        }
    }

    /// Says whether a transfer waits for a connection to the passive port, if there is one.
    pub(super) fn set_awaited(&self, awaited: bool) {
        if let State::Listening { port, .. } = &self.state {
            port.set_awaited(awaited);
        }
    }

    /// The client who connected is the right one: the port has served.
    pub(super) fn accept_offered(&mut self) {
        if let State::Listening { id, offered, .. } = &mut self.state
            && let Some(socket) = offered.take()
        {
            let id = *id;
            send_at_once(&socket);
            self.set(State::open(Arc::new(socket), Some(id)));
        }
    }

    pub(super) fn refuse_offered(&mut self) {
        if let State::Listening { offered, .. } = &mut self.state {
            *offered = None;
        }
    }

    /// Begins to connect to the client; `false` when that cannot even begin.
    pub(super) fn connect(&mut self, id: RequestId, from: SocketAddr, to: SocketAddr) -> bool {
        self.close_refused();
        match start_connecting(from, to) {
            Ok(socket) => {
                self.set(State::Connecting { id, socket: Arc::new(socket), writable: false });
                true
            }
            Err(error) => {
                log::debug!("cannot connect to {to}: {error}");
                false
            }
        }
    }

    /// Closes what is open, and what was refused, at once.
    pub(super) fn close(&mut self, jobs: &mut VecDeque<Job>) {
        self.close_refused();
        if !matches!(self.state, State::None) {
            self.set(State::None);
        }
        jobs.extend(self.transfer.take().map(|transfer| Job::drop(transfer.pump)));
    }

    /// Starts the transfer, or says why not: the connection is gone, or the file, or there is no
    /// memory for it.
    pub(super) fn start(
        &mut self,
        id: RequestId,
        plan: Plan,
        mode: Mode,
        rate: Option<NonZeroU64>,
        files: &mut Files,
        now: Now,
    ) -> Result<(), TransferEnd> {
        let State::Open { wire, silent, .. } = &mut self.state else {
            return Err(TransferEnd::DataLost);
        };
        *silent = None;
        let encrypted = wire.tls().is_some();
        let share =
            self.memory.share(Needs::of(&plan, mode, encrypted)).ok_or(TransferEnd::NoMemory)?;
        wire.set_tls_buffer(share.buffer());
        let pump = Pump::new(plan, mode, files, encrypted, share).ok_or(TransferEnd::DataLost)?;
        self.transfer = Some(RunningTransfer::new(id, pump, rate, now));
        Ok(())
    }

    /// Begins TLS on the connection that stands; `false` when there is none.
    pub(super) fn protect(
        &mut self,
        id: RequestId,
        connection: ServerConnection,
        origin: DataOrigin,
    ) -> bool {
        let State::Open { wire, silent, protecting, .. } = &mut self.state else { return false };
        *silent = None;
        wire.start_tls(connection, Vec::new(), TLS_PORTION);
        *protecting = Some(Protecting { id, origin });
        true
    }

    /// Returns `true` if a data connection stands and no transfer has begun. What its client has done
    /// there comes before the command that it sends afterwards: it is looked at, whether the driver
    /// has heard of it or not.
    pub(super) fn look_early(&mut self) -> bool {
        match &mut self.state {
            State::Open { wire, silent, protecting, .. } if self.transfer.is_none() => {
                let is_awaited = silent.is_some() || protecting.is_some();
                wire.set_ready(Readiness { readable: is_awaited, writable: false });
                is_awaited
            }
            _ => false,
        }
    }

    /// Returns when a transfer that is held back goes on, or what was refused is to be closed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let held_back = self.transfer.as_ref().and_then(RunningTransfer::deadline);
        let refused = self.refused.as_ref().map(|(_, until)| *until);
        held_back.into_iter().chain(refused).min()
    }

    /// Tells whether a transfer is under way.
    pub(super) fn is_transferring(&self) -> bool {
        self.transfer.is_some()
    }

    /// Breaks the transfer off.
    pub(super) fn stop(&mut self) {
        if let Some(transfer) = &mut self.transfer {
            transfer.stop();
        }
    }

    /// Takes what a job of the transfer comes back with.
    pub(super) fn complete(&mut self, pumped: Pumped, session: &mut Session, now: Now) {
        if let Some(transfer) = &mut self.transfer
            && transfer.complete(pumped)
        {
            session.handle(transfer.progress(), now);
        }
    }

    /// Goes one step on; tells whether anything happened.
    pub(super) fn advance(
        &mut self,
        session: &mut Session,
        files: &mut Files,
        jobs: &mut VecDeque<Job>,
        now: Now,
    ) -> bool {
        match &mut self.state {
            State::None => false,
            State::Listening { id, port, readable, offered } => {
                if !*readable || offered.is_some() {
                    return false;
                }
                match accept(port.socket()) {
                    Accepted::Client(Arrival { socket: client, peer, .. }) => {
                        *offered = Some(client);
                        session.handle(Event::DataArrived { id: *id, peer: peer.ip() }, now);
                        true
                    }
                    Accepted::NoClient if port.is_given_away() => {
                        self.lose_port(PortLoss::GivenAway, session, jobs, now)
                    }
                    Accepted::NoClient => {
                        *readable = false;
                        false
                    }
                    // Waiting would spin, and the port's own descriptor is wanted elsewhere.
                    Accepted::Exhausted(error) => {
                        wharf_storage::log_limited!(Warn, "passive port lost: {error}");
                        self.lose_port(PortLoss::Failed, session, jobs, now)
                    }
                }
            }
            State::Connecting { id, socket, writable } => {
                if !*writable {
                    return false;
                }
                let id = *id;
                let established = matches!(socket.take_error(), Ok(None));
                if established {
                    let socket = socket.clone();
                    // The same socket goes on: the driver need not know.
                    self.state = State::open(socket, None);
                } else {
                    self.close(jobs);
                }
                session.handle(Event::Connected { id, established }, now);
                true
            }
            State::Open { socket, wire, protecting: protecting @ Some(_), .. } => {
                let progress = wire.handshake(socket);
                if let Progress::Blocked = progress {
                    return false;
                }
                let Some(Protecting { id, origin }) = protecting.take() else { return false };
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
                session.handle(Event::DataProtected { id, proof }, now);
                true
            }
            State::Open { socket, wire, silent: silent @ Some(_), .. } => {
                if !wire.has_input(socket) {
                    return false;
                }
                if let Some(id) = silent.take() {
                    session.handle(Event::DataReadable { id }, now);
                }
                true
            }
            State::Open { protecting: None, .. } => self.pump(session, files, jobs, now),
        }
    }

    fn lose_port(
        &mut self,
        why: PortLoss,
        session: &mut Session,
        jobs: &mut VecDeque<Job>,
        now: Now,
    ) -> bool {
        if let State::Listening { id, .. } = self.state {
            self.close(jobs);
            session.handle(Event::PortLost { id, why }, now);
        }
        true
    }

    fn pump(
        &mut self,
        session: &mut Session,
        files: &mut Files,
        jobs: &mut VecDeque<Job>,
        now: Now,
    ) -> bool {
        let (State::Open { socket, wire, .. }, Some(transfer)) =
            (&mut self.state, &mut self.transfer)
        else {
            return false;
        };
        match transfer.step(wire, socket, now) {
            PumpStep::Moved(_) => {
                session.handle(transfer.progress(), now);
                true
            }
            PumpStep::Job(job) => {
                jobs.push_back(Job::pump(job));
                true
            }
            PumpStep::Blocked => {
                // What is held back does not stand still.
                if transfer.deadline().is_some() {
                    session.handle(transfer.progress(), now);
                }
                false
            }
            PumpStep::Waiting => false,
            PumpStep::Sent => {
                session.handle(Event::Sent { id: transfer.id }, now);
                true
            }
            PumpStep::Ended(end) => {
                self.end(end, session, files, jobs, now);
                true
            }
        }
    }

    /// The data connection is closed before Session hears of the end.
    fn end(
        &mut self,
        end: TransferEnd,
        session: &mut Session,
        files: &mut Files,
        jobs: &mut VecDeque<Job>,
        now: Now,
    ) {
        let Some(RunningTransfer { id, mut pump, bytes, .. }) = self.transfer.take() else {
            return;
        };
        match pump.take_written() {
            Some((file, open)) => files.insert(file, open),
            None => jobs.push_back(Job::drop(pump)),
        }
        self.close(jobs);
        session.handle(Event::TransferEnded { id, bytes, end }, now);
    }
}
