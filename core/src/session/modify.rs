//! Changing facts: MFMT and MFF (draft-somers-ftp-mfxx-04), SITE CHMOD and SITE UTIME.

use alloc::vec::Vec;

use crate::digits;
use crate::notice::Notice;
use crate::permissions::Permissions;
use crate::reply::Text;
use crate::storage::{Metadata, StorageRequest};
use crate::time::WallTime;
use crate::timestamp::{parse_timestamp, timestamp};

use super::Session;
use super::failure::Refusal;
use super::state::{Changed, Continuation};

/// The bits that clients may set. Those beyond make a program run as another user.
const MODE_BITS: u32 = 0o777;

/// The facts that are to be.
#[derive(Clone, Copy, Default)]
struct NewFacts {
    modified: Option<WallTime>,
    mode: Option<u32>,
}

const NO_TIME: Refusal = (501, "Invalid time: YYYYMMDDHHMMSS in UTC is wanted.");

impl Session {
    /// MFMT.
    pub(crate) fn mfmt(&mut self, argument: &[u8]) {
        let Some((time, name)) = cut(argument) else {
            return self.reply(501, "Syntax error: MFMT <YYYYMMDDHHMMSS> <path>.");
        };
        let Some(modified) = parse_timestamp(time) else {
            return self.reply(NO_TIME.0, NO_TIME.1);
        };
        self.set_facts(name, NewFacts { modified: Some(modified), mode: None });
    }

    /// MFF.
    pub(crate) fn mff(&mut self, argument: &[u8]) {
        let Some((facts, name)) = cut(argument) else {
            return self.reply(501, "Syntax error: MFF <fact>=<value>;... <path>.");
        };
        match NewFacts::parse(facts) {
            Ok(facts) => self.set_facts(name, facts),
            Err((code, text)) => self.reply(code, text),
        }
    }

    /// SITE CHMOD.
    pub(crate) fn chmod(&mut self, argument: &[u8]) {
        let Some((mode, name)) = cut(argument) else {
            return self.reply(501, "Syntax error: SITE CHMOD <octal mode> <path>.");
        };
        match parse_mode(mode) {
            Ok(mode) => {
                let facts = NewFacts { mode: Some(mode), modified: None };
                self.change(name, facts, Changed::Mode);
            }
            Err((code, text)) => self.reply(code, text),
        }
    }

    /// SITE UTIME.
    pub(crate) fn utime(&mut self, argument: &[u8]) {
        let Some((modified, name)) = utime_arguments(argument) else {
            return self.reply(501, "Syntax error: SITE UTIME <YYYYMMDDHHMMSS> <path>.");
        };
        let facts = NewFacts { modified: Some(modified), mode: None };
        self.change(name, facts, Changed::Time);
    }

    fn set_facts(&mut self, name: &[u8], facts: NewFacts) {
        let (modified, mode) = (facts.modified.is_some(), facts.mode.is_some());
        self.change(name, facts, Changed::Facts { modified, mode, name: name.to_vec() });
    }

    fn change(&mut self, name: &[u8], facts: NewFacts, changed: Changed) {
        let NewFacts { modified, mode } = facts;
        let set_time = modified.map_or(Permissions::NONE, |_| Permissions::SET_TIME);
        let change_mode = mode.map_or(Permissions::NONE, |_| Permissions::CHANGE_MODE);
        let Some(path) = self.resolve(name, set_time | change_mode) else { return };
        if path.is_root() && mode.is_some() {
            // It could lock out every account whose root this is.
            return self.reply(550, "Can't change the mode of the root directory.");
        }
        let notice = self.notice(|| Notice::FactsChanged { path: path.clone(), modified, mode });
        let done = Continuation::Changed(changed, notice);
        self.ask(StorageRequest::SetFacts { path, modified, mode }, done);
    }

