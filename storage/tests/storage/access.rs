//! What a listing says of the access to each entry, modes and ACLs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;

use wharf_storage::{Directory, Storage};

use super::*;

/// Entries that are alike are not asked about one by one, which must not show.
#[test]
fn a_listing_tells_what_can_be_done_with_each_entry() {
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path();
    let storage = Directory::open(inside).unwrap();
    fs::set_permissions(inside, fs::Permissions::from_mode(0o777)).unwrap();
    let create = |whose: &str| {
        for mode in [0o000, 0o500, 0o600, 0o666] {
            for number in 0..2 {
                let file = inside.join(format!("{whose}-{mode:o}-{number}"));
                fs::write(&file, "").unwrap();
                fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
                let directory = inside.join(format!("{whose}-{mode:o}-{number}-d"));
                fs::create_dir(&directory).unwrap();
                fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    };
    let check = || {
        let listed = list(&storage, "/").unwrap();
        for entry in &listed {
            let alone = storage.link_metadata(&path(&entry.name)).unwrap();
            assert_eq!(entry.metadata, alone, "{}", entry.name.escape_ascii());
        }
        listed
    };
    create("mine");
    // An ACL that denies another user what the mode grants.
    let denied = inside.join("mine-666-1");
    let acl: [(u16, u16, u32); 5] =
        [(1, 6, !0), (2, 0, 65534), (4, 6, !0), (0x10, 6, !0), (0x20, 6, !0)];
    let mut text = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in acl {
        text.extend_from_slice(&tag.to_le_bytes());
        text.extend_from_slice(&permissions.to_le_bytes());
        text.extend_from_slice(&id.to_le_bytes());
    }
    let has_acl = rustix::fs::setxattr(
        &denied,
        "system.posix_acl_access",
        &text,
        rustix::fs::XattrFlags::empty(),
    )
    .is_ok();
    check();
    unprivileged(|| {
        create("other");
        let listed = check();
        let found = |name: &str| listed.iter().find(|entry| entry.name == name.as_bytes()).unwrap();
        assert!(found("mine-666-0").metadata.access.read);
        if has_acl && !found("mine-600-0").metadata.access.read {
            assert!(!found("mine-666-1").metadata.access.read);
        }
    });
    // What cannot be entered is removed with nothing else.
    for entry in list(&storage, "/").unwrap() {
        let entry = inside.join(OsStr::from_bytes(&entry.name));
        fs::remove_dir(&entry).or_else(|_| fs::remove_file(&entry)).unwrap();
    }
}
