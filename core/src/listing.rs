//! Directory listings, line by line: LIST and NLST (RFC 959), MLST and MLSD (RFC 3659).

mod lister;
mod order;
mod walk;

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::digits::{self, Digits};
use crate::facts::{Facts, Role};
use crate::glob;
use crate::name;
use crate::path::VirtualPath;
use crate::permissions::Permissions;
use crate::storage::{Entry, Kind, Metadata};
use crate::time::{Civil, WallTime};

pub use lister::{ListedTree, Lister};
pub use order::{Order, SortKey};
pub(crate) use walk::heading;
pub use walk::{ListBounds, Recursion};

/// How the lines of a listing look, and which entries have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListingFormat {
    /// The shape of a line.
    pub style: Style,
    /// Only entries whose name matches this pattern are listed, see [`glob`](crate::glob).
    pub pattern: Option<Vec<u8>>,
    /// The directory that is listed.
    pub path: VirtualPath,
    /// What stands before each name, such as `dir/`; raw bytes like the names themselves.
    pub prefix: Vec<u8>,
    /// The account's permissions there, for the `perm` fact.
    pub permissions: Permissions,
    /// Entries that have permissions of their own, by name.
    pub exceptions: Vec<(Vec<u8>, Permissions)>,
    /// The wall clock, by which LIST chooses between time of day and year.
    pub now: WallTime,
    /// Minutes east of UTC in which LIST shows times.
    pub utc_offset_minutes: i16,
    /// The option -L: of a link is shown what it leads to, where that is known.
    pub follow_links: bool,
    /// The options -t, -S and -r. Obeyed by a [`Lister`], as is what follows.
    pub order: Order,
    /// The option -R.
    pub recursion: Option<Box<Recursion>>,
    /// How much memory sorting takes, and how far the recursion goes.
    pub bounds: ListBounds,
}

/// The shape of a listing line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// LIST: the shape of `/bin/ls -l`.
    Long,
    /// NLST: the name alone.
    Names,
    /// MLSD and MLST: facts, a space, the name.
    Facts(Facts),
}

/// What a listing needs to know of each entry. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Its name.
    Name,
    /// What it is.
    Metadata,
    /// What the process may do with it: [`Metadata::access`].
    Access,
}

/// How much of a listing there is room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Lines.
    pub lines: usize,
    /// Bytes, line ends and all.
    pub bytes: usize,
}

impl Allowance {
    /// Room for whatever comes.
    pub const ALL: Self = Self { lines: usize::MAX, bytes: usize::MAX };

    /// Takes lines off; `None` when there is no room for them.
    pub(crate) fn less(self, lines: usize, bytes: usize) -> Option<Self> {
        let lines = self.lines.checked_sub(lines)?;
        Some(Self { lines, bytes: self.bytes.checked_sub(bytes)? })
    }
}

/// A portion of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines, each with its CRLF.
    pub text: Vec<u8>,
    /// How many there are.
    pub count: usize,
    /// Why there are no more of them.
    pub end: LinesEnd,
}

/// Why a portion of a listing ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinesEnd {
    /// It was enough at once: others are to have their turn.
    #[default]
    Enough,
    /// The directory has no more entries.
    Complete,
    /// There is no room for the next line.
    NoRoom,
}

/// How many entries are looked at for a portion.
const ENTRIES_AT_ONCE: usize = 512;

/// How many bytes of a pattern are held against bytes of names for a portion, at the worst: about a
/// thousandth of a second's work.
const STEPS_AT_ONCE: usize = 1 << 20;

/// How long LIST shows the time of day of a change; before that, and for the future, the year.
const RECENT_SECONDS: i64 = 180 * DAY_SECONDS;
const DAY_SECONDS: i64 = 86_400;

const MONTHS: [&[u8; 3]; 12] = [
    b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec",
];

impl ListingFormat {
    /// Makes one for the root, without exceptions in its permissions, of which all entries are listed
    /// as they come; times are in UTC.
    pub fn new(style: Style, permissions: Permissions, now: WallTime) -> Self {
        Self {
            style,
            pattern: None,
            path: VirtualPath::root(),
            prefix: Vec::new(),
            permissions,
            exceptions: Vec::new(),
            now,
            utc_offset_minutes: 0,
            follow_links: false,
            order: Order::default(),
            recursion: None,
            bounds: ListBounds::default(),
        }
    }

    /// Returns `true` if a [`Lister`] opens directories: others, or the same once more.
    pub fn opens_directories(&self) -> bool {
        self.recursion.is_some() || !self.order.is_plain()
    }

    /// Returns how many bytes of memory a [`Lister`] holds at the most, for this format's sake.
    pub fn memory_bytes(&self) -> u64 {
        let parts = u64::from(!self.order.is_plain()) + u64::from(self.recursion.is_some());
        u64::from(self.bounds.memory_bytes) * parts
    }

    /// Appends the entry's line with its CRLF, or nothing where the pattern leaves it out.
    ///
    /// Whatever the name, the line holds no CRLF and no LF but those at its end.
    pub fn write(&self, entry: &Entry, out: &mut Vec<u8>) {
        let listed =
            self.pattern.as_ref().is_none_or(|pattern| glob::matches(pattern, &entry.name));
        if listed {
            self.write_as(Role::Entry, &entry.name, self.shown(&entry.metadata), out);
        }
    }

