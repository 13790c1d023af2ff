//! No more file descriptors: the server waits for better times. The limit is the whole process's,
//! so these tests have one of their own.

#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use wharf::{Backend, Memory};

use support::program::Program;
use support::{Client, LIMIT, Processor, address, for_each_driver, read_all, server, wait_until};

for_each_driver!(
    a_server_without_descriptors_waits,
    more_clients_are_let_in_than_can_transfer_at_once,
);

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
    // One descriptor is left, so that a client waits which the server cannot accept.
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

/// Under a limit of open files that is too low for all that might come: sessions are counted with what
/// they have open, and a transfer that there is no room for is told so.
fn more_clients_are_let_in_than_can_transfer_at_once(backend: Backend) {
    const FILES: usize = 300;
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path(), |command| {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit -n {FILES} && exec \"$0\" \"$@\"")]);
        shell.arg(command.get_program()).args(command.get_args());
        shell.args(["--backend", backend.name(), "--write"]);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        *command = shell;
    });
    let mut clients = Vec::new();
    loop {
        let mut client = Client::dial(program.address).unwrap();
        if client.reply().unwrap().code == 421 {
            break;
        }
        client.enter();
        clients.push(client);
    }
    // A session and its transfer have eight between them.
    assert!((FILES / 8 * 2..FILES / 2).contains(&clients.len()), "{}", clients.len());
    // As many uploads as there is room for, each with a file, a folder and a connection.
    let mut uploads = Vec::new();
    let told = loop {
        let client = &mut clients[uploads.len()];
        client.send("EPSV");
        match client.reply().unwrap() {
            reply if reply.code == 229 => {
                uploads.push(client.begin(&format!("STOR {}", uploads.len())));
            }
            reply => break reply,
        }
    };
    assert_eq!(told.code, 425, "{told:?}");
    assert!((4..clients.len() / 2).contains(&uploads.len()), "{}", uploads.len());
    // The others still have all that needs no file of its own, and those that transfer the rest too.
    let (busy, idle) = clients.split_at_mut(uploads.len());
    let port = idle[1].eprt();
    idle[1].ask("LIST", 450);
    drop(port);
    idle[2].ask("STAT /", 450);
    for client in idle.iter_mut() {
        client.ask("SIZE 0", 550);
        client.ask("NOOP", 200);
    }
    assert_eq!(Client::dial(program.address).unwrap().reply().unwrap().code, 421);
    for (client, mut data) in busy.iter_mut().zip(uploads) {
        data.write_all(b"content").unwrap();
        drop(data);
        client.expect(226);
    }
    // What they had open is there for others.
    for client in &mut clients {
        assert!(read_all(client.begin("MLSD")).len() > 100);
        client.expect(226);
        assert_eq!(client.get("RETR 0"), b"content");
    }
    program.signal(Signal::INT);
    let mut told = String::new();
    program.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    let warning = format!("room for {} sessions instead of 1000", clients.len());
    assert!(told.contains(&warning) && told.contains("at most 300 files"), "{told}");
    assert!(told.contains("no descriptors for a transfer"), "{told}");
}
