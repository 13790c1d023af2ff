//! What an account may do.

use core::fmt;
use core::ops::BitOr;

/// A set of permissions, written as a string of letters (the letters of pyftpdlib).
///
/// | letter | constant | commands |
/// |---|---|---|
/// | `e` | [`CHANGE_DIRECTORY`](Self::CHANGE_DIRECTORY) | CWD, CDUP |
/// | `l` | [`LIST`](Self::LIST) | LIST, NLST, MLSD, MLST, STAT path, SIZE, MDTM |
/// | `r` | [`RETRIEVE`](Self::RETRIEVE) | RETR, HASH, XCRC, XMD5, XSHA and the like |
/// | `a` | [`APPEND`](Self::APPEND) | APPE, and STOR behind REST and RANG |
/// | `d` | [`DELETE`](Self::DELETE) | DELE, RMD |
/// | `f` | [`RENAME`](Self::RENAME) | RNFR, RNTO |
/// | `m` | [`MAKE_DIRECTORY`](Self::MAKE_DIRECTORY) | MKD |
/// | `w` | [`STORE`](Self::STORE) | STOR, STOU, AVBL |
/// | `M` | [`CHANGE_MODE`](Self::CHANGE_MODE) | SITE CHMOD, and MFF with UNIX.mode |
/// | `T` | [`SET_TIME`](Self::SET_TIME) | MFMT, SITE UTIME, and MFF with Modify |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u16);

const LETTERS: &[u8] = b"elradfmwMT";

impl Permissions {
    /// No permission at all.
    pub const NONE: Self = Self(0);
    /// `e`: make a directory the working directory.
    pub const CHANGE_DIRECTORY: Self = Self(1);
    /// `l`: see names and facts.
    pub const LIST: Self = Self(1 << 1);
    /// `r`: read files.
    pub const RETRIEVE: Self = Self(1 << 2);
    /// `a`: add to files.
    pub const APPEND: Self = Self(1 << 3);
    /// `d`: remove files and directories.
    pub const DELETE: Self = Self(1 << 4);
    /// `f`: rename files and directories.
    pub const RENAME: Self = Self(1 << 5);
    /// `m`: create directories.
    pub const MAKE_DIRECTORY: Self = Self(1 << 6);
    /// `w`: store files.
    pub const STORE: Self = Self(1 << 7);
    /// `M`: change modes.
    pub const CHANGE_MODE: Self = Self(1 << 8);
    /// `T`: change times.
    pub const SET_TIME: Self = Self(1 << 9);
    /// `elr`: look, but do not touch.
    pub const READ_ONLY: Self = Self(0b111);
    /// Every permission there is.
    pub const ALL: Self = Self((1 << LETTERS.len()) - 1);

    /// Reads a string of letters; the error is the first letter that is not one of them.
    pub fn parse(letters: &str) -> Result<Self, char> {
        letters.chars().try_fold(Self::NONE, |set, letter| {
            let bit = LETTERS.iter().position(|&known| char::from(known) == letter);
            bit.map(|bit| Self(set.0 | 1 << bit)).ok_or(letter)
        })
    }

    /// Returns this set less all of `others`.
    pub(crate) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Tells whether all of `wanted` are in this set.
    pub const fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl BitOr for Permissions {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..LETTERS.len())
            .filter(|bit| self.0 & 1 << bit != 0)
            .try_for_each(|bit| write!(f, "{}", char::from(LETTERS[bit])))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permissions({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn letters_there_and_back() {
        assert_eq!(Permissions::parse("elradfmwMT"), Ok(Permissions::ALL));
        assert_eq!(Permissions::ALL.to_string(), "elradfmwMT");
        assert_eq!(Permissions::parse("rle"), Ok(Permissions::READ_ONLY));
        assert_eq!(Permissions::parse("ex"), Err('x'));
        assert_eq!(Permissions::parse(""), Ok(Permissions::NONE));
    }

    #[test]
    fn contains_wants_all() {
        assert!(Permissions::READ_ONLY.contains(Permissions::LIST | Permissions::RETRIEVE));
        assert!(!Permissions::READ_ONLY.contains(Permissions::LIST | Permissions::STORE));
    }
}
