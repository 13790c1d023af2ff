//! What the tests of the drivers have in common: a small FTP client, and servers to be tested.

#![allow(dead_code, unused_macros, unused_imports, reason = "each test binary uses a part of it")]

mod client;
pub(crate) mod program;
mod protected;
mod storage;
mod tls;

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use wharf::{Accounts, Backend, Permissions, Server, ServerBuilder, Storage};

pub(crate) use client::{Client, Reply, read_all, reset};
pub(crate) use protected::{tls, tls_server};
pub(crate) use storage::{Call, Faulty, Gate};
pub(crate) use tls::{ClientTls, TlsStream, VERSIONS, hello, read_alert};

/// How long a test waits for what must happen. It says nothing of speed: only who hangs gets here.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Runs each of the functions named as a test, for every driver that was compiled in.
macro_rules! for_each_driver {
    ($($name:ident),* $(,)?) => {
        #[cfg(feature = "mio")]
        mod mio {
            $(#[test]
            fn $name() {
                super::$name(wharf::Backend::Mio);
            })*
        }
        #[cfg(feature = "smol")]
        mod smol {
            $(#[test]
            fn $name() {
                super::$name(wharf::Backend::Smol);
            })*
        }
        #[cfg(feature = "threaded")]
        mod threaded {
            $(#[test]
            fn $name() {
                super::$name(wharf::Backend::Threaded);
            })*
        }
    };
}
pub(crate) use for_each_driver;

/// A server on a free port that gives these files to all clients. Dropped, it stops almost at once.
pub(crate) fn server(backend: Backend, storage: impl Storage + 'static) -> ServerBuilder {
    bare_server(backend).storage(storage).anonymous(Permissions::ALL)
}

/// A server on a free port with these accounts. Dropped, it stops almost at once.
pub(crate) fn accounts_server(
    backend: Backend,
    accounts: impl Accounts + 'static,
) -> ServerBuilder {
    bare_server(backend).accounts(accounts)
}

fn bare_server(backend: Backend) -> ServerBuilder {
    Server::builder().backend(backend).shutdown_timeout(Duration::ZERO)
}

pub(crate) fn address(server: &Server) -> SocketAddr {
    server.addresses()[0]
}

/// Waits until it is so; fails when it does not come to be.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < LIMIT, "it did not come about: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// How long processors have worked for this process.
#[cfg(target_os = "linux")]
pub(crate) struct Processor(std::fs::File);

#[cfg(target_os = "linux")]
impl Processor {
    pub(crate) fn open() -> Self {
        Self(std::fs::File::open("/proc/self/stat").unwrap())
    }

    /// The time so far, of all threads. It opens no further file.
    pub(crate) fn time(&self) -> Duration {
        let mut stat = [0; 1024];
        let length = std::os::unix::fs::FileExt::read_at(&self.0, &mut stat, 0).unwrap();
        let stat = String::from_utf8_lossy(&stat[..length]);
        // Fields 14 and 15 of proc_pid_stat(5), in 1/100 s; the name before may hold anything.
        let behind_the_name = stat.rsplit(')').next().unwrap().split_whitespace();
        let ticks: u64 = behind_the_name.skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
        Duration::from_millis(ticks * 10)
    }
}

/// Bytes without a pattern that a lost or doubled buffer would fit into, line ends among them.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
