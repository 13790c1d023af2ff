//! What the server tells about itself and the session: FEAT, HELP, SITE, STAT.

use alloc::format;
use alloc::string::String;

use crate::action::{Action, Filter, Mode};
use crate::command::{COMMANDS, Spec};
use crate::event::SiteReply;
use crate::reply::Text;
use crate::time::Now;

use super::modify::{MFF_FEATURE, SITE_COMMANDS};
use super::security::{Protection, Security};
use super::state::{Data, Login, Then, Work};
use super::{LOG_IN_FIRST, Session, trim};

impl Session {
    /// FEAT (RFC 2389 section 3): what works in this session and is not in RFC 959.
    pub(super) fn feat(&mut self) {
        let lang = format!("LANG {}", self.replies.language().feature());
        let mlst = format!("MLST {}", self.parameters.facts.feature());
        let hash = format!("HASH {}", self.parameters.hash.feature());
        self.replies.open(211, "Features:");
        let tls = self.config.tls;
        let features = [
            ("AUTH TLS", tls.is_some()),
            ("AVBL", true),
            ("CCC", tls.is_some_and(|tls| tls.allow_ccc)),
            ("CLNT", true),
            ("CSID", true),
            ("EPRT", true),
            ("EPSV", true),
            (&hash, true),
            ("HOST", !self.config.hosts.is_empty()),
            (&lang, true),
            ("MDTM", true),
            (MFF_FEATURE, true),
            ("MFMT", true),
            (&mlst, true),
            ("MODE Z", self.config.mode_z),
            ("PBSZ", tls.is_some()),
            ("PROT", tls.is_some()),
            ("RANG STREAM", true),
            ("REST STREAM", true),
            ("SITE CHMOD", true),
            ("SITE UTIME", true),
            ("SIZE", true),
            ("TVFS", true),
            ("UTF8", true),
            ("XCRC", true),
            ("XMD5", true),
            ("XSHA", true),
            ("XSHA1", true),
            ("XSHA256", true),
            ("XSHA512", true),
        ];
        for (feature, _) in features.into_iter().filter(|(_, offered)| *offered) {
            self.replies.inner(Text::verbatim(feature));
        }
        self.reply(211, "End.");
    }

    /// HELP (RFC 959 section 4.1.3).
    pub(super) fn help(&mut self, argument: &[u8]) {
        let name = trim(argument);
        if name.is_empty() {
            self.replies.open(214, "The following commands are implemented:");
            let implemented = COMMANDS.iter().filter(|spec| spec.is_implemented());
            let names: alloc::vec::Vec<&str> = implemented.map(|spec| spec.name).collect();
            for row in names.chunks(10) {
                self.replies.inner(Text::verbatim(row.join(" ")));
            }
            return self.reply(214, "HELP <command> shows its syntax.");
        }
        match Spec::find(name) {
            Some(spec) if spec.is_implemented() => {
                self.reply(214, Text::from("Syntax: {}").with(spec.usage()));
            }
            Some(spec) => self.reply(502, Text::from("{} is not implemented.").with(spec.name)),
            None => self.reply(501, "Unrecognized command."),
        }
    }

    /// SITE: HELP, what the embedding program brings, which may stand in for the server's own, and
    /// those.
    pub(super) fn site(&mut self, argument: &[u8]) {
        let argument = argument.trim_ascii_start();
        let end = memchr::memchr(b' ', argument).unwrap_or(argument.len());
        let (word, rest) = (&argument[..end], argument.get(end + 1..).unwrap_or_default());
        if word.eq_ignore_ascii_case(b"HELP") {
            return self.site_help(trim(rest));
        }
        match self.find_site_command(word) {
            Some(command) => {
                let Login::In { user, .. } = &self.login else {
                    return self.reply(530, LOG_IN_FIRST);
                };
                let (user, argument) = (user.clone(), rest.to_vec());
                let directory = self.parameters.directory.clone();
                let id = self.next_id();
                self.actions.push_back(Action::Site { id, command, argument, user, directory });
                self.work = Work::Waiting(id, Then::Site);
            }
            None if self.own_site_command(word, rest) => {}
            None => {
                let word = &word[..word.len().min(32)];
                self.reply(504, Text::from("SITE {} not understood.").with_name(word));
            }
        }
    }

