//! What an account may do where.

use alloc::vec::Vec;

use crate::path::VirtualPath;
use crate::permissions::Permissions;

/// What an account may do: permissions for the whole tree, and others for some folders.
///
/// A folder's permissions hold for the folder and all beneath it, in place of those of what is
/// around it. Paths are compared as clients name them: a symbolic link that leads elsewhere takes
/// the permissions of where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    everywhere: Permissions,
    folders: Vec<(VirtualPath, Permissions)>,
}

impl Rights {
    /// The same permissions everywhere.
    pub fn everywhere(permissions: Permissions) -> Self {
        Self { everywhere: permissions, folders: Vec::new() }
    }

    /// Gives a folder permissions of its own; the last word on a folder counts.
    pub fn with_folder(mut self, folder: VirtualPath, permissions: Permissions) -> Self {
        self.folders.retain(|(other, _)| *other != folder);
        self.folders.push((folder, permissions));
        self
    }

    /// Returns the permissions that hold for what stands at `path`.
    pub fn at(&self, path: &VirtualPath) -> Permissions {
        let holders = self.folders.iter().filter(|(folder, _)| path.is_within(folder));
        let nearest = holders.max_by_key(|(folder, _)| folder.as_bytes().len());
        nearest.map_or(self.everywhere, |(_, permissions)| *permissions)
    }

    /// Returns the permissions that hold somewhere.
    pub fn anywhere(&self) -> Permissions {
        self.folders.iter().fold(self.everywhere, |all, (_, permissions)| all | *permissions)
    }

    /// Returns the permissions that the facts of what stands at `path` show: what is
    /// [bound](Self::are_bound_to) to its place cannot be renamed.
    pub(crate) fn shown_at(&self, path: &VirtualPath) -> Permissions {
        let permissions = self.at(path);
        if self.are_bound_to(path) { permissions.without(Permissions::RENAME) } else { permissions }
    }

    /// Returns the entries of a directory that show other permissions than those around them, by
    /// name.
    pub(crate) fn exceptions_in(&self, directory: &VirtualPath) -> Vec<(Vec<u8>, Permissions)> {
        let depth = directory.components().count();
        let within = self.folders.iter().filter(|(folder, _)| folder.is_within(directory));
        let names = within.filter_map(|(folder, _)| folder.components().nth(depth));
        let mut exceptions: Vec<(Vec<u8>, Permissions)> =
            names.map(|name| (name.to_vec(), self.shown_at(&directory.join(name)))).collect();
        exceptions.sort_by(|(one, _), (other, _)| one.cmp(other));
        exceptions.dedup();
        exceptions
    }

    /// Returns `true` if a folder with permissions of its own stands at `path` or beneath it. What is
    /// there cannot be renamed: it would slip out of its permissions.
    pub(crate) fn are_bound_to(&self, path: &VirtualPath) -> bool {
        self.folders.iter().any(|(folder, _)| folder.is_within(path))
    }
}

impl From<Permissions> for Rights {
    fn from(permissions: Permissions) -> Self {
        Self::everywhere(permissions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> VirtualPath {
        VirtualPath::root().resolve(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_nearest_folder_counts() {
        let inbox = Permissions::LIST | Permissions::STORE;
        let rights = Rights::everywhere(Permissions::READ_ONLY)
            .with_folder(path("/in"), inbox)
            .with_folder(path("/in/mine"), Permissions::ALL)
            .with_folder(path("/out"), Permissions::NONE);
        for (at, expected) in [
            ("/", Permissions::READ_ONLY),
            ("/inn", Permissions::READ_ONLY),
            ("/in", inbox),
            ("/in/a/b", inbox),
            ("/in/mine", Permissions::ALL),
            ("/in/mine/a", Permissions::ALL),
            ("/in/min", inbox),
            ("/out/a", Permissions::NONE),
        ] {
            assert_eq!(rights.at(&path(at)), expected, "{at}");
        }
        assert_eq!(rights.anywhere(), Permissions::ALL);
        assert_eq!(
            rights.with_folder(path("/in"), Permissions::NONE).at(&path("/in/a")),
            Permissions::NONE
        );
    }

    #[test]
    fn what_holds_such_a_folder_is_bound_to_its_place() {
        let rights =
            Rights::everywhere(Permissions::ALL).with_folder(path("/a/b"), Permissions::NONE);
        assert!(rights.are_bound_to(&path("/a")));
        assert!(rights.are_bound_to(&path("/a/b")));
        assert!(!rights.are_bound_to(&path("/a/b/c")));
        assert!(!rights.are_bound_to(&path("/b")));
    }
}
