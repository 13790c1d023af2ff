//! Transcripts: what a client and a driver say to a session, and what it says to them.
//!
//! | line | meaning |
//! |---|---|
//! | `=== title` | a new session begins, with the default settings |
//! | `config login_delay=0s`, `peer 10.0.0.1:4000`, `local 10.0.0.9:21`, `admission server-full`, `implicit` | how it is set up |
//! | `login elr` | it has been logged in with these permissions; not looked at further |
//! | `C: text` | the client sends a line; CRLF is added |
//! | `C< bytes` | the client sends bytes as they are |
//! | `> event` | an event goes in, see `events` |
//! | `@ +300s` | time passes, from deadline to deadline |
//! | `S: text` | the reply lines that come of it |
//! | `S~ text` | a whole reply comes of it, with this line in it |
//! | `S! text` | and without this text in any of its lines; neighbours speak of the same reply |
//! | `S< bytes` | reply bytes that are no line: Telnet |
//! | `! action` | the actions that come of it, see `actions` |
//! | `? unread 12` | so many bytes of the client are not taken yet |
//! | `? timeout +3s`, `? timeout none` | when the next deadline is |
//! | `# text` | a comment |
//!
//! Bytes are UTF-8 with the escapes `\r`, `\n`, `\0`, `\\` and `\xFF`. What comes of an input is
//! compared in its order, reply lines and actions each by themselves.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use wharf_core::{
    Admission, Endpoint, OnHangup, Permissions, Resumption, SessionConfig, SiteCommand, TlsPolicy,
};

use super::events::{duration, number, permissions, split};
use super::harness::Harness;
use super::text::unescape;
use super::{actions, events, text};

type Result<T> = std::result::Result<T, String>;

/// One session of a transcript.
pub(crate) struct Section {
    /// Its title and where it stands.
    pub(crate) name: String,
    config: SessionConfig,
    local: SocketAddr,
    peer: SocketAddr,
    admission: Admission,
    implicit: bool,
    login: Option<Permissions>,
    /// The first one is the greeting: its input is empty.
    pub(crate) steps: Vec<Step>,
}

/// An input and what is to come of it.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) input: Input,
    pub(crate) replies: Vec<Expected>,
    pub(crate) actions: Vec<String>,
    checks: Vec<String>,
}

/// What is to be read of the replies, one after the other.
#[derive(Clone)]
pub(crate) enum Expected {
    /// These bytes.
    Bytes(Vec<u8>),
    /// One reply, of which some lines are given.
    Reply { with: Vec<String>, without: Vec<String> },
}

#[derive(Clone)]
pub(crate) enum Input {
    /// Control bytes.
    Bytes(Vec<u8>),
    /// Its text: times in it count from when it comes.
    Event(String),
    Time(Duration),
}

/// What came of an input.
pub(crate) struct Outcome {
    pub(crate) replies: Vec<u8>,
    pub(crate) actions: Vec<String>,
}

/// Reads all sessions of a transcript.
pub(crate) fn parse(file: &str, content: &str) -> Result<Vec<Section>> {
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

impl Section {
    fn new(name: &str, line: usize) -> Self {
        Self {
            name: name.into(),
            config: SessionConfig::default(),
            local: "10.0.0.9:21".parse().expect("an address"),
            peer: "10.0.0.1:4000".parse().expect("an address"),
            admission: Admission::Welcome,
            implicit: false,
            login: None,
            steps: vec![Step::new(line, Input::Bytes(Vec::new()))],
        }
    }

    fn line(&mut self, number: usize, line: &str) -> Result<()> {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let with_end = |text| Ok::<_, String>([&unescape(text)?[..], b"\r\n"].concat());
        let input = match mark {
            "C:" => Input::Bytes(with_end(rest)?),
            "C<" => Input::Bytes(unescape(rest)?),
            ">" => {
                events::parse(rest, wharf_core::Instant::default())?;
                Input::Event(rest.into())
            }
            "@" => Input::Time(duration(rest)?),
            _ => {
                let step = self.steps.last_mut().expect("never empty");
                match mark {
                    "S:" => step.expect(&with_end(rest)?),
                    "S<" => step.expect(&unescape(rest)?),
                    "S~" => step.expect_line().0.push(format!("S: {rest}")),
                    "S!" => step.expect_line().1.push(rest.into()),
                    "!" => step.actions.push(rest.into()),
                    "?" => step.checks.push(rest.into()),
                    "" | "#" => {}
                    _ if self.steps.len() == 1 => self.setting(mark, rest)?,
                    _ => return Err("unknown line".into()),
                }
                return Ok(());
            }
        };
        self.steps.push(Step::new(number, input));
        Ok(())
    }

    fn setting(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "peer" => self.peer = events::number(value)?,
            "local" => self.local = events::number(value)?,
            "login" => self.login = Some(permissions(value)?),
            "admission" => {
                self.admission = match value {
                    "server-full" => Admission::ServerFull,
                    "address-full" => Admission::AddressFull,
                    "cooling-down" => Admission::CoolingDown,
                    _ => return Err("unknown admission".into()),
                }
            }
            "implicit" => self.implicit = true,
            "config" => {
                let (name, value) = value.split_once('=').ok_or("config name=value")?;
                configure(&mut self.config, name, value)?;
            }
            _ => return Err("unknown setting".into()),
        }
        Ok(())
    }

    /// Starts the session; the outcome of that is for the first step.
    pub(crate) fn start(&self) -> (Harness, Outcome) {
        let mut endpoint = Endpoint::new(self.local, self.peer, self.admission);
        if self.implicit {
            endpoint = endpoint.with_implicit_tls();
        }
        let mut harness = Harness::new(self.config.clone(), endpoint);
        if let Some(permissions) = self.login {
            harness.receive(b"USER joe\r\nPASS secret\r\n");
            harness.handle(
                events::parse(&format!("authenticated #1 {permissions}"), harness.now().instant)
                    .expect("an event"),
            );
            harness.take_replies();
            harness.take_actions();
        }
        let outcome = Outcome::take(&mut harness);
        (harness, outcome)
    }

    /// Returns the section with neighbouring inputs of the client made one.
    pub(crate) fn merged(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            if let Some(last) = steps.last_mut().filter(|_| index > 1)
                && let (Input::Bytes(before), Input::Bytes(bytes)) = (&mut last.input, &step.input)
                && last.checks.is_empty()
            {
                before.extend_from_slice(bytes);
                step.replies.iter().for_each(|expected| match expected {
                    Expected::Bytes(bytes) => last.expect(bytes),
                    reply @ Expected::Reply { .. } => last.replies.push(reply.clone()),
                });
                last.actions.extend_from_slice(&step.actions);
                last.checks.extend_from_slice(&step.checks);
            } else {
                steps.push(step.clone());
            }
        }
        steps
    }
}

