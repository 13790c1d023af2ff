//! What a storage error is called in a reply.

use crate::storage::StorageError;

/// Why a command comes to nothing: the code of its reply, and the text.
pub(super) type Refusal = (u16, &'static str);

/// Returns why a file operation failed: the code that suits most commands, and the text.
pub(super) fn failure(error: StorageError) -> Refusal {
    match error {
        StorageError::NotFound => (550, "No such file or directory."),
        StorageError::PermissionDenied => (550, "Permission denied."),
        StorageError::AlreadyExists => (550, "File exists."),
        StorageError::NotADirectory => (550, "Not a directory."),
        StorageError::IsADirectory => (550, "Is a directory."),
        StorageError::NotRegular => (550, "Not a regular file."),
        StorageError::NotEmpty => (550, "Directory not empty."),
        StorageError::BadName => (550, "File name not allowed."),
        StorageError::BadOffset => (554, "Restart position is > file size."),
        StorageError::NoSpace => (550, "No space left on device."),
        StorageError::QuotaExceeded => (550, "Quota exceeded."),
        StorageError::ReadOnly => (550, "Read-only file system."),
        StorageError::CrossesDevices => (550, "Cannot move across file systems."),
        StorageError::Displaced => (451, "The file has been removed or replaced meanwhile."),
        StorageError::Busy => (450, "The server is short of resources; try later."),
        StorageError::Unsupported => (550, "Not supported here."),
        // The host asks again where waiting is allowed.
        StorageError::Panicked | StorageError::WouldBlock => (451, "Local error in processing."),
        StorageError::Other => (550, "Input/output error."),
    }
}

/// [`failure`] for STOR, STOU, APPE and RNTO, which have codes of their own (RFC 959 section 5.4).
pub(super) fn store_failure(error: StorageError) -> Refusal {
    let (code, text) = failure(error);
    match error {
        StorageError::BadName | StorageError::AlreadyExists => (553, text),
        StorageError::NoSpace => (452, text),
        StorageError::QuotaExceeded => (552, text),
        StorageError::Other => (451, text),
        _ => (code, text),
    }
}
