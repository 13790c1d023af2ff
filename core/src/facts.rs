//! The facts of MLST and MLSD (RFC 3659 section 7.5).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::digits::{self, Digits};
use crate::permissions::Permissions;
use crate::storage::{Kind, Metadata};
use crate::timestamp::timestamp;

/// The set of facts that a listing shows (RFC 3659 section 7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts(u16);

/// One fact; its place in the list is its bit in [`Facts`].
#[derive(Clone, Copy)]
enum Fact {
    Type,
    Perm,
    Size,
    Modify,
    Unique,
    Mode,
    Owner,
    Group,
}

const FACTS: [(Fact, &str); 8] = [
    (Fact::Type, "type"),
    (Fact::Perm, "perm"),
    (Fact::Size, "size"),
    (Fact::Modify, "modify"),
    (Fact::Unique, "unique"),
    (Fact::Mode, "UNIX.mode"),
    (Fact::Owner, "UNIX.owner"),
    (Fact::Group, "UNIX.group"),
];

/// What an entry is to the listing that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// One of the entries, or the thing that MLST asks for.
    Entry,
    /// The listed directory itself: `type=cdir`.
    Listed,
    /// The parent of the listed directory: `type=pdir`.
    Parent,
}

impl Facts {
    /// Every fact there is.
    pub const ALL: Self = Self((1 << FACTS.len()) - 1);

    /// Reads the argument of OPTS MLST: fact names in any case, parted by `;` (RFC 3659
    /// section 7.9).
    ///
    /// Unknown names are passed over, as the RFC wants it; an empty list is the empty set.
    pub fn parse(list: &[u8]) -> Self {
        Self(list.split(|&byte| byte == b';').fold(0, |set, wanted| {
            let known = FACTS.iter().find(|(_, name)| wanted.eq_ignore_ascii_case(name.as_bytes()));
            known.map_or(set, |&(fact, _)| set | fact.bit())
        }))
    }

    /// Returns what FEAT says after `MLST `: every fact there is, with a star where it is in this
    /// set (RFC 3659 section 7.8).
    pub fn feature(&self) -> String {
        let mut text = String::new();
        for (fact, name) in FACTS {
            text.push_str(name);
            text.push_str(if self.shows(fact) { "*;" } else { ";" });
        }
        text
    }

    /// Returns `true` if the `type` fact is in this set.
    pub(crate) fn has_type(self) -> bool {
        self.shows(Fact::Type)
    }

    /// Returns `true` if the `perm` fact is in this set.
    pub(crate) fn has_perm(self) -> bool {
        self.shows(Fact::Perm)
    }

    fn shows(self, fact: Fact) -> bool {
        self.0 & fact.bit() != 0
    }

    /// Appends the facts of an entry, each with its `;`, as an account with these permissions has
    /// them. What does not apply (the size of a directory) is left out.
    pub(crate) fn write(
        self,
        role: Role,
        metadata: &Metadata,
        permissions: Permissions,
        out: &mut Vec<u8>,
    ) {
        let metadata = presented(metadata);
        let shown = Shown::new(metadata);
        for (fact, name) in FACTS.into_iter().filter(|&(fact, _)| self.shows(fact)) {
            let start = out.len();
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            let applies = fact.write_value(role, shown, metadata, permissions, out);
            if applies {
                out.push(b';');
            } else {
                out.truncate(start);
            }
        }
    }
}

impl Default for Facts {
    /// Returns [`Facts::ALL`]: what a session shows until OPTS MLST.
    fn default() -> Self {
        Self::ALL
    }
}

impl fmt::Display for Facts {
    /// Writes the facts in this set, each with its `;`, as the reply to OPTS MLST has them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = FACTS.iter().filter(|&&(fact, _)| self.shows(fact));
        shown.try_for_each(|(_, name)| write!(f, "{name};"))
    }
}

impl Fact {
    const fn bit(self) -> u16 {
        1 << self as u16
    }

    /// Appends the value, or returns `false` where the entry has none.
    fn write_value(
        self,
        role: Role,
        shown: Shown,
        metadata: &Metadata,
        permissions: Permissions,
        out: &mut Vec<u8>,
    ) -> bool {
        match self {
            Self::Type => out.extend_from_slice(shown.type_in(role).as_bytes()),
            Self::Perm => shown.write_perm(metadata, permissions, out),
            Self::Size => match shown {
                Shown::File => Digits::decimal(metadata.size).append(out),
                _ => return false,
            },
            Self::Modify => timestamp(metadata.modified, out),
            Self::Unique => match metadata.unique {
                Some((device, inode)) => {
                    Digits::hexadecimal(device).append(out);
                    out.push(b'g');
                    Digits::hexadecimal(inode).append(out);
                }
                None => return false,
            },
            Self::Mode => out.extend_from_slice(&digits::mode(metadata.mode)),
            Self::Owner => Digits::decimal(metadata.owner).append(out),
            Self::Group => Digits::decimal(metadata.group).append(out),
        }
        true
    }
}

