//! What an account may do.

use core::fmt;
use core::ops::BitOr;

/// A set of permissions, written as a string of letters (the letters of pyftpdlib, and `n`).
///
/// Each letter adds something; none takes anything away. What replaces a file needs `w`, or `d` at
/// the name that is taken: neither `f` nor `a` nor `n` destroys what is there.
///
/// | letter | constant | commands |
/// |---|---|---|
/// | `e` | [`CHANGE_DIRECTORY`](Self::CHANGE_DIRECTORY) | CWD, CDUP |
/// | `l` | [`LIST`](Self::LIST) | LIST, NLST, MLSD, MLST, STAT path, SIZE, MDTM |
/// | `r` | [`RETRIEVE`](Self::RETRIEVE) | RETR, HASH, XCRC, XMD5, XSHA and the like |
/// | `a` | [`APPEND`](Self::APPEND) | APPE to a file that is there; with `w` STOR after REST and RANG |
/// | `d` | [`DELETE`](Self::DELETE) | DELE, RMD |
/// | `f` | [`RENAME`](Self::RENAME) | RNFR, RNTO; onto a file only with `d` or `w` there |
/// | `m` | [`MAKE_DIRECTORY`](Self::MAKE_DIRECTORY) | MKD |
/// | `w` | [`STORE`](Self::STORE) | all of `n`, and STOR and RNTO onto a file that is there |
/// | `n` | [`CREATE`](Self::CREATE) | STOR of a new file, STOU, AVBL; with `a` APPE to a new file |
/// | `M` | [`CHANGE_MODE`](Self::CHANGE_MODE) | SITE CHMOD, and MFF with UNIX.mode |
/// | `T` | [`SET_TIME`](Self::SET_TIME) | MFMT, SITE UTIME, and MFF with Modify |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u16);

/// Each letter, and what it stands for; in this order they are written.
const LETTERS: [(char, Permissions); 11] = [
    ('e', Permissions::CHANGE_DIRECTORY),
    ('l', Permissions::LIST),
    ('r', Permissions::RETRIEVE),
    ('a', Permissions::APPEND),
    ('d', Permissions::DELETE),
    ('f', Permissions::RENAME),
    ('m', Permissions::MAKE_DIRECTORY),
    ('w', Permissions::STORE),
    ('n', Permissions::CREATE),
    ('M', Permissions::CHANGE_MODE),
    ('T', Permissions::SET_TIME),
];

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
    /// `w`: store files, new ones and in the place of others.
    pub const STORE: Self = Self(1 << 7 | Self::CREATE.0);
    /// `n`: store new files only. It is part of [`STORE`](Self::STORE).
    pub const CREATE: Self = Self(1 << 10);
    /// `M`: change modes.
    pub const CHANGE_MODE: Self = Self(1 << 8);
    /// `T`: change times.
    pub const SET_TIME: Self = Self(1 << 9);
    /// `elr`: look, but do not touch.
    pub const READ_ONLY: Self = Self(0b111);
    /// Every permission there is.
    pub const ALL: Self = Self((1 << 11) - 1);

    /// Reads a string of letters; the error is the first letter that is not one of them.
    pub fn parse(letters: &str) -> Result<Self, char> {
        letters.chars().try_fold(Self::NONE, |set, letter| {
            let known = LETTERS.iter().find(|&&(known, _)| known == letter);
            known.map(|&(_, permissions)| set | permissions).ok_or(letter)
        })
    }

    /// Returns this set less all of `others`.
    pub(crate) const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Returns `true` if all of `wanted` are in this set.
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
        let implied = |letter| letter == 'n' && self.contains(Self::STORE);
        LETTERS
            .iter()
            .filter(|&&(letter, permissions)| self.contains(permissions) && !implied(letter))
            .try_for_each(|(letter, _)| write!(f, "{letter}"))
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
        for letters in ["n", "eln", "elw", "elanT", "adfm"] {
            assert_eq!(Permissions::parse(letters).unwrap().to_string(), letters);
        }
    }

    #[test]
    fn to_store_is_to_create_and_more() {
        let [new, store] = [Permissions::CREATE, Permissions::STORE];
        assert!(store.contains(new) && !new.contains(store));
        assert_eq!(new | store, store);
        assert_eq!(Permissions::parse("wn"), Ok(store));
    }

    #[test]
    fn contains_wants_all() {
        assert!(Permissions::READ_ONLY.contains(Permissions::LIST | Permissions::RETRIEVE));
        assert!(!Permissions::READ_ONLY.contains(Permissions::LIST | Permissions::STORE));
    }
}
