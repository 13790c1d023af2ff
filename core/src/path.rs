//! Path names as clients see them (RFC 3659 section 6, TVFS).

use alloc::vec::Vec;
use core::error::Error;
use core::fmt;
use core::str::FromStr;

/// An absolute, normalised path in the tree that a session sees.
///
/// It begins with `/`, has no empty, `.` or `..` component, and no trailing `/` but for the root
/// itself. Components are bytes, not text: names that are not valid UTF-8 travel unchanged. It
/// cannot point outside the tree, because it has no means of saying so.
///
/// A string becomes one as if a client at the root had sent it, the leading `/` or not:
///
/// ```
/// use wharf_core::VirtualPath;
///
/// let path: VirtualPath = "/reports/2024/../2025".parse()?;
/// assert_eq!(path.as_bytes(), b"/reports/2025");
/// # Ok::<(), wharf_core::PathError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VirtualPath(Vec<u8>);

/// Longest path, in bytes, that [`VirtualPath::resolve`] builds (Linux's own PATH_MAX).
pub const LONGEST_PATH: usize = 4096;

/// Why a path name cannot be resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// The result would be longer than [`LONGEST_PATH`].
    TooLong,
    /// The name holds a NUL byte, which no file system can store.
    Nul,
}

impl VirtualPath {
    /// Returns `/`.
    pub fn root() -> Self {
        Self(b"/".to_vec())
    }

    /// Resolves a path name that a client gave: absolute when it begins with `/`, else below `self`.
    ///
    /// `.` and empty components are dropped, `..` goes to the parent, and stays at the root there.
    pub fn resolve(&self, given: &[u8]) -> Result<Self, PathError> {
        if given.contains(&0) {
            return Err(PathError::Nul);
        }
        let mut path = if given.first() == Some(&b'/') { Self::root() } else { self.clone() };
        for component in given.split(|&byte| byte == b'/') {
            match component {
                b"" | b"." => {}
                b".." => path = path.parent(),
                name => path.push(name),
            }
            if path.0.len() > LONGEST_PATH {
                return Err(PathError::TooLong);
            }
        }
        Ok(path)
    }

    /// Returns the path of the entry `name` in this directory.
    ///
    /// `name` comes from a directory listing: one component, never empty, `.` or `..`. What may be
    /// anything is for [`resolve`](Self::resolve).
    ///
    /// # Panics
    ///
    /// Panics, with debug assertions alone, if `name` is no such component.
    pub fn join(&self, name: &[u8]) -> Self {
        debug_assert!(!name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/'));
        let mut path = self.clone();
        path.push(name);
        path
    }

    /// Returns the directory that holds this entry; the root is its own parent.
    pub fn parent(&self) -> Self {
        let end = self.0.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        Self(self.0[..end.max(1)].to_vec())
    }

    /// Returns the last component, or `None` for the root.
    pub fn file_name(&self) -> Option<&[u8]> {
        self.components().next_back()
    }

    /// Returns `true` if this is `/`.
    pub fn is_root(&self) -> bool {
        self.0.len() == 1
    }

    /// Returns `true` if this is `folder`, or something beneath it.
    pub fn is_within(&self, folder: &Self) -> bool {
        match self.0.strip_prefix(folder.0.as_slice()) {
            Some(rest) => folder.is_root() || rest.is_empty() || rest[0] == b'/',
            None => false,
        }
    }

    /// Iterates over the components from the root down; none for the root itself.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.0[1..].split(|&byte| byte == b'/').filter(|component| !component.is_empty())
    }

    /// Returns the whole path, with its leading `/`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn push(&mut self, name: &[u8]) {
        if !self.is_root() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }
}

impl FromStr for VirtualPath {
    type Err = PathError;

    fn from_str(given: &str) -> Result<Self, PathError> {
        Self::root().resolve(given.as_bytes())
    }
}

impl TryFrom<&str> for VirtualPath {
    type Error = PathError;

    fn try_from(given: &str) -> Result<Self, PathError> {
        given.parse()
    }
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "path longer than {LONGEST_PATH} bytes"),
            Self::Nul => f.write_str("NUL byte in a path"),
        }
    }
}

impl Error for PathError {}

impl fmt::Debug for VirtualPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VirtualPath({})", self.0.escape_ascii())
    }
}

impl fmt::Display for VirtualPath {
    /// Writes the path for a log: bytes that are not printable ASCII are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(base: &str, given: &str) -> alloc::string::String {
        let base = VirtualPath::root().resolve(base.as_bytes()).unwrap();
        alloc::format!("{}", base.resolve(given.as_bytes()).unwrap())
    }

    #[test]
    fn dots_and_slashes_collapse() {
        assert_eq!(resolve("/", ""), "/");
        assert_eq!(resolve("/a/b", "../c"), "/a/c");
        assert_eq!(resolve("/a", "../../.."), "/");
        assert_eq!(resolve("/a", "/x//y/./z/"), "/x/y/z");
        assert_eq!(resolve("/a", "..."), "/a/...");
        assert_eq!(resolve("/a/b", ".."), "/a");
    }

    #[test]
    fn the_unspeakable_is_refused() {
        assert_eq!(VirtualPath::root().resolve(b"a\0b"), Err(PathError::Nul));
        let long = alloc::vec![b'a'; LONGEST_PATH + 1];
        assert_eq!(VirtualPath::root().resolve(&long), Err(PathError::TooLong));
    }

    #[test]
    fn strings_become_paths() {
        assert_eq!("a//b/".parse().map(|path: VirtualPath| path.0), Ok(b"/a/b".to_vec()));
        assert_eq!(VirtualPath::try_from("/../a").map(|path| path.0), Ok(b"/a".to_vec()));
        let error = "a\0b".parse::<VirtualPath>().unwrap_err();
        assert_eq!(alloc::format!("{error}"), "NUL byte in a path");
    }

    #[test]
    fn parts() {
        let path = VirtualPath::root().resolve(b"/a/b").unwrap();
        assert_eq!(path.file_name(), Some(&b"b"[..]));
        assert_eq!(path.parent().as_bytes(), b"/a");
        assert_eq!(path.parent().parent().as_bytes(), b"/");
        assert_eq!(VirtualPath::root().file_name(), None);
        assert_eq!(VirtualPath::root().parent(), VirtualPath::root());
    }
}
