//! No more file descriptors: the server waits for better times. The limit is the whole process's,
//! so these tests have one of their own.

#![cfg(target_os = "linux")]

mod support;

use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use wharf::{Backend, Memory};

use support::{Client, LIMIT, Processor, address, for_each_driver, server, wait_until};

for_each_driver!(a_server_without_descriptors_waits);

/// One test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lowered limit, until this is dropped.
struct Lowered(Rlimit);

impl Lowered {
    /// Leaves room for so many more descriptors.
    fn to_open_ones_and(more: u64) -> Self {
        let before = getrlimit(Resource::Nofile);
        // They are numbered from the lowest free one on: the highest in use decides.
        let names = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap());
        let numbers = names.map(|name| name.file_name().to_str().unwrap().parse::<u64>().unwrap());
        let current = Some(numbers.max().unwrap() + more);
        setrlimit(Resource::Nofile, Rlimit { current, maximum: before.maximum }).unwrap();
        Self(before)
    }
}

impl Drop for Lowered {
    fn drop(&mut self) {
        setrlimit(Resource::Nofile, self.0).unwrap();
    }
}

fn a_server_without_descriptors_waits(backend: Backend) {
    let _alone = alone();
    let server = server(backend, Memory::new().with_file("/file", "x")).spawn().unwrap();
    Client::visit(&server);
    let mut first = Client::log_in(&server);
    let processor = Processor::open();
    let lowered = Lowered::to_open_ones_and(41);
    // Each client takes two, one on either side; in the end some wait to be accepted in vain.
    let mut clients = Vec::new();
    while let Ok(stream) = TcpStream::connect(address(&server)) {
        clients.push(stream);
    }
    assert!(clients.len() >= 10, "{}", clients.len());
    // One descriptor is left, so that somebody waits at the door whom the server cannot let in.
    clients.pop();
    let waiting = loop {
        match TcpStream::connect(address(&server)) {
            Ok(stream) => break stream,
            Err(_) => drop(clients.pop()),
        }
    };
    let (start, busy) = (Instant::now(), processor.time());
    thread::sleep(Duration::from_secs(2));
    let (passed, busy) = (start.elapsed(), processor.time() - busy);
    assert!(busy < passed / 2, "busy for {busy:?} of {passed:?}");
    // Who is there already is served as far as that goes.
    first.ask("NOOP", 200);
    first.send("PASV");
    assert!(matches!(first.reply().unwrap().code, 425 | 227));
    first.ask("SIZE file", 213);
    // Who leaves makes room.
    clients.truncate(2);
    waiting.set_read_timeout(Some(LIMIT)).unwrap();
    assert!(waiting.peek(&mut [0]).is_ok_and(|count| count == 1));
    drop((clients, waiting));
    wait_until("the server serves again", || Client::try_log_in(&server).is_some());
    assert_eq!(first.get("RETR file"), b"x");
    Client::visit(&server);
    drop(lowered);
}
