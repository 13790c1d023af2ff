//! Which command line is executed when, and by whom.

use crate::command::{self, Argument, Command, Spec, Timing, Verb};
use crate::line::Line;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::reply::Text;
use crate::time::Now;

use super::security::{Protection, Security};
use super::state::{Range, Work};
use super::stop::StopReason;
use super::{FAREWELL, LOG_IN_FIRST, REPLIES_WAITING, Session};

impl Session {
    /// Executes command lines as long as there are any that may be executed now.
    pub(super) fn advance(&mut self, now: Now) {
        loop {
            self.change_security();
            let between_commands = matches!(self.work, Work::Idle | Work::Delaying { .. });
            if between_commands && self.shutdown.is_some() {
                return self.end(421, "The server is shutting down.", now);
            }
            if matches!(self.work, Work::Securing { .. }) && self.shutdown.is_some() {
                return self.abandon_handshake(now);
            }
            if self.transmit().len() >= REPLIES_WAITING {
                break;
            }
            let Some(line) = self.next_line() else { break };
            self.active = now.instant;
            self.execute(line, now);
        }
        let can_abort = match &self.work {
            Work::Transferring(transfer) => transfer.can_abort(),
            Work::Digesting(digesting) => digesting.is_reading(),
            _ => false,
        };
        if can_abort && self.inbox.aborts() {
            // Its own reply has to wait for those of the commands before it, but what it stops does
            // not.
            self.break_off(StopReason::AbortWaits);
            return self.advance(now);
        }
        if matches!(self.work, Work::Idle) && self.inbox.is_empty() {
            self.inbox.lift_barrier();
        }
        if !self.input.is_open() && matches!(self.work, Work::Idle) && self.inbox.is_empty() {
            self.close_data();
            self.work = Work::Ending { until: now.instant + FAREWELL };
        }
    }

    /// Takes the next line, if it may be executed now.
    fn next_line(&mut self) -> Option<Line> {
        let may = match &self.work {
            Work::Idle => true,
            Work::Transferring(transfer) => {
                let Line::Command(line) = self.inbox.front()? else { return None };
                match command::parse(line) {
                    // With a path STAT needs the storage: it waits.
                    Command::Known(Spec { verb: Verb::Stat, .. }, Some(_)) => false,
                    Command::Known(Spec { verb: Verb::Abor, .. }, _) => transfer.can_abort(),
                    Command::Known(spec, _) => {
                        spec.timing != Timing::Waits && transfer.is_announced()
                    }
                    _ => false,
                }
            }
            Work::Digesting(digesting) => {
                let Line::Command(line) = self.inbox.front()? else { return None };
                let Command::Known(spec, argument) = command::parse(line) else { return None };
                let about_it =
                    spec.verb == Verb::Abor || spec.verb == Verb::Stat && argument.is_none();
                about_it && digesting.is_reading()
            }
            _ => false,
        };
        if may { self.inbox.pop() } else { None }
    }

    fn execute(&mut self, line: Line, now: Now) {
        let rename_from = self.parameters.rename_from.take();
        let Line::Command(line) = line else {
            return self.reply(500, "Command line too long.");
        };
        match command::parse(&line) {
            Command::Known(spec, argument) => {
                if let Err((code, text)) = self.admit(spec, argument.as_deref()) {
                    return self.refuse(spec, code, text);
                }
                let argument = argument.unwrap_or_default();
                self.run(spec.verb, &argument, rename_from, now);
            }
            Command::Http => self.end(500, "This is an FTP server; it does not speak HTTP.", now),
            Command::Unknown => {
                let word = line.split(|&byte| byte == b' ').next().unwrap_or_default();
                let word = &word[..word.len().min(32)];
                self.reply(500, Text::from("Command \"{}\" not understood.").with_name(word));
            }
        }
    }

