//! Transfer parameters: TYPE, STRU, MODE, REST, RANG, ALLO, OPTS, LANG.

use alloc::format;

use crate::action::Filter;
use crate::facts::Facts;
use crate::language::{BadTag, ENGLISH, Language};
use crate::reply::Text;

use super::state::{DEFAULT_LEVEL, Range};
use super::{NO_RANGE_HERE, Session, number, trim};

/// Largest offset and size: the largest that operating systems know.
const LARGEST: u64 = i64::MAX as u64;

impl Session {
    /// TYPE (RFC 959 section 3.1.1, RFC 1123 section 4.1.2.1).
    pub(crate) fn set_type(&mut self, argument: &[u8]) {
        let (filter, text) = match trim(argument).to_ascii_uppercase().as_slice() {
            b"A" | b"A N" | b"AN" => (Filter::Ascii, "Type set to ASCII."),
            b"I" | b"L 8" | b"L8" => (Filter::Identity, "Type set to binary."),
            _ => return self.reply(504, "Unsupported type; A, A N, I and L 8 are supported."),
        };
        self.parameters.filter = filter;
        self.reply(200, text);
    }

    /// STRU (RFC 959 section 3.1.2).
    pub(crate) fn set_structure(&mut self, argument: &[u8]) {
        match trim(argument).to_ascii_uppercase().as_slice() {
            b"F" => self.reply(200, "Structure set to file."),
            b"R" | b"P" => self.reply(504, "Unimplemented structure; F is supported."),
            _ => self.reply(501, "Unrecognized structure; F is supported."),
        }
    }

    /// MODE (RFC 959 section 3.4, draft-preston-ftpext-deflate).
    pub(crate) fn set_mode(&mut self, argument: &[u8]) {
        match trim(argument).to_ascii_uppercase().as_slice() {
            b"S" => {
                self.parameters.deflate = false;
                self.reply(200, "Mode set to stream.");
            }
            b"Z" if self.config.mode_z => {
                self.parameters.deflate = true;
                self.reply(200, "Mode set to deflate.");
            }
            b"B" | b"C" | b"Z" if !self.config.mode_z => {
                self.reply(504, "Unimplemented mode; S is supported.");
            }
            b"B" | b"C" => self.reply(504, "Unimplemented mode; S and Z are supported."),
            _ if !self.config.mode_z => {
                self.reply(501, "Unrecognized mode; S is supported.");
            }
            _ => self.reply(501, "Unrecognized mode; S and Z are supported."),
        }
    }

    /// REST (RFC 3659 section 5). The marker waits for the next transfer command; what comes in
    /// between (PASV, TYPE, SIZE ...) keeps it.
    pub(crate) fn restart(&mut self, argument: &[u8]) {
        match number(trim(argument)).filter(|&offset| offset <= LARGEST) {
            Some(offset) => {
                self.parameters.range =
                    if offset == 0 { Range::Whole } else { Range::From(offset) };
                self.reply(350, Text::from("Restarting at {}.").with(offset));
            }
            None => self.reply(501, "Invalid parameter: an offset in bytes is wanted."),
        }
    }

    /// RANG (draft-bryan-ftp-range-08 section 3): the first and the last byte of what the next
    /// RETR, STOR or HASH covers; it waits for that one as REST does, and takes its place.
    pub(crate) fn rang(&mut self, argument: &[u8]) {
        let mut words = trim(argument).splitn(2, |&byte| byte == b' ');
        let mut point = || number(words.next()?).filter(|&point| point <= LARGEST);
        match (point(), point()) {
            (Some(1), Some(0)) => {
                self.parameters.range = Range::Whole;
                self.reply(350, "No range: whole files again.");
            }
            (Some(start), Some(last)) if start > last => {
                self.parameters.range = Range::Whole;
                self.reply(501, "Invalid range: it ends before it begins; whole files again.");
            }
            (Some(_), Some(_)) if !self.parameters.is_plain() => {
                self.reply(551, NO_RANGE_HERE);
            }
            (Some(start), Some(last)) => {
                self.parameters.range = Range::Between { start, end: last + 1 };
                let text = Text::from("Range begins at {} and ends at {}.");
                self.reply(350, text.with(start).with(last));
            }
            _ => self.reply(501, "Invalid parameter: the first and the last byte are wanted."),
        }
    }

