//! Names that the storages invent, and names that they refuse.

use wharf_core::StorageError;
#[cfg(feature = "directory")]
use wharf_core::VirtualPath;

/// What the names of unfinished uploads begin with: clients neither see nor touch such names.
pub(super) const RESERVED: &[u8] = b".wharf-upload-";

/// How often a name is invented until it must be on purpose that it is taken.
const ATTEMPTS: usize = 32;

/// What a unique name begins with when the client gave no hint.
const DEFAULT_HINT: &[u8] = b"upload";

/// Returns `true` if the name is kept for unfinished uploads, in whichever case: some file systems
/// ignore it.
pub(super) fn is_reserved(name: &[u8]) -> bool {
    name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

/// Refuses a path with a reserved name in it, as if nothing stood there.
#[cfg(feature = "directory")]
pub(super) fn check_path(path: &VirtualPath) -> Result<(), StorageError> {
    if path.components().any(is_reserved) { Err(StorageError::NotFound) } else { Ok(()) }
}

/// Refuses a path where something is to be created under a reserved name.
#[cfg(feature = "directory")]
pub(super) fn check_new(path: &VirtualPath) -> Result<(), StorageError> {
    match path.file_name() {
        Some(name) if is_reserved(name) => Err(StorageError::BadName),
        _ => Ok(()),
    }
}

/// Invents a name that is free, from the hint that the client gave: empty, or one path component.
///
/// The hint alone comes first; after it `<hint>.<random>` again and again.
pub(super) fn invent(
    hint: &[u8],
    mut is_free: impl FnMut(&[u8]) -> Result<bool, StorageError>,
) -> Result<Vec<u8>, StorageError> {
    let odd = hint == b"." || hint == b".." || hint.iter().any(|&b| b == b'/' || b == 0);
    if odd || is_reserved(hint) {
        return Err(StorageError::BadName);
    }
    if !hint.is_empty() && is_free(hint)? {
        return Ok(hint.to_vec());
    }
    let hint = if hint.is_empty() { DEFAULT_HINT } else { hint };
    for _ in 0..ATTEMPTS {
        let suffix = format!(".{:08x}", random()? as u32);
        let name = [hint, suffix.as_bytes()].concat();
        if is_free(&name)? {
            return Ok(name);
        }
    }
    Err(StorageError::AlreadyExists)
}

/// Returns random bits for a name.
pub(super) fn random() -> Result<u64, StorageError> {
    getrandom::u64().map_err(|error| {
        crate::log_limited!(Warn, "no random bytes: {error}");
        StorageError::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_one_component() {
        for bad in [&b"."[..], b"..", b"a/b", b"/", b"a\0", b".wharf-upload-1"] {
            let error = invent(bad, |_| Ok(true)).unwrap_err();
            assert_eq!(error, StorageError::BadName, "{}", bad.escape_ascii());
        }
        assert_eq!(invent(b"a", |_| Ok(true)).unwrap(), b"a");
        let other = invent(b"a", |name| Ok(name != b"a")).unwrap();
        assert!(other.starts_with(b"a.") && other.len() == 10);
        let unhinted = invent(b"", |_| Ok(true)).unwrap();
        assert!(unhinted.starts_with(b"upload.") && unhinted.len() == 15);
    }

    #[test]
    fn where_all_is_taken_it_is_given_up() {
        let mut asked = 0;
        let error = invent(b"a", |_| {
            asked += 1;
            Ok(false)
        });
        assert_eq!((error, asked), (Err(StorageError::AlreadyExists), 1 + ATTEMPTS));
        assert_eq!(invent(b"a", |_| Err(StorageError::Busy)), Err(StorageError::Busy));
    }
}
