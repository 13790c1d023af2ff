//! What an idle session costs: a thread with the threaded driver, none with the others. A process
//! of its own counts them.

#![cfg(target_os = "linux")]

mod support;

use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use wharf::{Backend, Memory};

use support::{
    Client, ClientTls, Processor, TlsStream, for_each_driver, server, tls_server, wait_until,
};

for_each_driver!(idle_sessions, waiting_takes_no_processor_time, goodbyes_take_no_processor_time);

const SESSIONS: usize = 100;

/// One test at a time: they count the threads of the whole process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many threads there are with names that begin so.
fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| {
        // One that ends meanwhile has no name any more.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names.filter(|found| found.starts_with(name)).count()
}

fn idle_sessions(backend: Backend) {
    let _alone = alone();
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut clients: Vec<_> = (0..SESSIONS).map(|_| Client::log_in(&server)).collect();
    if backend.name() == "threaded" {
        assert_eq!(threads("wharf-session"), SESSIONS);
    } else {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        assert!(threads("wharf-mio") + threads("wharf-smol") < cores + 1);
        // Those for blocking work go when there is none.
        wait_until("hardly any thread is left", || {
            threads("wharf-work") + threads("blocking-") < SESSIONS / 4
        });
    }
    clients.iter_mut().for_each(|client| drop(client.ask("NOOP", 200)));
    drop(clients);
    wait_until("all sessions are over", || threads("wharf-session") == 0);
}

/// Sessions in all states in which they wait for the client: no thread polls again and again.
fn waiting_takes_no_processor_time(backend: Backend) {
    let _alone = alone();
    let files = Memory::new().with_file("/much", vec![0; 24 << 20]);
    let server = tls_server(backend, files).spawn().unwrap();
    let tls = ClientTls::new();
    let mut kept = Vec::new();
    let mut early = Vec::new();
    for _ in 0..3 {
        let mut idle = Client::log_in(&server);
        let data = idle.passive();
        kept.push((idle, data));
        let mut stalled = Client::log_in(&server);
        let data = stalled.narrow_passive();
        stalled.ask("RETR much", 150);
        kept.push((stalled, data));
        // Ended on the client's side, but not taken.
        let mut ended = Client::log_in(&server);
        let data = ended.passive();
        data.shutdown(std::net::Shutdown::Both).unwrap();
        kept.push((ended, data));
        let mut slow = Client::log_in(&server);
        let data = slow.begin("STOR new");
        kept.push((slow, data));
        // Ended while it has commands to answer whose replies are not read.
        let mut deaf = Client::log_in(&server);
        let data = deaf.begin("STOR newer");
        data.shutdown(std::net::Shutdown::Read).unwrap();
        deaf.send_raw(&b"PWD\r\n".repeat(2000));
        kept.push((deaf, data));
        // Bytes before the command that wants them, in clear and after a TLS handshake.
        let mut hasty = Client::log_in(&server);
        let mut data = hasty.passive();
        data.write_all(b"content").unwrap();
        hasty.ask("NOOP", 200);
        kept.push((hasty, data));
        let mut hasty = Client::log_in_tls(&server, &tls);
        let mut data = TlsStream::connect(hasty.passive(), &tls).unwrap();
        data.write_all(b"content").unwrap();
        hasty.ask("NOOP", 200);
        early.push((hasty, data));
    }
    let mut waiting = Client::log_in(&server);
    waiting.pasv();
    waiting.send("LIST");
    let mut broken = Client::log_in(&server);
    support::reset(broken.passive());
    broken.ask("NOOP", 200);
    // What has just happened is done with.
    let processor = Processor::open();
    let mut busy = processor.time();
    wait_until("it has settled", || {
        thread::sleep(Duration::from_millis(300));
        let before = std::mem::replace(&mut busy, processor.time());
        busy - before < Duration::from_millis(150)
    });
    let start = Instant::now();
    thread::sleep(Duration::from_secs(2));
    let (passed, busy) = (start.elapsed(), processor.time() - busy);
    assert!(busy < passed / 2, "busy for {busy:?} of {passed:?}");
}

/// A client that has been told 221 and does not close its side is waited for in peace.
fn goodbyes_take_no_processor_time(backend: Backend) {
    let _alone = alone();
    let server = server(backend, Memory::new()).spawn().unwrap();
    let mut clients: Vec<_> = (0..5).map(|_| Client::log_in(&server)).collect();
    clients.iter_mut().for_each(|client| drop(client.ask("QUIT", 221)));
    let processor = Processor::open();
    let (start, busy) = (Instant::now(), processor.time());
    // They are waited for longer than this.
    thread::sleep(Duration::from_secs(1));
    let (passed, busy) = (start.elapsed(), processor.time() - busy);
    assert!(busy < passed / 2, "busy for {busy:?} of {passed:?}");
}
