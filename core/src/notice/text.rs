//! Notices as text, on one line.

use alloc::vec::Vec;
use core::fmt::{self, Write as _};
use core::time::Duration;

use crate::action::{Filter, Mode};
use crate::event::Denial;
use crate::path::VirtualPath;
use crate::storage::StorageError;
use crate::timestamp::timestamp;

use super::{CutOff, LoginFailure, Notice, Parting, Transferred};

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.name(), self.fields())
    }
}

/// The fields of a notice.
pub(super) struct Fields<'a>(pub(super) &'a Notice);

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Notice::Connected { implicit_tls } => {
                write!(f, " implicit-tls={}", yes_or_no(*implicit_tls))
            }
            Notice::Refused { why } => write!(f, " why={why}"),
            Notice::LoggedIn { user, host, by_certificate, protected } => {
                let by = if *by_certificate { "certificate" } else { "password" };
                write!(f, " by={by} tls={}", yes_or_no(*protected))?;
                write_login(f, user, host.as_deref())
            }
            Notice::LoginFailed { user, host, why } => {
                write!(f, " why={why}")?;
                write_login(f, user, host.as_deref())
            }
            Notice::LoggedOut { user } => write_login(f, user, None),
            Notice::Download(transferred) | Notice::Upload(transferred) => transferred.fmt(f),
            Notice::Deleted { path }
            | Notice::DirectoryMade { path }
            | Notice::DirectoryRemoved { path } => write!(f, " path={}", quoted(path)),
            Notice::Renamed { from, to } => write!(f, " from={} to={}", quoted(from), quoted(to)),
            Notice::FactsChanged { path, modified, mode } => {
                if let Some(modified) = modified {
                    let mut digits = Vec::new();
                    timestamp(*modified, &mut digits);
                    write!(f, " modified={}", digits.escape_ascii())?;
                }
                if let Some(mode) = mode {
                    write!(f, " mode={mode:04o}")?;
                }
                write!(f, " path={}", quoted(path))
            }
            Notice::SiteCalled { command, code } => {
                write!(f, " code={code} command={}", Quoted(command.as_bytes()))
            }
            Notice::Disconnected { why, duration } => {
                write!(f, " why={why} seconds={}", Seconds(*duration))
            }
        }
    }
}

fn write_login(f: &mut fmt::Formatter<'_>, user: &[u8], host: Option<&str>) -> fmt::Result {
    if let Some(host) = host {
        write!(f, " host={}", Quoted(host.as_bytes()))?;
    }
    write!(f, " user={}", Quoted(user))
}

/// Writes the fields.
impl fmt::Display for Transferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.filter {
            Filter::Identity => 'I',
            Filter::Ascii => 'A',
        };
        let mode = match self.mode {
            Mode::Stream => 'S',
            Mode::Deflate { .. } => 'Z',
        };
        write!(f, " bytes={} seconds={}", self.bytes, Seconds(self.duration))?;
        write!(f, " tls={} type={kind} mode={mode} offset=", yes_or_no(self.protected))?;
        match self.offset {
            Some(offset) => write!(f, "{offset}")?,
            None => f.write_str("end")?,
        }
        match self.cut_off {
            Some(why) => write!(f, " end={why}")?,
            None => f.write_str(" end=complete")?,
        }
        write!(f, " path={}", quoted(&self.path))
    }
}

impl fmt::Display for CutOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DataLost => "data-lost",
            Self::Handshake => "handshake",
            Self::Unannounced => "unannounced",
            Self::Excess => "excess",
            Self::Damaged => "damaged",
            Self::Storage(error) => error.word(),
            Self::NoMemory => "no-memory",
            Self::Aborted => "aborted",
            Self::Stalled => "stalled",
            Self::Shutdown => "shutdown",
            Self::ControlClosed => "control-closed",
            Self::SessionEnded => "session-ended",
        })
    }
}

impl StorageError {
    /// All of them.
    #[cfg(feature = "testing")]
    pub(crate) const ALL: [Self; 19] = [
        Self::NotFound,
        Self::PermissionDenied,
        Self::AlreadyExists,
        Self::NotADirectory,
        Self::IsADirectory,
        Self::NotRegular,
        Self::NotEmpty,
        Self::BadName,
        Self::BadOffset,
        Self::NoSpace,
        Self::QuotaExceeded,
        Self::ReadOnly,
        Self::CrossesDevices,
        Self::Displaced,
        Self::Busy,
        Self::Unsupported,
        Self::WouldBlock,
        Self::Panicked,
        Self::Other,
    ];

