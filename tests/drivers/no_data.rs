//! Uploads whose data connection never comes, or never becomes secure: nothing is created, emptied
//! or removed, whatever others do under that name meanwhile.

use std::net::TcpStream;
use std::time::Duration;

use wharf::{Backend, Directory, Memory, Server, ServerBuilder};

use crate::support::{Client, ClientTls, TlsStream, for_each_driver, server, tls_server};

for_each_driver!(
    in_memory,
    in_a_folder,
    in_a_folder_in_place,
    without_a_handshake,
    without_a_handshake_in_place,
    a_file_that_cannot_be_opened_within_tls,
    unique_names_within_tls,
);

/// Every way to begin an upload of `n`; what comes before the last command is answered at once.
const COMMANDS: [(&str, &[&str]); 5] = [
    ("stor", &["STOR n"]),
    ("appe", &["APPE n"]),
    ("stou", &["STOU n"]),
    ("rest", &["REST 0", "STOR n"]),
    ("rang", &["RANG 0 3", "STOR n"]),
];

/// What another session does while the upload waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meanwhile {
    Nothing,
    Stores,
    Renames,
    Removes,
}

/// How it ends that the upload waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Abort,
    TimeOut,
    HangUp,
    Reset,
}

/// How an upload is begun that comes to nothing.
type Begin = fn(&Server, folder: &str, lines: &[&str]) -> (Client, Option<TcpStream>);

fn in_clear(server: &Server, folder: &str, lines: &[&str]) -> (Client, Option<TcpStream>) {
    let mut client = Client::log_in(server);
    client.ask(&format!("CWD {folder}"), 250);
    client.epsv();
    begin(&mut client, lines);
    (client, None)
}

fn within_tls(server: &Server, folder: &str, lines: &[&str]) -> (Client, Option<TcpStream>) {
    let mut client = Client::log_in_tls(server, &ClientTls::new());
    client.ask(&format!("CWD {folder}"), 250);
    let data = client.passive();
    begin(&mut client, lines);
    (client, Some(data))
}

fn begin(client: &mut Client, lines: &[&str]) {
    let (last, before) = lines.split_last().unwrap();
    before.iter().for_each(|line| drop(client.ask(line, 350)));
    client.send(last);
}

fn in_memory(backend: Backend) {
    let files = Memory::new();
    let make = || server(backend, files.clone());
    try_all(&make, in_clear);
    try_all(&|| make().atomic_uploads(false), in_clear);
}

fn in_a_folder(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    try_all(&|| server(backend, Directory::open(folder.path()).unwrap()), in_clear);
}

fn in_a_folder_in_place(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::open(folder.path()).unwrap();
    try_all(&|| server(backend, directory.clone()).atomic_uploads(false), in_clear);
}

fn without_a_handshake(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    try_all(&|| tls_server(backend, Directory::open(folder.path()).unwrap()), within_tls);
}

fn without_a_handshake_in_place(backend: Backend) {
    let files = Memory::new();
    try_all(&|| tls_server(backend, files.clone()).atomic_uploads(false), within_tls);
}

/// `make` makes servers of the same files.
fn try_all(make: &dyn Fn() -> ServerBuilder, begin: Begin) {
    let patient = make().data_timeout(Duration::from_secs(600)).spawn().unwrap();
    let impatient = make().data_timeout(Duration::from_millis(400)).spawn().unwrap();
    for end in [End::Abort, End::TimeOut, End::HangUp, End::Reset] {
        let server = if end == End::TimeOut { &impatient } else { &patient };
        let servers = (server, &patient);
        for (old, meanwhile) in [
            (None, Meanwhile::Nothing),
            (Some("old"), Meanwhile::Nothing),
            (None, Meanwhile::Stores),
            (None, Meanwhile::Renames),
            (Some("old"), Meanwhile::Stores),
            (Some("old"), Meanwhile::Removes),
        ] {
            try_one(servers, begin, end, old, meanwhile);
        }
    }
}

