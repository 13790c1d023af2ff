//! The options of the program: each has its place in a document.

use std::fs;
use std::process::Command;

use super::documents;

#[test]
fn each_option_is_in_a_document() {
    let help = help(&["--help"]) + &help(&["user", "add", "--help"]);
    let text: String = documents().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let options: Vec<&str> = help.lines().filter_map(option).collect();
    assert!(options.len() > 40, "{options:?}");
    let missing: Vec<_> = options.iter().filter(|option| !text.contains(**option)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_wharf")).args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the long option that a line of the help describes, if it begins with one.
fn option(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix("-v, ").or_else(|| line.strip_prefix("-h, ")).unwrap_or(line);
    let name = line.split([' ', '.', '=']).next()?;
    let is_known = ["--help", "--version"].contains(&name);
    (name.starts_with("--") && !is_known).then_some(name)
}
