//! Listings: LIST, NLST, MLSD over the data connection, STAT with a path over the control
//! connection.

mod options;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::action::{Action, Plan};
use crate::event::RequestId;
use crate::facts::Role;
use crate::glob;
use crate::listing::{Allowance, LinesEnd, ListingFormat, Order, Recursion, Style, heading};
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::reply::Text;
use crate::storage::{Entry, Kind, Metadata, StorageAnswer, StorageError, StorageRequest};
use crate::time::Now;

use super::failure::{Refusal, failure};
use super::state::{Continuation, Found, Listing, StatLines};
use super::{Session, StorageOutcome};

use options::Options;

/// How much STAT sends at the most: it waits in memory until the client reads it.
const STAT_ALLOWANCE: Allowance = Allowance { lines: 1000, bytes: 128 * 1024 };

/// The last line of STAT where a directory could not be read to its end.
pub(super) const REST_UNREAD: &str = "The rest could not be read.";

/// Longest pattern, in bytes: four times as long as the longest name. Each name costs work in
/// proportion to it.
const LONGEST_PATTERN: usize = 1024;

impl Listing {
    /// What the storage is asked first.
    pub(super) fn first_request(&self) -> StorageRequest {
        match self.itself && !self.format.follow_links {
            true => StorageRequest::LinkMetadata(self.path.clone()),
            false => StorageRequest::Metadata(self.path.clone()),
        }
    }

    /// Takes the storage's answer to the last request: there is a next one, or all is there.
    pub(super) fn answered(
        &mut self,
        id: RequestId,
        outcome: StorageOutcome,
    ) -> Result<Option<StorageRequest>, Refusal> {
        match (core::mem::replace(&mut self.found, Found::Nothing), outcome) {
            (Found::Nothing, Ok(StorageAnswer::Metadata(metadata))) => self.looked(metadata),
            (Found::Nothing, Err(StorageError::NotFound)) if self.is_pattern() => {
                self.match_pattern().map(Some)
            }
            (Found::Parent { mut head }, outcome) => {
                if let Ok(StorageAnswer::Metadata(parent)) = outcome {
                    let format = ListingFormat { permissions: self.parent, ..self.format.clone() };
                    format.write_as(Role::Parent, b"..", &parent, &mut head);
                }
                Ok(Some(self.open(head)))
            }
            (Found::Directory { head }, Ok(StorageAnswer::Opened(_))) => {
                self.found = Found::Open { head, directory: id };
                Ok(None)
            }
            (_, outcome) => Err(failure(outcome.err().unwrap_or(StorageError::Other))),
        }
    }

    fn looked(&mut self, metadata: Metadata) -> Result<Option<StorageRequest>, Refusal> {
        if metadata.kind == Kind::Directory && !self.itself {
            return Ok(Some(self.begin(metadata)));
        }
        if matches!(self.format.style, Style::Facts(_)) {
            return Err((501, "Not a directory; use MLST."));
        }
        let name = if self.given.is_empty() { b".".to_vec() } else { self.given.clone() };
        let mut line = Vec::new();
        self.format.write(&Entry { name, metadata }, &mut line);
        self.found = Found::One { line };
        Ok(None)
    }

    /// Begins MLSD (RFC 3659 section 7.5.1), and a listing with -a, with the directory itself, and
    /// asks for its parent. They come first, whatever the order.
    fn begin(&mut self, metadata: Metadata) -> StorageRequest {
        self.format.prefix = core::mem::take(&mut self.directory_prefix);
        let (dots, facts) = match self.format.style {
            // Without their type, nothing would tell these two from what is in the directory.
            Style::Facts(facts) => (facts.has_type(), true),
            Style::Long | Style::Names => (self.all, false),
        };
        let mut head = Vec::new();
        if let Some(recursion) = &self.format.recursion
            && recursion.headings
        {
            heading(&recursion.base, &mut head);
        }
        if dots {
            self.format.write_as(Role::Listed, b".", &metadata, &mut head);
        }
        if dots && self.path.is_root() && !facts {
            self.format.write_as(Role::Parent, b"..", &metadata, &mut head);
        }
        if let Some(recursion) = &mut self.format.recursion {
            recursion.directory = Some(metadata);
        }
        if !dots || self.path.is_root() || !self.parent.contains(Permissions::LIST) {
            return self.open(head);
        }
        self.found = Found::Parent { head };
        StorageRequest::Metadata(self.path.parent())
    }

