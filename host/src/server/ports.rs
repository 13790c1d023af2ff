//! The passive ports that the sessions of a server have open: a client that takes them all keeps
//! others out no longer than it takes one of these to ask.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use crate::server::client_address::ClientAddress;
use crate::server::passive::PassivePorts;

/// The passive ports of a server, and which sessions have them open.
///
/// A port is open from PASV or EPSV until its connection has been accepted. When none is left, the
/// oldest that no command uses goes to the session that asks: one of the client that has most of
/// these. Its session learns that at its next turn, and no longer counts on the port. Ports that a
/// transfer waits at, or that a client has connected to, stay, unless a client has more of them than the
/// one that asks would have.
#[derive(Debug)]
pub(crate) struct OpenPorts {
    ports: PassivePorts,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    /// The oldest comes first.
    entries: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    client: ClientAddress,
    at: SocketAddr,
    socket: Arc<Socket>,
    state: Arc<State>,
}

/// What a session and the others tell each other of a port.
#[derive(Debug, Default)]
struct State {
    /// A transfer waits for its connection.
    awaited: AtomicBool,
    /// Another session has it.
    given_away: AtomicBool,
}

/// A passive port of a session; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct OpenPort {
    ports: Arc<OpenPorts>,
    number: u64,
    at: SocketAddr,
    socket: Arc<Socket>,
    state: Arc<State>,
}

impl OpenPorts {
    /// Opens ports in this range; none is open yet.
    pub(crate) fn new(ports: PassivePorts) -> Arc<Self> {
        Arc::new(Self { ports, open: Mutex::default() })
    }

    /// Opens a port for a session with `peer`, on the address `at`.
    ///
    /// The error is that of [`PassivePorts::listen`].
    pub(crate) fn open(self: &Arc<Self>, peer: IpAddr, at: SocketAddr) -> io::Result<OpenPort> {
        let client = ClientAddress::of(peer);
        let mut open = self.lock();
        let free = |port: SocketAddr| open.entries.values().all(|entry| entry.at != port);
        let listener = match self.ports.listen_where(at, free) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                let Some(port) = open.take_away(client, at.ip().to_canonical()) else {
                    return Err(error);
                };
                PassivePorts::listen_on(port)?
            }
            outcome => outcome?,
        };
        let at = listener.local_addr()?;
        let (socket, state) = (Arc::new(Socket::from(listener)), Arc::new(State::default()));
        open.last += 1;
        let number = open.last;
        let entry = Entry { client, at, socket: socket.clone(), state: state.clone() };
        open.entries.insert(number, entry);
        Ok(OpenPort { ports: self.clone(), number, at, socket, state })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Returns `true` if a transfer waits there, or a client has connected and will say what for.
    fn is_used(&self) -> bool {
        if self.state.awaited.load(Ordering::Relaxed) {
            return true;
        }
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::default())).is_ok_and(|ready| ready > 0)
    }
}

impl Open {
    /// Takes a port on the address `ip` from the session that has it, for one with `client`; `None`
    /// where all are in use.
    fn take_away(&mut self, client: ClientAddress, ip: IpAddr) -> Option<SocketAddr> {
        let number = self.oldest_of_most(ip, false).map(|(number, _)| number).or_else(|| {
            let own = |entry: &&Entry| entry.client == client && entry.at.ip() == ip;
            let own = self.entries.values().filter(own).count();
            let (number, most) = self.oldest_of_most(ip, true)?;
            (most > own + 1).then_some(number)
        })?;
        let entry = self.entries.get(&number)?;
        entry.state.given_away.store(true, Ordering::Release);
        // This frees the port though the socket is not closed yet, and wakes a session whose transfer
        // waits for a connection to it. No driver watches a port that no command awaits: its session
        // sees `given_away` at its next turn. Not every system can: then the port stays where it is.
        if let Err(error) = entry.socket.shutdown(Shutdown::Both) {
            log::debug!("passive port {} cannot be taken away: {error}", entry.at.port());
            entry.state.given_away.store(false, Ordering::Release);
            return None;
        }
        self.entries.remove(&number).map(|entry| entry.at)
    }

    /// Returns the oldest port of the client that has most of them on the address `ip`, and how many
    /// that are: of those that are awaited, or of the others.
    fn oldest_of_most(&self, ip: IpAddr, awaited: bool) -> Option<(u64, usize)> {
        let mut clients: HashMap<ClientAddress, (u64, usize)> = HashMap::new();
        for (number, entry) in &self.entries {
            let is_awaited = entry.is_used();
            if entry.at.ip() == ip && is_awaited == awaited {
                clients.entry(entry.client).or_insert((*number, 0)).1 += 1;
            }
        }
        clients.into_values().max_by_key(|(oldest, count)| (*count, std::cmp::Reverse(*oldest)))
    }
}

impl OpenPort {
    /// Returns its number.
    pub(crate) fn port(&self) -> u16 {
        self.at.port()
    }

    /// Returns the listening socket.
    pub(crate) fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// Returns `true` if something beyond this server's own lists holds the socket: the driver.
    pub(crate) fn is_held(&self) -> bool {
        let listed = usize::from(!self.is_given_away());
        Arc::strong_count(&self.socket) > 1 + listed
    }

