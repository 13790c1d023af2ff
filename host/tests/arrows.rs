//! Which folders of the crate may name which: arrows run down, and no folder is in a circle.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Each folder may name those below it in this list, and names only those that are given.
const ARROWS: &[(&str, &[&str])] = &[
    ("connection", &["workers", "server", "observers", "transfer", "wire", "tls"]),
    ("workers", &["server", "tls"]),
    ("server", &["observers", "transfer", "tls"]),
    ("observers", &[]),
    ("transfer", &["wire"]),
    ("wire", &["tls"]),
    ("tls", &[]),
];

/// Collects what the files of a folder name by `crate::`, tests and comments aside.
fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            collect(&path, names);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("mod tests {").next().unwrap_or_default();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for part in line.split("crate::").skip(1) {
                let end = part.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
                names.insert(part[..end.unwrap_or(part.len())].to_owned());
            }
        }
    }
}

#[test]
fn arrows_run_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let folders: Vec<&str> = ARROWS.iter().map(|(folder, _)| *folder).collect();
    for (index, (folder, expected)) in ARROWS.iter().enumerate() {
        let mut names = BTreeSet::new();
        collect(&source.join(folder), &mut names);
        names.retain(|name| name != folder && folders.contains(&name.as_str()));
        let expected: BTreeSet<String> = expected.iter().map(|&name| name.into()).collect();
        assert_eq!(names, expected, "{folder}");
        let below = &folders[index + 1..];
        assert!(names.iter().all(|name| below.contains(&name.as_str())), "{folder}");
    }
}

#[test]
fn every_folder_has_its_arrows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(ARROWS.iter().any(|(folder, _)| *folder == name), "{name}");
        }
    }
}
