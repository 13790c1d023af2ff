//! Digests of files: HASH (draft-bryan-ftpext-hash-02), and XCRC, XMD5, XSHA and their kin.
//!
//! Like a transfer it goes on beside the session, but there is no 1xx that would tell a client that
//! the reply is still to come. So only what is about it overtakes it: STAT and ABOR.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use crate::action::Action;
use crate::digest::DigestAlgorithm;
use crate::event::{DigestEnd, RequestId};
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::reply::Text;
use crate::storage::{StorageAnswer, StorageError, StorageRequest};
use crate::time::{Instant, Now};

use super::failure::{Refusal, failure};
use super::state::{DigestStage, Digesting, Form, NotAwaited, Part, Range, Work};
use super::stop::{StopReason, Stopped};
use super::{Session, StorageOutcome, number, trim};

impl Digesting {
    /// Returns `true` if it goes on by itself, and can be asked about and stopped.
    pub(super) fn is_reading(&self) -> bool {
        self.stop.is_none() && matches!(self.stage, DigestStage::Reading { .. })
    }

    /// Returns the storage request that it waits for.
    pub(super) fn awaits_storage(&self) -> Option<RequestId> {
        match self.stage {
            DigestStage::Opening(id) => Some(id),
            DigestStage::Reading { .. } => None,
        }
    }

    /// When it has to be over.
    pub(super) fn deadline(&self, shutdown: Option<Instant>) -> Option<Instant> {
        shutdown.filter(|_| self.is_reading())
    }

    /// A line for STAT.
    pub(super) fn status(&self) -> Text {
        match &self.stage {
            DigestStage::Opening(_) => "Opening a file for its digest".into(),
            DigestStage::Reading { part, bytes, .. } => {
                let text = Text::from("Computing the {} of a file: {} of {} bytes");
                text.with(self.algorithm.name()).with(bytes).with(part.end - part.start)
            }
        }
    }
}

impl Form {
    /// Returns which bytes of a file of this size are meant, or why there are none such.
    fn part(&self, size: u64) -> Result<Part, Refusal> {
        match self {
            // Of a range counts what there is of it, and the reply names that.
            Form::Hash { part: Some(part), .. } if part.start > 0 && part.start >= size => {
                Err(failure(StorageError::BadOffset))
            }
            Form::Hash { part: Some(part), .. } => Ok(part.start..part.end.min(size)),
            Form::Bare { part: Some(part) } if part.end > size => {
                Err((550, "The range ends beyond the end of the file."))
            }
            Form::Bare { part: Some(part) } => Ok(part.clone()),
            Form::Hash { part: None, .. } | Form::Bare { part: None } => Ok(0..size),
        }
    }

    /// Returns why the file could not be opened.
    fn failure(&self, error: StorageError) -> Refusal {
        let (code, text) = failure(error);
        match (self, error) {
            // Section 3.5 of the draft.
            (Form::Hash { .. }, StorageError::IsADirectory) => (553, text),
            (Form::Hash { .. }, StorageError::PermissionDenied) => (552, text),
            _ => (code, text),
        }
    }
}

impl Session {
    /// HASH. The digest is that of the file as TYPE I sends it, whatever TYPE is.
    pub(crate) fn hash(&mut self, argument: &[u8]) {
        let mut part = None;
        // REST is for a transfer, which may still come.
        if let Range::Between { start, end } = self.parameters.range {
            part = Some(start..end);
            self.parameters.range = Range::Whole;
        }
        let form = Form::Hash { given: argument.to_vec(), part };
        self.digest(self.parameters.hash, argument, form);
    }

    /// XCRC, XMD5, XSHA, XSHA1, XSHA256, XSHA512.
    pub(crate) fn bare_digest(&mut self, algorithm: DigestAlgorithm, argument: &[u8]) {
        match bare_argument(argument) {
            Some((name, part)) => self.digest(algorithm, &name, Form::Bare { part }),
            None => self.reply(501, "Syntax error: <path> or \"<path>\", then <start> <end>."),
        }
    }

    fn digest(&mut self, algorithm: DigestAlgorithm, name: &[u8], form: Form) {
        match self.locate(name, Permissions::RETRIEVE) {
            Ok(path) => self.open_for_digest(algorithm, path, form),
            Err(error) => {
                let (code, text) = form.failure(error);
                self.reply(code, text);
            }
        }
    }