    /// Checks what can be checked without knowing what the command does.
    fn admit(
        &self,
        spec: &'static Spec,
        argument: Option<&[u8]>,
    ) -> Result<(), (u16, &'static str)> {
        if !spec.is_implemented() {
            return Err((502, "Command not implemented."));
        }
        if let Work::Transferring(_) = self.work
            && spec.timing == Timing::Refused
        {
            return Err((503, "Not while a transfer is in progress."));
        }
        let stat_path = spec.verb == Verb::Stat && argument.is_some();
        if (spec.login || stat_path) && self.grant().is_none() {
            return Err((530, LOG_IN_FIRST));
        }
        let in_clear = match self.security {
            // The listing comes on the control connection, and what the file holds can be told from
            // the digests of its parts.
            Security::Clear | Security::Cleared if stat_path || spec.verb.digests() => true,
            _ => spec.verb.uses_data() && self.protection != Protection::Private,
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
        let wanted = if stat_path { Permissions::LIST } else { spec.permissions };
        // Where it has them is judged when the path is known.
        let anywhere = self.grant().map(|grant| grant.rights.anywhere()).unwrap_or_default();
        if anywhere.contains(wanted) { Ok(()) } else { Err((550, "Permission denied.")) }
    }

    /// Answers a command that was not admitted.
    fn refuse(&mut self, spec: &Spec, code: u16, text: &'static str) {
        self.reply(code, text);
        if spec.verb.uses_data() && matches!(self.work, Work::Idle) {
            self.parameters.range = Range::Whole;
            self.refuse_data();
        }
    }

    fn run(&mut self, verb: Verb, argument: &[u8], rename_from: Option<VirtualPath>, now: Now) {
        match verb {
            Verb::Host => self.choose_host(argument),
            Verb::Auth => self.auth(argument, now),
            Verb::Pbsz => self.pbsz(argument),
            Verb::Prot => self.prot(argument),
            Verb::Ccc => self.ccc(),
            Verb::Adat => self.adat(),
            Verb::Wrapped => self.wrapped(),
            Verb::User => self.user(argument, now),
            Verb::Pass => self.pass(argument),
            Verb::Acct => self.acct(),
            Verb::Rein => self.rein(now),
            Verb::Quit => self.end(221, "Goodbye.", now),
            Verb::Type => self.set_type(argument),
            Verb::Stru => self.set_structure(argument),
            Verb::Mode => self.set_mode(argument),
            Verb::Rest => self.restart(argument),
            Verb::Rang => self.rang(argument),
            Verb::Allo => self.allo(argument),
            Verb::Opts => self.opts(argument),
            Verb::Lang => self.lang(argument),
            Verb::Port => self.port(argument),
            Verb::Eprt => self.eprt(argument),
            Verb::Pasv => self.pasv(),
            Verb::Epsv => self.epsv(argument),
            Verb::Retr => self.retr(argument),
            Verb::Stor => self.stor(argument),
            Verb::Stou => self.stou(argument),
            Verb::Appe => self.appe(argument),
            Verb::Abor => self.abor(),
            Verb::List => self.list(argument, now),
            Verb::Nlst => self.nlst(argument, now),
            Verb::Mlsd => self.mlsd(argument, now),
            Verb::Cwd => self.cwd(argument),
            Verb::Cdup => self.cdup(),
            Verb::Pwd => self.pwd(),
            Verb::Mkd => self.mkd(argument),
            Verb::Rmd => self.rmd(argument),
            Verb::Dele => self.dele(argument),
            Verb::Rnfr => self.rnfr(argument),
            Verb::Rnto => self.rnto(argument, rename_from),
            Verb::Hash => self.hash(argument),
            Verb::Digest(algorithm) => self.bare_digest(algorithm, argument),
            Verb::Size => self.size(argument),
            Verb::Mdtm => self.mdtm(argument),
            Verb::Mlst => self.mlst(argument),
            Verb::Mfmt => self.mfmt(argument),
            Verb::Mff => self.mff(argument),
            Verb::Avbl => self.avbl(argument),
            Verb::Clnt => self.clnt(argument),
            Verb::Csid => self.csid(argument),
            Verb::Feat => self.feat(),
            Verb::Help => self.help(argument),
            Verb::Site => self.site(argument),
            Verb::Stat => self.stat(argument, now),
            Verb::Syst => self.reply(215, Text::verbatim("UNIX Type: L8")),
            Verb::Noop => self.reply(200, Text::from("{} command successful.").with("NOOP")),
            Verb::NotImplemented => unreachable!("refused by admit"),
        }
    }
}
