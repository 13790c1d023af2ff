//! What every storage must do, tried on each that wharf brings; and what only a folder can do.

mod access;
mod folder;
mod uploads;

use wharf_storage::testing::{ATOMIC, IN_PLACE, list, names, path, put, read, write};
use wharf_storage::{Directory, Memory, storage_contract};

/// Runs `test` as a user to whom modes mean something: where the tests are root's, on a thread that
/// is another's.
fn unprivileged(test: impl FnOnce() + Send) {
    #[cfg(target_os = "linux")]
    if rustix::process::geteuid().is_root() {
        let other = rustix::process::Uid::from_raw(65534);
        return std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                rustix::thread::set_thread_res_uid(None, other, None).unwrap();
                test();
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
    }
    test();
}

mod directory {
    use super::*;

    storage_contract!(|check| unprivileged(|| {
        let folder = tempfile::tempdir().unwrap();
        check(&Directory::open(folder.path()).unwrap());
    }));
}

mod memory {
    use super::*;

    storage_contract!(|check| check(&Memory::new()));
}