    fn open_for_digest(&mut self, algorithm: DigestAlgorithm, path: VirtualPath, form: Form) {
        let stage = DigestStage::Opening(self.request(StorageRequest::OpenRead(path)));
        self.work = Work::Digesting(Digesting { algorithm, form, stage, stop: None });
    }

    /// OPTS HASH (section 3.2 of the draft).
    pub(super) fn opts_hash(&mut self, name: &[u8]) {
        match DigestAlgorithm::find(name) {
            _ if name.is_empty() => {}
            Some(algorithm) => self.parameters.hash = algorithm,
            None => return self.reply(501, "Unknown algorithm, current selection not changed."),
        }
        self.reply(200, Text::verbatim(self.parameters.hash.name()));
    }

    /// The storage has opened the file, or has not.
    pub(super) fn digest_opened(&mut self, file: RequestId, outcome: StorageOutcome) {
        let Work::Digesting(digesting) = &self.work else { return };
        let algorithm = digesting.algorithm;
        let part = match outcome {
            Ok(StorageAnswer::Opened(opened)) => {
                let part = digesting.form.part(opened.size);
                if part.is_err() {
                    self.actions.push_back(Action::Release(file));
                }
                part
            }
            outcome => Err(digesting.form.failure(outcome.err().unwrap_or(StorageError::Other))),
        };
        match part {
            Ok(part) => {
                let id = self.next_id();
                let (start, end) = (part.start, part.end);
                self.actions.push_back(Action::Digest { id, file, algorithm, start, end });
                if let Work::Digesting(digesting) = &mut self.work {
                    digesting.stage = DigestStage::Reading { id, part, bytes: 0 };
                }
            }
            Err((code, text)) => {
                self.work = Work::Idle;
                self.reply(code, text);
            }
        }
    }

    pub(super) fn digest_progressed(
        &mut self,
        progressed: RequestId,
        so_far: u64,
        now: Now,
    ) -> Result<(), NotAwaited> {
        if let Work::Digesting(digesting) = &mut self.work
            && let DigestStage::Reading { id, bytes, .. } = &mut digesting.stage
            && *id == progressed
        {
            *bytes = so_far.max(*bytes);
            // What moves is waited for, for a client that has closed its side too.
            self.active = now.instant;
            return Ok(());
        }
        Err(NotAwaited(progressed))
    }

    /// Breaks the digest off.
    pub(super) fn stop_digest(&mut self, why: StopReason) {
        let Work::Digesting(digesting) = &mut self.work else { return };
        match digesting.stage {
            DigestStage::Reading { .. } if digesting.stop.is_none() => {
                digesting.stop = Some(why);
                self.actions.push_back(Action::StopDigest);
            }
            _ => {}
        }
    }

    /// The last byte has been read, or no more will be.
    pub(super) fn digest_ended(
        &mut self,
        ended: RequestId,
        end: DigestEnd,
    ) -> Result<(), NotAwaited> {
        let (start, last) = match &self.work {
            Work::Digesting(Digesting { stage: DigestStage::Reading { id, part, .. }, .. })
                if *id == ended =>
            {
                // Of no bytes at all there is no last one; the draft wants one all the same.
                (part.start, part.end.saturating_sub(1).max(part.start))
            }
            _ => return Err(NotAwaited(ended)),
        };
        let Work::Digesting(digesting) = core::mem::replace(&mut self.work, Work::Idle) else {
            return Ok(());
        };
        let algorithm = digesting.algorithm.name();
        let (code, text) = match (end, &digesting.form) {
            (DigestEnd::Complete(digest), Form::Hash { given, .. }) => {
                let mut parts =
                    alloc::format!("{algorithm} {start}-{last} {} ", Hex(&digest)).into_bytes();
                parts.extend_from_slice(given);
                (213, Text::verbatim(parts))
            }
            (DigestEnd::Complete(digest), Form::Bare { .. }) => {
                (250, Text::verbatim(Hex(&digest).to_string()))
            }
            (DigestEnd::Storage(StorageError::Busy), _) => {
                (450, failure(StorageError::Busy).1.into())
            }
            (DigestEnd::Storage(error), _) => (451, failure(error).1.into()),
            (DigestEnd::Stopped, _) => {
                (426, digesting.stop.unwrap_or(StopReason::Aborted).text(Stopped::Digest).into())
            }
        };
        self.journal.ordinary(format_args!("{algorithm} of a file, {code}"));
        self.reply(code, text);
        if digesting.stop == Some(StopReason::Aborted) {
            self.reply(226, Text::from("{} command successful.").with("ABOR"));
        }
        Ok(())
    }
}

