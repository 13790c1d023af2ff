//! What the server tells about itself and the session: FEAT, HELP, SITE, STAT.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::action::{Action, Filter, Mode};
use crate::command::{COMMANDS, Call, FEATURES, LONGEST_WORD, SITE_COMMANDS, Spec};
use crate::event::{RequestId, SiteReply};
use crate::notice::Notice;
use crate::reply::Text;

use super::state::{Awaiting, Data, Login, NotAwaited, Protection, Security, Work};
use super::{LOG_IN_FIRST, Session, trim};

impl Session {
    /// FEAT (RFC 2389 section 3): what works in this session and is not in RFC 959.
    pub(crate) fn feat(&mut self) {
        let commands = COMMANDS.iter().chain(SITE_COMMANDS);
        let mut features: Vec<String> =
            commands.filter_map(|spec| spec.feature(self, &self.config)).collect();
        features.extend(FEATURES.map(String::from));
        features.sort_unstable();
        self.replies.open(211, "Features:");
        for feature in features {
            self.replies.inner(Text::verbatim(feature));
        }
        self.reply(211, "End.");
    }

    /// What FEAT says of HASH.
    pub(crate) fn hash_feature(&self) -> String {
        format!("HASH {}", self.parameters.hash.feature())
    }

    /// What FEAT says of LANG.
    pub(crate) fn lang_feature(&self) -> String {
        format!("LANG {}", self.replies.language().feature())
    }

    /// What FEAT says of MLST.
    pub(crate) fn mlst_feature(&self) -> String {
        format!("MLST {}", self.parameters.facts.feature())
    }

    /// HELP (RFC 959 section 4.1.3).
    pub(crate) fn help(&mut self, argument: &[u8]) {
        let name = trim(argument);
        if name.is_empty() {
            self.replies.open(214, "The following commands are implemented:");
            let offered = COMMANDS.iter().filter(|spec| spec.is_offered(&self.config));
            let names: Vec<&str> = offered.map(|spec| spec.name).collect();
            for row in names.chunks(10) {
                self.replies.inner(Text::verbatim(row.join(" ")));
            }
            return self.reply(214, "HELP <command> shows its syntax.");
        }
        match Spec::find_in(COMMANDS, name) {
            Some(spec) if spec.is_offered(&self.config) => {
                self.reply(214, Text::from("Syntax: {}").with(spec.usage(&self.config)));
            }
            Some(spec) => self.reply(502, Text::from("{} is not implemented.").with(spec.name)),
            None => self.reply(501, "Unrecognized command."),
        }
    }

    /// SITE: what the embedding program brings, which may stand in for the server's own but HELP,
    /// and those.
    pub(crate) fn site(&mut self, call: Call<'_>) {
        let argument = call.argument.trim_ascii_start();
        let end = memchr::memchr(b' ', argument).unwrap_or(argument.len());
        let (word, rest) = (&argument[..end], argument.get(end + 1..).unwrap_or_default());
        if let Some(command) = self.find_site_command(word) {
            let Login::In { user, .. } = &self.login else {
                return self.reply(530, LOG_IN_FIRST);
            };
            let (user, argument) = (user.clone(), rest.to_vec());
            let directory = self.parameters.directory.clone();
            let id = self.next_id();
            self.actions.push_back(Action::Site { id, command, argument, user, directory });
            self.work = Work::Waiting { id, awaiting: Awaiting::Site(command) };
        } else if let Some(spec) = Spec::find_in(SITE_COMMANDS, word) {
            match self.admit(spec, (!rest.is_empty()).then_some(rest)) {
                Ok(()) => (spec.run)(self, Call { argument: rest, ..call }),
                Err((code, text)) => self.reply(code, text),
            }
        } else {
            let word = &word[..word.len().min(LONGEST_WORD)];
            self.reply(504, Text::from("SITE {} not understood.").with_name(word));
        }
    }

    /// SITE HELP.
    pub(crate) fn site_help(&mut self, argument: &[u8]) {
        let name = trim(argument);
        if name.is_empty() {
            self.replies.open(214, "The following SITE commands are implemented:");
            for spec in SITE_COMMANDS {
                if self.find_site_command(spec.name.as_bytes()).is_none() {
                    self.replies.inner(Text::verbatim(spec.name));
                }
            }
            for command in &self.config.site_commands {
                self.replies.inner(Text::verbatim(command.name.as_str()));
            }
            return self.reply(214, "SITE HELP <command> shows its syntax.");
        }
        let usage = match self.find_site_command(name) {
            Some(index) => {
                let command = &self.config.site_commands[index];
                Some(format!("{} {}", command.name, command.syntax))
            }
            None => Spec::find_in(SITE_COMMANDS, name).map(|spec| spec.usage(&self.config)),
        };
        match usage {
            Some(usage) => self.reply(214, Text::from("Syntax: SITE {}").with(usage.trim_end())),
            None => self.reply(501, "Unrecognized SITE command."),
        }
    }

    /// Finds a SITE command of the embedding program. HELP always is the server's own.
    fn find_site_command(&self, name: &[u8]) -> Option<usize> {
        if name.eq_ignore_ascii_case(b"HELP") {
            return None;
        }
        let commands = &self.config.site_commands;
        commands.iter().position(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// The embedding program has answered its SITE command.
    pub(super) fn site_answered(
        &mut self,
        id: RequestId,
        reply: &SiteReply,
    ) -> Result<(), NotAwaited> {
        let command = self.take_awaiting(id, Awaiting::site)?;
        let is_valid = (200..=599).contains(&reply.code);
        let notice = self.notice(|| Notice::SiteCalled {
            command: self.config.site_commands[command].name.clone(),
            code: if is_valid { reply.code } else { 451 },
        });
        self.tell(notice);
        if is_valid {
            self.replies.lines(reply.code, &reply.text);
        } else {
            self.reply(451, "The SITE command gave an invalid reply.");
        }
        Ok(())
    }

    /// SYST (RFC 959 section 4.1.3).
    pub(crate) fn syst(&mut self) {
        self.reply(215, Text::verbatim("UNIX Type: L8"));
    }

    /// NOOP.
    pub(crate) fn noop(&mut self) {
        self.reply(200, Text::from("{} command successful.").with("NOOP"));
    }

    /// STAT without a path (RFC 959 section 4.1.3): the session itself.
    pub(crate) fn stat(&mut self) {
        let login = match &self.login {
            Login::In { user, .. } => Text::from("Logged in as {}").with_name(user),
            Login::Named { .. } => "Waiting for the password".into(),
            Login::None => "Not logged in".into(),
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