    fn site_help(&mut self, name: &[u8]) {
        if name.is_empty() {
            self.replies.open(214, "The following SITE commands are implemented:");
            self.replies.inner(Text::verbatim("HELP"));
            for (name, _) in SITE_COMMANDS {
                if self.find_site_command(name.as_bytes()).is_none() {
                    self.replies.inner(Text::verbatim(name));
                }
            }
            for command in &self.config.site_commands {
                self.replies.inner(Text::verbatim(command.name.as_str()));
            }
            return self.reply(214, "SITE HELP <command> shows its syntax.");
        }
        let usage = if name.eq_ignore_ascii_case(b"HELP") {
            Some(String::from("HELP [<command>]"))
        } else {
            let theirs = self.find_site_command(name).map(|index| {
                let command = &self.config.site_commands[index];
                format!("{} {}", command.name, command.syntax)
            });
            let own = || {
                let mut own = SITE_COMMANDS.iter();
                let own = own.find(|(own, _)| own.as_bytes().eq_ignore_ascii_case(name));
                own.map(|(name, syntax)| format!("{name} {syntax}"))
            };
            theirs.or_else(own)
        };
        match usage {
            Some(usage) => self.reply(214, Text::from("Syntax: SITE {}").with(usage.trim_end())),
            None => self.reply(501, "Unrecognized SITE command."),
        }
    }

    fn find_site_command(&self, name: &[u8]) -> Option<usize> {
        let commands = &self.config.site_commands;
        commands.iter().position(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The embedding program has answered its SITE command.
    pub(super) fn site_answered(&mut self, reply: &SiteReply) {
        match reply.code {
            200..=599 => self.replies.lines(reply.code, &reply.text),
            _ => self.reply(451, "The SITE command gave an invalid reply."),
        }
    }

    /// STAT (RFC 959 section 4.1.3): with a path a listing, without one the session itself.
    pub(super) fn stat(&mut self, argument: &[u8], now: Now) {
        if !argument.is_empty() {
            return self.stat_path(argument, now);
        }
        let login = match &self.login {
            Login::In { user, .. } => Text::from("Logged in as {}").with_name(user),
            Login::Named { .. } => "Waiting for the password".into(),
            Login::Nobody => "Not logged in".into(),
        };
        let data = match self.data {
            Data::None | Data::Lost(..) => "No data connection",
            Data::Listening { .. } => "Passive port open",
            Data::Active(_) => "Active data address set",
            Data::Connecting(_) => "Connecting to the active data address",
            Data::Arrived { .. } | Data::Connected => "Data connection established",
        };
        let kind = match self.parameters.filter {
            Filter::Ascii => "ASCII",
            Filter::Identity => "binary",
        };
        self.replies.open(211, "Status of the session:");
        self.replies.inner(Text::from("Connected from {}").with(self.endpoint.peer().ip()));
        self.replies.inner(login);
        self.replies.inner(match self.parameters.mode() {
            Mode::Stream => Text::from("TYPE: {}; STRU: file; MODE: stream").with_words(kind),
            Mode::Deflate { level } => {
                let text = Text::from("TYPE: {}; STRU: file; MODE: deflate, level {}");
                text.with_words(kind).with(level)
            }
        });
        let control = match self.security {
            Security::Protected { .. } => "protected by TLS",
            Security::Clear | Security::Cleared => "in clear",
        };
        let protected = match self.protection {
            Protection::Private => "protected by TLS",
            Protection::Unsized | Protection::Clear => "in clear",
        };
        let connections = Text::from("Control connection {}; data connections {}");
        self.replies.inner(connections.with_words(control).with_words(protected));
        let status = match &self.work {
            Work::Transferring(transfer) => Some(transfer.status(self.parameters.mode())),
            Work::Digesting(digesting) => Some(digesting.status()),
            _ => None,
        };
        status.into_iter().for_each(|line| self.replies.inner(line));
        self.replies.inner(data);
        self.reply(211, "End of status.");
    }
}