    /// ALLO (RFC 959 section 4.1.3): nothing needs to be allocated.
    pub(crate) fn allo(&mut self, argument: &[u8]) {
        let words = || trim(argument).split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        let is_size = |word: &[u8]| number(word).is_some_and(|size| size <= LARGEST);
        let mut two = words();
        let valid = match (two.next(), two.next(), two.next(), two.next()) {
            (Some(size), None, ..) => is_size(size),
            (Some(size), Some(r), Some(record), None) => {
                is_size(size) && r.eq_ignore_ascii_case(b"R") && is_size(record)
            }
            _ => false,
        };
        if valid {
            self.reply(202, "No storage allocation necessary.");
        } else {
            self.reply(501, "Invalid parameter: a size in bytes is wanted.");
        }
    }

    /// OPTS (RFC 2389 section 4).
    pub(crate) fn opts(&mut self, argument: &[u8]) {
        let mut words = trim(argument).splitn(2, |&byte| byte == b' ');
        let command = words.next().unwrap_or_default().to_ascii_uppercase();
        let options = trim(words.next().unwrap_or_default());
        match command.as_slice() {
            b"MLST" => self.opts_mlst(options),
            b"HASH" if self.config.digests => self.opts_hash(options),
            b"MODE" if self.config.mode_z => self.opts_mode(options),
            b"UTF8" if options.is_empty() || options.eq_ignore_ascii_case(b"ON") => {
                self.reply(200, "UTF8 is always on.");
            }
            b"UTF8" => self.reply(501, "Invalid argument: UTF8 is always on."),
            _ => self.reply(501, "Unsupported command for OPTS."),
        }
    }

    /// OPTS MLST (RFC 3659 section 7.9).
    fn opts_mlst(&mut self, options: &[u8]) {
        if options.contains(&b' ') {
            self.reply(501, "Invalid number of arguments: facts are parted by semicolons.");
        } else if !options.is_empty() && !options.ends_with(b";") {
            self.reply(501, "Invalid argument: each fact ends with a semicolon.");
        } else {
            let facts = Facts::parse(options);
            self.parameters.facts = facts;
            let text = format!("MLST OPTS {facts}");
            self.reply(200, Text::verbatim(text.trim_end()));
        }
    }

    /// LANG (RFC 2640 section 4): the language of replies. USER and AUTH do not undo it, since
    /// section 4.1 names HOST and REIN only.
    pub(crate) fn lang(&mut self, argument: &[u8]) {
        let language = match trim(argument) {
            b"" => Ok(&ENGLISH),
            tag => Language::find(tag),
        };
        match language {
            Ok(language) => {
                self.replies.set_language(language);
                self.reply(200, Text::from("Replies are in English ({}).").with(language.tag()));
            }
            Err(BadTag::Malformed) => self.reply(501, "Invalid language tag."),
            Err(BadTag::Unknown) => {
                self.reply(504, "Language not supported; FEAT shows which are.");
            }
        }
    }

    /// OPTS MODE Z (draft-preston-ftpext-deflate): pairs of a name and a value; without any,
    /// everything is as at first. Only LEVEL has more than one value.
    fn opts_mode(&mut self, options: &[u8]) {
        let options = options.to_ascii_uppercase();
        let mut words = options.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        if words.next() != Some(b"Z") {
            return self.reply(501, "Unsupported mode for OPTS; Z has options.");
        }
        let mut level = match words.clone().next() {
            Some(_) => self.parameters.level,
            None => DEFAULT_LEVEL,
        };
        while let Some(name) = words.next() {
            match (name, words.next()) {
                (b"LEVEL", Some([digit @ b'0'..=b'9'])) => level = digit - b'0',
                (b"LEVEL", _) => return self.reply(501, "Invalid LEVEL; 0 to 9 are supported."),
                (b"ENGINE", Some(b"ZLIB")) | (b"METHOD", Some(b"8")) => {}
                _ => {
                    let text = "Unsupported option; LEVEL, ENGINE ZLIB and METHOD 8 are supported.";
                    return self.reply(501, text);
                }
            }
        }
        self.parameters.level = level;
        self.reply(200, Text::from("MODE Z LEVEL set to {}.").with(level));
    }
}
