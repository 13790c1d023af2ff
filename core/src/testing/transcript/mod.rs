//! Transcripts: what a client and a driver say to a session, and what it says to them.

mod section;
mod settings;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::string::String;
use std::vec::Vec;
use std::{fmt, format, vec};

pub use self::section::Section;
pub use self::step::{Outcome, Step};
use super::dice::Dice;

type Result<T> = core::result::Result<T, String>;

/// How many times each session is split at random.
const SEEDS: u64 = 8;

/// A transcript: sessions as text, what goes in and what must come out.
///
/// | line | meaning |
/// |---|---|
/// | `=== title` | a new session begins, with the default settings |
/// | `config login_delay=0s`, `peer 10.0.0.1:4000`, `local 10.0.0.9:21`, `admission server-full`, `implicit`, `public-address 203.0.113.7` | how it is set up |
/// | `login elr` | it has been logged in with these permissions; not looked at further |
/// | `C: text` | the client sends a line; CRLF is added |
/// | `C< bytes` | the client sends bytes as they are |
/// | `> event` | an event goes in, see below |
/// | `@ +300s` | time passes, from deadline to deadline |
/// | `S: text` | the reply lines that come of it |
/// | `S~ text` | a whole reply comes of it, with this line in it |
/// | `S! text` | and without this text in any of its lines; neighbours speak of the same reply |
/// | `S< bytes` | reply bytes that are no line: Telnet |
/// | `! action` | the actions that come of it, as [`show_action`](super::show_action) writes them |
/// | `? unread 12` | so many bytes of the client are not taken yet |
/// | `? timeout +3s`, `? timeout none` | when the next deadline is |
/// | `# text` | a comment |
///
/// Bytes are UTF-8 with the escapes `\r`, `\n`, `\0`, `\\` and `\xFF`. What comes of an input is
/// compared in its order, reply lines and actions each by themselves.
///
/// ```
/// use wharf_core::testing::Transcript;
///
/// let transcript = Transcript::parse(
///     "login.txt",
///     r"
/// === a login
/// S: 220 wharf FTP server ready.
/// C: USER anna
/// S: 331 Password required.
/// C: PASS secret
/// ! authenticate #1 anna secret
/// > authenticated #1 elr
/// S: 230 Login successful.
/// C: MKD new
/// S: 550 Permission denied.
/// ",
/// )?;
/// transcript.play()?;
/// # Ok::<(), wharf_core::testing::TranscriptError>(())
/// ```
///
/// # Events
///
/// | text | event |
/// |---|---|
/// | `timeout` | the deadline has come (`@` does it too) |
/// | `control-ending`, `control-closed`, `control-lost`, `evicted`, `dropped` | the control connection |
/// | `shutdown +30s` | the server stops, transfers within that time |
/// | `tls-started`, `tls-started certificate` | TLS on the control connection |
/// | `authenticated #1 elr`, `… #1 refused`, `… #1 unavailable`, `… #1 broken` | a login |
/// | `authenticated #1 elr tls=all download=5 upload=5 /in:elw` | a login with more to it |
/// | `done #2`, `failed #2 not-found` | a storage request |
/// | `metadata #2 file size=12` | what stands there |
/// | `space #2 1000`, `space #2 unknown` | how much more can be stored |
/// | `opened #2 size=12 existed` | a file or directory |
/// | `name #2 a.1` | a name that nothing has |
/// | `entries #2 a{file size=12} b{directory}` | what is in a directory; none: the end |
/// | `site #3 200 text` | a SITE command |
/// | `listening #4 50000`, `listening #4 none` | a passive port |
/// | `arrived #4 10.0.0.1` | a connection to it |
/// | `readable #4` | something has come over that connection before a command |
/// | `port-lost #4 failed`, `… given-away` | it is closed |
/// | `connected #5`, `unconnected #5` | an active connection |
/// | `protected #5 resumed`, `… fresh`, `… foreign`, `… other`, `… failed` | TLS on the data connection |
/// | `progress #6 100`, `ended #6 100 complete` | a transfer |
/// | `checked #6` | the control connection has been looked at once more |
/// | `progress #7 100`, `digested #7 \x1f\x00`, `… stopped`, `… failed busy` | a digest |
///
/// A transfer ends `complete`, `data-lost`, `unannounced`, `damaged`, `stopped`, `excess`, or with a storage error
/// such as `no-space`.
#[derive(Clone, Debug)]
pub struct Transcript {
    file: String,
    content: String,
    sections: Vec<Section>,
}

/// What is wrong with a transcript, or with a session that was to keep to it: with the file, the
/// line and what stands before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptError(String);

impl fmt::Display for TranscriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for TranscriptError {}

