//! Power cuts: what a disk holds at a random moment is what a server finds after one.
//!
//! The folder is on a file system in an image, which lies on another file system of its own. While
//! that one is frozen nothing reaches the image, and a copy of it is what would be there had the
//! power gone at that moment: what was not written out is lost. Only root can do that.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use wharf::Backend;

use crate::model::Model;
use crate::random::Random;
use crate::rounds::{leftovers, serve, share};
use crate::support::wait_until;
use crate::worker::{Round, Worker};

const CLIENTS: usize = 4;

const OPERATIONS: usize = 30;

/// Cuts the power for so long, at least twice; passes with a word where that cannot be done.
pub(crate) fn run(backend: Backend, seed: u64, duration: Duration) {
    let place = tempfile::tempdir().unwrap();
    let disk = match Disk::make(place.path()) {
        Ok(disk) => disk,
        Err(why) => return println!("skipped: no file system of its own to be had: {why}"),
    };
    let mut random = Random::new(seed);
    let (mut cuts, mut operations) = (0_usize, 0);
    let start = Instant::now();
    while cuts < 2 || start.elapsed() < duration {
        disk.clear();
        let model = Arc::new(Mutex::new(share(&disk.folder, &mut random)));
        disk.sync();
        let (snapshot, model, round) = work(backend, &disk, model, &mut random, place.path());
        let mut faults = std::mem::take(&mut *round.faults.lock().unwrap());
        faults
            .extend(disk.look_at(&snapshot, |folder| after(backend, folder, &model, place.path())));
        assert!(faults.is_empty(), "seed {seed}, cut {cuts}:\n{}", faults.join("\n"));
        cuts += 1;
        operations += round.operations.load(Ordering::SeqCst);
    }
    println!(
        "{}: seed {seed}: {cuts} power cuts survived in {operations} operations",
        backend.name()
    );
}

/// Lets clients work, and copies the image in the middle of it. Returns the copy, what had been
/// acknowledged by then, and the round.
fn work(
    backend: Backend,
    disk: &Disk,
    model: Arc<Mutex<Model>>,
    random: &mut Random,
    place: &Path,
) -> (PathBuf, Model, Arc<Round>) {
    let server = serve(backend, &disk.folder, &place.join("log"));
    let round = Round::new(server.address, model);
    let enough = 1 + random.below(CLIENTS * OPERATIONS / 2) as u64;
    let mut cut = None;
    thread::scope(|scope| {
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            let worker = Worker::new(round.clone(), number, Random::new(random.next()));
            clients.push(scope.spawn(|| worker.run(OPERATIONS)));
        }
        wait_until("there has been enough work", || {
            let all_done = clients.iter().all(|client| client.is_finished());
            all_done || round.operations.load(Ordering::SeqCst) >= enough
        });
        // While it is held, no client begins anything or hears that anything is done.
        let model = round.model();
        let (snapshot, mut left) = (disk.copy(), model.clone());
        left.power_cut = true;
        cut = Some((snapshot, left));
        drop(model);
        round.stopping.store(true, Ordering::SeqCst);
        server.end(Signal::KILL);
    });
    let (snapshot, model) = cut.expect("a copy");
    (snapshot, model, round)
}

/// Compares what the disk holds after the cut, and once more when a server has been started on it.
fn after(backend: Backend, folder: &Path, model: &Model, place: &Path) -> Vec<String> {
    let mut faults = model.check(folder);
    let server = serve(backend, folder, &place.join("log"));
    wait_until("nothing is left of uploads that were cut off", || leftovers(folder) == 0);
    server.end(Signal::TERM);
    faults.extend(model.check(folder));
    faults
}

/// A file system in an image that lies on another file system.
struct Disk {
    below: Mount,
    folder: PathBuf,
    inner: Option<Mount>,
    copy: PathBuf,
    look: PathBuf,
}

impl Disk {
    fn make(place: &Path) -> Result<Self, String> {
        let at = |name: &str| place.join(name);
        for name in ["below", "folder", "look"] {
            std::fs::create_dir(at(name)).map_err(|error| error.to_string())?;
        }
        image(&at("below.img"), "192M")?;
        let below = Mount::new(&at("below.img"), &at("below"))?;
        let inner = at("below").join("inner.img");
        image(&inner, "96M")?;
        let inner = Some(Mount::new(&inner, &at("folder"))?);
        let disk =
            Self { below, folder: at("folder"), inner, copy: at("copy.img"), look: at("look") };
        // Not every system lets root freeze one.
        drop(Frozen::new(&disk.below.at)?);
        Ok(disk)
    }

    fn clear(&self) {
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    /// Writes all out that the file system holds back.
    fn sync(&self) {
        run_command("sync", &["-f".as_ref(), self.folder.as_os_str()]).unwrap();
    }

    /// Copies the image as it is at this moment.
    fn copy(&self) -> PathBuf {
        let _frozen = Frozen::new(&self.below.at).unwrap();
        std::fs::copy(self.below.at.join("inner.img"), &self.copy).unwrap();
        self.copy.clone()
    }

    /// Mounts a copy while this is done.
    fn look_at<T>(&self, image: &Path, then: impl FnOnce(&Path) -> T) -> T {
        let _mounted =
            Mount::new(image, &self.look).expect("what is left after a cut can be mounted");
        then(&self.look)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Before what it lies on.
        self.inner = None;
    }
}

/// A mounted image, until it is dropped.
struct Mount {
    at: PathBuf,
}

impl Mount {
    fn new(image: &Path, at: &Path) -> Result<Self, String> {
        let arguments = ["-o".as_ref(), "loop".as_ref(), image.as_os_str(), at.as_os_str()];
        run_command("mount", &arguments)?;
        Ok(Self { at: at.to_owned() })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if let Err(error) = run_command("umount", &["-l".as_ref(), self.at.as_os_str()]) {
            println!("{error}");
        }
    }
}

/// A file system to which nothing is written, until this is dropped.
struct Frozen<'a>(&'a Path);

impl<'a> Frozen<'a> {
    fn new(at: &'a Path) -> Result<Self, String> {
        run_command("fsfreeze", &["-f".as_ref(), at.as_os_str()])?;
        Ok(Self(at))
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        run_command("fsfreeze", &["-u".as_ref(), self.0.as_os_str()]).unwrap();
    }
}

fn image(path: &Path, size: &str) -> Result<(), String> {
    run_command("truncate", &["-s".as_ref(), size.as_ref(), path.as_os_str()])?;
    run_command("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), path.as_os_str()])
}

fn run_command(program: &str, arguments: &[&std::ffi::OsStr]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
