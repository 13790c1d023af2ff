//! Transfers that are held back to the rate of their account, in clear and protected.

use std::io::{Read, Write};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use wharf::{Account, Accounts, Attempt, Backend, Denial, Memory, Rates, Server, SimpleAccounts};

use crate::support::{
    Client, ClientTls, TlsStream, accounts_server, for_each_driver, noise, tls, wait_until,
};

for_each_driver!(
    downloads_take_their_time,
    uploads_take_their_time,
    what_expands_takes_its_time,
    a_slow_rate_holds_up_nobody_else,
    a_transfer_that_is_held_back_can_be_aborted,
    an_upload_that_is_held_back_outlives_its_client,
);

/// Who is called `ftp` has these rates, and who is called `anonymous` none.
struct Limited {
    accounts: SimpleAccounts,
    rates: Rates,
}

impl Accounts for Limited {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        let account = self.accounts.login(attempt)?;
        Ok(if attempt.user == b"ftp" { account.rates(self.rates) } else { account })
    }
}

fn start(backend: Backend, files: &Memory, rate: u64) -> Server {
    let accounts = SimpleAccounts::new(Arc::new(files.clone()));
    let accounts = accounts.anonymous(wharf::Permissions::ALL);
    let rate = NonZeroU64::new(rate);
    let rates = Rates { download: rate, upload: rate };
    accounts_server(backend, Limited { accounts, rates }).tls(tls()).spawn().unwrap()
}

/// Logs in as the one who is held back.
fn limited(server: &Server, tls: Option<&ClientTls>) -> Client {
    let mut client = match tls {
        Some(tls) => Client::connect_tls(server, tls),
        None => Client::connect(server),
    };
    client.ask("USER ftp", 331);
    client.ask("PASS x", 230);
    client.ask("TYPE I", 200);
    if tls.is_some() {
        client.ask("PBSZ 0", 200);
        client.ask("PROT P", 200);
    }
    client
}

const SIZE: usize = 400_000;
const RATE: u64 = 300_000;

/// What `SIZE` bytes take at least, but for a burst at the beginning and rounding: 1.33 s.
const AT_LEAST: Duration = Duration::from_millis(1000);

fn downloads_take_their_time(backend: Backend) {
    let content = noise(SIZE);
    let server = start(backend, &Memory::new().with_file("/file", content.clone()), RATE);
    let tls = ClientTls::new();
    let mut client = limited(&server, None);
    let start = Instant::now();
    assert!(client.get("RETR file") == content);
    assert!(start.elapsed() > AT_LEAST, "{:?}", start.elapsed());
    let mut client = limited(&server, Some(&tls));
    let start = Instant::now();
    assert!(client.get_tls("RETR file", &tls) == content);
    assert!(start.elapsed() > AT_LEAST, "{:?}", start.elapsed());
}

fn uploads_take_their_time(backend: Backend) {
    let content = noise(SIZE);
    let files = Memory::new();
    let server = start(backend, &files, RATE);
    let tls = ClientTls::new();
    let mut client = limited(&server, None);
    let start = Instant::now();
    client.put("STOR file", &content);
    assert!(start.elapsed() > AT_LEAST, "{:?}", start.elapsed());
    assert!(files.read("/file").unwrap() == content);
    let mut client = limited(&server, Some(&tls));
    let start = Instant::now();
    client.put_tls("STOR other", &content, &tls);
    assert!(start.elapsed() > AT_LEAST, "{:?}", start.elapsed());
    assert!(files.read("/other").unwrap() == content);
}

/// A few hundred bytes become as many thousand. Each portion of them takes longer than a client may
/// stand still; no client here does.
fn what_expands_takes_its_time(backend: Backend) {
    let files = Memory::new();
    let rates = Rates { download: None, upload: NonZeroU64::new(100_000) };
    let accounts = SimpleAccounts::new(Arc::new(files.clone()));
    let accounts = Limited { accounts: accounts.anonymous(wharf::Permissions::ALL), rates };
    let server = accounts_server(backend, accounts).tls(tls());
    let server = server.data_timeout(Duration::from_secs(2)).spawn().unwrap();
    let mut client = limited(&server, None);
    client.ask("MODE Z", 200);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[0; 600_000]).unwrap();
    let start = Instant::now();
    client.put("STOR file", &encoder.finish().unwrap());
    assert!(start.elapsed() > Duration::from_secs(4), "{:?}", start.elapsed());
    assert!(files.read("/file").unwrap() == [0; 600_000]);
}

/// At this rate they would take an hour.
fn a_slow_rate_holds_up_nobody_else(backend: Backend) {
    let files = Memory::new().with_file("/much", vec![7; 4 << 20]);
    let server = start(backend, &files, 1000);
    let tls = ClientTls::new();
    let mut slow = Vec::new();
    for number in 0..8 {
        let mut client = limited(&server, Some(&tls));
        let command =
            if number % 2 == 0 { "RETR much".to_string() } else { format!("STOR {number}") };
        let mut data = client.begin_tls(&command, &tls);
        if number % 2 == 0 {
            data.read_exact(&mut [0; 100]).unwrap();
        } else {
            data.write_all(&[7; 20_000]).unwrap();
        }
        slow.push((client, data));
    }
    Client::visit(&server);
    Client::visit_tls(&server);
    for (client, data) in &mut slow {
        assert!(client.ask("STAT", 211).text.contains("ing a file"));
        client.ask("ABOR", 426);
        client.expect(226);
        data.read_truncated();
    }
}

fn a_transfer_that_is_held_back_can_be_aborted(backend: Backend) {
    let files = Memory::new().with_file("/much", vec![7; 4 << 20]);
    let server = start(backend, &files, 1);
    let tls = ClientTls::new();
    for protected in [false, true] {
        let mut client = limited(&server, protected.then_some(&tls));
        for command in ["RETR much", "STOR new"] {
            let data = client.begin(command);
            let mut data: Box<dyn Read> = match protected {
                true => Box::new(TlsStream::connect(data, &tls).unwrap()),
                false => Box::new(data),
            };
            if command == "RETR much" {
                data.read_exact(&mut [0; 1]).unwrap();
            }
            client.ask("ABOR", 426);
            client.expect(226);
            client.ask("NOOP", 200);
        }
    }
}

/// It has sent all, and QUIT, and is gone long before the server has taken it.
fn an_upload_that_is_held_back_outlives_its_client(backend: Backend) {
    let (files, content) = (Memory::new(), noise(300_000));
    let server = start(backend, &files, 200_000);
    let mut client = limited(&server, None);
    let mut data = client.begin("STOR new");
    data.write_all(&content).unwrap();
    client.send("QUIT");
    client.reset();
    drop(data);
    wait_until("it is there", || files.read("/new").as_ref() == Some(&content));
}
