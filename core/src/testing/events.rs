//! Events out of text.
//!
//! [`Transcript`](super::Transcript) has the table.

use std::format;
use std::string::{String, ToString};
use std::time::Duration;
use std::vec::Vec;

use crate::{
    Access, DataProof, Denial, DigestEnd, Entry, Event, Grant, Instant, Kind, Lines, Metadata,
    Opened, Permissions, PortLoss, RequestId, SiteReply, StorageAnswer, StorageError, TlsRequired,
    TransferEnd, UploadEnd, VirtualPath, WallTime,
};

use super::text::unescape;

type Result<T> = core::result::Result<T, String>;

/// Reads an event, as in a [`Transcript`](super::Transcript); times in it count from `now`.
///
/// # Errors
///
/// The error says what cannot be read.
pub fn parse(text: &str, now: Instant) -> core::result::Result<Event, String> {
    let (verb, rest) = split(text);
    Ok(match verb {
        "timeout" => Event::Timeout,
        "tls-started" => Event::TlsStarted { certificate: rest == "certificate" },
        "control-ending" => Event::ControlEnding,
        "control-closed" => Event::ControlClosed,
        "control-lost" => Event::ControlLost,
        "evicted" => Event::Evicted,
        "dropped" => Event::Dropped,
        "shutdown" => Event::Shutdown { deadline: now + duration(rest)? },
        _ => {
            let (id, rest) = split(rest);
            let id = id.strip_prefix('#').ok_or("an id such as #1 is wanted")?;
            with_id(verb, RequestId(number(id)?), rest)?
        }
    })
}

/// Reads the entries of `entries #2 a{file}`, and whose they are; `None` where it is something else.
pub(super) fn parse_entries(text: &str) -> Option<(RequestId, Vec<Entry>)> {
    let (id, rest) = split(text.strip_prefix("entries ")?);
    Some((RequestId(number(id.strip_prefix('#')?).ok()?), entries(rest).ok()?))
}

/// Reads a time such as `+300s` or `+500ms`.
pub(super) fn duration(text: &str) -> Result<Duration> {
    let text = text.strip_prefix('+').ok_or("a time such as +3s is wanted")?;
    match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(text), _) => Ok(Duration::from_millis(number(text)?)),
        (_, Some(text)) => Ok(Duration::from_secs(number(text)?)),
        _ => Err(format!("bad time {text:?}")),
    }
}

/// Cuts the first word off.
pub(super) fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    (word, rest.trim_start())
}

fn with_id(verb: &str, id: RequestId, rest: &str) -> Result<Event> {
    let stored = |answer| Event::Storage { id, outcome: Ok(answer) };
    Ok(match verb {
        "authenticated" => {
            let outcome = match rest {
                "refused" => Err(Denial::Refused),
                "unavailable" => Err(Denial::Unavailable),
                "broken" => Err(Denial::Failed),
                "too-many" => Err(Denial::TooManySessions),
                "cooling-down" => Err(Denial::CoolingDown),
                "wrong-network" => Err(Denial::WrongNetwork),
                granted => Ok(grant(granted)?),
            };
            Event::Authenticated { id, outcome }
        }
        "done" => stored(StorageAnswer::Done),
        "failed" => Event::Storage { id, outcome: Err(storage_error(rest)?) },
        "metadata" => stored(StorageAnswer::Metadata(metadata(rest)?)),
        "space" if rest == "unknown" => stored(StorageAnswer::Space(None)),
        "space" => stored(StorageAnswer::Space(Some(number(rest)?))),
        "name" => stored(StorageAnswer::Name(unescape(rest)?)),
        "opened" => stored(StorageAnswer::Opened(opened(rest)?)),
        // Their lines depend on how they are asked for.
        "entries" => stored(StorageAnswer::Lines(entries(rest).map(|_| Lines::default())?)),
        "site" => {
            let (code, text) = split(rest);
            Event::Site { id, reply: SiteReply { code: number(code)?, text: unescape(text)? } }
        }
        "listening" if rest == "none" => Event::Listening { id, port: None },
        "listening" => Event::Listening { id, port: Some(number(rest)?) },
        "arrived" => Event::DataArrived { id, peer: number(rest)? },
        "readable" => Event::DataReadable { id },
        "port-lost" => {
            let why = match rest {
                "failed" => PortLoss::Failed,
                "given-away" => PortLoss::GivenAway,
                _ => return Err(format!("unknown loss {rest:?}")),
            };
            Event::PortLost { id, why }
        }
        "connected" => Event::Connected { id, established: true },
        "unconnected" => Event::Connected { id, established: false },
        "protected" => {
            let proof = match rest {
                "resumed" => Some(DataProof::Resumed),
                "fresh" => Some(DataProof::Fresh),
                "foreign" => Some(DataProof::Foreign),
                "other" => Some(DataProof::OtherCertificate),
                "failed" => None,
                _ => return Err(format!("unknown proof {rest:?}")),
            };
            Event::DataProtected { id, proof }
        }
        "progress" => Event::Progress { id, bytes: number(rest)? },
        "sent" => Event::Sent { id },
        "checked" => Event::ControlChecked { id },
        "ended" => {
            let (bytes, end) = split(rest);
            let end = match end {
                "complete" => TransferEnd::Complete,
                "data-lost" => TransferEnd::DataLost,
                "unannounced" => TransferEnd::Unannounced,
                "damaged" => TransferEnd::Damaged,
                "no-memory" => TransferEnd::NoMemory,
                "stopped" => TransferEnd::Stopped,
                "excess" => TransferEnd::Excess,
                error => TransferEnd::Storage(storage_error(error)?),
            };
            Event::TransferEnded { id, bytes: number(bytes)?, end }
        }
        "digested" => {
            let end = match split(rest) {
                ("stopped", _) => DigestEnd::Stopped,
                ("failed", error) => DigestEnd::Storage(storage_error(error)?),
                (digest, _) => DigestEnd::Complete(unescape(digest)?),
            };
            Event::DigestEnded { id, end }
        }
        _ => return Err(format!("unknown event {verb:?}")),
    })
}