impl Step {
    fn new(line: usize, input: Input) -> Self {
        Self { line, input, replies: Vec::new(), actions: Vec::new(), checks: Vec::new() }
    }

    fn expect(&mut self, bytes: &[u8]) {
        match self.replies.last_mut() {
            Some(Expected::Bytes(before)) => before.extend_from_slice(bytes),
            _ => self.replies.push(Expected::Bytes(bytes.to_vec())),
        }
    }

    /// Returns the lists of lines that the last reply has and has not.
    fn expect_line(&mut self) -> (&mut Vec<String>, &mut Vec<String>) {
        if !matches!(self.replies.last(), Some(Expected::Reply { .. })) {
            self.replies.push(Expected::Reply { with: Vec::new(), without: Vec::new() });
        }
        match self.replies.last_mut() {
            Some(Expected::Reply { with, without }) => (with, without),
            _ => unreachable!("pushed above"),
        }
    }

    /// Returns `true` if a reply is given by some of its lines.
    pub(crate) fn is_partial(&self) -> bool {
        self.replies.iter().any(|expected| matches!(expected, Expected::Reply { .. }))
    }

    /// Puts the input in, its bytes in portions whose sizes the caller chooses.
    pub(crate) fn run(&self, harness: &mut Harness, size: &mut dyn FnMut() -> usize) -> Outcome {
        match &self.input {
            Input::Bytes(bytes) => {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let (portion, behind) = rest.split_at(size().clamp(1, rest.len()));
                    harness.receive(portion);
                    rest = behind;
                }
            }
            Input::Event(text) => {
                if let Some((id, entries)) = events::parse_entries(text) {
                    harness.read_entries(id, entries);
                } else {
                    let event = events::parse(text, harness.now().instant);
                    harness.handle(event.expect("read before"));
                }
            }
            Input::Time(time) => harness.pass(*time),
        }
        Outcome::take(harness)
    }

    /// Compares; the error shows what was expected and what came.
    pub(crate) fn compare(&self, outcome: &Outcome, harness: &Harness) -> Result<()> {
        let mut error = String::new();
        self.compare_replies(&shown(&outcome.replies), &mut error);
        let shown = |actions: &[String]| -> Vec<String> {
            actions.iter().map(|action| format!("! {action}")).collect()
        };
        difference(&mut error, &shown(&self.actions), &shown(&outcome.actions));
        for check in &self.checks {
            if let Err(found) = self.check(check, harness)? {
                let _ = writeln!(error, "  expected: ? {check}\n      came: ? {found}");
            }
        }
        if error.is_empty() { Ok(()) } else { Err(error) }
    }

    fn compare_replies(&self, mut came: &[String], error: &mut String) {
        for (index, expected) in self.replies.iter().enumerate() {
            match expected {
                Expected::Bytes(bytes) => {
                    let expected = shown(bytes);
                    let last = index + 1 == self.replies.len();
                    let count = if last { came.len() } else { expected.len().min(came.len()) };
                    if came[..count] != expected {
                        return difference(error, &expected, &came[..count]);
                    }
                    came = &came[count..];
                }
                Expected::Reply { with, without } => {
                    let is_last = |line: &String| {
                        line.as_bytes().get(6) == Some(&b' ')
                            && line[3..6].bytes().all(|byte| byte.is_ascii_digit())
                    };
                    let count = came.iter().position(is_last).map_or(came.len(), |at| at + 1);
                    let reply = &came[..count];
                    for line in with.iter().filter(|line| !reply.contains(line)) {
                        let _ = writeln!(error, "  expected: S~{}", &line[2..]);
                    }
                    let has = |text: &str| reply.iter().any(|line| line[2..].contains(text));
                    for text in without.iter().filter(|text| has(text)) {
                        let _ = writeln!(error, "  expected: S! {text}");
                    }
                    if reply.is_empty() {
                        let _ = writeln!(error, "      came: no reply");
                    }
                    came = &came[count..];
                }
            }
        }
        difference(error, &[], came);
    }

    /// The inner error is what is the case instead.
    fn check(&self, check: &str, harness: &Harness) -> Result<std::result::Result<(), String>> {
        let found = match split(check).0 {
            "unread" => format!("unread {}", harness.unread()),
            "timeout" => match harness.time_left() {
                Some(left) if left.subsec_millis() == 0 => format!("timeout +{}s", left.as_secs()),
                Some(left) => format!("timeout +{}ms", left.as_millis()),
                None => "timeout none".into(),
            },
            _ => return Err(format!("unknown check: {check}")),
        };
        Ok(if found == check { Ok(()) } else { Err(found) })
    }
}

