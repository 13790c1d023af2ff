//! For tests of a storage of your own (feature `testing`).
//!
//! [`storage_contract!`](crate::storage_contract) makes a test of each rule that a storage keeps, and
//! [`CONTRACT`] is the same as a table. [`client`] has whole FTP dialogues with a storage. The rest of
//! this module is what the rules are written with.
//!
//! ```
//! use wharf_storage::Memory;
//! use wharf_storage::testing::CONTRACT;
//!
//! for (name, check) in CONTRACT {
//!     println!("{name}");
//!     check(&Memory::new());
//! }
//! ```

mod client;
mod files;
mod tree;

use wharf_core::{Disposition, Entry, StorageError, VirtualPath, WriteMode};

use crate::Storage;

pub use self::client::{Files, client};
use self::{files::*, tree::*};

/// A rule of the contract: it panics if the storage, whose tree is empty, does not keep to it.
pub type Check = fn(&dyn Storage);

/// Replaces a file in one step.
pub const ATOMIC: WriteMode = WriteMode::Replace { atomic: true };
/// Replaces a file where it stands.
pub const IN_PLACE: WriteMode = WriteMode::Replace { atomic: false };

/// Parses a path.
///
/// # Panics
///
/// Panics if it is none: too long, or with a NUL byte.
pub fn path(text: impl AsRef<[u8]>) -> VirtualPath {
    VirtualPath::root().resolve(text.as_ref()).unwrap()
}

/// Writes a file in two pieces, and ends it.
pub fn write(
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

/// Stores a file in one step.
///
/// # Panics
///
/// Panics if that fails.
pub fn put(storage: &dyn Storage, at: &str, content: &str) {
    write(storage, at, &ATOMIC, content, Disposition::Publish).unwrap();
}

/// Reads a file in small pieces, as text.
///
/// # Panics
///
/// Panics if it is not UTF-8, or its size is not what it said.
pub fn read(storage: &dyn Storage, at: impl AsRef<[u8]>) -> Result<String, StorageError> {
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

/// Returns the entries of a directory, in the storage's order.
pub fn list(storage: &dyn Storage, at: &str) -> Result<Vec<Entry>, StorageError> {
    let mut directory = storage.open_directory(&path(at))?;
    std::iter::from_fn(|| directory.next().transpose()).collect()
}

/// Returns the names in a directory, in the storage's order; what is not printable ASCII is escaped.
///
/// # Panics
///
/// Panics if the directory cannot be listed.
pub fn names(storage: &dyn Storage, at: &str) -> Vec<String> {
    let name = |entry: Entry| entry.name.escape_ascii().to_string();
    list(storage, at).unwrap().into_iter().map(name).collect()
}

/// Returns the rule of this name in [`CONTRACT`].
///
/// # Panics
///
/// Panics if there is none.
pub fn rule(name: &str) -> Check {
    match CONTRACT.iter().find(|(known, _)| *known == name) {
        Some((_, check)) => *check,
        None => panic!("the contract of a storage has no rule {name}"),
    }
}

macro_rules! contract {
    ($d:tt $($name:ident)*) => {
        /// The rules that a storage keeps, each with its name.
        pub const CONTRACT: &[(&str, Check)] = &[$((stringify!($name), $name)),*];

        /// Makes a test of each rule in [`CONTRACT`](crate::testing::CONTRACT).
        ///
        /// It is given a function that runs a [`Check`](crate::testing::Check) on an empty storage.
        /// A storage that cannot do all of it, such as one without modes, names the rules that are
        /// to be tested.
        ///
        /// ```
        /// mod memory {
        ///     use wharf_storage::{Memory, storage_contract};
        ///
        ///     storage_contract!(|check| check(&Memory::new()));
        /// }
        ///
        /// mod some_of_it {
        ///     use wharf_storage::{Memory, storage_contract};
        ///
        ///     storage_contract!(|check| check(&Memory::new()), directories, renaming);
        /// }
        /// ```
        #[macro_export]
        macro_rules! storage_contract {
            ($d run:expr) => {
                $crate::storage_contract!($d run $(, $name)*);
            };
            ($d run:expr $d (, $d chosen:ident)+ $d (,)?) => {$d (
                #[test]
                fn $d chosen() {
                    let run: fn($d crate::testing::Check) = $d run;
                    run($d crate::testing::rule(stringify!($d chosen)));
                }
            )+};
        }
    };
}

contract! {
    $
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
