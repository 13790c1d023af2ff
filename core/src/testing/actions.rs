//! Actions as text, such as `storage #4 open-read /a`.

use std::fmt::Write as _;
use std::format;
use std::string::String;

use crate::{
    Action, DataEnd, Disposition, Filter, ListBounds, ListingFormat, LoginMethod, Mode, Plan,
    SortKey, StorageRequest, Style, VirtualPath, WriteMode,
};

use super::text::word;

/// Writes an action as one line, as in a [`Transcript`](super::Transcript).
pub fn show(action: &Action) -> String {
    match action {
        Action::StartTls { host: None } => "start-tls".into(),
        Action::StartTls { host: Some(host) } => format!("start-tls host={host}"),
        Action::EndTls => "end-tls".into(),
        Action::Authenticate { id, user, method, host } => {
            let method = match method {
                LoginMethod::Password(password) => word(password.as_bytes()),
                LoginMethod::Certificate => "by-certificate".into(),
            };
            let host = host.map_or(String::new(), |host| format!(" host={host}"));
            format!("authenticate #{} {} {method}{host}", id.0, word(user))
        }
        Action::Logout => "logout".into(),
        Action::Notice(notice) => format!("notice {notice}"),
        Action::Vacate => "vacate".into(),
        Action::Storage { id, request } => format!("storage #{} {}", id.0, show_request(request)),
        Action::Release(id) => format!("release #{}", id.0),
        Action::Site { id, command, argument, user, directory } => {
            let (argument, user) = (word(argument), word(user));
            format!("site #{} {command} {argument} {user} {directory}", id.0)
        }
        Action::Listen { id } => format!("listen #{}", id.0),
        Action::AcceptData => "accept-data".into(),
        Action::RefuseData => "refuse-data".into(),
        Action::Connect { id, to } => format!("connect #{} {to}", id.0),
        Action::CloseData(DataEnd::Plain) => "close-data".into(),
        Action::CloseData(DataEnd::Refused) => "close-data refused".into(),
        Action::CloseData(DataEnd::Announced) => "close-data announced".into(),
        Action::ProtectData { id, tickets } => {
            format!("protect-data #{}{}", id.0, if *tickets { " tickets" } else { "" })
        }
        Action::Transfer { id, plan, mode, rate } => {
            let mode = match mode {
                Mode::Stream => String::new(),
                Mode::Deflate { level } => format!(" deflate={level}"),
            };
            let rate = rate.map_or(String::new(), |rate| format!(" rate={rate}"));
            format!("transfer #{} {}{mode}{rate}", id.0, show_plan(plan))
        }
        Action::StopTransfer => "stop-transfer".into(),
        Action::CheckControl { id } => format!("check-control #{}", id.0),
        Action::Digest { id, file, algorithm, start, end } => {
            format!("digest #{} {algorithm:?} #{} start={start} end={end}", id.0, file.0)
        }
        Action::StopDigest => "stop-digest".into(),
        Action::Close => "close".into(),
    }
}

fn show_request(request: &StorageRequest) -> String {
    use StorageRequest::*;
    let on = |verb: &str, path: &VirtualPath| format!("{verb} {}", word(path.as_bytes()));
    match request {
        Metadata(path) => on("metadata", path),
        LinkMetadata(path) => on("link-metadata", path),
        OpenDirectory(path) => on("open-directory", path),
        NextLines { directory, .. } => format!("next-lines #{}", directory.0),
        OpenRead(path) => on("open-read", path),
        CheckWrite(path, mode) => format!("{} {}", on("check-write", path), show_mode(mode)),
        UniqueName { directory, hint } => {
            format!("{} {}", on("unique-name", directory), word(hint))
        }
        Sync { file } => format!("sync #{}", file.0),
        OpenWrite(path, mode) => format!("{} {}", on("open-write", path), show_mode(mode)),
        Finish { file, disposition } => {
            let disposition = match disposition {
                Disposition::Publish => "publish",
                Disposition::KeepPartial => "keep-partial",
                Disposition::Discard => "discard",
            };
            format!("finish #{} {disposition}", file.0)
        }
        CreateDirectory(path) => on("create-directory", path),
        RemoveFile(path) => on("remove-file", path),
        RemoveDirectory(path) => on("remove-directory", path),
        SetFacts { path, modified, mode } => {
            let mut text = on("set-facts", path);
            if let Some(time) = modified {
                let _ = write!(text, " modified={}", time.seconds);
            }
            if let Some(mode) = mode {
                let _ = write!(text, " mode={mode:04o}");
            }
            text
        }
        SpaceLeft(path) => on("space-left", path),
        Rename { from, to, replace } => {
            let how = if *replace { "" } else { " no-replace" };
            format!("{} {}{how}", on("rename", from), word(to.as_bytes()))
        }
    }
}

