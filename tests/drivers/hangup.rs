//! Control connections that end during a transfer: what was sent is whole, or the old file stays.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use wharf::{Backend, Directory, Memory, OnHangup, ServerBuilder};

use crate::support::{
    Call, Client, ClientTls, Faulty, Gate, TlsStream, for_each_driver, noise, read_all, server,
    tls_server, wait_until,
};

for_each_driver!(
    a_killed_client_leaves_the_old_file,
    a_killed_client_leaves_the_old_file_in_a_folder,
    a_killed_client_within_tls_leaves_the_old_file,
    a_camera_that_does_not_wait,
    a_camera_that_does_not_wait_in_a_folder,
    a_camera_within_tls_that_does_not_wait,
    the_control_connection_goes_first,
    what_is_said_behind_the_last_byte_counts,
    a_dialogue_in_one_go,
    a_dialogue_within_tls_in_one_go,
    uploads_and_digests_in_one_go,
    a_lost_client_waits_for_no_data_connection,
);

const TRIES: usize = 30;

/// What cameras send.
const PICTURE: usize = 700_000;

/// Files in memory and on a disk, to be looked at from outside.
trait Files {
    fn read(&self, name: &str) -> Option<Vec<u8>>;
    fn write(&self, name: &str, content: &[u8]);
}

impl Files for Memory {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        Memory::read(self, name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        Memory::write(self, name, content);
    }
}

impl Files for tempfile::TempDir {
    fn read(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.path().join(name)).ok()
    }

    fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path().join(name), content).unwrap();
    }
}

fn in_a_folder(backend: Backend, run: fn(&dyn Files, ServerBuilder)) {
    let folder = tempfile::tempdir().unwrap();
    run(&folder, server(backend, Directory::open(folder.path()).unwrap()));
}

fn in_memory(backend: Backend, run: fn(&dyn Files, ServerBuilder)) {
    let files = Memory::new();
    run(&files, server(backend, files.clone()));
}

fn a_killed_client_leaves_the_old_file(backend: Backend) {
    in_memory(backend, killed);
}

fn a_killed_client_leaves_the_old_file_in_a_folder(backend: Backend) {
    in_a_folder(backend, killed);
}

/// The kernel closes what a process had open in the order in which it was opened.
fn killed(files: &dyn Files, builder: ServerBuilder) {
    // The one place is free when the session before is over.
    let server = builder.max_sessions(1).spawn().unwrap();
    for size in [1, 100_000, 3_000_000].into_iter().cycle().take(TRIES) {
        files.write("old", b"old content");
        let mut client = log_in(&server);
        let mut data = client.begin("STOR old");
        data.write_all(&noise(size)).unwrap();
        drop(client);
        drop(data);
        drop(log_in(&server));
        assert_eq!(files.read("old").unwrap(), b"old content", "{size}");
    }
}

fn a_killed_client_within_tls_leaves_the_old_file(backend: Backend) {
    let (files, tls) = (Memory::new(), ClientTls::new());
    let server = tls_server(backend, files.clone()).max_sessions(1).spawn().unwrap();
    for turn in 0..TRIES {
        files.write("old", b"old content");
        drop(log_in(&server));
        let mut client = None;
        wait_until("the place is free", || {
            client = Client::dial(server.addresses()[0]).ok();
            client.as_mut().is_some_and(|client| client.reply().is_ok_and(|r| r.code == 220))
        });
        let mut client = client.unwrap();
        client.ask("AUTH TLS", 234);
        client.start_tls(&tls).unwrap();
        client.enter();
        client.ask("PBSZ 0", 200);
        client.ask("PROT P", 200);
        let mut data = client.begin_tls("STOR old", &tls);
        data.write_all(&noise(100_000)).unwrap();
        if turn % 2 == 0 {
            drop(client);
            drop(data);
        } else {
            drop(data);
            drop(client);
        }
        drop(log_in(&server));
        assert_eq!(files.read("old").unwrap(), b"old content");
    }
}

#[track_caller]
fn log_in(server: &wharf::Server) -> Client {
    let mut client = None;
    wait_until("the place is free", || {
        client = Client::try_log_in(server);
        client.is_some()
    });
    client.unwrap()
}

fn a_camera_that_does_not_wait(backend: Backend) {
    in_memory(backend, camera);
}

fn a_camera_that_does_not_wait_in_a_folder(backend: Backend) {
    in_a_folder(backend, camera);
}