    fn open(&mut self, head: Vec<u8>) -> StorageRequest {
        self.found = Found::Directory { head };
        StorageRequest::OpenDirectory(self.path.clone())
    }

    /// Returns `true` if the last component may be meant as a pattern: `*.txt`, but not `*.txt/`.
    fn is_pattern(&self) -> bool {
        let last = self.path.file_name().filter(|name| self.given.ends_with(name));
        !matches!(self.format.style, Style::Facts(_)) && last.is_some_and(glob::has_wildcards)
    }

    /// Nothing is called like that: it is a pattern for what is in the directory before it.
    fn match_pattern(&mut self) -> Result<StorageRequest, Refusal> {
        if self.path.file_name().is_some_and(|name| name.len() > LONGEST_PATTERN) {
            return Err((501, "The pattern is too long."));
        }
        self.format.pattern = self.path.file_name().map(Vec::from);
        let before_name = self.given.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
        self.format.prefix = self.given[..before_name].to_vec();
        self.format.path = self.path.parent();
        if let Some(recursion) = &mut self.format.recursion {
            recursion.base.clone_from(&self.format.prefix);
        }
        self.found = Found::Directory { head: Vec::new() };
        Ok(StorageRequest::OpenDirectory(self.path.parent()))
    }

    /// The directory that is open.
    pub(super) fn directory(&self) -> Option<RequestId> {
        match self.found {
            Found::Open { directory, .. } => Some(directory),
            _ => None,
        }
    }

    /// Returns what goes over the data connection.
    pub(super) fn plan(&mut self) -> Plan {
        let directory = self.directory();
        let head = match &mut self.found {
            Found::Open { head, .. } | Found::One { line: head } => core::mem::take(head),
            Found::Nothing | Found::Parent { .. } | Found::Directory { .. } => Vec::new(),
        };
        Plan::List { head, directory, format: Box::new(self.format.clone()) }
    }
}

impl Session {
    /// LIST: the shape of `ls -l`, with a path after options such as `-la`.
    pub(crate) fn list(&mut self, argument: &[u8], now: Now) {
        let listing = self.listing(argument, Style::Long, now);
        self.send_listing(listing);
    }

    /// NLST: names that can be given back, so those in a directory carry its name as given.
    pub(crate) fn nlst(&mut self, argument: &[u8], now: Now) {
        let listing = self.listing(argument, Style::Names, now);
        self.send_listing(listing);
    }

    /// MLSD (RFC 3659 section 7): no options, no patterns.
    pub(crate) fn mlsd(&mut self, argument: &[u8], now: Now) {
        let style = Style::Facts(self.parameters.facts);
        let listing = self.listing_of(argument, false, style, now);
        self.send_listing(listing);
    }

    /// STAT with a path.
    pub(crate) fn stat_path(&mut self, argument: &[u8], now: Now) {
        match self.listing(argument, Style::Long, now) {
            Ok(listing) if listing.format.recursion.is_some() => {
                self.reply(504, "STAT does not recurse; LIST does.");
            }
            // It is short, and comes as the storage gives it.
            Ok(mut listing) => {
                listing.format.order = Order::default();
                self.ask(listing.first_request(), Continuation::StatLook(listing));
            }
            Err((code, text)) => self.reply(code, text),
        }
    }

    /// Reads the argument of LIST, NLST or STAT, whose own style options may change.
    fn listing(&self, argument: &[u8], own: Style, now: Now) -> Result<Box<Listing>, Refusal> {
        let (options, given) = Options::split(argument);
        let style = match options.long {
            Some(true) => Style::Long,
            Some(false) => Style::Names,
            None => own,
        };
        // Names that can be given back carry that of their directory.
        let full_names = (own, style) == (Style::Names, Style::Names);
        let mut listing = self.listing_of(given, options.itself, style, now)?;
        if full_names {
            listing.directory_prefix = base(given, b"");
        }
        listing.all = options.all;
        listing.format.follow_links = options.follow_links;
        listing.format.order = options.order;
        if options.recursive && !options.itself {
            if self.config.list_bounds.entries == 0 {
                // A listing of one level would pass for all there is.
                return Err((504, "Recursive listings are switched off."));
            }
            listing.format.recursion = Some(Box::new(Recursion {
                base: base(given, if full_names { b"" } else { b"./" }),
                headings: !full_names,
                all: options.all,
                directory: None,
                rights: self.grant().map(|grant| grant.rights.clone()).unwrap_or_default(),
            }));
        }
        Ok(listing)
    }