impl Transcript {
    /// Reads a transcript; `file` is what errors call it.
    pub fn parse(file: &str, content: &str) -> core::result::Result<Self, TranscriptError> {
        let sections = parse(file, content).map_err(TranscriptError)?;
        Ok(Self { file: file.into(), content: content.into(), sections })
    }

    /// Returns its sessions, to be played by hand.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Plays all sessions, and compares what comes with what is written. Each is played whole, byte by
    /// byte, split at random, and with neighbouring lines of the client in one segment. The error
    /// shows the first difference of each session.
    pub fn play(&self) -> core::result::Result<(), TranscriptError> {
        let errors: Vec<String> =
            self.sections.iter().filter_map(|section| self.play_section(section).err()).collect();
        if errors.is_empty() { Ok(()) } else { Err(TranscriptError(errors.join("\n"))) }
    }

    fn play_section(&self, section: &Section) -> Result<()> {
        let merged = section.merged();
        self.play_steps(section, &section.steps, &mut || usize::MAX, "whole")?;
        self.play_steps(section, &section.steps, &mut || 1, "byte by byte")?;
        for seed in 0..SEEDS {
            let mut dice = Dice::new(seed);
            let way = format!("split at random, seed {seed}");
            self.play_steps(section, &section.steps, &mut || 1 + dice.below(12), &way)?;
        }
        self.play_steps(section, &merged, &mut || usize::MAX, "neighbours in one segment")
    }

    fn play_steps(
        &self,
        section: &Section,
        steps: &[Step],
        size: &mut dyn FnMut() -> usize,
        way: &str,
    ) -> Result<()> {
        let (mut harness, mut outcome) = section.start();
        for (index, step) in steps.iter().enumerate() {
            if index > 0 {
                outcome = step.run_in_portions(&mut harness, size);
            }
            step.compare(&outcome, &harness).map_err(|error| {
                let before = self.content.lines().take(step.line).skip(step.line.saturating_sub(6));
                let context: String = before.map(|line| format!("    | {line}\n")).collect();
                let (file, line) = (&self.file, step.line);
                format!("{file}:{line}: {} ({way})\n{context}{error}", section.name)
            })?;
        }
        Ok(())
    }

    /// Returns the transcript with what comes in place of what was expected. Read the difference
    /// before you believe it: a transcript says what must be, not what happens to be.
    pub fn rewritten(&self) -> String {
        let mut outcomes = BTreeMap::new();
        let mut greetings = BTreeMap::new();
        for section in &self.sections {
            let (mut harness, greeting) = section.start();
            // The greeting comes before the first input.
            let first = section.steps.get(1).map_or(usize::MAX, |step| step.line);
            greetings.insert(first, greeting);
            for step in &section.steps[1..] {
                outcomes.insert(step.line, step.run(&mut harness));
            }
        }
        // What is given by some of its lines stays as it is.
        let steps = self.sections.iter().flat_map(|section| &section.steps);
        let partial: BTreeSet<usize> =
            steps.filter(|step| step.is_partial()).map(|step| step.line).collect();
        let (mut text, mut keeps) = (String::new(), false);
        let put = |outcome: Outcome, keeps: bool, text: &mut String| {
            outcome.actions.iter().for_each(|action| *text += &format!("! {action}\n"));
            let replies = if keeps { Vec::new() } else { step::shown(&outcome.replies) };
            replies.iter().for_each(|line| *text += &format!("{line}\n"));
        };
        for (number, line) in
            self.content.lines().enumerate().map(|(index, line)| (index + 1, line))
        {
            if let Some(greeting) = greetings.remove(&number) {
                put(greeting, false, &mut text);
            }
            keeps &= !line.starts_with("=== ");
            let mark = line.split(' ').next().unwrap_or_default();
            if mark != "!" && (keeps || !["S:", "S<"].contains(&mark)) {
                text += &format!("{line}\n");
            }
            if let Some(outcome) = outcomes.remove(&number) {
                keeps = partial.contains(&number);
                put(outcome, keeps, &mut text);
            }
        }
        greetings.into_values().for_each(|greeting| put(greeting, false, &mut text));
        text
    }
}

/// Reads all sessions of a transcript.
fn parse(file: &str, content: &str) -> Result<Vec<Section>> {
    let mut sections = vec![Section::new(file, 1)];
    for (number, line) in content.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let title = line.strip_prefix("=== ");
        let parsed = match title {
            Some(title) => {
                sections.push(Section::new(&format!("{file}: {title}"), number));
                Ok(())
            }
            None => sections.last_mut().expect("never empty").line(number, line),
        };
        parsed.map_err(|error| format!("{file}:{number}: {error}: {line}"))?;
    }
    // What stands before the first title is a session too, unless there is nothing.
    sections.retain(|section| {
        let first = &section.steps[0];
        section.steps.len() > 1 || !first.replies.is_empty() || !first.actions.is_empty()
    });
    Ok(sections)
}
