//! The languages of replies (LANG, RFC 2640 section 4).
//!
//! Reply texts stand in English where they are sent, with a `{}` for each name and number in them.
//! That English is what a translation is found by, and is sent itself where there is none.
//!
//! To add a language, write a file like `german.rs` and list it in [`LANGUAGES`]; the tests name
//! each text that it lacks. In a translation the `{}` stand for the same things in the same order.

mod german;
#[cfg(test)]
mod tests;

use alloc::string::String;
use core::fmt;

/// A language, and its texts.
pub(crate) struct Language {
    /// Its language tag (RFC 5646), in capitals.
    tag: &'static str,
    /// English texts and what is said instead, in the order of the English.
    texts: &'static [(&'static str, &'static str)],
}

/// The default, as RFC 2640 section 4.1 recommends.
pub(crate) static ENGLISH: Language = Language { tag: "EN", texts: &[] };

static LANGUAGES: &[&Language] = &[&ENGLISH, &german::GERMAN];

/// Words that say nothing by themselves, and so need no translation.
pub(crate) const VERBATIM: &str = "{}";

/// Why there is no language for a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BadTag {
    /// It is no language tag.
    Malformed,
    /// None of the languages goes by it.
    Unknown,
}

impl Language {
    /// Finds a language by its tag, in capitals or not.
    ///
    /// Of a variant that is not there the language itself will do: `de-AT` is `de`. RFC 2640
    /// section 4.2 leaves that to the server; RFC 4647 section 3.4 has the rule.
    pub(crate) fn find(tag: &[u8]) -> Result<&'static Self, BadTag> {
        if !is_tag(tag) {
            return Err(BadTag::Malformed);
        }
        let mut range = tag;
        loop {
            let is_range = |language: &&&Self| language.tag.as_bytes().eq_ignore_ascii_case(range);
            if let Some(language) = LANGUAGES.iter().find(is_range) {
                return Ok(language);
            }
            let end = range.iter().rposition(|&byte| byte == b'-').ok_or(BadTag::Unknown)?;
            range = &range[..end];
        }
    }

    pub(crate) fn tag(&self) -> &'static str {
        self.tag
    }

    /// Lists all languages for FEAT, this one with an asterisk: `EN*;DE` (RFC 2640 section 4.3).
    pub(crate) fn feature(&self) -> String {
        let mut list = String::new();
        for language in LANGUAGES {
            if !list.is_empty() {
                list.push(';');
            }
            list.push_str(language.tag);
            if language.tag == self.tag {
                list.push('*');
            }
        }
        list
    }

    /// Returns what this language says for an English text.
    pub(crate) fn translate(&self, english: &'static str) -> &'static str {
        if self.texts.is_empty() || english == VERBATIM {
            return english;
        }
        match self.texts.binary_search_by_key(&english, |&(key, _)| key) {
            Ok(index) => self.texts[index].1,
            Err(_) => {
                log::debug!("{}: no translation of {english:?}", self.tag);
                english
            }
        }
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tag)
    }
}

/// Returns `true` if this has the form of a language tag: letters, and subtags of letters and digits.
fn is_tag(tag: &[u8]) -> bool {
    let mut subtags = tag.split(|&byte| byte == b'-');
    let is_subtag =
        |tag: &[u8]| matches!(tag.len(), 1..=8) && tag.iter().all(u8::is_ascii_alphanumeric);
    let primary = subtags.next().unwrap_or_default();
    is_subtag(primary) && primary.iter().all(u8::is_ascii_alphabetic) && subtags.all(is_subtag)
}
