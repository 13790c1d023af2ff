//! What a client makes of replies: which are right, and which will do.

use std::time::Duration;

use super::{Client, Detail};
use crate::check::{Failure, Why};
use crate::patience::Deadline;
use crate::reply::Reply;

/// Returns `true` if a command that is answered so is not known or not implemented.
fn codes_of_the_unknown(code: u16) -> bool {
    [500, 502].contains(&code)
}

/// Returns the refusals that say the same to a client as this one; none for other replies.
fn refusals_like(code: u16) -> &'static [u16] {
    match code {
        // What was asked for is not understood, or not there.
        500 | 501 | 502 | 504 | 522 | 536 => {
            &[431, 500, 501, 502, 503, 504, 521, 522, 533, 534, 536, 550, 553]
        }
        431 | 533 | 534 => &[431, 500, 502, 503, 504, 530, 533, 534],
        503 => &[332, 425, 500, 501, 502, 503, 504, 530, 533, 534, 536, 550],
        530 | 532 => &[332, 500, 502, 503, 530, 532, 534, 550],
        // It cannot be done to this file.
        450..=452 | 550..=554 => &[426, 450, 451, 452, 501, 521, 550, 551, 552, 553, 554],
        425 | 426 => &[425, 426, 450, 451],
        _ => &[],
    }
}

impl Client {
    /// As [`command`](Self::command), and fails unless the reply's code is one of `codes`. A refusal
    /// may be another of the same sort, unless the checks are strict: which of them fits best is
    /// hardly ever settled by the RFCs, and clients go by the first digit.
    pub fn expect(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Result<Reply, Failure> {
        let reply = self.command(line)?;
        self.judge(reply, codes, &[])
    }

    /// Reads the greeting; returns `true` if the server serves the client. One that has no room yet,
    /// as it still has to close earlier sessions, may be asked again until the deadline.
    pub(crate) fn is_greeted(&mut self, deadline: Deadline) -> Result<bool, Failure> {
        let reply = self.expect_reply(&[120, 220, 421])?;
        match reply.code {
            120 => self.expect_reply(&[220]).map(|_| true),
            421 if deadline.has_passed() => Err(reply.unexpected(&[120, 220])),
            421 => {
                std::thread::sleep(Duration::from_millis(100));
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    /// Sends REIN, and returns its last reply: RFC 959 section 5.4 has 120 before 220.
    pub(crate) fn reinitialise(&mut self) -> Result<Reply, Failure> {
        let reply = self.command("REIN")?;
        if reply.code == 120 { self.reply() } else { Ok(reply) }
    }

    /// As [`expect`](Self::expect), with replies that the RFC allows too, or that clients take for
    /// the same, though another would be better: a failure only where the checks are strict.
    pub fn prefer(
        &mut self,
        line: impl AsRef<[u8]>,
        codes: &[u16],
        also: &[u16],
    ) -> Result<Reply, Failure> {
        let reply = self.command(line)?;
        self.judge(reply, codes, also)
    }

    /// Asks for a reply, with NOOP, and fails unless it is the one to NOOP. That there is no NOOP is
    /// for its own check to say.
    pub(crate) fn is_alive(&mut self) -> Result<Reply, Failure> {
        let reply = self.command("NOOP")?;
        let also: &[u16] = if codes_of_the_unknown(reply.code) { &[reply.code] } else { &[] };
        self.judge(reply, &[200], also)
    }

    /// As [`prefer`](Self::prefer), for the next reply.
    pub fn prefer_reply(&mut self, codes: &[u16], also: &[u16]) -> Result<Reply, Failure> {
        let reply = self.reply()?;
        self.judge(reply, codes, also)
    }

    /// As [`prefer`](Self::prefer), for a reply that is there.
    pub(crate) fn judge(
        &self,
        reply: Reply,
        codes: &[u16],
        also: &[u16],
    ) -> Result<Reply, Failure> {
        let alike = codes.iter().any(|&code| refusals_like(code).contains(&reply.code));
        if !codes.contains(&reply.code) && (alike || also.contains(&reply.code)) {
            self.advise(reply.unexpected(codes).to_string())?;
            return Ok(reply);
        }
        reply.expect(codes)
    }

    /// As [`expect`](Self::expect), for a command that a server need not have: when it is not known,
    /// and FEAT does not list it, the check ends and is no failure.
    pub fn offered(&mut self, line: impl AsRef<[u8]>, codes: &[u16]) -> Result<Reply, Failure> {
        let reply = self.command(line)?;
        self.is_offered(&reply)?;
        self.judge(reply, codes, &[])
    }

    /// Ends a check whose command is not known to the server, unless FEAT lists it.
    pub fn is_offered(&mut self, reply: &Reply) -> Result<(), Failure> {
        if codes_of_the_unknown(reply.code) {
            let before = self.keep(Detail::None);
            let features = self.command("FEAT")?;
            self.keep(before);
            let word = |line: &str| line.split_whitespace().next().unwrap_or("").to_uppercase();
            let command = word(&reply.command);
            let lines = features.inner().iter().map(|line| String::from_utf8_lossy(line));
            if features.code != 211 || !lines.into_iter().any(|line| word(&line) == command) {
                return Err(Failure::skip(
                    Why::NotOffered,
                    format!("{command}: {}", reply.whole()),
                ));
            }
        }
        Ok(())
    }
}
