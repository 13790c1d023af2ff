//! The passive port, the data connection, and the transfer over it.
//!
//! | file | has |
//! |---|---|
//! | `mod` | the socket that there is, and how it comes and goes |
//! | `advance` | how what goes on there goes on |
//! | `running` | a transfer on its way |
//! | `slice` | the same on a worker's thread |
//! | `refusal` | a connection that is refused |

mod advance;
mod refusal;
mod running;
mod slice;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::Arc;

use socket2::Socket;
use wharf_core::{Instant, Mode, Plan, RequestId, TransferEnd};
use wharf_storage::Storage;

use crate::connection::context::Context;
use crate::connection::job::Job;
use crate::connection::sockets::{SocketHandle, send_at_once, start_connecting};
use crate::server::Clock;
use crate::server::listener::accept;
use crate::server::ports::{OpenPort, OpenPorts};
use crate::tls::{DataOrigin, ServerConnection};
use crate::transfer::memory::{TLS_FIRST, TLS_READ_BUFFERS, TransferMemory};
use crate::transfer::pump::Pump;
use crate::wire::{Readiness, Wire};

use running::RunningTransfer;
pub(super) use slice::Slice;
use slice::StopFlag;

/// The passive port or the data connection of a session: at most one socket at a time, and one
/// connection that was refused.
pub(super) struct DataChannel {
    state: State,
    /// A connection that was refused, in its lingering close.
    refused: Option<Refused>,
    /// Tells one socket from the next.
    generation: u64,
    /// A socket was given up that the driver holds: it must let go of it before another is opened.
    replaced: bool,
    /// What all transfers share.
    memory: Arc<TransferMemory>,
    clock: Clock,
}

/// A connection that was refused.
struct Refused {
    /// Kept open.
    _socket: Arc<Socket>,
    /// Until then; `None` before the reply has left.
    until: Option<Instant>,
}

enum State {
    None,
    Listening {
        id: RequestId,
        port: OpenPort,
        /// A client is accepted when it comes. Else it may wait until it has said what for: to wake up
        /// for each of the two costs a small transfer a lot.
        accepts: bool,
        readable: bool,
        offered: Option<Socket>,
    },
    Connecting {
        id: RequestId,
        socket: Arc<Socket>,
        writable: bool,
    },
    Open {
        socket: Arc<Socket>,
        wire: Wire,
        using: Use,
    },
    /// A worker has it, and carries on the transfer.
    Away {
        id: RequestId,
        stop: StopFlag,
    },
}

/// What goes on over a data connection that stands.
enum Use {
    /// Nothing, and nothing has come over it since it was accepted at the port of this request.
    Silent(RequestId),
    /// Nothing; what comes is not looked at.
    Idle,
    /// A TLS handshake.
    Protecting { id: RequestId, origin: DataOrigin },
    /// A transfer.
    Transferring(Box<RunningTransfer>),
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

/// A transfer, as Session orders it.
pub(super) struct Order {
    /// What moves where.
    pub(super) plan: Plan,
    /// In what form it travels.
    pub(super) mode: Mode,
    /// How many bytes a second at most.
    pub(super) rate: Option<NonZeroU64>,
    /// Where a listing opens directories.
    pub(super) storage: Option<Arc<dyn Storage>>,
}

impl State {
    fn open(socket: Arc<Socket>, using: Use) -> Self {
        Self::Open { socket, wire: Wire::new(), using }
    }

    /// Returns `true` if the driver holds the socket.
    fn is_held(&self) -> bool {
        match self {
            State::None | State::Away { .. } => false,
            State::Listening { port, .. } => port.is_held(),
            State::Connecting { socket, .. } | State::Open { socket, .. } => {
                Arc::strong_count(socket) > 1
            }
        }
    }
}

impl DataChannel {
    pub(super) fn new(memory: Arc<TransferMemory>, clock: Clock) -> Self {
        Self { state: State::None, refused: None, generation: 0, replaced: false, memory, clock }
    }

    pub(super) fn socket(&self) -> Option<DataSocket> {
        let (socket, interest) = match &self.state {
            State::None | State::Away { .. } => return None,
            State::Listening { port, accepts, readable, offered, .. } => {
                let readable = *accepts && !readable && offered.is_none();
                (port.socket(), Readiness { readable, writable: false })
            }
            State::Connecting { socket, writable, .. } => {
                (socket, Readiness { readable: false, writable: !writable })
            }
            State::Open { socket, wire, using } => {
                let wanted = match using {
                    Use::Transferring(transfer) => transfer.interest(),
                    Use::Silent(_) => Readiness::READABLE,
                    // What has come unasked is not read, and not waited for again.
                    Use::Idle | Use::Protecting { .. } => Readiness::NEITHER,
                };
                (socket, wire.not_ready(wanted))
            }
        };
        let socket = SocketHandle(socket.clone());
        Some(DataSocket { generation: self.generation, socket, interest })
    }

    pub(super) fn set_ready(&mut self, ready: Readiness) {
        match &mut self.state {
            State::None | State::Away { .. } => {}
            State::Listening { readable, .. } => *readable |= ready.readable,
            State::Connecting { writable, .. } => *writable |= ready.writable,
            State::Open { wire, .. } => wire.set_ready(ready),
        }
    }

