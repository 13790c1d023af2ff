//! A server that does not begin TLS on a data connection before it has a command for it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// Whether the last that was said on the control connection was the client's: a command, to which
/// there is no reply yet.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, is_open: bool) {
        *self.is_open.lock().unwrap() = is_open;
        self.changed.notify_all();
    }

    /// Waits for a command, longer than a check does.
    fn wait(&self) {
        let is_open = self.is_open.lock().unwrap();
        let limit = Duration::from_secs(30);
        drop(self.changed.wait_timeout_while(is_open, limit, |is_open| !*is_open).unwrap());
    }
}

/// Starts a proxy before a server at 127.0.0.2 that speaks TLS and whose passive ports are `ports`:
/// a data connection waits for the command. One client at a time.
pub(crate) fn only_behind_the_command(server: SocketAddr, ports: Vec<TcpListener>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the listener is bound");
    let gate = Arc::<Gate>::default();
    for port in ports {
        let gate = Arc::clone(&gate);
        let number = port.local_addr().expect("the listener is bound").port();
        let to = SocketAddr::new(server.ip(), number);
        thread::spawn(move || {
            for client in port.incoming().flatten() {
                let gate = Arc::clone(&gate);
                thread::spawn(move || {
                    gate.wait();
                    let Ok(server) = TcpStream::connect(to) else { return };
                    join(&client, &server, |_| {});
                });
            }
        });
    }
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let gate = Arc::clone(&gate);
            thread::spawn(move || {
                let Ok(server) = TcpStream::connect(server) else { return };
                join(&client, &server, |by_client| gate.set(by_client));
            });
        }
    });
    address
}

/// Copies both ways until both have ended; `passes` is told before bytes go on, and whose they are.
fn join(client: &TcpStream, server: &TcpStream, passes: impl Fn(bool) + Sync) {
    for socket in [client, server] {
        let _ = socket.set_nodelay(true);
    }
    let copy = |mut from: &TcpStream, mut to: &TcpStream, by_client: bool| {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            passes(by_client);
            if to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::scope(|scope| {
        scope.spawn(|| copy(client, server, true));
        copy(server, client, false);
    });
}