/// Writes bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads `<path>`, `<path> <start> <end>`, or either with `"<path>"`, whose own quotes are doubled.
///
/// The bytes meant begin at `start` and end before `end`, as GlobalSCAPE's XCRC and ProFTPD have it.
/// A single number is the end to some servers and the start to others: after quotes that is an
/// error, without them it belongs to the name. `None` is an error.
fn bare_argument(argument: &[u8]) -> Option<(Vec<u8>, Option<Part>)> {
    if let Some((name, rest)) = quoted(argument) {
        let part = match trim(rest) {
            b"" => None,
            points => Some(part(points)?),
        };
        return Some((name, part));
    }
    let space = |bytes: &[u8]| bytes.iter().rposition(|&byte| byte == b' ');
    let before_points = space(argument).and_then(|at| space(&argument[..at]));
    match before_points {
        Some(at) if at > 0 && is_numbers(&argument[at..]) => {
            Some((argument[..at].to_vec(), Some(part(&argument[at..])?)))
        }
        _ => Some((argument.to_vec(), None)),
    }
}

/// Returns `true` if there are two numbers, however large.
fn is_numbers(points: &[u8]) -> bool {
    let mut words = trim(points).split(|&byte| byte == b' ');
    let is_number = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    words.clone().count() == 2 && words.all(is_number)
}

/// Reads two numbers of which the second is not the smaller.
fn part(points: &[u8]) -> Option<Part> {
    let mut words = trim(points).split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let (start, end) = (number(words.next()?)?, number(words.next()?)?);
    (words.next().is_none() && start <= end).then_some(start..end)
}

/// Takes a quoted name off the front; `None` where there is none.
fn quoted(argument: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut rest = argument.strip_prefix(b"\"")?;
    let mut name = Vec::new();
    loop {
        let end = memchr::memchr(b'"', rest)?;
        name.extend_from_slice(&rest[..end]);
        match rest.get(end + 1) {
            Some(b'"') => name.push(b'"'),
            None | Some(b' ') if !name.is_empty() => return Some((name, &rest[end + 1..])),
            _ => return None,
        }
        rest = &rest[end + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arguments_of_many_clients() {
        let whole = |name: &str| Some((name.as_bytes().to_vec(), None));
        let part = |name: &str, start, end| Some((name.as_bytes().to_vec(), Some(start..end)));
        for (argument, expected) in [
            ("file", whole("file")),
            ("a file", whole("a file")),
            ("file 0 10", part("file", 0, 10)),
            ("a file 5 10", part("a file", 5, 10)),
            ("\"file\"", whole("file")),
            ("\"file\" ", whole("file")),
            ("\"a file\" 0 10", part("a file", 0, 10)),
            ("\"a file\"  0  10 ", part("a file", 0, 10)),
            ("\"file 0 10\"", whole("file 0 10")),
            ("\"say \"\"hello\"\"\" 0 0", part("say \"hello\"", 0, 0)),
            // A year, or the number of a chapter.
            ("report 2024", whole("report 2024")),
            ("0 10", whole("0 10")),
            (" 0 10", whole(" 0 10")),
            ("file 0 -1", whole("file 0 -1")),
            // No quoted name.
            ("\"", whole("\"")),
            ("\"\"", whole("\"\"")),
            ("\"file", whole("\"file")),
            ("\"a\"b", whole("\"a\"b")),
            // Nonsense.
            ("\"file\" 10", None),
            ("\"file\" 0 x", None),
            ("\"file\" 0 1 2", None),
            ("\"file\" 10 5", None),
            ("file 10 5", None),
            ("file 0 99999999999999999999", None),
        ] {
            assert_eq!(bare_argument(argument.as_bytes()), expected, "{argument}");
        }
    }

    proptest! {
        #[test]
        fn reading_arguments_is_total(argument in "[\" 0-9a]{0,12}") {
            let _ = bare_argument(argument.as_bytes());
        }

        #[test]
        fn every_name_can_be_quoted(name in "[\" 0-9a]{1,12}", start in 0..9u64, more in 0..9u64) {
            let argument = alloc::format!("\"{}\" {start} {}", name.replace('"', "\"\""), start + more);
            let expected = Some((name.into_bytes(), Some(start..start + more)));
            prop_assert_eq!(bare_argument(argument.as_bytes()), expected);
        }
    }
}