    /// Returns `true` if a socket was given up since the driver last looked.
    pub(super) fn was_replaced(&self) -> bool {
        self.replaced
    }

    /// Like [`was_replaced`](Self::was_replaced), and the driver looks now.
    pub(super) fn take_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaced)
    }

    /// Goes over to another socket; returns what there was before.
    fn set(&mut self, state: State) -> State {
        self.replaced |= self.state.is_held();
        self.generation += 1;
        std::mem::replace(&mut self.state, state)
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
                let (accepts, readable, offered) = (false, false, None);
                self.set(State::Listening { id, port, accepts, readable, offered });
                Some(number)
            }
            Err(error) => {
                wharf_storage::log_limited!(Warn, "no passive port: {error}");
                None
            }
        }
    }

    /// Sets whether a transfer waits for a connection to the passive port, if there is one, or a client
    /// may begin TLS there before that.
    pub(super) fn set_awaited(&mut self, awaited: bool, early_tls: bool) {
        if let State::Listening { port, accepts, readable, .. } = &mut self.state {
            port.set_awaited(awaited);
            // Most clients have connected by now.
            *readable |= awaited && !*accepts;
            *accepts = awaited || early_tls;
        }
    }

    /// The client that connected is the right one: the port has served.
    pub(super) fn accept_offered(&mut self) {
        if let State::Listening { id, offered, .. } = &mut self.state
            && let Some(socket) = offered.take()
        {
            let id = *id;
            send_at_once(&socket);
            self.set(State::open(Arc::new(socket), Use::Silent(id)));
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
        if matches!(self.state, State::None) {
            return;
        }
        match self.set(State::None) {
            State::Open { using: Use::Transferring(transfer), .. } => {
                jobs.push_back(Job::drop(transfer.pump));
            }
            // A client that has connected already hears an end in order.
            State::Listening { port, .. } => drop(accept(port.socket())),
            State::Away { stop, .. } => stop.raise(),
            _ => {}
        }
    }

    /// Starts the transfer, or returns why not: the connection is gone, or the file, or there is no
    /// memory for it.
    pub(super) fn start(
        &mut self,
        id: RequestId,
        order: Order,
        cx: &mut Context<'_>,
    ) -> Result<(), TransferEnd> {
        let Order { mut plan, mode, rate, storage } = order;
        let State::Open { wire, using, .. } = &mut self.state else {
            return Err(TransferEnd::DataLost);
        };
        let encrypted = wire.tls().is_some();
        let share = self.memory.share_for(&mut plan, mode, encrypted);
        let share = share.ok_or(TransferEnd::NoMemory)?;
        let buffer = share.buffer();
        let pump = Pump::new(plan, mode, cx.files, storage, encrypted, share)
            .ok_or(TransferEnd::DataLost)?;
        if pump.is_upload() {
            wire.set_tls_portion(TLS_READ_BUFFERS * buffer);
        } else {
            wire.set_tls_buffer(buffer);
        }
        *using = Use::Transferring(Box::new(RunningTransfer::new(id, pump, rate, cx.now.instant)));
        Ok(())
    }

    /// Begins TLS on the connection that stands; `false` when there is none.
    pub(super) fn protect(
        &mut self,
        id: RequestId,
        connection: ServerConnection,
        origin: DataOrigin,
    ) -> bool {
        let State::Open { wire, using, .. } = &mut self.state else { return false };
        wire.start_tls(connection, Vec::new(), TLS_FIRST);
        *using = Use::Protecting { id, origin };
        true
    }

    /// Returns `true` if a data connection stands and no transfer has begun, and something is awaited
    /// there. What its client has done there comes before the command that it sends afterwards: it is
    /// looked at, whether the driver has heard of it or not.
    pub(super) fn look_early(&mut self) -> bool {
        match &mut self.state {
            State::Open { wire, using: Use::Silent(_) | Use::Protecting { .. }, .. } => {
                wire.set_ready(Readiness::READABLE);
                true
            }
            _ => false,
        }
    }

    /// Returns when a transfer that is held back goes on, or what was refused is to be closed.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let held_back = self.transfer().and_then(RunningTransfer::deadline);
        let refused = self.refused.as_ref().and_then(|refused| refused.until);
        held_back.into_iter().chain(refused).min()
    }

    /// Returns `true` if neither a port nor a connection is open.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self.state, State::None) && self.refused.is_none()
    }

    /// Returns `true` if a transfer is under way.
    pub(super) fn is_transferring(&self) -> bool {
        self.transfer().is_some() || matches!(self.state, State::Away { .. })
    }

    fn transfer(&self) -> Option<&RunningTransfer> {
        match &self.state {
            State::Open { using: Use::Transferring(transfer), .. } => Some(transfer),
            _ => None,
        }
    }

    /// Breaks the transfer off.
    pub(super) fn stop(&mut self) {
        match &mut self.state {
            State::Open { using: Use::Transferring(transfer), .. } => transfer.stop(),
            State::Away { stop, .. } => stop.raise(),
            _ => {}
        }
    }
}

impl Drop for DataChannel {
    /// A worker that still has the connection brings it back at once, to be dropped.
    fn drop(&mut self) {
        self.stop();
    }
}