    fn listing_of(
        &self,
        given: &[u8],
        itself: bool,
        style: Style,
        now: Now,
    ) -> Result<Box<Listing>, Refusal> {
        let path = self.parameters.directory.resolve(given);
        let path = path.map_err(|_| failure(StorageError::BadName))?;
        if !self.may(Permissions::LIST, &path) {
            return Err(failure(StorageError::PermissionDenied));
        }
        Ok(Box::new(Listing {
            given: given.to_vec(),
            directory_prefix: Vec::new(),
            itself,
            all: false,
            format: self.listing_format(&path, style, now),
            parent: self.grant().map(|own| own.rights.shown_at(&path.parent())).unwrap_or_default(),
            path,
            found: Found::Nothing,
        }))
    }

    /// How a line looks for `path`, or for what is in it.
    pub(super) fn listing_format(
        &self,
        path: &VirtualPath,
        style: Style,
        now: Now,
    ) -> ListingFormat {
        let rights = self.grant().map(|grant| grant.rights.clone()).unwrap_or_default();
        ListingFormat {
            path: path.clone(),
            exceptions: rights.exceptions_in(path),
            utc_offset_minutes: self.config.list_utc_offset_minutes,
            bounds: self.config.list_bounds,
            ..ListingFormat::new(style, rights.at(path), now.wall)
        }
    }

    /// STAT: the storage has told what stands there, or opened the directory.
    pub(super) fn stat_answered(
        &mut self,
        mut listing: Box<Listing>,
        id: RequestId,
        outcome: StorageOutcome,
    ) {
        match listing.answered(id, outcome) {
            Ok(Some(request)) => self.ask(request, Continuation::StatLook(listing)),
            Ok(None) => {
                let code = if listing.directory().is_some() { 212 } else { 213 };
                let head = Text::from("Status of {}:").with_name(listing.path.as_bytes());
                self.replies.open(code, head);
                match listing.plan() {
                    Plan::List { head, directory: Some(directory), format } => {
                        self.replies.listing(&head);
                        let allowance = STAT_ALLOWANCE;
                        self.next_stat_lines(StatLines { directory, format, allowance });
                    }
                    Plan::List { head, .. } => {
                        self.replies.listing(&head);
                        self.reply(code, "End of status.");
                    }
                    _ => {}
                }
            }
            Err((code, text)) => self.reply(code, text),
        }
    }

    /// STAT: some lines of the directory.
    pub(super) fn stat_lines(&mut self, stat: StatLines, outcome: StorageOutcome) {
        let directory = stat.directory;
        let (left, end) = match outcome {
            Ok(StorageAnswer::Lines(lines)) => {
                self.replies.listing(&lines.text);
                (stat.allowance.less(lines.count, lines.text.len()), lines.end)
            }
            _ => {
                self.actions.push_back(Action::Release(directory));
                return self.reply(212, REST_UNREAD);
            }
        };
        match (left, end) {
            (Some(allowance), LinesEnd::Enough) => {
                self.next_stat_lines(StatLines { allowance, ..stat });
            }
            (_, LinesEnd::Complete) => {
                self.actions.push_back(Action::Release(directory));
                self.reply(212, "End of status.");
            }
            (None, _) | (_, LinesEnd::NoRoom) => {
                self.actions.push_back(Action::Release(directory));
                self.reply(212, "There are more; LIST shows them all.");
            }
        }
    }

    fn next_stat_lines(&mut self, stat: StatLines) {
        let StatLines { directory, allowance, .. } = stat;
        let format = stat.format.clone();
        let request = StorageRequest::NextLines { directory, format, allowance };
        self.ask(request, Continuation::StatLines(Box::new(stat)));
    }
}

/// Returns what stands before the names in a directory that the client named like this, or in this
/// way if it did not name any.
fn base(given: &[u8], unnamed: &[u8]) -> Vec<u8> {
    match given {
        b"" | b"." => unnamed.to_vec(),
        named if named.ends_with(b"/") => named.to_vec(),
        named => [named, b"/"].concat(),
    }
}
