//! One session of a transcript: how it is set up, and its steps.

use std::net::{Ipv4Addr, SocketAddr};
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

use super::Result;
use super::settings::configure;
use super::step::{Expected, Input, Outcome, Step};
use crate::testing::events::{self, duration, permissions};
use crate::testing::harness::Harness;
use crate::testing::text::unescape;
use crate::{Admission, Endpoint, Instant, Permissions, SessionConfig};

/// One session of a [`Transcript`](super::Transcript).
#[derive(Clone, Debug)]
pub struct Section {
    /// The file and the title.
    pub(super) name: String,
    config: SessionConfig,
    local: SocketAddr,
    peer: SocketAddr,
    admission: Admission,
    implicit: bool,
    public_address: Option<Ipv4Addr>,
    login: Option<Permissions>,
    /// The first one is the greeting: its input is empty.
    pub(super) steps: Vec<Step>,
}

impl Section {
    /// Returns the name of the file, and the title.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Starts the session, and logs it in where the transcript says so. Returns it with what has come
    /// out: the greeting.
    pub fn start(&self) -> (Harness, Outcome) {
        let endpoint = Endpoint::new(self.local, self.peer, self.admission);
        let mut endpoint = endpoint.with_public_address(self.public_address);
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

    /// Returns the steps after the greeting.
    pub fn steps(&self) -> &[Step] {
        &self.steps[1..]
    }

    pub(super) fn new(name: &str, line: usize) -> Self {
        Self {
            name: name.into(),
            config: SessionConfig::default(),
            local: "10.0.0.9:21".parse().expect("an address"),
            peer: "10.0.0.1:4000".parse().expect("an address"),
            admission: Admission::Welcome,
            implicit: false,
            public_address: None,
            login: None,
            steps: vec![Step::new(line, Input::Bytes(Vec::new()))],
        }
    }

    pub(super) fn line(&mut self, number: usize, line: &str) -> Result<()> {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let with_end = |text| Ok::<_, String>([&unescape(text)?[..], b"\r\n"].concat());
        let input = match mark {
            "C:" => Input::Bytes(with_end(rest)?),
            "C<" => Input::Bytes(unescape(rest)?),
            ">" => {
                events::parse(rest, Instant::default())?;
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
            "public-address" => self.public_address = Some(events::number(value)?),
            "login" => self.login = Some(permissions(value)?),
            "admission" => {
                self.admission = match value {
                    "server-full" => Admission::ServerFull,
                    "address-full" => Admission::AddressFull,
                    "cooling-down" => Admission::CoolingDown,
                    "not-allowed" => Admission::NotAllowed,
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

    /// Returns the section with neighbouring inputs of the client made one.
    pub(super) fn merged(&self) -> Vec<Step> {
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
