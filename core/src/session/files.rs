//! Single files and directories: CWD, CDUP, PWD, MKD, RMD, DELE, RNFR, RNTO, SIZE, MDTM, MLST,
//! AVBL.

use alloc::format;
use alloc::vec::Vec;

use crate::action::Filter;
use crate::event::RequestId;
use crate::facts::Role;
use crate::listing::Style;
use crate::notice::Notice;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::reply::Text;
use crate::storage::{Kind, Metadata, StorageAnswer, StorageError, StorageRequest};
use crate::time::Now;
use crate::timestamp::timestamp;

use super::failure::{failure, store_failure};
use super::state::Continuation;
use super::{Session, StorageOutcome};

impl Session {
    /// CWD.
    pub(crate) fn cwd(&mut self, argument: &[u8]) {
        if let Some(path) = self.resolve(argument, Permissions::CHANGE_DIRECTORY) {
            self.ask(StorageRequest::Metadata(path.clone()), Continuation::ChangeDirectory(path));
        }
    }

    /// CDUP: the root is its own parent.
    pub(crate) fn cdup(&mut self) {
        let Some(path) = self.resolve(b"..", Permissions::CHANGE_DIRECTORY) else { return };
        self.ask(StorageRequest::Metadata(path.clone()), Continuation::ChangeDirectory(path));
    }

    /// PWD.
    pub(crate) fn pwd(&mut self) {
        let directory = self.parameters.directory.as_bytes();
        let text = Text::from("\"{}\" is the current directory.").with_path(directory);
        self.reply(257, text);
    }

    /// MKD.
    pub(crate) fn mkd(&mut self, argument: &[u8]) {
        let Some(path) = self.resolve(argument, Permissions::MAKE_DIRECTORY) else { return };
        let text = Text::from("\"{}\" directory created.").with_path(path.as_bytes());
        let notice = self.notice(|| Notice::DirectoryMade { path: path.clone() });
        let done = Continuation::Reply(257, text, notice);
        self.ask(StorageRequest::CreateDirectory(path), done);
    }

    /// RMD.
    pub(crate) fn rmd(&mut self, argument: &[u8]) {
        let Some(path) = self.resolve(argument, Permissions::DELETE) else { return };
        if path.is_root() {
            return self.reply(550, "Can't remove root directory.");
        }
        let notice = self.notice(|| Notice::DirectoryRemoved { path: path.clone() });
        let done = Continuation::Reply(250, "Directory removed.".into(), notice);
        self.ask(StorageRequest::RemoveDirectory(path), done);
    }

    /// DELE.
    pub(crate) fn dele(&mut self, argument: &[u8]) {
        let Some(path) = self.resolve(argument, Permissions::DELETE) else { return };
        let notice = self.notice(|| Notice::Deleted { path: path.clone() });
        let done = Continuation::Reply(250, "File removed.".into(), notice);
        self.ask(StorageRequest::RemoveFile(path), done);
    }

    /// RNFR.
    pub(crate) fn rnfr(&mut self, argument: &[u8]) {
        let Some(path) = self.resolve(argument, Permissions::RENAME) else { return };
        if path.is_root() {
            return self.reply(550, "Can't rename home directory.");
        }
        if self.grant().is_some_and(|grant| grant.rights.are_bound_to(&path)) {
            return self.reply(550, "Permission denied.");
        }
        self.ask(StorageRequest::LinkMetadata(path.clone()), Continuation::RenameFrom(path));
    }

    /// RNTO: only directly after RNFR.
    pub(crate) fn rnto(&mut self, argument: &[u8], from: Option<VirtualPath>) {
        let Some(from) = from else {
            return self.reply(503, "Bad sequence of commands: use RNFR first.");
        };
        let Some(to) = self.resolve(argument, Permissions::RENAME) else { return };
        if to.is_root() {
            return self.reply(553, "The root directory cannot be replaced.");
        }
        // Without either, what stands there is not this account's to destroy.
        let replace = self.may(Permissions::DELETE, &to) || self.may(Permissions::STORE, &to);
        let notice = self.notice(|| Notice::Renamed { from: from.clone(), to: to.clone() });
        self.ask(StorageRequest::Rename { from, to, replace }, Continuation::RenameTo(notice));
    }

    /// SIZE (RFC 3659 section 4). In TYPE A it would have to convert the whole file to tell.
    pub(crate) fn size(&mut self, argument: &[u8]) {
        if self.parameters.filter == Filter::Ascii {
            return self.reply(550, "SIZE not allowed in ASCII mode; send TYPE I first.");
        }
        if let Some(path) = self.resolve(argument, Permissions::LIST) {
            self.ask(StorageRequest::Metadata(path.clone()), Continuation::Size(path));
        }
    }

