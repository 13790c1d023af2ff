//! What `wharf user list` shows.

use std::fmt::Write;

use wharf::ListedUser;

/// Returns a table with a line for each account.
pub(super) fn columns(users: &[ListedUser]) -> String {
    let heading = ["NAME", "HOST", "ROOT", "PERMISSIONS", "LOGIN"].map(String::from);
    let rows: Vec<_> = [heading].into_iter().chain(users.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<_> = (0..5).map(|column| width(column).unwrap_or_default()).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_string() + "\n"
    });
    lines.collect()
}

/// Returns an array with an object for each account; the anonymous has no name.
pub(super) fn json(users: &[ListedUser]) -> String {
    let object = |user: &ListedUser| {
        let text = |text: &Option<String>| text.as_deref().map_or("null".into(), quoted);
        format!(
            "  {{\"name\": {}, \"host\": {}, \"root\": {}, \"permissions\": {}, \"folders\": {}, \
             \"enabled\": {}, \"password\": {}, \"certificate\": {}}}",
            text(&user.name),
            text(&user.host),
            text(&user.root),
            quoted(&user.permissions),
            user.folders,
            user.enabled,
            user.has_password,
            user.has_certificate,
        )
    };
    let objects: Vec<_> = users.iter().map(object).collect();
    format!("[\n{}\n]\n", objects.join(",\n"))
}

/// Writes a string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// Returns a line of the list; what has no value is a hyphen.
fn row(user: &ListedUser) -> [String; 5] {
    let or_hyphen = |text: &str| if text.is_empty() { "-".to_string() } else { plain(text) };
    let name = user.name.as_deref();
    let root = user.root.as_deref().unwrap_or(".");
    let permissions = match user.folders {
        0 => or_hyphen(&user.permissions),
        folders => format!("{}+{folders}", or_hyphen(&user.permissions)),
    };
    let login = match (user.enabled, user.has_password, user.has_certificate) {
        (false, ..) => "disabled",
        _ if name.is_none() => "anybody",
        (_, true, true) => "password,certificate",
        (_, true, false) => "password",
        (_, false, _) => "certificate",
    };
    [
        plain(name.unwrap_or("anonymous")),
        or_hyphen(user.host.as_deref().unwrap_or_default()),
        plain(&root.replace("{user}", name.unwrap_or("{user}"))),
        permissions,
        login.to_string(),
    ]
}

/// Keeps what a file has from making lines of its own, or worse on a terminal.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
