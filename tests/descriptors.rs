//! File descriptors: whatever clients do, none is left open. A process of its own counts them.

#![cfg(target_os = "linux")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use wharf::{Backend, Directory, Server};

use support::{Call, Client, Faulty, Gate, for_each_driver, reset, server, wait_until};

for_each_driver!(
    sessions_leave_no_descriptor,
    a_session_leaves_none_while_it_lasts,
    an_idle_session_has_one,
);

/// One test at a time: they count what the whole process has open.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::write(folder.path().join("small"), "Some content.").unwrap();
    let large = std::fs::File::create(folder.path().join("large")).unwrap();
    large.set_len(1 << 30).unwrap();
    folder
}

fn start(backend: Backend, folder: &TempDir) -> Server {
    let server = server(backend, Directory::open(folder.path()).unwrap()).spawn().unwrap();
    // What a driver opens once and for all is open by then.
    Client::visit(&server);
    server
}

fn sessions_leave_no_descriptor(backend: Backend) {
    let _alone = alone();
    let folder = folder();
    let before_it_ran = {
        // The same for what stays when a server has gone.
        drop(start(backend, &folder));
        settled()
    };
    let server = start(backend, &folder);
    let baseline = settled();
    for _ in 0..10 {
        for how in 0..HOW_MANY {
            spend_a_session(&server, how);
        }
    }
    wait_until("all descriptors are closed", || open_descriptors() <= baseline);
    server.shutdown().unwrap();
    wait_until("the server's own are closed", || open_descriptors() <= before_it_ran);
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    // The two files, the visitor's, and what came of the uploads.
    assert!(left.len() <= 5, "{left:?}");
}

const HOW_MANY: usize = 16;

/// All the ways for a session to go.
fn spend_a_session(server: &Server, how: usize) {
    let mut client = Client::log_in(server);
    match how {
        0 => {
            assert_eq!(client.get("RETR small"), b"Some content.");
            client.ask("QUIT", 221);
        }
        1 => client.put("STOR upload", b"new"),
        2 => client.reset(),
        3 => drop(client.pasv()),
        4 => drop((client.passive(), client)),
        5 => drop((client.eprt(), client)),
        6 => {
            // Aborted while it stands still.
            let data = client.narrow_passive();
            client.ask("RETR large", 150);
            client.ask("ABOR", 426);
            client.expect(226);
            drop(data);
        }
        7 => {
            let mut data = client.begin("RETR large");
            data.read_exact(&mut [0; 1000]).unwrap();
            reset(data);
            client.expect(426);
        }
        8 => {
            let data = client.begin("RETR large");
            client.reset();
            drop(data);
        }
        9 => {
            let mut data = client.begin("STOR upload");
            data.write_all(b"part").unwrap();
            client.reset();
            drop(data);
        }
        10 => {
            let mut data = client.begin("STOR other-upload");
            data.write_all(b"part").unwrap();
            drop(client);
            // What was sent is read to its end, which comes after the client's.
            drop(data);
        }
        11 => {
            client.pasv();
            client.send("RETR large");
        }
        12 => {
            // Nothing answers there, and nothing waits for it.
            let listener = client.eprt();
            client.send("LIST");
            drop(client);
            drop(listener);
        }
        13 => {
            for _ in 0..5 {
                client.pasv();
                client.passive();
            }
        }
        14 => {
            client.passive();
            client.ask("REIN", 220);
        }
        _ => {
            let to = client.pasv();
            let connections: Vec<_> = (0..3).map(|_| TcpStream::connect(to)).collect();
            client.send("MLSD");
            drop(client);
            drop(connections);
        }
    }
}

fn a_session_leaves_none_while_it_lasts(backend: Backend) {
    let _alone = alone();
    let folder = folder();
    let server = start(backend, &folder);
    let mut client = Client::log_in(&server);
    let round = |client: &mut Client| {
        assert_eq!(client.get("RETR small"), b"Some content.");
        client.put("STOR upload", b"new");
        client.get("MLSD");
        client.pasv();
        client.passive();
        client.ask("ABOR", 226);
        client.ask("RETR small", 425);
        let data = client.narrow_passive();
        client.ask("RETR large", 150);
        client.ask("ABOR", 426);
        client.expect(226);
        drop(data);
        client.passive();
        client.ask("RETR missing", 550);
        client.ask("STAT /", 212);
    };
    round(&mut client);
    let baseline = settled();
    for _ in 0..30 {
        round(&mut client);
    }
    wait_until("all descriptors are closed", || open_descriptors() <= baseline);
}

fn an_idle_session_has_one(backend: Backend) {
    let _alone = alone();
    let gate = Gate::new();
    let server = server(backend, Faulty::new(Call::Metadata, Some(gate.clone()))).spawn().unwrap();
    Client::visit(&server);
    let baseline = settled();
    let mut client = Client::log_in(&server);
    // The client has one too.
    wait_until("it has one", || open_descriptors() == baseline + 2);
    client.send("SIZE bad");
    gate.wait_for(1);
    if backend.to_string() == "threaded" {
        wait_until("its thread can be waked", || open_descriptors() == baseline + 4);
    }
    gate.open();
    client.expect(213);
    assert_eq!(client.get("RETR good"), b"Another file.");
    wait_until("it has one again", || open_descriptors() == baseline + 2);
}

/// How many are open, once that does not change any more.
fn settled() -> usize {
    let mut counts = vec![open_descriptors()];
    wait_until("the count stays", || {
        counts.push(open_descriptors());
        counts.len() >= 20 && counts[counts.len() - 20..].windows(2).all(|two| two[0] == two[1])
    });
    counts[counts.len() - 1]
}