    /// MDTM (RFC 3659 section 3).
    pub(crate) fn mdtm(&mut self, argument: &[u8]) {
        if let Some(path) = self.resolve(argument, Permissions::LIST) {
            self.ask(StorageRequest::Metadata(path.clone()), Continuation::ModificationTime(path));
        }
    }

    /// AVBL (draft-peterson-streamlined-ftp-command-extensions).
    pub(crate) fn avbl(&mut self, argument: &[u8]) {
        if let Some(path) = self.resolve(argument, Permissions::LIST) {
            self.ask(StorageRequest::SpaceLeft(path), Continuation::Space);
        }
    }

    /// MLST (RFC 3659 section 7).
    pub(crate) fn mlst(&mut self, argument: &[u8]) {
        if let Some(path) = self.resolve(argument, Permissions::LIST) {
            self.ask(StorageRequest::Metadata(path.clone()), Continuation::Facts(path));
        }
    }

    /// The storage has answered the request that a command waited for.
    pub(super) fn storage_answered(
        &mut self,
        then: Continuation,
        outcome: StorageOutcome,
        id: RequestId,
    ) {
        let (answer, then) = match (outcome, then) {
            (outcome, Continuation::StatLook(listing)) => {
                return self.stat_answered(listing, id, outcome);
            }
            (outcome, Continuation::StatLines(lines)) => return self.stat_lines(*lines, outcome),
            (Ok(answer), then) => (answer, then),
            (Err(error), Continuation::RenameTo(_)) => {
                let (code, text) = store_failure(error);
                return self.reply(code, text);
            }
            // A client may stop asking then.
            (Err(error @ StorageError::Unsupported), Continuation::Changed(..)) => {
                return self.reply(502, failure(error).1);
            }
            (Err(error), _) => {
                let (code, text) = failure(error);
                return self.reply(code, text);
            }
        };
        match (then, answer) {
            (Continuation::ChangeDirectory(path), StorageAnswer::Metadata(metadata)) => {
                self.change_directory(path, &metadata);
            }
            (Continuation::Size(path), StorageAnswer::Metadata(metadata)) => {
                if self.is_retrievable(&path, &metadata) {
                    self.reply(213, Text::verbatim(format!("{}", metadata.size)));
                }
            }
            (Continuation::ModificationTime(path), StorageAnswer::Metadata(metadata)) => {
                if self.is_retrievable(&path, &metadata) {
                    let mut time = Vec::new();
                    timestamp(metadata.modified, &mut time);
                    self.reply(213, Text::verbatim(time));
                }
            }
            (Continuation::Facts(path), StorageAnswer::Metadata(metadata)) => {
                self.show_facts(&path, &metadata);
            }
            (Continuation::RenameFrom(path), _) => {
                self.parameters.rename_from = Some(path);
                self.reply(350, "Ready for the new name.");
            }
            (Continuation::Changed(changed, notice), StorageAnswer::Metadata(metadata)) => {
                self.tell(notice);
                self.facts_changed(&changed, &metadata);
            }
            (Continuation::Space, StorageAnswer::Space(Some(bytes))) => {
                self.reply(213, Text::verbatim(format!("{bytes}")));
            }
            (Continuation::Space, StorageAnswer::Space(None)) => {
                self.reply(550, "How much space is left is not known here.");
            }
            (Continuation::RenameTo(notice), _) => {
                self.tell(notice);
                self.reply(250, "Renamed.");
            }
            (Continuation::Reply(code, text, notice), _) => {
                self.tell(notice);
                self.reply(code, text);
            }
            _ => self.reply(451, "The storage gave an answer to another question."),
        }
    }

    fn change_directory(&mut self, path: VirtualPath, metadata: &Metadata) {
        if metadata.kind != Kind::Directory {
            return self.reply(550, "Not a directory.");
        }
        if !metadata.access.enter {
            return self.reply(550, "Permission denied.");
        }
        let text = Text::from("\"{}\" is the current directory.").with_path(path.as_bytes());
        self.parameters.directory = path;
        self.reply(250, text);
    }

    fn is_retrievable(&mut self, path: &VirtualPath, metadata: &Metadata) -> bool {
        let is_file = metadata.kind == Kind::File;
        if !is_file {
            self.reply(550, Text::from("{} is not retrievable.").with_name(path.as_bytes()));
        }
        is_file
    }

    fn show_facts(&mut self, path: &VirtualPath, metadata: &Metadata) {
        // Facts do not depend on the time of day.
        let style = Style::Facts(self.parameters.facts);
        let mut format = self.listing_format(path, style, Now::default());
        format.permissions = self.grant().map(|own| own.rights.shown_at(path)).unwrap_or_default();
        let mut line = Vec::new();
        format.write_as(Role::Entry, path.as_bytes(), metadata, &mut line);
        self.replies.open(250, Text::from("Listing {}:").with_name(path.as_bytes()));
        self.replies.listing(&line);
        self.reply(250, "End.");
    }
}