impl Outcome {
    fn take(harness: &mut Harness) -> Self {
        let actions = harness.take_actions().iter().map(actions::show).collect();
        Self { replies: harness.take_replies(), actions }
    }
}

/// Writes reply bytes as the lines of a transcript.
pub(crate) fn shown(replies: &[u8]) -> Vec<String> {
    let lines = replies.split_inclusive(|&byte| byte == b'\n');
    let show = |bytes: &[u8]| match bytes.strip_suffix(b"\r\n") {
        Some(line) => format!("S: {}", text::line(line)).trim_end().into(),
        None => format!("S< {}", text::line(bytes)),
    };
    lines.map(show).collect()
}

fn difference(error: &mut String, expected: &[String], came: &[String]) {
    if expected == came {
        return;
    }
    let same = expected.iter().zip(came).take_while(|(expected, came)| expected == came).count();
    let or_nothing = |lines: &[String]| lines.get(same).cloned().unwrap_or("nothing more".into());
    let _ = writeln!(error, "  expected: {}", or_nothing(expected));
    let _ = writeln!(error, "      came: {}", or_nothing(came));
}

/// Reads words such as `all`, `require` and `ccc`; `on` stands for none.
fn tls_policy(text: &str) -> Result<TlsPolicy> {
    let mut policy = TlsPolicy::default();
    for word in text.split_whitespace().filter(|word| *word != "on") {
        match word {
            "ccc" => policy.allow_ccc = true,
            "off" => policy.resumption = Resumption::Off,
            "prefer" => policy.resumption = Resumption::Prefer,
            "require" => policy.resumption = Resumption::Require,
            "strict" | "lenient" => policy.upload_end = events::upload_end(word)?,
            _ => policy.required = events::tls_required(word)?,
        }
    }
    Ok(policy)
}

fn configure(config: &mut SessionConfig, name: &str, value: &str) -> Result<()> {
    let time = |value: &str| duration(&format!("+{value}"));
    match name {
        "greeting" => config.greeting = String::from_utf8(unescape(value)?).expect("UTF-8"),
        "idle_timeout" => config.idle_timeout = time(value)?,
        "login_timeout" => config.login_timeout = time(value)?,
        "data_timeout" => config.data_timeout = time(value)?,
        "login_attempts" => config.login_attempts = number(value)?,
        "login_delay" => config.login_delay = time(value)?,
        "public_address" => config.public_address = Some(number(value)?),
        "allow_foreign_data" => config.allow_foreign_data = number(value)?,
        "allow_privileged_ports" => config.allow_privileged_ports = number(value)?,
        "atomic_uploads" => config.atomic_uploads = number(value)?,
        "on_hangup" => {
            config.on_hangup = match value {
                "keep" => OnHangup::Keep,
                "publish" => OnHangup::Publish,
                _ => return Err(format!("unknown word {value}")),
            }
        }
        "digests" => config.digests = number(value)?,
        "mode_z" => config.mode_z = number(value)?,
        "list_utc_offset_minutes" => config.list_utc_offset_minutes = number(value)?,
        "tls" => config.tls = Some(tls_policy(value)?),
        "host" => config.hosts.push(value.into()),
        "site" => {
            let (name, syntax) = split(value);
            config.site_commands.push(SiteCommand { name: name.into(), syntax: syntax.into() });
        }
        _ => return Err(format!("unknown setting {name}")),
    }
    Ok(())
}