fn try_one(
    (server, others): (&Server, &Server),
    start: Begin,
    end: End,
    old: Option<&str>,
    meanwhile: Meanwhile,
) {
    let mut other = Client::log_in(others);
    for (folder, _) in COMMANDS {
        other.ask(&format!("MKD {folder}"), 257);
        if let Some(old) = old {
            other.put(&format!("STOR {folder}/n"), old.as_bytes());
        }
    }
    let waiting: Vec<_> =
        COMMANDS.iter().map(|(folder, lines)| start(server, folder, lines)).collect();
    // The server has heard the commands above when it has answered another session that came later.
    let mut other = Client::log_in(others);
    for (folder, _) in COMMANDS {
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Stores => other.put(&format!("STOR {folder}/n"), b"new"),
            Meanwhile::Renames => {
                other.put(&format!("STOR {folder}/m"), b"new");
                other.ask(&format!("RNFR {folder}/m"), 350);
                other.ask(&format!("RNTO {folder}/n"), 250);
            }
            Meanwhile::Removes => drop(other.ask(&format!("DELE {folder}/n"), 250)),
        }
    }
    for (client, data) in waiting {
        give_up(client, data, end);
    }
    let left = match meanwhile {
        Meanwhile::Nothing => old,
        Meanwhile::Stores | Meanwhile::Renames => Some("new"),
        Meanwhile::Removes => None,
    };
    // A session that has ended may still have something to let go of: this one comes later again.
    let mut other = Client::log_in(others);
    for (folder, _) in COMMANDS {
        let names = String::from_utf8(other.get(&format!("NLST {folder}"))).unwrap();
        let expected = if left.is_some() { format!("{folder}/n\r\n") } else { String::new() };
        assert_eq!(names, expected, "{end:?}, {old:?}, {meanwhile:?}");
        if let Some(left) = left {
            let content = other.get(&format!("RETR {folder}/n"));
            assert_eq!(content, left.as_bytes(), "{folder}, {end:?}, {old:?}, {meanwhile:?}");
            other.ask(&format!("DELE {folder}/n"), 250);
        }
        other.ask(&format!("RMD {folder}"), 250);
    }
}

fn give_up(mut client: Client, data: Option<TcpStream>, end: End) {
    let secure = data.is_some();
    match end {
        End::Abort => {
            client.send("ABOR");
            expect_failure(&mut client, secure, &[426]);
            client.expect(226);
        }
        End::TimeOut => expect_failure(&mut client, secure, &[425, 426, 522]),
        End::HangUp => drop((client, data)),
        End::Reset => client.reset(),
    }
}

/// After the 150 of an upload that waits for a handshake, or without one.
#[track_caller]
fn expect_failure(client: &mut Client, secure: bool, codes: &[u16]) {
    let mut reply = client.reply().expect("a reply");
    if secure && reply.code == 150 {
        reply = client.reply().expect("a reply after 150");
    }
    assert!(codes.contains(&reply.code), "{}", reply.text);
}

/// The 150 has been sent when the file is opened: what is permanent is a 5yz all the same.
fn a_file_that_cannot_be_opened_within_tls(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    let mut other = Client::log_in(&server);
    let data = client.passive();
    client.ask("STOR n", 150);
    // It was good before: the directory comes between the check and the handshake.
    other.ask("MKD n", 257);
    let mut data = TlsStream::connect(data, &tls).expect("the handshake succeeds");
    client.expect(550);
    // Nothing that could pass for the end of an empty file.
    assert_eq!(data.read_truncated(), b"");
    client.ask("NOOP", 200);
    client.put_tls("STOR m", b"content", &tls);
}

/// The name is told before it is taken.
fn unique_names_within_tls(backend: Backend) {
    let files = Memory::new();
    let server = tls_server(backend, files.clone()).spawn().unwrap();
    let tls = ClientTls::new();
    let mut client = Client::log_in_tls(&server, &tls);
    client.put_tls("STOU n", b"one", &tls);
    assert_eq!(files.read("/n").unwrap(), b"one");
    let data = client.passive();
    let text = client.ask("STOU n", 150).text;
    let name = text.trim_end().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(files.read(&name), None);
    files.write(&name, "another's");
    let _data = TlsStream::connect(data, &tls).expect("the handshake succeeds");
    client.expect(450);
    assert_eq!(files.read(&name).unwrap(), b"another's");
    client.put_tls("STOU n", b"two", &tls);
}
