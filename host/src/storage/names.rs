//! Names that the storages invent, and names that they refuse.

use wharf_core::{StorageError, VirtualPath};

/// What the names of unfinished uploads begin with: clients neither see nor touch such names.
pub(super) const RESERVED: &[u8] = b".wharf-upload-";

/// What a unique name begins with when the client gave no hint.
const DEFAULT_HINT: &[u8] = b"upload";

/// Tells whether a name is kept for unfinished uploads.
pub(super) fn is_reserved(name: &[u8]) -> bool {
    name.starts_with(RESERVED)
}

/// Refuses a path with a reserved name in it, as if nothing stood there.
pub(super) fn check_path(path: &VirtualPath) -> Result<(), StorageError> {
    if path.components().any(is_reserved) { Err(StorageError::NotFound) } else { Ok(()) }
}

/// Refuses a path where something is to be created under a reserved name.
pub(super) fn check_new(path: &VirtualPath) -> Result<(), StorageError> {
    match path.file_name() {
        Some(name) if is_reserved(name) => Err(StorageError::BadName),
        _ => Ok(()),
    }
}

/// The names to try for a unique file, given a hint and a source of suffixes.
///
/// The hint alone comes first; behind it `<hint>.<suffix>` again and again.
pub(super) struct UniqueNames<'a> {
    hint: &'a [u8],
    bare: bool,
}

impl<'a> UniqueNames<'a> {
    /// Takes the hint that the client gave: empty, or one path component.
    pub(super) fn new(hint: &'a [u8]) -> Result<Self, StorageError> {
        if hint.is_empty() {
            return Ok(Self { hint: DEFAULT_HINT, bare: false });
        }
        let odd = hint == b"." || hint == b".." || hint.iter().any(|&b| b == b'/' || b == 0);
        if odd || is_reserved(hint) {
            return Err(StorageError::BadName);
        }
        Ok(Self { hint, bare: true })
    }

    /// Returns the next name to try.
    pub(super) fn next<E>(
        &mut self,
        suffix: impl FnOnce() -> Result<String, E>,
    ) -> Result<Vec<u8>, E> {
        if std::mem::take(&mut self.bare) {
            return Ok(self.hint.to_vec());
        }
        Ok([self.hint, b".", suffix()?.as_bytes()].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_is_one_component() {
        for bad in [&b"."[..], b"..", b"a/b", b"/", b"a\0", b".wharf-upload-1"] {
            assert!(UniqueNames::new(bad).is_err(), "{}", bad.escape_ascii());
        }
        let mut names = UniqueNames::new(b"a").unwrap();
        let suffix = || Ok::<_, ()>("7".to_owned());
        assert_eq!(names.next(suffix).unwrap(), b"a");
        assert_eq!(names.next(suffix).unwrap(), b"a.7");
        assert_eq!(UniqueNames::new(b"").unwrap().next(suffix).unwrap(), b"upload.7");
    }
}