/// It sends all, and QUIT, and closes without reading.
fn camera(files: &dyn Files, builder: ServerBuilder) {
    let server = builder.spawn().unwrap();
    let picture = noise(PICTURE);
    for turn in 0..TRIES {
        if turn % 2 == 0 {
            files.write("picture", b"the picture before");
        }
        let name = if turn % 2 == 0 { "picture".to_owned() } else { format!("picture-{turn}") };
        let mut client = Client::log_in(&server);
        let mut data = client.begin(&format!("STOR {name}"));
        data.write_all(&picture).unwrap();
        drop(data);
        client.send("QUIT");
        drop(client);
        wait_until("the picture is there", || files.read(&name).as_ref() == Some(&picture));
    }
}

fn a_camera_within_tls_that_does_not_wait(backend: Backend) {
    let (files, tls, picture) = (Memory::new(), ClientTls::new(), noise(PICTURE));
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    for turn in 0..TRIES {
        files.write("picture", b"the picture before");
        let mut client = Client::log_in_tls(&server, &tls);
        let mut data = client.begin_tls("STOR picture", &tls);
        data.write_all(&picture).unwrap();
        data.notify();
        drop(data);
        client.send("QUIT");
        if turn % 2 == 0 {
            client.tls().notify();
        }
        drop(client);
        wait_until("the picture is there", || files.read("picture").as_ref() == Some(&picture));
    }
}

/// As ffmpeg does it.
fn the_control_connection_goes_first(backend: Backend) {
    let picture = noise(PICTURE);
    for (on_hangup, quits, reset) in [
        (OnHangup::Keep, true, false),
        (OnHangup::Keep, true, true),
        (OnHangup::Keep, false, false),
        (OnHangup::Keep, false, true),
        (OnHangup::Publish, false, false),
        (OnHangup::Publish, false, true),
    ] {
        let files = Memory::new().with_file("old", "old content");
        let server = server(backend, files.clone()).on_hangup(on_hangup).max_sessions(1);
        let server = server.spawn().unwrap();
        for name in ["old", "new"] {
            let mut client = log_in(&server);
            let mut data = client.begin(&format!("STOR {name}"));
            data.write_all(&picture[..PICTURE / 2]).unwrap();
            if quits {
                client.send("QUIT");
            }
            if reset {
                client.reset();
            } else {
                drop(client);
            }
            data.write_all(&picture[PICTURE / 2..]).unwrap();
            drop(data);
            drop(log_in(&server));
        }
        let old = files.read("old").unwrap();
        match (quits, on_hangup) {
            (true, _) | (_, OnHangup::Publish) => assert!(old == picture, "{reset}"),
            _ => assert_eq!(old, b"old content"),
        }
        assert!(files.read("new").unwrap() == picture);
    }
}

/// The file is being synced when it is said.
fn what_is_said_behind_the_last_byte_counts(backend: Backend) {
    type Say = fn(Client) -> Option<Client>;
    let cases: [(Say, &[u16], &str); 6] = [
        (Some, &[226], "new"),
        (drop_it, &[], "A file."),
        (reset_it, &[], "A file."),
        (quit_and_drop_it, &[], "new"),
        (quit_and_half_close, &[226, 221], "new"),
        (abort, &[426, 226], "A file."),
    ];
    for (say, replies, left) in cases {
        let gate = Gate::new();
        let storage = Faulty::new(Call::Sync, Some(gate.clone()));
        let files = storage.files().clone();
        let server = server(backend, storage).max_sessions(1).spawn().unwrap();
        let mut client = Client::log_in(&server);
        let mut data = client.begin("STOR bad");
        data.write_all(b"new").unwrap();
        drop(data);
        gate.wait_for(1);
        let client = say(client);
        gate.open();
        if let Some(mut client) = client {
            replies.iter().for_each(|code| drop(client.expect(*code)));
        }
        drop(log_in(&server));
        assert_eq!(String::from_utf8(files.read("/bad").unwrap()).unwrap(), left, "{replies:?}");
    }
}

fn drop_it(client: Client) -> Option<Client> {
    drop(client);
    None
}

fn reset_it(client: Client) -> Option<Client> {
    client.reset();
    None
}

fn quit_and_drop_it(mut client: Client) -> Option<Client> {
    client.send("QUIT");
    None
}

fn quit_and_half_close(mut client: Client) -> Option<Client> {
    client.send("QUIT");
    client.stream().shutdown(Shutdown::Write).unwrap();
    Some(client)
}

fn abort(mut client: Client) -> Option<Client> {
    client.send("ABOR");
    Some(client)
}

