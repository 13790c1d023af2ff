//! What every storage must do, tried on each that wharf brings; and what only a folder can do.

mod contract;
mod folder;
mod uploads;

use wharf_core::{Disposition, Entry, StorageError, VirtualPath, WriteMode};
use wharf_storage::{Directory, Memory, Storage};

/// Replaces a file in one step.
const ATOMIC: WriteMode = WriteMode::Replace { atomic: true };
/// Replaces a file where it stands.
const IN_PLACE: WriteMode = WriteMode::Replace { atomic: false };

fn path(text: impl AsRef<[u8]>) -> VirtualPath {
    VirtualPath::root().resolve(text.as_ref()).unwrap()
}

/// Writes a file in two pieces.
fn write(
    storage: &dyn Storage,
    at: &str,
    mode: &WriteMode,
    content: &str,
    disposition: Disposition,
) -> Result<(), StorageError> {
    let (head, tail) = content.as_bytes().split_at(content.len() / 2);
    let mut file = storage.open_write(&path(at), mode)?;
    file.write(head)?;
    file.write(tail)?;
    file.finish(disposition)
}

fn put(storage: &dyn Storage, at: &str, content: &str) {
    write(storage, at, &ATOMIC, content, Disposition::Publish).unwrap();
}

/// Reads a file in small pieces.
fn read(storage: &dyn Storage, at: impl AsRef<[u8]>) -> Result<String, StorageError> {
    let mut file = storage.open_read(&path(at))?;
    let mut content = Vec::new();
    let mut piece = [0; 7];
    loop {
        let count = file.read_at(content.len() as u64, &mut piece)?;
        if count == 0 {
            assert_eq!(file.size(), content.len() as u64);
            return Ok(String::from_utf8(content).unwrap());
        }
        content.extend_from_slice(&piece[..count]);
    }
}

fn list(storage: &dyn Storage, at: &str) -> Result<Vec<Entry>, StorageError> {
    let mut directory = storage.open_directory(&path(at))?;
    std::iter::from_fn(|| directory.next().transpose()).collect()
}

fn names(storage: &dyn Storage, at: &str) -> Vec<String> {
    let name = |entry: Entry| entry.name.escape_ascii().to_string();
    list(storage, at).unwrap().into_iter().map(name).collect()
}

/// Runs `test` as a user to whom modes mean something: where the tests are root's, on a thread that
/// is another's.
fn unprivileged(test: impl FnOnce() + Send) {
    #[cfg(target_os = "linux")]
    if rustix::process::geteuid().is_root() {
        let nobody = rustix::process::Uid::from_raw(65534);
        return std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                rustix::thread::set_thread_res_uid(None, nobody, None).unwrap();
                test();
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }
    test();
}

/// Runs each function of [`contract`] on an empty storage of each kind.
macro_rules! contract {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn directory() {
                unprivileged(|| {
                    let folder = tempfile::tempdir().unwrap();
                    contract::$name(&Directory::open(folder.path()).unwrap());
                });
            }

            #[test]
            fn memory() {
                contract::$name(&Memory::new());
            }
        }
    )*};
}

contract! {
    the_root_is_a_directory
    files_are_stored_and_read
    entries_come_sorted_and_described
    odd_names_travel_unchanged
    names_have_a_longest_length
    missing_and_misplaced
    replacing_in_one_step
    replacing_in_place
    cut_off_where_no_file_was
    cut_off_where_a_file_was
    in_place_what_was_written_stays
    only_new_files
    checking_creates_and_changes_nothing
    a_file_that_took_the_place_stays
    resuming
    appending
    appending_creates_only_where_it_may
    unique_names
    unique_names_among_threads
    directories
    removing_files
    renaming
    renaming_refused
    renaming_replaces_only_where_it_may
    times
    modes
    a_mode_outlives_its_content
    read_only_files_are_not_replaced
    entering_is_not_listing
}