    /// Appends the lines of some of the entries that `next` gives, until that is `enough` bytes or
    /// work enough for once, or there is no room for the next line. Returns how many lines that
    /// are, and why there are no more.
    ///
    /// `next` puts an entry in the place of the one before, with as much detail as is asked for, and
    /// returns `false` after the last.
    pub fn write_portion<E>(
        &self,
        mut next: impl FnMut(&mut Entry, Detail) -> Result<bool, E>,
        mut allowance: Allowance,
        enough: usize,
        out: &mut Vec<u8>,
    ) -> Result<(usize, LinesEnd), E> {
        let detail = self.detail();
        let mut entry = Entry { name: Vec::new(), metadata: Metadata::directory() };
        let (mut count, mut steps) = (0, 0);
        for _ in 0..ENTRIES_AT_ONCE {
            if out.len() >= enough || steps >= STEPS_AT_ONCE {
                break;
            }
            if !next(&mut entry, detail)? {
                return Ok((count, LinesEnd::Complete));
            }
            let pattern = self.pattern.as_ref().map_or(0, Vec::len);
            steps += pattern * entry.name.len();
            let before = out.len();
            self.write(&entry, out);
            if out.len() > before {
                match allowance.less(1, out.len() - before) {
                    Some(left) => allowance = left,
                    None => {
                        out.truncate(before);
                        return Ok((count, LinesEnd::NoRoom));
                    }
                }
                count += 1;
            }
        }
        Ok((count, LinesEnd::Enough))
    }

    fn detail(&self) -> Detail {
        match self.style {
            Style::Names if self.order.key == SortKey::Storage && self.recursion.is_none() => {
                Detail::Name
            }
            Style::Facts(facts) if facts.has_perm() => Detail::Access,
            Style::Long | Style::Facts(_) | Style::Names => Detail::Metadata,
        }
    }

    /// Returns what is shown of an entry of which this is known.
    fn shown<'a>(&self, metadata: &'a Metadata) -> &'a Metadata {
        if self.follow_links { followed(metadata) } else { metadata }
    }

    /// Appends a line with its CRLF, whatever the pattern: for the directory itself, its parent,
    /// and what MLST asks for. `name` need not be a single component.
    pub(crate) fn write_as(&self, role: Role, name: &[u8], metadata: &Metadata, out: &mut Vec<u8>) {
        match self.style {
            Style::Long => self.write_long(metadata, out),
            Style::Names => {}
            Style::Facts(facts) => {
                let exception = self.exceptions.iter().find(|(entry, _)| entry == name);
                let permissions = exception.map_or(self.permissions, |(_, own)| *own);
                facts.write(role, metadata, permissions, out);
                out.push(b' ');
            }
        }
        name::encode(&self.prefix, out);
        name::encode(name, out);
        if let (Style::Long, Kind::Symlink { target: Some(target), .. }) =
            (self.style, &metadata.kind)
        {
            out.extend_from_slice(b" -> ");
            name::encode(target, out);
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Appends what stands before the name in the shape of `/bin/ls -l`, with the columns where
    /// clients that count them look.
    fn write_long(&self, metadata: &Metadata, out: &mut Vec<u8>) {
        out.extend_from_slice(&mode_string(metadata));
        out.push(b' ');
        Digits::decimal(metadata.links).append_right(3, out);
        out.push(b' ');
        Digits::decimal(metadata.owner).append_left(8, out);
        out.push(b' ');
        Digits::decimal(metadata.group).append_left(8, out);
        out.push(b' ');
        Digits::decimal(metadata.size).append_right(8, out);
        out.push(b' ');
        self.write_date(metadata.modified, out);
        out.push(b' ');
    }

    /// Appends `Mon DD HH:MM` for a recent time, else `Mon DD  YYYY`, both twelve columns wide.
    fn write_date(&self, time: WallTime, out: &mut Vec<u8>) {
        let age = self.now.seconds.saturating_sub(time.seconds);
        let offset = i64::from(self.utc_offset_minutes) * 60;
        let date = Civil::from_seconds(time.seconds.saturating_add(offset));
        out.extend_from_slice(MONTHS[usize::from(date.month) - 1]);
        out.push(b' ');
        Digits::decimal(date.day).append_right(2, out);
        out.push(b' ');
        // A clock that is a little ahead, or in another zone, does not make a file a thing of the
        // far future: up to a day is taken as recent.
        if (-DAY_SECONDS..=RECENT_SECONDS).contains(&age) {
            out.extend_from_slice(&digits::pair(date.hour));
            out.push(b':');
            out.extend_from_slice(&digits::pair(date.minute));
        } else {
            out.push(b' ');
            out.extend_from_slice(&digits::year(date.year));
        }
    }
}

/// Returns what is known of what a link leads to, or of what is none.
fn followed(metadata: &Metadata) -> &Metadata {
    match &metadata.kind {
        Kind::Symlink { leads_to: Some(target), .. } => target,
        _ => metadata,
    }
}

/// Returns type and mode as `ls -l` draws them, such as `-rw-r--r--`.
fn mode_string(metadata: &Metadata) -> [u8; 10] {
    let mut drawn = *b"?rwxrwxrwx";
    drawn[0] = match metadata.kind {
        Kind::File => b'-',
        Kind::Directory => b'd',
        Kind::Symlink { .. } => b'l',
        // Which of the special kinds it is, is not known here; clients leave a pipe alone.
        Kind::Other => b'p',
    };
    for bit in 0..9 {
        if metadata.mode & 0o400 >> bit == 0 {
            drawn[bit + 1] = b'-';
        }
    }
    // Set-user-id, set-group-id and sticky share a column with the execute bit: small when both
    // are set, a capital when that one is not.
    for (bit, column, both, alone) in
        [(0o4000, 3, b's', b'S'), (0o2000, 6, b's', b'S'), (0o1000, 9, b't', b'T')]
    {
        if metadata.mode & bit != 0 {
            drawn[column] = if drawn[column] == b'x' { both } else { alone };
        }
    }
    drawn
}

#[cfg(test)]
mod tests;