/// Piped into nc, which shuts its side when the pipe has ended.
fn a_dialogue_in_one_go(backend: Backend) {
    let content = noise(3 << 20);
    let files = Memory::new().with_file("/file", content.clone());
    let server = server(backend, files).spawn().unwrap();
    for _ in 0..TRIES / 3 {
        let mut client = Client::connect(&server);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let login = "USER anonymous\r\nPASS x\r\nTYPE I\r\n";
        let port = format!("PORT 127,0,0,1,{},{}\r\n", port / 256, port % 256);
        client.send_raw(format!("{login}{port}RETR file\r\nQUIT\r\n").as_bytes());
        client.stream().shutdown(Shutdown::Write).unwrap();
        assert!(read_all(listener.accept().unwrap().0) == content);
        for code in [331, 230, 200, 200, 150, 226, 221] {
            client.expect(code);
        }
        client.expect_end();
    }
    for (command, expected) in [("RETR file", &content[..]), ("NLST", b"file\r\n")] {
        // The data connection may come before the end, or after it.
        for early in [true, false] {
            let mut client = Client::log_in(&server);
            let to = client.epsv();
            let connect = || std::net::TcpStream::connect(to).unwrap();
            let mut data = early.then(connect);
            client.send_raw(format!("{command}\r\nQUIT\r\n").as_bytes());
            client.stream().shutdown(Shutdown::Write).unwrap();
            assert!(read_all(data.take().unwrap_or_else(connect)) == expected);
            for code in [150, 226, 221] {
                client.expect(code);
            }
            client.expect_end();
        }
    }
}

fn a_dialogue_within_tls_in_one_go(backend: Backend) {
    let content = noise(1 << 20);
    let files = Memory::new().with_file("/file", content.clone());
    let server = tls_server(backend, files).spawn().unwrap();
    for version in crate::support::VERSIONS {
        // Not all say so within TLS.
        for notifies in [true, false] {
            let tls = ClientTls::only(version);
            let mut client = Client::log_in_tls(&server, &tls);
            let data = client.passive();
            client.send_raw(b"RETR file\r\nQUIT\r\n");
            if notifies {
                client.tls().notify();
            }
            client.stream().shutdown(Shutdown::Write).unwrap();
            client.expect(150);
            let mut data = TlsStream::connect(data, &tls).unwrap();
            assert!(data.read_all() == content);
            data.finish();
            client.expect(226);
            client.expect(221);
            client.expect_end();
        }
    }
}

fn uploads_and_digests_in_one_go(backend: Backend) {
    let content = noise(3 << 20);
    let files = Memory::new().with_file("/file", content.clone());
    let server = server(backend, files.clone()).spawn().unwrap();
    for (command, name) in [("STOR", "new"), ("STOR", "file"), ("APPE", "log")] {
        let mut client = Client::log_in(&server);
        let to = client.epsv();
        client.send_raw(format!("{command} {name}\r\nHASH {name}\r\nQUIT\r\n").as_bytes());
        client.stream().shutdown(Shutdown::Write).unwrap();
        let mut data = std::net::TcpStream::connect(to).unwrap();
        data.write_all(&content).unwrap();
        drop(data);
        for code in [150, 226, 213, 221] {
            client.expect(code);
        }
        client.expect_end();
        assert!(files.read(name).unwrap() == content);
    }
    // Without QUIT a client that still listens is told what came of it.
    let mut client = Client::log_in(&server);
    let mut data = client.begin("STOR file");
    client.stream().shutdown(Shutdown::Write).unwrap();
    data.write_all(b"other").unwrap();
    drop(data);
    let reply = client.expect(426);
    assert!(reply.text.contains("control connection was closed"), "{}", reply.text);
    client.expect_end();
    assert!(files.read("file").unwrap() == content);
}

fn a_lost_client_waits_for_no_data_connection(backend: Backend) {
    let files = Memory::new().with_file("/old", "old content");
    let server = server(backend, files.clone()).max_sessions(1);
    let server = server.data_timeout(Duration::from_secs(600)).spawn().unwrap();
    for command in ["STOR old", "APPE new", "RETR old", "NLST"] {
        for half_first in [false, true] {
            let mut client = log_in(&server);
            client.epsv();
            client.send(command);
            if half_first {
                client.stream().shutdown(Shutdown::Write).unwrap();
            }
            client.reset();
        }
    }
    drop(log_in(&server));
    assert_eq!(files.read("/old").unwrap(), b"old content");
    assert_eq!(files.read("/new"), None);
}
