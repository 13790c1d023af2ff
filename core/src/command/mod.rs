//! The commands: each is a row of one [table](table), which says all that holds for it.

mod table;

use core::fmt::{self, Write as _};

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::SessionConfig;
use crate::line::Line;
use crate::name;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::session::Session;
use crate::time::Now;

pub(crate) use table::{COMMANDS, FEATURES, SITE_COMMANDS};

/// What holds for a command: a row of the table.
pub(crate) struct Spec {
    pub(crate) name: &'static str,
    /// Its arguments for HELP, RFC 959 section 5.3.1 style.
    pub(crate) syntax: &'static str,
    /// Its arguments, where they depend on the settings.
    pub(crate) syntax_by: Option<fn(&SessionConfig) -> String>,
    pub(crate) argument: Argument,
    /// The function that carries it out.
    pub(crate) run: Run,
    /// It needs a login.
    pub(crate) login: bool,
    /// The account needs all of these permissions.
    pub(crate) permissions: Permissions,
    pub(crate) timing: Timing,
    /// Nothing after it is read before it has been answered: what follows may be TLS.
    pub(crate) barrier: bool,
    pub(crate) begins: Begins,
    pub(crate) tls: TlsRule,
    pub(crate) offer: Offer,
    pub(crate) feature: Feature,
    /// The row that holds in its place where there is an argument.
    pub(crate) with_argument: Option<&'static Spec>,
}

/// Carries a command out.
pub(crate) type Run = fn(&mut Session, Call<'_>);

/// A command that is carried out.
pub(crate) struct Call<'a> {
    /// Empty where there is none.
    pub(crate) argument: &'a [u8],
    /// The path of RNFR, when that was the command just before.
    pub(crate) rename_from: Option<VirtualPath>,
    pub(crate) now: Now,
}

/// What may follow a command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// Nothing.
    None,
    /// Something, or nothing.
    Optional,
    /// Something.
    Required,
}

/// What a command does when it comes while a transfer or a digest goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    /// It waits until that is over.
    Waits,
    /// It is executed at once during a transfer, once that has been announced with 150.
    Overtakes,
    /// It tells how far that has come: likewise, and during a digest too.
    Reports,
    /// It breaks that off.
    Aborts,
    /// It is refused at once with 503 during a transfer.
    Refused,
}

/// What begins with a command, and outlasts its execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begins {
    Nothing,
    /// A transfer, over a data connection.
    Transfer,
    /// The digest of a file.
    Digest,
    /// The end of the session, in order.
    End,
}

/// What has to be protected where the policy asks for TLS on data connections: 521 otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsRule {
    /// Nothing.
    None,
    /// The control connection, which carries what is in files and directories.
    Control,
    /// The data connection.
    Data,
}

/// Whether a command is there; 502 otherwise, and HELP and FEAT pass over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Always,
    /// Where [`SessionConfig::digests`] is set.
    Digests,
    /// Its name is known, but it is not implemented.
    Never,
}

