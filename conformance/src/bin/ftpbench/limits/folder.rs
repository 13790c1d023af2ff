//! The entries of a folder with what there is to know of each: what LIST and MLSD must do at least.

use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{AtFlags, RawDir, StatxFlags, statx};

use crate::control::Result;
use crate::machine::{Meter, Usage};
use crate::report::{Measured, Unit};
use crate::sample::{Done, Load, sample};

const ENTRIES: u32 = 10_000;

/// Enough for a thousand entries and more at a time.
const BUFFER: usize = 64 << 10;

/// getdents(2), and statx(2) of each entry.
pub(super) fn list(name: &str, time: Duration) -> Result<Measured> {
    let folder = Folder::new().map_err(|error| format!("a folder: {error}"))?;
    let path = folder.0.clone();
    let mut buffer = Box::new([MaybeUninit::uninit(); BUFFER]);
    let list = move || {
        let (entries, bytes) =
            list_once(&path, &mut buffer[..]).map_err(|error| error.to_string())?;
        if entries != ENTRIES {
            return Err(format!("{entries} entries instead of {ENTRIES}"));
        }
        Ok(Done { operations: 1, bytes })
    };
    let meter = Meter::start(None)?;
    let mut loads: [Load; 1] = [Box::new(list)];
    let sample = sample(&mut loads, time)?;
    let usage = meter.stop()?;
    let usage = Usage { server: Some(usage.own), own: 0.0, ..usage };
    Ok(Measured::new(name.to_owned(), 1, Unit::Entries(ENTRIES), &sample, usage))
}

/// Returns how many entries there are, and how long they are together.
///
/// What a server could spare is not here: names are neither copied nor allocated.
fn list_once(path: &Path, buffer: &mut [MaybeUninit<u8>]) -> io::Result<(u32, u64)> {
    let folder = File::open(path)?;
    let mut entries = RawDir::new(&folder, buffer);
    let mut sums = (0, 0);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            let stat = statx(&folder, name, flags, StatxFlags::BASIC_STATS)?;
            sums = (sums.0 + 1, sums.1 + stat.stx_size);
        }
    }
    Ok(sums)
}

/// A folder in memory where there is such a place, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let shared = Path::new("/dev/shm");
        let parent = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let folder = Self(parent.join(format!("ftpbench-{}", std::process::id())));
        fs::create_dir(&folder.0)?;
        for number in 0..ENTRIES {
            File::create(folder.0.join(format!("file-{number}")))?;
        }
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
