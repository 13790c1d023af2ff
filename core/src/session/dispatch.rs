//! Which command is executed when, and which are refused before.

use crate::command::{Argument, Begins, Call, Command, Spec, Timing, TlsRule};
use crate::notice::Parting;
use crate::reply::Text;
use crate::time::Now;

use super::failure::Refusal;
use super::state::{Protection, Range, Security, Work};
use super::states::{State, Trigger};
use super::stop::StopReason;
use super::{LAST_REPLY_TIMEOUT, LOG_IN_FIRST, REPLIES_WAITING, Session};

impl Session {
    /// Executes commands as long as there are any that may be executed now.
    pub(super) fn advance(&mut self, now: Now) {
        loop {
            let from = self.state();
            self.change_security();
            self.moved(from, Trigger::Transmitted);
            let from = self.state();
            let between_commands = matches!(self.work, Work::Idle | Work::Delaying { .. });
            if between_commands && self.shutdown.is_some() {
                self.end(Parting::Shutdown, 421, "The server is shutting down.", now);
                return self.moved(from, Trigger::Shutdown);
            }
            if matches!(self.work, Work::Securing { .. }) && self.shutdown.is_some() {
                self.part(Parting::Shutdown);
                self.abandon_handshake(now);
                return self.moved(from, Trigger::Shutdown);
            }
            if self.transmit().len() >= REPLIES_WAITING {
                break;
            }
            let Some(command) = self.next_command() else { break };
            self.active = now.instant;
            let trigger = Trigger::of_command(&command);
            self.execute(command, now);
            self.moved(from, trigger);
        }
        let can_abort = match &self.work {
            Work::Transferring(transfer) => transfer.can_abort(),
            Work::Digesting(digesting) => digesting.is_reading(),
            _ => false,
        };
        if can_abort && self.inbox.aborts(&self.config) {
            // Its own reply has to wait for those of the commands before it, but what it stops does
            // not.
            let from = self.state();
            self.break_off(StopReason::AbortWaits);
            self.moved(from, Trigger::Abor);
            return self.advance(now);
        }
        if matches!(self.work, Work::Idle) && self.inbox.is_empty() {
            self.inbox.lift_barrier();
        }
        if !self.input.is_open() && matches!(self.work, Work::Idle) && self.inbox.is_empty() {
            self.part(Parting::ClientClosed);
            self.drop_login();
            self.close_data();
            self.work = Work::Ending { until: now.instant + LAST_REPLY_TIMEOUT };
            self.moved(State::Ready, Trigger::ControlClosed);
        }
    }

    /// Takes the next command, if it may be executed now.
    fn next_command(&mut self) -> Option<Command> {
        let timing = match self.inbox.front()? {
            Command::Known(spec, _) => spec.timing,
            _ => Timing::Waits,
        };
        let may = match (&self.work, timing) {
            (Work::Idle, _) => true,
            (Work::Transferring(transfer), Timing::Aborts) => transfer.can_abort(),
            (Work::Transferring(transfer), timing) => {
                timing != Timing::Waits && transfer.is_announced()
            }
            (Work::Digesting(digesting), Timing::Aborts | Timing::Reports) => {
                digesting.is_reading()
            }
            _ => false,
        };
        if may { self.inbox.pop() } else { None }
    }

    fn execute(&mut self, command: Command, now: Now) {
        let rename_from = self.parameters.rename_from.take();
        match command {
            Command::Known(spec, argument) => match self.admit(spec, argument.as_deref()) {
                Ok(()) => {
                    let argument = argument.unwrap_or_default();
                    (spec.run)(self, Call { argument: &argument, rename_from, now });
                }
                Err((code, text)) => self.refuse(spec, code, text),
            },
            Command::Http => {
                let text = "This is an FTP server; it does not speak HTTP.";
                self.end(Parting::Http, 500, text, now);
            }
            Command::Unknown(word) => {
                self.reply(500, Text::from("Command \"{}\" not understood.").with_name(&word));
            }
            Command::TooLong => self.reply(500, "Command line too long."),
        }
    }

    /// Checks what can be checked without knowing what the command does.
    pub(super) fn admit(
        &self,
        spec: &'static Spec,
        argument: Option<&[u8]>,
    ) -> Result<(), Refusal> {
        if !spec.is_offered(&self.config) {
            return Err((502, "Command not implemented."));
        }
        if let Work::Transferring(_) = self.work
            && spec.timing == Timing::Refused
        {
            return Err((503, "Not while a transfer is in progress."));
        }
        if spec.login && self.grant().is_none() {
            return Err((530, LOG_IN_FIRST));
        }
        let in_clear = match spec.tls {
            TlsRule::None => false,
            TlsRule::Control => !matches!(self.security, Security::Protected { .. }),
            TlsRule::Data => self.protection != Protection::Private,
        };
        if in_clear && self.tls_required().data() {
            return Err((521, "Data connections need TLS here: AUTH TLS, PBSZ 0, PROT P."));
        }
        match (spec.argument, argument) {
            (Argument::Required, None) => {
                return Err((501, "Syntax error: command needs an argument."));
            }
            (Argument::None, Some(_)) => {
                return Err((501, "Syntax error: command does not accept arguments."));
            }
            _ => {}
        }
        // Where it has them is judged when the path is known.
        let anywhere = self.grant().map(|grant| grant.rights.anywhere()).unwrap_or_default();
        if anywhere.contains(spec.permissions) { Ok(()) } else { Err((550, "Permission denied.")) }
    }

    /// Answers a command that was not admitted.
    fn refuse(&mut self, spec: &Spec, code: u16, text: &'static str) {
        self.reply(code, text);
        if spec.begins == Begins::Transfer && matches!(self.work, Work::Idle) {
            self.parameters.range = Range::Whole;
            self.refuse_data();
        }
    }
}
