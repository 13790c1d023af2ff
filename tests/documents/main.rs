//! What the documents say holds: links, options, the diagram of the crates, and an accounts file.

mod accounts;
mod crates;
mod links;
mod options;

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads a file, given by its path in the repository.
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Lists the documents: at the top, in `docs`, and the README of each crate.
fn documents() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = vec![root().to_path_buf(), root().join("docs")];
    folders.extend(crates::members().iter().map(|member| root().join(member)));
    let mut documents = Vec::new();
    for folder in folders {
        let entries = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        documents.extend(entries.filter(|path| path.extension().is_some_and(|end| end == "md")));
    }
    documents.sort();
    documents
}
