//! What the crate may lean on: memchr and log, no std, no unsafe, and no tokio anywhere.

use std::path::Path;
use std::process::Command;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn nothing_but_memchr_and_log() {
    let arguments = [
        "tree",
        "-p",
        "wharf-core",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--offline",
        "-f",
        "{lib}",
    ];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<&str> =
        tree.lines().map(str::trim).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    assert_eq!(names, ["log", "memchr", "wharf_core"], "{errors}");
}

#[test]
fn no_features_that_bring_std() {
    let arguments = ["tree", "-p", "wharf-core", "-e", "normal,features", "--prefix", "none"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--offline")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && tree.contains("memchr"), "{tree}");
    assert!(!tree.contains("feature \"std\""), "{tree}");
}

#[test]
fn no_tokio_in_the_workspace() {
    let lock = read("../Cargo.lock");
    let names: Vec<&str> = lock.lines().filter_map(|line| line.strip_prefix("name = ")).collect();
    assert!(names.contains(&"\"wharf-core\""));
    let found: Vec<&&str> = names.iter().filter(|name| name.starts_with("\"tokio")).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn no_std_and_no_unsafe() {
    let root = read("src/lib.rs");
    assert!(root.lines().any(|line| line == "#![no_std]"));
    assert!(root.lines().any(|line| line == "#![forbid(unsafe_code)]"));
}