/// What FEAT says of a command (RFC 2389 section 3.2).
#[derive(Clone, Copy)]
pub(crate) enum Feature {
    /// Nothing: RFC 959 has it.
    None,
    /// Its name.
    Name,
    /// This.
    Line(&'static str),
    /// This, where the settings are such.
    Where(fn(&SessionConfig) -> bool, &'static str),
    /// What depends on the session.
    Made(fn(&Session) -> String),
}

impl Spec {
    /// Finds a row of a table by its name, in capitals or not.
    pub(crate) fn find_in(table: &'static [Self], name: &[u8]) -> Option<&'static Self> {
        table.iter().find(|spec| spec.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Returns `true` if the command is there with these settings.
    pub(crate) fn is_offered(&self, config: &SessionConfig) -> bool {
        match self.offer {
            Offer::Always => true,
            Offer::Digests => config.digests,
            Offer::Never => false,
        }
    }

    /// Returns `true` if ABOR can break the command off.
    pub(crate) fn takes_long(&self) -> bool {
        matches!(self.begins, Begins::Transfer | Begins::Digest)
    }

    /// Returns the command's line in FEAT, where it has one.
    pub(crate) fn feature(&self, session: &Session, config: &SessionConfig) -> Option<String> {
        match self.feature {
            _ if !self.is_offered(config) => None,
            Feature::None => None,
            Feature::Name => Some(self.name.into()),
            Feature::Line(line) => Some(line.into()),
            Feature::Where(is_set, line) => is_set(config).then(|| line.into()),
            Feature::Made(make) => Some(make(session)),
        }
    }

    /// Writes the command's syntax line, such as `RETR <path>`.
    pub(crate) fn usage(&self, config: &SessionConfig) -> String {
        let syntax = self.syntax_by.map_or(self.syntax.into(), |make| make(config));
        let mut usage = String::from(self.name);
        if !syntax.is_empty() {
            let _ = write!(usage, " {syntax}");
        }
        usage
    }
}

impl PartialEq for Spec {
    /// Rows are the same where they are one.
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self, other)
    }
}

impl Eq for Spec {}

impl fmt::Debug for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A command line, understood.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Command {
    /// A command of the table. The argument is as it was sent, less the one space before it; `None`
    /// when nothing but spaces stood there.
    Known(&'static Spec, Option<Vec<u8>>),
    /// The first line of an HTTP request: a browser was sent here (cross-protocol attack).
    Http,
    /// No command: the line's first word, or its beginning.
    Unknown(Vec<u8>),
    /// A line with more bytes than allowed.
    TooLong,
}

/// How much of a word that is no command is shown to the client.
pub(crate) const LONGEST_WORD: usize = 32;

impl Command {
    /// Takes a line apart. The argument is decoded: see [`name`].
    pub(crate) fn parse(line: &Line) -> Self {
        let Line::Command(line) = line else { return Self::TooLong };
        let end = memchr::memchr(b' ', line).unwrap_or(line.len());
        let (word, rest) = line.split_at(end);
        if let Some(spec) = Spec::find_in(COMMANDS, word) {
            let argument = rest.get(1..).unwrap_or_default();
            if argument.iter().all(|&byte| byte == b' ') {
                return Self::Known(spec, None);
            }
            return Self::Known(spec.with_argument.unwrap_or(spec), Some(name::decode(argument)));
        }
        const HTTP: [&[u8]; 9] = [
            b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH",
        ];
        if HTTP.contains(&word) {
            return Self::Http;
        }
        Self::Unknown(word[..word.len().min(LONGEST_WORD)].to_vec())
    }
}

impl fmt::Debug for Command {
    /// Shows no argument: it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(spec, argument) => {
                let bytes = argument.as_ref().map_or(0, Vec::len);
                write!(f, "{} ({bytes} bytes)", spec.name)
            }
            Self::Http => f.write_str("HTTP"),
            Self::Unknown(_) => f.write_str("unknown"),
            Self::TooLong => f.write_str("too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(line: &[u8]) -> Command {
        Command::parse(&Line::Command(line.to_vec()))
    }

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
    fn what_is_no_command() {
        assert!(matches!(parse(b"GET / HTTP/1.1"), Command::Http));
        assert!(matches!(parse(b"FOO"), Command::Unknown(_)));
        assert!(matches!(parse(b""), Command::Unknown(_)));
        assert!(matches!(parse(b" NOOP"), Command::Unknown(word) if word.is_empty()));
        let long = [&[b'x'; 100][..], b" y"].concat();
        assert!(matches!(parse(&long), Command::Unknown(word) if word == [b'x'; LONGEST_WORD]));
        assert!(matches!(Command::parse(&Line::TooLong), Command::TooLong));
    }

    #[test]
    fn an_argument_may_choose_another_row() {
        let spec = |line: &[u8]| match parse(line) {
            Command::Known(spec, _) => spec,
            other => panic!("{other:?}"),
        };
        assert_eq!(spec(b"STAT  ").timing, Timing::Reports);
        assert_eq!((spec(b"STAT a").timing, spec(b"STAT a").login), (Timing::Waits, true));
    }

    #[test]
    fn no_argument_is_shown() {
        for line in [&b"PASS secret"[..], b"secret"] {
            let shown = std::format!("{:?}", parse(line));
            assert!(!shown.contains("secret"), "{shown}");
        }
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
