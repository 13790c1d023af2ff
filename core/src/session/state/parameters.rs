//! What the client has chosen.

use crate::action::{Filter, Mode};
use crate::digest::DigestAlgorithm;
use crate::facts::Facts;
use crate::path::VirtualPath;

/// Which bytes of its file the next transfer covers: what REST or RANG said last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// All.
    Whole,
    /// REST: those from here on. Never all.
    From(u64),
    /// RANG: those from `start` on, up to but not including `end`, which is greater.
    Between { start: u64, end: u64 },
}

/// How hard MODE Z compresses where the client does not say: zlib's own middle way.
pub(crate) const DEFAULT_LEVEL: u8 = 6;

/// What transfer parameters the client has chosen.
#[derive(Debug)]
pub(crate) struct Parameters {
    /// TYPE.
    pub(crate) filter: Filter,
    /// REST and RANG: what the next transfer covers.
    pub(crate) range: Range,
    /// OPTS HASH.
    pub(crate) hash: DigestAlgorithm,
    /// MODE: deflate (Z), or stream.
    pub(crate) deflate: bool,
    /// OPTS MODE Z LEVEL.
    pub(crate) level: u8,
    /// OPTS MLST.
    pub(crate) facts: Facts,
    /// EPSV ALL: no other data port command from now on (RFC 2428 section 4).
    pub(crate) epsv_all: bool,
    /// The working directory.
    pub(crate) directory: VirtualPath,
    /// The path of RNFR, when that was the command just before.
    pub(crate) rename_from: Option<VirtualPath>,
}

impl Parameters {
    /// What a new session starts with (RFC 959 section 5.1: ASCII Non-print, Stream, File).
    pub(crate) fn new() -> Self {
        Self {
            filter: Filter::Ascii,
            range: Range::Whole,
            hash: DigestAlgorithm::Sha256,
            deflate: false,
            level: DEFAULT_LEVEL,
            facts: Facts::default(),
            epsv_all: false,
            directory: VirtualPath::root(),
            rename_from: None,
        }
    }

    /// In what form bytes travel.
    pub(crate) fn mode(&self) -> Mode {
        if self.deflate { Mode::Deflate { level: self.level } } else { Mode::Stream }
    }

    /// Returns `true` if files travel byte by byte as they are.
    pub(crate) fn is_plain(&self) -> bool {
        self.filter == Filter::Identity && !self.deflate
    }
}