    /// Returns it as one word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::PermissionDenied => "permission-denied",
            Self::AlreadyExists => "already-exists",
            Self::NotADirectory => "not-a-directory",
            Self::IsADirectory => "is-a-directory",
            Self::NotRegular => "not-regular",
            Self::NotEmpty => "not-empty",
            Self::BadName => "bad-name",
            Self::BadOffset => "bad-offset",
            Self::NoSpace => "no-space",
            Self::QuotaExceeded => "quota-exceeded",
            Self::ReadOnly => "read-only",
            Self::CrossesDevices => "crosses-devices",
            Self::Displaced => "displaced",
            Self::Busy => "busy",
            Self::Unsupported => "unsupported",
            Self::WouldBlock => "would-block",
            Self::Panicked => "panicked",
            Self::Other => "io-error",
        }
    }
}

impl fmt::Display for LoginFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied(Denial::Refused) => "refused",
            Self::Denied(Denial::Unavailable) => "unavailable",
            Self::Denied(Denial::Failed) => "failed",
            Self::Denied(Denial::TooManySessions) => "too-many-sessions",
            Self::Denied(Denial::WrongNetwork) => "wrong-network",
            Self::Denied(Denial::CoolingDown) => "cooling-down",
            Self::TlsRequired => "tls-required",
        })
    }
}

impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quit => "quit",
            Self::ClientClosed => "client-closed",
            Self::Lost => "lost",
            Self::LoginTimeout => "login-timeout",
            Self::IdleTimeout => "idle-timeout",
            Self::HandshakeTimeout => "handshake-timeout",
            Self::LoginFailures => "login-failures",
            Self::AccountsFailed => "accounts-failed",
            Self::Evicted => "evicted",
            Self::NoAnswer => "no-answer",
            Self::Http => "http",
            Self::Shutdown => "shutdown",
            Self::Dropped => "dropped",
        })
    }
}

fn yes_or_no(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "no" }
}

/// Seconds with three decimals.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0.as_secs(), self.0.subsec_millis())
    }
}

fn quoted(path: &VirtualPath) -> Quoted<'_> {
    Quoted(path.as_bytes())
}

/// Bytes that a client may have chosen, as text in quotes and on one line.
///
/// Text in UTF-8 stands as it is, but for `"` and `\`, which have a `\` before them, and for what
/// could end a line, control a terminal or turn the direction of writing: that stands as `\n`, `\r`,
/// `\t` or, each byte of it, as `\x1b`. So do bytes that are not UTF-8.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a>(pub &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                match character {
                    '"' | '\\' => write!(f, "\\{character}")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    _ if is_unsafe(character) => {
                        let mut utf8 = [0; 4];
                        write_hex(f, character.encode_utf8(&mut utf8).as_bytes())?;
                    }
                    _ => f.write_char(character)?,
                }
            }
            write_hex(f, chunk.invalid())?;
        }
        f.write_char('"')
    }
}

/// Returns `true` if a character could do more to a line than stand in it: besides control
/// characters, Unicode's line ends, what is not seen, and what turns the direction of writing.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "\\x{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_stays_in_its_quotes_and_on_its_line() {
        let quoted = |bytes: &[u8]| alloc::format!("{}", Quoted(bytes));
        assert_eq!(quoted(b""), r#""""#);
        assert_eq!(quoted("/Übersicht für \u{1f6a2}.txt".as_bytes()), "\"/Übersicht für 🚢.txt\"");
        assert_eq!(quoted(b"a\" end=\"b\\"), r#""a\" end=\"b\\""#);
        assert_eq!(quoted(b"a\r\n\t\0\x1b[2K\x7f\xff\xc3"), r#""a\r\n\t\x00\x1b[2K\x7f\xff\xc3""#);
        assert_eq!(
            quoted("\u{9b}\u{2028}\u{202e}\u{61c}".as_bytes()),
            r#""\xc2\x9b\xe2\x80\xa8\xe2\x80\xae\xd8\x9c""#
        );
    }

    #[test]
    fn seconds_have_three_decimals() {
        let seconds = |millis| alloc::format!("{}", Seconds(Duration::from_millis(millis)));
        assert_eq!((&seconds(0)[..], &seconds(61_007)[..]), ("0.000", "61.007"));
    }
}
