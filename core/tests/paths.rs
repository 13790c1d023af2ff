//! Properties of path names, over the public API.

use proptest::prelude::*;
use wharf_core::{LONGEST_PATH, PathError, VirtualPath};

/// Bytes in which slashes and dots are frequent.
fn given() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'/'), Just(b'.'), Just(b'a'), any::<u8>()];
    prop::collection::vec(byte, 0..48)
}

proptest! {
    #[test]
    fn resolved_paths_are_normal(base in given(), given in given()) {
        let base = VirtualPath::root().resolve(&base).unwrap_or_else(|_| VirtualPath::root());
        let Ok(path) = base.resolve(&given) else {
            prop_assert!(given.contains(&0));
            return Ok(());
        };
        let bytes = path.as_bytes();
        prop_assert!(bytes.len() <= LONGEST_PATH);
        prop_assert_eq!(bytes[0], b'/');
        if !path.is_root() {
            for component in bytes[1..].split(|&byte| byte == b'/') {
                prop_assert!(!matches!(component, b"" | b"." | b".."));
            }
        }
    }

    #[test]
    fn resolving_again_changes_nothing(base in given(), first in given()) {
        let base = VirtualPath::root().resolve(&base).unwrap_or_else(|_| VirtualPath::root());
        if let Ok(path) = base.resolve(&first) {
            prop_assert_eq!(base.resolve(path.as_bytes()), Ok(path.clone()));
            prop_assert_eq!(path.resolve(b""), Ok(path));
        }
    }

    #[test]
    fn parts_make_up_the_whole(given in given()) {
        if let Ok(path) = VirtualPath::root().resolve(&given) {
            let rebuilt = path.components().fold(VirtualPath::root(), |path, name| path.join(name));
            prop_assert_eq!(&rebuilt, &path);
            if let Some(name) = path.file_name() {
                prop_assert_eq!(path.parent().join(name), path);
            }
        }
    }

    #[test]
    fn long_paths_are_refused(length in LONGEST_PATH - 2..LONGEST_PATH + 3, depth in 1..9usize) {
        let name = vec![b'n'; length];
        let given = [&b"/".repeat(depth)[..], &name].concat();
        let path = VirtualPath::root().resolve(&given);
        // One slash is left of however many.
        match path {
            Ok(path) => prop_assert_eq!(path.as_bytes().len(), length + 1),
            Err(error) => {
                prop_assert_eq!(error, PathError::TooLong);
                prop_assert!(length + 1 > LONGEST_PATH);
            }
        }
    }
}
