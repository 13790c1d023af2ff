//! Who else on this computer can get at a file that the server relies on.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Groups that any user may be in: `users` and `nogroup`, by the numbers that most systems have.
const COMMON_GROUPS: [u32; 2] = [100, 65534];

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A private key, a password, hashes: nothing for other users.
    Secret,
    /// All users may read it, such as a certificate.
    Public,
}

/// Says, a line each, what other users of this computer can do to the file at `path` that they
/// should not: read it where it is secret, write to it, or put another in its place.
///
/// That its group may read it is in order, as with `root:wharf` and 0640, unless it is one that
/// any user may be in. What is no regular file, such as a pipe, and what is not there is passed
/// over.
pub fn exposures(path: &Path, content: Content) -> Vec<String> {
    let Ok(metadata) = fs::metadata(path) else { return Vec::new() };
    if !metadata.is_file() {
        return Vec::new();
    }
    let mut found = Vec::new();
    let file = path.display();
    let mode = metadata.mode();
    if content == Content::Secret && mode & 0o004 != 0 {
        found.push(format!("{file}: every user of this computer can read it; chmod o-r {file}"));
    } else if content == Content::Secret
        && mode & 0o040 != 0
        && COMMON_GROUPS.contains(&metadata.gid())
    {
        found.push(format!("{file}: its group is one that anybody may be in; chmod g-r {file}"));
    }
    if mode & 0o002 != 0 {
        found
            .push(format!("{file}: every user of this computer can write to it; chmod o-w {file}"));
    } else if mode & 0o020 != 0 {
        found.push(format!("{file}: its group can write to it; chmod g-w {file}"));
    }
    if let Some(folder) = open_folder(path) {
        let folder = folder.display();
        found.push(format!(
            "{file}: every user of this computer can put another file in its place, for \
             {folder} can be written to by all; chmod o-w {folder}"
        ));
    }
    found
}

/// Logs as warnings what [`exposures`] finds.
pub fn warn_of_exposures(path: &Path, content: Content) {
    for exposure in exposures(path, content) {
        log::warn!("{exposure}");
    }
}

/// Finds a folder on the way to the file in which every user may rename what belongs to others.
fn open_folder(path: &Path) -> Option<PathBuf> {
    // As it is named, and where links on the way lead.
    let ways = [std::path::absolute(path), fs::canonicalize(path)];
    let folders = ways.iter().flatten().flat_map(|way| way.ancestors().skip(1));
    let is_open = |metadata: Metadata| metadata.mode() & 0o1002 == 0o002;
    folders.filter(|folder| fs::metadata(folder).is_ok_and(is_open)).map(Path::to_path_buf).next()
}

/// Returns `true` if the file at `path` lies in the folder that has this device and inode, or
/// beneath it, wherever links lead.
#[cfg(any(test, feature = "directory"))]
pub(crate) fn lies_beneath(path: &Path, (device, inode): (u64, u64)) -> bool {
    let Ok(real) = fs::canonicalize(path) else { return false };
    real.ancestors().skip(1).any(|folder| {
        fs::metadata(folder).is_ok_and(|found| (found.dev(), found.ino()) == (device, inode))
    })
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn modes_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        fs::write(&file, "x").unwrap();
        for (mode, secret, public) in [
            (0o600, &[][..], &[][..]),
            (0o400, &[], &[]),
            (0o640, &[], &[]),
            (0o644, &["can read it"], &[]),
            (0o604, &["can read it"], &[]),
            (0o660, &["group can write"], &["group can write"]),
            (0o666, &["can read it", "every user of this computer can write"], &["can write"]),
            (0o602, &["every user of this computer can write"], &["can write"]),
        ] {
            set_mode(&file, mode);
            for (content, expected) in [(Content::Secret, secret), (Content::Public, public)] {
                let found = exposures(&file, content);
                assert_eq!(found.len(), expected.len(), "{mode:o}: {found:?}");
                assert!(found.iter().zip(expected).all(|(text, part)| text.contains(part)));
            }
        }
        assert_eq!(exposures(&folder.path().join("none"), Content::Secret), [""; 0]);
        assert_eq!(exposures(Path::new("/dev/null"), Content::Secret), [""; 0]);
    }

    #[test]
    fn folders_on_the_way() {
        let place = tempfile::tempdir().unwrap();
        let (open, inner) = (place.path().join("open"), place.path().join("open/inner"));
        fs::create_dir_all(&inner).unwrap();
        let (file, link) = (inner.join("key.pem"), place.path().join("link.pem"));
        fs::write(&file, "x").unwrap();
        set_mode(&file, 0o600);
        symlink(&file, &link).unwrap();
        for (mode, exposed) in [(0o755, false), (0o777, true), (0o1777, false)] {
            set_mode(&open, mode);
            for path in [&file, &link] {
                let found = exposures(path, Content::Public);
                assert_eq!(found.len(), usize::from(exposed), "{mode:o}: {found:?}");
                assert!(found.iter().all(|text| text.contains("in its place")));
            }
        }
    }

    #[test]
    fn what_lies_beneath() {
        let place = tempfile::tempdir().unwrap();
        let (served, beside) = (place.path().join("served"), place.path().join("served-too"));
        fs::create_dir_all(served.join("inner")).unwrap();
        fs::create_dir(&beside).unwrap();
        fs::write(served.join("inner/file"), "x").unwrap();
        symlink(served.join("inner/file"), beside.join("link")).unwrap();
        fs::write(beside.join("file"), "x").unwrap();
        let metadata = fs::metadata(&served).unwrap();
        let id = (metadata.dev(), metadata.ino());
        assert!(lies_beneath(&served.join("inner/file"), id));
        assert!(lies_beneath(&beside.join("link"), id));
        assert!(!lies_beneath(&beside.join("file"), id));
        assert!(!lies_beneath(&beside.join("none"), id));
    }
}