    /// Sets whether a transfer waits for a connection to it.
    pub(crate) fn set_awaited(&self, awaited: bool) {
        self.state.awaited.store(awaited, Ordering::Relaxed);
    }

    /// Returns `true` if another session has taken it: it is of no use any more.
    pub(crate) fn is_given_away(&self) -> bool {
        self.state.given_away.load(Ordering::Acquire)
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        self.ports.lock().entries.remove(&self.number);
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::sync::atomic::AtomicU16;

    use super::*;

    const AT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 21);

    /// So many ports in a row that are free at the moment, outside the system's own range.
    fn free_range(count: u16) -> Arc<OpenPorts> {
        // Tests run side by side: each has ports of its own.
        static NEXT: AtomicU16 = AtomicU16::new(12_000);
        loop {
            let first = NEXT.fetch_add(count, Ordering::Relaxed);
            assert!(first < 20_000, "no free ports");
            let range = PassivePorts::range(first..=first + count - 1).unwrap();
            let all: Vec<_> = (0..count).map_while(|_| range.listen(AT).ok()).collect();
            if all.len() == usize::from(count) {
                return OpenPorts::new(range);
            }
        }
    }

    fn client(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    fn open(ports: &Arc<OpenPorts>, number: u8) -> OpenPort {
        ports.open(client(number), AT).unwrap()
    }

    fn given_away(ports: &[OpenPort]) -> Vec<usize> {
        (0..ports.len()).filter(|&index| ports[index].is_given_away()).collect()
    }

    fn is_reached(port: &OpenPort) -> bool {
        let _client = TcpStream::connect(port.at).unwrap();
        port.socket().set_nonblocking(false).unwrap();
        port.socket().accept().is_ok()
    }

    #[test]
    fn the_oldest_port_goes_of_the_client_with_most() {
        let ports = free_range(5);
        let held: Vec<_> = [1, 2, 2, 2, 1].map(|number| open(&ports, number)).into();
        assert_eq!(given_away(&held), []);
        // ClientAddress 2 has three, then two as client 1, whose first is older.
        let third = open(&ports, 3);
        assert_eq!((given_away(&held), third.port()), (vec![1], held[1].port()));
        let fourth = open(&ports, 3);
        assert_eq!((given_away(&held), fourth.port()), (vec![0, 1], held[0].port()));
        // Now clients 2 and 3 have two each.
        let fifth = open(&ports, 1);
        assert_eq!((given_away(&held), fifth.port()), (vec![0, 1, 2], held[2].port()));
        // The new ones are as good as any though the old sockets are not closed.
        for port in [&third, &fourth, &fifth] {
            assert!(is_reached(port));
        }
        assert!(held[1].socket().accept().is_err());
        // And stay so when those are.
        drop(held);
        for port in [&third, &fourth, &fifth] {
            assert!(is_reached(port));
        }
        drop((third, fourth, fifth));
        assert!(ports.lock().entries.is_empty());
    }

    #[test]
    fn a_port_that_is_awaited_stays() {
        let ports = free_range(3);
        let held: Vec<_> = [1, 1, 2].map(|number| open(&ports, number)).into();
        held.iter().for_each(|port| port.set_awaited(true));
        // A client with one gets no second, and a newcomer no first from clients that have few.
        assert_eq!(ports.open(client(2), AT).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        assert_eq!(ports.open(client(1), AT).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        // But from one that has more than the newcomer would have.
        let newcomer = open(&ports, 3);
        assert_eq!((given_away(&held), newcomer.port()), (vec![0], held[0].port()));
        newcomer.set_awaited(true);
        assert!(ports.open(client(4), AT).is_err());
        held[2].set_awaited(false);
        let fourth = open(&ports, 4);
        assert_eq!((given_away(&held), fourth.port()), (vec![0, 2], held[2].port()));
    }

    #[test]
    fn other_addresses_have_ports_of_their_own() {
        let ports = free_range(1);
        let other = SocketAddr::from(([127, 0, 0, 2], 21));
        let first = open(&ports, 1);
        let second = ports.open(client(1), other).unwrap();
        assert_eq!(first.port(), second.port());
        let third = ports.open(client(1), other).unwrap();
        assert!(second.is_given_away() && !first.is_given_away());
        drop((second, third));
        assert!(is_reached(&first));
    }

    #[test]
    fn many_threads_and_never_one_port_twice() {
        let ports = free_range(8);
        std::thread::scope(|scope| {
            for number in 0..6 {
                let ports = &ports;
                scope.spawn(move || {
                    for _ in 0..200 {
                        let held: Vec<_> = (0..3).map(|_| open(ports, number)).collect();
                        let open = ports.lock();
                        let mut at: Vec<_> = open.entries.values().map(|entry| entry.at).collect();
                        at.sort();
                        at.dedup();
                        assert_eq!(at.len(), open.entries.len());
                        drop(open);
                        drop(held);
                    }
                });
            }
        });
        assert!(ports.lock().entries.is_empty());
    }
}
