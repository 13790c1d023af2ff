//! How the operating system's errors become those of the storage.

use std::borrow::Borrow;
use std::io::{self, ErrorKind};

use rustix::io::Errno;
use wharf_core::StorageError;

/// Translates an error of the operating system; what has no name of its own is logged.
///
/// An attempt to leave the tree comes as [`StorageError::PermissionDenied`]: cap-std reports it as
/// an error of that kind that has no number.
///
/// It takes the error itself or a reference:
///
/// ```
/// use std::fs;
/// use wharf_storage::{Metadata, StorageError, storage_error, wall_time};
///
/// fn describe(path: &str) -> Result<Metadata, StorageError> {
///     let file = fs::metadata(path).map_err(storage_error)?;
///     let modified = file.modified().map_err(storage_error)?;
///     Ok(Metadata::file(file.len(), wall_time(modified)))
/// }
///
/// assert_eq!(describe("/no/such/file"), Err(StorageError::NotFound));
/// ```
pub fn storage_error(error: impl Borrow<io::Error>) -> StorageError {
    let error = error.borrow();
    if let Some(known) = Errno::from_io_error(error).and_then(by_number) {
        return known;
    }
    match error.kind() {
        ErrorKind::NotFound => StorageError::NotFound,
        ErrorKind::PermissionDenied => StorageError::PermissionDenied,
        ErrorKind::AlreadyExists => StorageError::AlreadyExists,
        // std and cap-std refuse names with a NUL byte like this, before the system sees them.
        ErrorKind::InvalidInput => StorageError::BadName,
        ErrorKind::Unsupported => StorageError::Unsupported,
        ErrorKind::StorageFull => StorageError::NoSpace,
        _ => {
            crate::log_limited!(Warn, "storage: {error}");
            StorageError::Other
        }
    }
}

/// Does the same for an error number.
#[cfg(feature = "directory")]
pub(crate) fn errno(error: Errno) -> StorageError {
    storage_error(io::Error::from(error))
}

fn by_number(error: Errno) -> Option<StorageError> {
    Some(match error {
        // A loop of symbolic links leads to nothing.
        Errno::NOENT | Errno::LOOP => StorageError::NotFound,
        // A directory whose key is not there can be read, more or less, and not written.
        Errno::PERM | Errno::ACCESS | Errno::NOKEY => StorageError::PermissionDenied,
        Errno::EXIST => StorageError::AlreadyExists,
        Errno::NOTDIR => StorageError::NotADirectory,
        Errno::ISDIR => StorageError::IsADirectory,
        // What opening a socket, or a FIFO without a reader, gives.
        Errno::NXIO | Errno::NODEV => StorageError::NotRegular,
        Errno::NOTEMPTY => StorageError::NotEmpty,
        Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => StorageError::BadName,
        // A directory that can take no more names is full too.
        Errno::NOSPC | Errno::MLINK => StorageError::NoSpace,
        Errno::DQUOT | Errno::FBIG => StorageError::QuotaExceeded,
        Errno::ROFS => StorageError::ReadOnly,
        Errno::XDEV => StorageError::CrossesDevices,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::BUSY | Errno::TXTBSY | Errno::AGAIN => {
            StorageError::Busy
        }
        Errno::OPNOTSUPP | Errno::NOSYS => StorageError::Unsupported,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names() {
        for (number, expected) in [
            (Errno::NOENT, StorageError::NotFound),
            (Errno::LOOP, StorageError::NotFound),
            (Errno::ACCESS, StorageError::PermissionDenied),
            (Errno::PERM, StorageError::PermissionDenied),
            (Errno::NOSPC, StorageError::NoSpace),
            (Errno::DQUOT, StorageError::QuotaExceeded),
            (Errno::FBIG, StorageError::QuotaExceeded),
            (Errno::ROFS, StorageError::ReadOnly),
            (Errno::XDEV, StorageError::CrossesDevices),
            (Errno::MFILE, StorageError::Busy),
            (Errno::NAMETOOLONG, StorageError::BadName),
            (Errno::IO, StorageError::Other),
        ] {
            assert_eq!(storage_error(io::Error::from(number)), expected, "{number:?}");
        }
    }

    #[test]
    fn errors_without_a_number_go_by_their_kind() {
        let escape = io::Error::new(ErrorKind::PermissionDenied, "outside");
        assert_eq!(storage_error(&escape), StorageError::PermissionDenied);
        let nul = io::Error::new(ErrorKind::InvalidInput, "NUL");
        assert_eq!(storage_error(&nul), StorageError::BadName);
    }
}