/// Reads permission letters, or `-` for none.
pub(super) fn permissions(letters: &str) -> Result<Permissions> {
    let letters = if letters == "-" { "" } else { letters };
    Permissions::parse(letters).map_err(|letter| format!("no permission has the letter {letter}"))
}

/// Reads anything that has no spaces: numbers, addresses.
pub(super) fn number<T: std::str::FromStr>(text: &str) -> Result<T> {
    text.parse().map_err(|_| format!("bad value {text:?}"))
}

fn storage_error(text: &str) -> Result<StorageError> {
    let found = StorageError::ALL.into_iter().find(|error| error.word() == text);
    found.ok_or_else(|| format!("unknown storage error {text:?}"))
}

fn grant(text: &str) -> Result<Grant> {
    let (letters, facts) = split(text);
    let mut grant = Grant { rights: permissions(letters)?.into(), ..Grant::default() };
    for fact in facts.split_whitespace() {
        if let Some((folder, letters)) = fact.split_once(':') {
            let folder = VirtualPath::root().resolve(&unescape(folder)?);
            let folder = folder.map_err(|error| format!("{fact}: {error}"))?;
            grant.rights = grant.rights.with_folder(folder, permissions(letters)?);
            continue;
        }
        match fact.split_once('=') {
            Some(("tls", required)) => grant.tls = tls_required(required)?,
            Some(("download", rate)) => grant.rates.download = Some(number(rate)?),
            Some(("upload-end", end)) => grant.upload_end = Some(upload_end(end)?),
            Some(("upload", rate)) => grant.rates.upload = Some(number(rate)?),
            _ => return Err(format!("unknown fact {fact:?}")),
        }
    }
    Ok(grant)
}

/// Reads `strict` or `lenient`.
pub(super) fn upload_end(text: &str) -> Result<UploadEnd> {
    Ok(match text {
        "strict" => UploadEnd::Strict,
        "lenient" => UploadEnd::Lenient,
        _ => return Err(format!("unknown end {text:?}")),
    })
}

/// Reads `none`, `login`, `data` or `all`.
pub(super) fn tls_required(text: &str) -> Result<TlsRequired> {
    Ok(match text {
        "none" => TlsRequired::None,
        "login" => TlsRequired::Login,
        "data" => TlsRequired::Data,
        "all" => TlsRequired::All,
        _ => return Err(format!("unknown requirement {text:?}")),
    })
}

fn opened(text: &str) -> Result<Opened> {
    let mut opened = Opened::default();
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(("size", size)) => opened.size = number(size)?,
            None if word == "existed" => opened.existed = true,
            _ => return Err(format!("unknown fact {word:?}")),
        }
    }
    Ok(opened)
}

fn entries(mut text: &str) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    while let Some((name, rest)) = text.split_once('{') {
        let (facts, rest) = rest.split_once('}').ok_or("an entry ends with }")?;
        entries.push(Entry { name: unescape(name)?, metadata: metadata(facts)? });
        text = rest.trim_start();
    }
    if text.is_empty() { Ok(entries) } else { Err(format!("bad entry {text:?}")) }
}

/// Reads `file`, `directory`, `link` or `other`, and facts such as `size=12` after it.
fn metadata(text: &str) -> Result<Metadata> {
    let (kind, facts) = split(text);
    let kind = match kind {
        "file" => Kind::File,
        "directory" => Kind::Directory,
        "link" => Kind::Symlink { target: None, leads_to: None },
        "other" => Kind::Other,
        _ => return Err(format!("unknown kind {kind:?}")),
    };
    let mut metadata = Metadata::new(kind, 0, WallTime::default());
    for fact in facts.split_whitespace() {
        let (name, value) = fact.split_once('=').ok_or_else(|| format!("bad fact {fact:?}"))?;
        set_fact(&mut metadata, name, value)?;
    }
    Ok(metadata)
}

fn set_fact(metadata: &mut Metadata, name: &str, value: &str) -> Result<()> {
    match (name, &mut metadata.kind) {
        ("size", _) => metadata.size = number(value)?,
        ("modified", _) => metadata.modified = WallTime::from_seconds(number(value)?),
        ("links", _) => metadata.links = number(value)?,
        ("owner", _) => metadata.owner = number(value)?,
        ("group", _) => metadata.group = number(value)?,
        ("mode", _) => {
            let mode = u32::from_str_radix(value, 8);
            metadata.mode = mode.map_err(|error| error.to_string())?;
        }
        ("unique", _) => {
            let (device, inode) = value.split_once(':').ok_or("unique=device:inode")?;
            metadata.unique = Some((number(device)?, number(inode)?));
        }
        ("access", _) => {
            metadata.access = Access {
                read: value.contains('r'),
                write: value.contains('w'),
                remove: value.contains('d'),
                enter: value.contains('x'),
            };
        }
        ("to", Kind::Symlink { target, .. }) => *target = Some(unescape(value)?),
        _ => return Err(format!("unknown fact {name:?}")),
    }
    Ok(())
}
