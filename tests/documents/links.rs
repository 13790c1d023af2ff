//! Links from document to document, and to files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

use super::{documents, root};

/// Where absolute links into the repository begin, as a registry shows a README without it.
const REPOSITORY: [&str; 2] = [
    "https://github.com/wharf-ftp/wharf/blob/main/",
    "https://github.com/wharf-ftp/wharf/tree/main/",
];

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    let mut count = 0;
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match target(&document, file) {
                Some(target) => target,
                None => continue,
            };
            count += 1;
            if !target.exists() || (!anchor.is_empty() && !has_anchor(&target, anchor)) {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(count > 50, "only {count} links were found");
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_package_shows_no_relative_links() {
    let of_crates = documents().into_iter().filter(|path| {
        path.file_name().is_some_and(|name| name == "README.md") && path.parent() != Some(root())
    });
    for document in of_crates {
        let text = fs::read_to_string(&document).unwrap();
        for link in links(&text) {
            assert!(link.starts_with("https://"), "{}: {link}", document.display());
        }
    }
}

/// Returns the targets of all links that stand outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut links = Vec::new();
    let mut in_code = false;
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        if !in_code {
            links.extend(line.split("](").skip(1).filter_map(|rest| rest.split(')').next()));
        }
    }
    links
}

/// Returns the file that a link means; `None` where it leads out of the repository.
fn target(document: &Path, link: &str) -> Option<PathBuf> {
    if let Some(path) = REPOSITORY.iter().find_map(|start| link.strip_prefix(start)) {
        return Some(root().join(path));
    }
    match link {
        "" => Some(document.to_path_buf()),
        _ if link.contains("://") => None,
        _ => Some(document.parent().unwrap().join(link)),
    }
}

/// Returns `true` if a heading of the document has this anchor, or something in it has this id.
fn has_anchor(document: &Path, anchor: &str) -> bool {
    let text = fs::read_to_string(document).unwrap();
    let headings = text.lines().filter_map(|line| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| slug(title.trim()))
    });
    headings.into_iter().any(|heading| heading == anchor)
        || text.contains(&format!("id=\"{anchor}\""))
}

/// Makes an anchor of a heading as GitHub does.
fn slug(title: &str) -> String {
    let kept = title.chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}
