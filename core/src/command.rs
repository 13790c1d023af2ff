//! The commands: one table that knows each by name, and says what holds for it.

use core::fmt::Write as _;

use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::DigestAlgorithm;
use crate::name;
use crate::permissions::Permissions;

/// The commands that do something. Synonyms share a verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    Abor,
    Acct,
    Adat,
    Allo,
    Appe,
    Auth,
    Avbl,
    Ccc,
    Cdup,
    Clnt,
    Csid,
    Cwd,
    Dele,
    Eprt,
    Epsv,
    Feat,
    Hash,
    Help,
    Host,
    Lang,
    List,
    Mdtm,
    Mff,
    Mfmt,
    Mkd,
    Mlsd,
    Mlst,
    Mode,
    Nlst,
    Noop,
    Opts,
    Pass,
    Pasv,
    Pbsz,
    Port,
    Prot,
    Pwd,
    Quit,
    Rang,
    Rein,
    Rest,
    Retr,
    Rmd,
    Rnfr,
    Rnto,
    Site,
    Size,
    Stat,
    Stor,
    Stou,
    Stru,
    Syst,
    Type,
    User,
    /// XCRC, XMD5 and the like.
    Digest(DigestAlgorithm),
    /// MIC, CONF, ENC.
    Wrapped,
    /// A known word that this server does not implement: 502.
    NotImplemented,
}

impl Verb {
    /// Tells whether the command opens a data connection.
    pub(crate) fn uses_data(self) -> bool {
        matches!(
            self,
            Verb::Retr
                | Verb::Stor
                | Verb::Stou
                | Verb::Appe
                | Verb::List
                | Verb::Nlst
                | Verb::Mlsd
        )
    }

    /// Tells whether the command computes a digest of a file.
    pub(crate) fn digests(self) -> bool {
        matches!(self, Verb::Hash | Verb::Digest(_))
    }

    /// Tells whether ABOR can break the command off.
    pub(crate) fn takes_long(self) -> bool {
        self.uses_data() || self.digests()
    }
}

/// What may stand behind a command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Nothing.
    None,
    /// Something, or nothing.
    Optional,
    /// Something.
    Required,
}

/// What a command does when it comes while a transfer runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// It waits until the transfer is over.
    Waits,
    /// It is executed at once, once the transfer has been announced with 150.
    Overtakes,
    /// It is refused at once with 503.
    Refused,
}

/// What holds for a command.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    /// Its arguments for HELP, RFC 959 section 5.3.1 style.
    pub(crate) syntax: &'static str,
    pub(crate) argument: Argument,
    /// It needs a login.
    pub(crate) login: bool,
    /// The account needs all of these permissions.
    pub(crate) permissions: Permissions,
    pub(crate) timing: Timing,
    /// Nothing behind it is read before it has been answered: what follows may be TLS.
    pub(crate) barrier: bool,
}

const PLAIN: Spec = Spec {
    name: "",
    verb: Verb::NotImplemented,
    syntax: "",
    argument: Argument::None,
    login: true,
    permissions: Permissions::NONE,
    timing: Timing::Waits,
    barrier: false,
};

/// A command that works before login.
const fn open(name: &'static str, verb: Verb, argument: Argument, syntax: &'static str) -> Spec {
    Spec { name, verb, argument, syntax, login: false, ..PLAIN }
}

/// A command that needs a login.
const fn user(name: &'static str, verb: Verb, argument: Argument, syntax: &'static str) -> Spec {
    Spec { name, verb, argument, syntax, ..PLAIN }
}

/// A command that needs a login and permissions.
const fn guarded(
    name: &'static str,
    verb: Verb,
    permissions: Permissions,
    argument: Argument,
    syntax: &'static str,
) -> Spec {
    Spec { name, verb, argument, syntax, permissions, ..PLAIN }
}

const fn overtaking(spec: Spec) -> Spec {
    Spec { timing: Timing::Overtakes, ..spec }
}

/// A word of the RFCs and drafts that this server knows and does not implement.
const fn known(name: &'static str) -> Spec {
    Spec { name, verb: Verb::NotImplemented, argument: Argument::Optional, login: false, ..PLAIN }
}

/// A command that answers with the bare digest of a file.
const fn digest(name: &'static str, algorithm: DigestAlgorithm) -> Spec {
    let verb = Verb::Digest(algorithm);
    guarded(name, verb, Permissions::RETRIEVE, Required, "<path>|\"<path>\" [<start> <end>]")
}

use Argument::{None, Optional, Required};

