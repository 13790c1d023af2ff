//! Rounds: each starts the server, lets clients at it, ends it in one way or another, and looks.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use wharf::Backend;

use crate::model::Model;
use crate::random::Random;
use crate::support::program::Program;
use crate::support::wait_until;
use crate::worker::{Round, SHARED, Worker};

/// How many clients there are at once.
const CLIENTS: usize = 6;

/// How many operations each does in a round, at the most.
const OPERATIONS: usize = 40;

/// How a round ends.
#[derive(Clone, Copy, Debug)]
enum End {
    /// The clients have done all they wanted: what a QUIT followed has to take place.
    Calm,
    /// In the middle of it the server is told to stop.
    Stopped,
    /// In the middle of it the server is killed.
    Killed,
}

/// Runs rounds for so long, at least three, and prints what was survived.
pub(crate) fn run(backend: Backend, seed: u64, duration: Duration) {
    let folder = tempfile::tempdir().unwrap();
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("log");
    let mut random = Random::new(seed);
    let model = Arc::new(Mutex::new(share(folder.path(), &mut random)));
    let (mut rounds, mut killed, mut stopped, mut operations, mut deaths) = (0_usize, 0, 0, 0, 0);
    let start = Instant::now();
    while rounds < 3 || start.elapsed() < duration {
        let end = [End::Calm, End::Stopped, End::Killed, End::Killed][rounds % 4];
        let server = serve(backend, folder.path(), &log);
        wait_until("nothing is left of uploads that were cut off", || {
            leftovers(folder.path()) == 0
        });
        let round = work(server, model.clone(), &mut random, end, folder.path());
        rounds += 1;
        killed += usize::from(matches!(end, End::Killed));
        stopped += usize::from(matches!(end, End::Stopped));
        operations += round.operations.load(Ordering::SeqCst);
        deaths += round.deaths.load(Ordering::SeqCst);
        let mut faults = std::mem::take(&mut *round.faults.lock().unwrap());
        faults.extend(round.model().check(folder.path()));
        if !faults.is_empty() {
            let log = std::fs::read_to_string(&log).unwrap_or_default();
            let log: Vec<&str> = log.lines().rev().take(40).collect();
            let log: Vec<&str> = log.into_iter().rev().collect();
            panic!(
                "seed {seed}, round {rounds}, {end:?}:\n{}\n\nlog:\n{}",
                faults.join("\n"),
                log.join("\n")
            );
        }
        round.model().settle(folder.path());
    }
    println!(
        "{}: seed {seed}: {operations} operations, {deaths} deaths of clients; \
         the server was killed {killed} times and stopped {stopped} times",
        backend.name()
    );
}

/// Puts the files there that many clients replace.
pub(crate) fn share(folder: &Path, random: &mut Random) -> Model {
    let mut model = Model::default();
    for name in SHARED {
        let content = Arc::new(random.bytes(1000));
        std::fs::write(folder.join(name), &content[..]).unwrap();
        model.share(name, content);
    }
    model
}

pub(crate) fn serve(backend: Backend, folder: &Path, log: &Path) -> Program {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    Program::start(folder, |command| {
        command.args(["--backend", backend.name(), "--write", "--tls-self-signed"]);
        command.args(["--data-timeout", "10", "--shutdown-timeout", "1", "-v"]);
        command.stderr(Stdio::from(log));
    })
}

fn work(
    server: Program,
    model: Arc<Mutex<Model>>,
    random: &mut Random,
    end: End,
    folder: &Path,
) -> Arc<Round> {
    let round = Round::new(server.address, model);
    // Counted in operations: how fast the machine is does not matter.
    let enough = 1 + random.below(CLIENTS * OPERATIONS / 2) as u64;
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let worker = Worker::new(round.clone(), number, Random::new(random.next()));
            clients.push(scope.spawn(|| worker.run(OPERATIONS)));
        }
        if !matches!(end, End::Calm) {
            wait_until("there has been enough work", || {
                let all_done = clients.iter().all(|client| client.is_finished());
                all_done || round.operations.load(Ordering::SeqCst) >= enough
            });
        } else {
            clients.drain(..).for_each(|client| client.join().expect("a client"));
            wait_until("what stands before a QUIT is stored", || {
                round.model().owed(folder).is_empty()
            });
        }
        round.stopping.store(true, Ordering::SeqCst);
        let signal = if matches!(end, End::Killed) { Signal::KILL } else { Signal::TERM };
        server.end(signal);
    });
    round
}

/// Counts what unfinished uploads have left in the folder.
pub(crate) fn leftovers(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".wharf-upload-")).count()
}