/// A symbolic link to a file is presented as that file, because it can be used like one. A link to
/// a directory is not: a client that copies whole trees would walk in circles.
fn presented(metadata: &Metadata) -> &Metadata {
    match &metadata.kind {
        Kind::Symlink { leads_to: Some(target), .. } if target.kind == Kind::File => target,
        _ => metadata,
    }
}

/// What an entry is presented as.
#[derive(Clone, Copy)]
enum Shown {
    File,
    Directory,
    Symlink,
    Special,
}

impl Shown {
    fn new(metadata: &Metadata) -> Self {
        match metadata.kind {
            Kind::File => Self::File,
            Kind::Directory => Self::Directory,
            Kind::Symlink { .. } => Self::Symlink,
            Kind::Other => Self::Special,
        }
    }

    fn type_in(self, role: Role) -> &'static str {
        match (role, self) {
            (Role::Listed, _) => "cdir",
            (Role::Parent, _) => "pdir",
            (Role::Entry, Self::File) => "file",
            (Role::Entry, Self::Directory) => "dir",
            (Role::Entry, Self::Symlink) => "OS.unix=slink",
            (Role::Entry, Self::Special) => "OS.unix=special",
        }
    }

    /// Appends the letters of RFC 3659 section 7.5.5 that hold for both the account and the
    /// process.
    fn write_perm(self, metadata: &Metadata, permissions: Permissions, out: &mut Vec<u8>) {
        let access = metadata.access;
        let may = |permission, accessible: bool| accessible && permissions.contains(permission);
        let delete = may(Permissions::DELETE, access.remove);
        let rename = may(Permissions::RENAME, access.remove);
        let letters: &[(u8, bool)] = match self {
            Self::File => &[
                (b'a', may(Permissions::APPEND, access.write)),
                (b'd', delete),
                (b'f', rename),
                (b'r', may(Permissions::RETRIEVE, access.read)),
                // Storing puts a new file in the place of the old one, which takes a writable
                // directory; a file that is write-protected is not replaced.
                (b'w', may(Permissions::STORE, access.write && access.remove)),
            ],
            Self::Directory => &[
                (b'c', may(Permissions::CREATE, access.write)),
                (b'd', delete),
                (b'e', may(Permissions::CHANGE_DIRECTORY, access.enter)),
                (b'f', rename),
                (b'l', may(Permissions::LIST, access.read)),
                (b'm', may(Permissions::MAKE_DIRECTORY, access.write)),
                (b'p', may(Permissions::DELETE, access.write)),
            ],
            Self::Symlink | Self::Special => &[(b'd', delete), (b'f', rename)],
        };
        out.extend(letters.iter().filter(|&&(_, holds)| holds).map(|&(letter, _)| letter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Access;
    use crate::time::WallTime;
    use alloc::boxed::Box;
    use alloc::string::ToString;

    const EVERYTHING: Access = Access::ALL;

    fn metadata(kind: Kind) -> Metadata {
        Metadata {
            kind,
            size: 12,
            modified: WallTime { seconds: 1_704_067_200, nanoseconds: 5_000_000 },
            mode: 0o100_644,
            links: 1,
            owner: 0,
            group: 7,
            unique: Some((0xfd, 0x1a2b)),
            access: EVERYTHING,
        }
    }

    fn write(facts: Facts, role: Role, metadata: &Metadata, permissions: Permissions) -> String {
        let mut out = Vec::new();
        facts.write(role, metadata, permissions, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn perm(kind: Kind, permissions: &str, access: Access) -> String {
        let metadata = Metadata { access, ..metadata(kind) };
        let permissions = Permissions::parse(permissions).unwrap();
        write(Facts::parse(b"perm"), Role::Entry, &metadata, permissions)
    }

    fn link(leads_to: Option<Metadata>) -> Kind {
        Kind::Symlink { target: None, leads_to: leads_to.map(Box::new) }
    }

    #[test]
    fn lists_of_facts() {
        let all = "type;perm;size;modify;unique;UNIX.mode;UNIX.owner;UNIX.group;";
        assert_eq!(Facts::default().to_string(), all);
        assert_eq!(Facts::parse(all.as_bytes()), Facts::ALL);
        assert_eq!(Facts::parse(b"Size;TYPE;x.y;unix.MODE").to_string(), "type;size;UNIX.mode;");
        assert_eq!(Facts::parse(b"").to_string(), "");
        assert_eq!(
            Facts::ALL.feature(),
            "type*;perm*;size*;modify*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;"
        );
        assert_eq!(
            Facts::parse(b"size;").feature(),
            "type;perm;size*;modify;unique;UNIX.mode;UNIX.owner;UNIX.group;"
        );
    }

    #[test]
    fn facts_of_a_file() {
        let file = metadata(Kind::File);
        assert_eq!(
            write(Facts::ALL, Role::Entry, &file, Permissions::ALL),
            "type=file;perm=adfrw;size=12;modify=20240101000000;unique=fdg1a2b;\
             UNIX.mode=0644;UNIX.owner=0;UNIX.group=7;"
        );
        let nameless = Metadata { unique: None, ..file };
        assert_eq!(write(Facts::parse(b"unique"), Role::Entry, &nameless, Permissions::ALL), "");
    }

    #[test]
    fn types_by_kind_and_role() {
        let shown =
            |role, kind| write(Facts::parse(b"type;size"), role, &metadata(kind), Permissions::ALL);
        assert_eq!(shown(Role::Entry, Kind::Directory), "type=dir;");
        assert_eq!(shown(Role::Listed, Kind::Directory), "type=cdir;");
        assert_eq!(shown(Role::Parent, Kind::Directory), "type=pdir;");
        assert_eq!(shown(Role::Entry, Kind::Other), "type=OS.unix=special;");
        assert_eq!(shown(Role::Entry, link(None)), "type=OS.unix=slink;");
        assert_eq!(
            shown(Role::Entry, link(Some(metadata(Kind::Directory)))),
            "type=OS.unix=slink;"
        );
        let to_file = link(Some(Metadata { size: 99, ..metadata(Kind::File) }));
        assert_eq!(shown(Role::Entry, to_file), "type=file;size=99;");
    }

    #[test]
    fn perm_tells_what_account_and_process_both_may() {
        assert_eq!(perm(Kind::File, "elr", EVERYTHING), "perm=r;");
        assert_eq!(perm(Kind::Directory, "elr", EVERYTHING), "perm=el;");
        assert_eq!(perm(Kind::Directory, "elradfmwMT", EVERYTHING), "perm=cdeflmp;");
        assert_eq!(perm(Kind::Directory, "", EVERYTHING), "perm=;");
        let read_only = Access { read: true, enter: true, ..Access::NONE };
        assert_eq!(perm(Kind::File, "elradfmw", read_only), "perm=r;");
        assert_eq!(perm(Kind::Directory, "elradfmw", read_only), "perm=el;");
        // Replacing takes both a file that is not write-protected and a directory that is not.
        assert_eq!(perm(Kind::File, "aw", Access { remove: true, ..read_only }), "perm=;");
        assert_eq!(
            perm(Kind::File, "aw", Access { remove: true, write: true, ..read_only }),
            "perm=aw;"
        );
        assert_eq!(perm(Kind::File, "aw", Access { write: true, ..read_only }), "perm=a;");
        assert_eq!(perm(link(None), "elradfmw", EVERYTHING), "perm=df;");
        // New files only: there is nothing that an old one could be used for.
        assert_eq!(perm(Kind::Directory, "eln", EVERYTHING), "perm=cel;");
        assert_eq!(perm(Kind::File, "eln", EVERYTHING), "perm=;");
        assert_eq!(perm(Kind::File, "elna", EVERYTHING), "perm=a;");
        assert_eq!(perm(Kind::Other, "elradfmw", EVERYTHING), "perm=df;");
    }

    /// RFC 3659 section 7.5.5 keeps entering and listing apart.
    #[test]
    fn perm_tells_entering_from_listing() {
        let all = "elradfmwMT";
        let enter = Access { enter: true, ..Access::NONE };
        assert_eq!(perm(Kind::Directory, all, enter), "perm=e;");
        assert_eq!(perm(Kind::Directory, all, Access { write: true, ..enter }), "perm=cemp;");
        assert_eq!(perm(Kind::Directory, all, Access { read: true, ..Access::NONE }), "perm=l;");
        assert_eq!(perm(Kind::Directory, "l", enter), "perm=;");
    }
}