/// All commands, in alphabetical order.
pub(crate) static COMMANDS: &[Spec] = &[
    overtaking(user("ABOR", Verb::Abor, None, "")),
    open("ACCT", Verb::Acct, Required, "<account>"),
    open("ADAT", Verb::Adat, Optional, "<base64>"),
    user("ALLO", Verb::Allo, Required, "<size> [R <record-size>]"),
    guarded("APPE", Verb::Appe, Permissions::APPEND, Required, "<path>"),
    Spec { barrier: true, ..open("AUTH", Verb::Auth, Required, "TLS|TLS-C|SSL") },
    guarded("AVBL", Verb::Avbl, Permissions::CREATE, Optional, "[<path>]"),
    Spec { barrier: true, ..open("CCC", Verb::Ccc, None, "") },
    guarded("CDUP", Verb::Cdup, Permissions::CHANGE_DIRECTORY, None, ""),
    open("CLNT", Verb::Clnt, Required, "<name>"),
    open("CONF", Verb::Wrapped, Optional, "<base64>"),
    open("CSID", Verb::Csid, Required, "Name=<name>; Version=<version>;"),
    guarded("CWD", Verb::Cwd, Permissions::CHANGE_DIRECTORY, Required, "<path>"),
    guarded("DELE", Verb::Dele, Permissions::DELETE, Required, "<path>"),
    open("ENC", Verb::Wrapped, Optional, "<base64>"),
    user("EPRT", Verb::Eprt, Required, "|<family>|<address>|<port>|"),
    user("EPSV", Verb::Epsv, Optional, "[1|2|ALL]"),
    open("FEAT", Verb::Feat, None, ""),
    user("HASH", Verb::Hash, Required, "<path>"),
    open("HELP", Verb::Help, Optional, "[<command>]"),
    open("HOST", Verb::Host, Required, "<name>"),
    open("LANG", Verb::Lang, Optional, "[<language-tag>]"),
    guarded("LIST", Verb::List, Permissions::LIST, Optional, "[-<options>] [<path>]"),
    guarded("MDTM", Verb::Mdtm, Permissions::LIST, Required, "<path>"),
    user("MFF", Verb::Mff, Required, "<fact>=<value>;... <path>"),
    guarded("MFMT", Verb::Mfmt, Permissions::SET_TIME, Required, "<YYYYMMDDHHMMSS> <path>"),
    open("MIC", Verb::Wrapped, Optional, "<base64>"),
    guarded("MKD", Verb::Mkd, Permissions::MAKE_DIRECTORY, Required, "<path>"),
    guarded("MLSD", Verb::Mlsd, Permissions::LIST, Optional, "[<path>]"),
    guarded("MLST", Verb::Mlst, Permissions::LIST, Optional, "[<path>]"),
    user("MODE", Verb::Mode, Required, "S | Z"),
    guarded("NLST", Verb::Nlst, Permissions::LIST, Optional, "[<path>]"),
    overtaking(open("NOOP", Verb::Noop, None, "")),
    open(
        "OPTS",
        Verb::Opts,
        Required,
        "MLST [<fact>;...] | MODE Z [LEVEL <0-9>] | HASH [<algorithm>] | UTF8 ON",
    ),
    open("PASS", Verb::Pass, Optional, "<password>"),
    user("PASV", Verb::Pasv, None, ""),
    open("PBSZ", Verb::Pbsz, Required, "0"),
    user("PORT", Verb::Port, Required, "<h1>,<h2>,<h3>,<h4>,<p1>,<p2>"),
    open("PROT", Verb::Prot, Required, "C|P"),
    user("PWD", Verb::Pwd, None, ""),
    open("QUIT", Verb::Quit, None, ""),
    user("RANG", Verb::Rang, Required, "<first-byte> <last-byte>"),
    Spec { barrier: true, ..open("REIN", Verb::Rein, None, "") },
    user("REST", Verb::Rest, Required, "<offset>"),
    guarded("RETR", Verb::Retr, Permissions::RETRIEVE, Required, "<path>"),
    guarded("RMD", Verb::Rmd, Permissions::DELETE, Required, "<path>"),
    guarded("RNFR", Verb::Rnfr, Permissions::RENAME, Required, "<path>"),
    guarded("RNTO", Verb::Rnto, Permissions::RENAME, Required, "<path>"),
    open("SITE", Verb::Site, Required, "HELP | <command>"),
    guarded("SIZE", Verb::Size, Permissions::LIST, Required, "<path>"),
    known("SMNT"),
    overtaking(open("STAT", Verb::Stat, Optional, "[<path>]")),
    guarded("STOR", Verb::Stor, Permissions::CREATE, Required, "<path>"),
    guarded("STOU", Verb::Stou, Permissions::CREATE, Optional, "[<name>]"),
    user("STRU", Verb::Stru, Required, "F"),
    open("SYST", Verb::Syst, None, ""),
    user("TYPE", Verb::Type, Required, "A [N] | I | L 8"),
    Spec { timing: Timing::Refused, ..open("USER", Verb::User, Required, "<name>") },
    digest("XCRC", DigestAlgorithm::Crc32),
    guarded("XCUP", Verb::Cdup, Permissions::CHANGE_DIRECTORY, None, ""),
    guarded("XCWD", Verb::Cwd, Permissions::CHANGE_DIRECTORY, Required, "<path>"),
    digest("XMD5", DigestAlgorithm::Md5),
    guarded("XMKD", Verb::Mkd, Permissions::MAKE_DIRECTORY, Required, "<path>"),
    user("XPWD", Verb::Pwd, None, ""),
    guarded("XRMD", Verb::Rmd, Permissions::DELETE, Required, "<path>"),
    digest("XSHA", DigestAlgorithm::Sha1),
    digest("XSHA1", DigestAlgorithm::Sha1),
    digest("XSHA256", DigestAlgorithm::Sha256),
    digest("XSHA512", DigestAlgorithm::Sha512),
];