    /// The storage has changed what was asked for: the reply tells what is there now.
    pub(super) fn facts_changed(&mut self, changed: &Changed, metadata: &Metadata) {
        let mut text = Vec::new();
        let mode = metadata.mode & 0o7777;
        match changed {
            Changed::Facts { modified, mode: with_mode, name } => {
                if *modified {
                    text.extend_from_slice(b"Modify=");
                    timestamp(metadata.modified, &mut text);
                    text.push(b';');
                }
                if *with_mode {
                    text.extend_from_slice(b"UNIX.mode=");
                    text.extend_from_slice(&digits::mode(metadata.mode));
                    text.push(b';');
                }
                text.push(b' ');
                text.extend_from_slice(name);
                self.reply(213, Text::verbatim(text));
            }
            Changed::Time => {
                timestamp(metadata.modified, &mut text);
                self.reply(200, Text::from("Modification time set to {}.").with_name(&text));
            }
            Changed::Mode => {
                let text = Text::from("Mode set to {}.").with(format_args!("{mode:04o}"));
                self.reply(200, text);
            }
        }
    }
}

impl NewFacts {
    /// Reads facts of MFF, each with its `;`: all of them, or what is wrong.
    fn parse(facts: &[u8]) -> Result<Self, Refusal> {
        const NO_FACTS: Refusal = (501, "Invalid facts: each is <fact>=<value>; and comes once.");
        let facts = facts.strip_suffix(b";").ok_or(NO_FACTS)?;
        let mut new = Self::default();
        for fact in facts.split(|&byte| byte == b';') {
            let equals = memchr::memchr(b'=', fact).ok_or(NO_FACTS)?;
            let (name, value) = (&fact[..equals], &fact[equals + 1..]);
            let twice = if name.eq_ignore_ascii_case(b"Modify") {
                new.modified.replace(parse_timestamp(value).ok_or(NO_TIME)?).is_some()
            } else if name.eq_ignore_ascii_case(b"UNIX.mode") {
                new.mode.replace(parse_mode(value)?).is_some()
            } else {
                return Err((504, "Unsupported fact; Modify and UNIX.mode can be changed."));
            };
            if twice {
                return Err(NO_FACTS);
            }
        }
        Ok(new)
    }
}

/// Parts the first word from what follows its space; both are needed.
fn cut(argument: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', argument)?;
    let (word, name) = (&argument[..space], &argument[space + 1..]);
    (!word.is_empty() && !name.is_empty()).then_some((word, name))
}

/// Reads a mode in octal digits.
fn parse_mode(digits: &[u8]) -> Result<u32, Refusal> {
    const NO_MODE: Refusal = (501, "Invalid mode: octal digits such as 644 are wanted.");
    let octal = digits.iter().all(|digit| matches!(digit, b'0'..=b'7'));
    if !octal || !(1..=8).contains(&digits.len()) {
        return Err(NO_MODE);
    }
    let mode = digits.iter().fold(0, |mode, digit| mode << 3 | u32::from(digit - b'0'));
    if mode > MODE_BITS { Err((504, "Only the bits of 0777 can be set.")) } else { Ok(mode) }
}

/// Reads either order of the arguments of SITE UTIME: `<time> <path>`, or `<path> <access time>
/// <modification time> <creation time> UTC`, of which only the second can be set.
fn utime_arguments(argument: &[u8]) -> Option<(WallTime, &[u8])> {
    three_times(argument).or_else(|| {
        let (time, name) = cut(argument)?;
        Some((utime_stamp(time)?, name))
    })
}

fn three_times(argument: &[u8]) -> Option<(WallTime, &[u8])> {
    let mut words = argument.rsplitn(5, |&byte| byte == b' ');
    words.next().filter(|zone| zone.eq_ignore_ascii_case(b"UTC"))?;
    let _created = utime_stamp(words.next()?)?;
    let modified = utime_stamp(words.next()?)?;
    let _accessed = utime_stamp(words.next()?)?;
    Some((modified, words.next().filter(|name| !name.is_empty())?))
}

/// Reads a time that may lack its seconds.
fn utime_stamp(text: &[u8]) -> Option<WallTime> {
    if text.len() == 12 { parse_timestamp(&[text, b"00"].concat()) } else { parse_timestamp(text) }
}