fn show_mode(mode: &WriteMode) -> String {
    match mode {
        WriteMode::Replace { atomic: true } => "replace".into(),
        WriteMode::Replace { atomic: false } => "overwrite".into(),
        WriteMode::ResumeAt(offset) => format!("resume-at {offset}"),
        WriteMode::Append { create: true } => "append".into(),
        WriteMode::Append { create: false } => "append-existing".into(),
        WriteMode::Create { atomic: true } => "create-beside".into(),
        WriteMode::Create { atomic: false } => "create".into(),
    }
}

fn show_plan(plan: &Plan) -> String {
    match plan {
        Plan::Send { file, filter, offset, end } => {
            let end = end.map_or(String::new(), |end| format!(" end={end}"));
            format!("send #{} {} offset={offset}{end}", file.0, show_filter(*filter))
        }
        Plan::Receive { file, filter, most } => {
            let most = most.map_or(String::new(), |most| format!(" most={most}"));
            format!("receive #{} {}{most}", file.0, show_filter(*filter))
        }
        Plan::List { head, directory, format } => {
            let directory = directory.map_or("-".into(), |id| format!("#{}", id.0));
            let mut text = format!("list {directory} {}", show_format(format));
            if !head.is_empty() {
                let _ = write!(text, " head={}", word(head));
            }
            text
        }
    }
}

fn show_filter(filter: Filter) -> &'static str {
    match filter {
        Filter::Identity => "identity",
        Filter::Ascii => "ascii",
    }
}

/// The clock is left out: it is the runner's own.
fn show_format(format: &ListingFormat) -> String {
    let mut text = match format.style {
        Style::Long => "long".into(),
        Style::Names => "names".into(),
        Style::Facts(facts) => format!("facts={facts} permissions={}", format.permissions),
    };
    for (name, permissions) in &format.exceptions {
        let _ = write!(text, " exception={}:{permissions}", word(name));
    }
    if let Some(pattern) = &format.pattern {
        let _ = write!(text, " pattern={}", word(pattern));
    }
    if !format.prefix.is_empty() {
        let _ = write!(text, " prefix={}", word(&format.prefix));
    }
    if format.utc_offset_minutes != 0 {
        let _ = write!(text, " utc={:+}", format.utc_offset_minutes);
    }
    if format.follow_links {
        text.push_str(" follow-links");
    }
    match format.order.key {
        SortKey::Storage => {}
        SortKey::Modified => text.push_str(" by-time"),
        SortKey::Size => text.push_str(" by-size"),
    }
    if format.order.reversed {
        text.push_str(" reversed");
    }
    if format.opens_directories() {
        let _ = write!(text, " of={}", word(format.path.as_bytes()));
    }
    if let Some(recursion) = &format.recursion {
        let base = word(&recursion.base);
        let headings = if recursion.headings { " headings" } else { "" };
        let all = if recursion.all { " all" } else { "" };
        let ListBounds { depth, entries, .. } = format.bounds;
        let _ = write!(text, " recursive base={base}{headings}{all}");
        let _ = write!(text, " depth={depth} entries={entries}");
    }
    text
}