impl Spec {
    /// Finds a command by its name, in capitals or not.
    pub(crate) fn find(name: &[u8]) -> Option<&'static Spec> {
        COMMANDS.iter().find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Tells whether the command does something.
    pub(crate) fn is_implemented(&self) -> bool {
        self.verb != Verb::NotImplemented
    }

    /// Writes the command's syntax line, such as `RETR <path>`.
    pub(crate) fn usage(&self) -> String {
        let mut usage = String::from(self.name);
        if !self.syntax.is_empty() {
            let _ = write!(usage, " {}", self.syntax);
        }
        usage
    }
}

/// A command line, taken apart.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// A command of the table. The argument is as it was sent, less the one space before it; `None`
    /// when nothing but spaces stood there.
    Known(&'static Spec, Option<Vec<u8>>),
    /// The first line of an HTTP request: somebody's browser was sent here (cross-protocol attack).
    Http,
    /// No command.
    Unknown,
}

/// Takes a command line apart. The argument is decoded: see [`name`].
pub(crate) fn parse(line: &[u8]) -> Command {
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    if let Some(spec) = Spec::find(word) {
        let argument = rest.get(1..).unwrap_or_default();
        let blank = argument.iter().all(|&byte| byte == b' ');
        return Command::Known(spec, (!blank).then(|| name::decode(argument)));
    }
    const HTTP: [&[u8]; 9] =
        [b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"];
    if HTTP.contains(&word) { Command::Http } else { Command::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_table_is_sorted_and_has_no_twins() {
        assert!(COMMANDS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn arguments_keep_their_spaces() {
        let argument = |line: &[u8]| match parse(line) {
            Command::Known(_, argument) => argument,
            other => panic!("{other:?}"),
        };
        assert_eq!(argument(b"cwd  a b "), Some(b" a b ".to_vec()));
        assert_eq!(argument(b"CWD "), Option::None);
        assert_eq!(argument(b"CWD"), Option::None);
        assert_eq!(argument(b"Cwd a\0b"), Some(b"a\nb".to_vec()));
    }

    #[test]
    fn strangers() {
        assert!(matches!(parse(b"GET / HTTP/1.1"), Command::Http));
        assert!(matches!(parse(b"FOO"), Command::Unknown));
        assert!(matches!(parse(b""), Command::Unknown));
        assert!(matches!(parse(b" NOOP"), Command::Unknown));
    }

    proptest! {
        #[test]
        fn parsing_is_total(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&line);
        }

        #[test]
        fn every_command_is_found_in_any_case(index in 0..COMMANDS.len(), flips in any::<u8>()) {
            let word: Vec<u8> = COMMANDS[index].name.bytes().enumerate().map(|(i, byte)| {
                if flips & 1 << (i % 8) != 0 { byte.to_ascii_lowercase() } else { byte }
            }).collect();
            match parse(&word) {
                Command::Known(spec, _) => prop_assert_eq!(spec.name, COMMANDS[index].name),
                _ => prop_assert!(false),
            }
        }
    }
}
