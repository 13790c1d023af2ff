//! Plays the transcripts in `tests/transcripts`: each whole, byte by byte, split at random, and
//! with the client's neighbouring lines in one segment.
//!
//! `WRITE_TRANSCRIPTS=1` writes what comes into the files instead. Read the difference before you
//! believe it: a transcript says what must be, not what happens to be.

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::transcript::{self, Outcome, Section, Step};
use support::{Dice, text};

/// How many times each session is split at random.
const SEEDS: u64 = 8;

#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    files.sort();
    assert!(!files.is_empty());
    let write = std::env::var_os("WRITE_TRANSCRIPTS").is_some();
    let mut errors = Vec::new();
    let mut sessions = 0;
    for path in files {
        let file = path.file_name().unwrap().to_str().unwrap();
        let content = fs::read_to_string(&path).unwrap();
        if write {
            fs::write(&path, rewritten(file, &content)).unwrap();
            continue;
        }
        let sections = transcript::parse(file, &content).unwrap_or_else(|error| panic!("{error}"));
        sessions += sections.len();
        let lines: Vec<&str> = content.lines().collect();
        errors.extend(sections.iter().filter_map(|section| play_all(section, file, &lines).err()));
    }
    println!("{sessions} sessions");
    assert!(errors.is_empty(), "{} differences\n\n{}", errors.len(), errors.join("\n"));
}

#[test]
fn a_difference_is_shown_with_its_place() {
    let content =
        "=== one\n\nS: 220 wharf FTP server ready.\nC: NOOP\nS: 200 Other words.\n! close\n";
    let sections = transcript::parse("file.txt", content).unwrap();
    let lines: Vec<&str> = content.lines().collect();
    let error = play_all(&sections[0], "file.txt", &lines).unwrap_err();
    for part in [
        "file.txt:4: file.txt: one (whole)",
        "    | C: NOOP",
        "  expected: S: 200 Other words.",
        "      came: S: 200 NOOP command successful.",
        "  expected: ! close",
        "      came: nothing more",
    ] {
        assert!(error.contains(part), "{part}\n{error}");
    }
    assert!(
        transcript::parse("file.txt", "C: a\nX: b\n")
            .is_err_and(|error| { error.starts_with("file.txt:2: ") })
    );
}

#[test]
fn a_reply_may_be_given_by_some_of_its_lines() {
    let play = |expected: &str| {
        let content = format!(
            "S: 220 wharf FTP server ready.\nC: FEAT\n{expected}\nC: NOOP\nS: 200 NOOP command successful.\n"
        );
        let sections = transcript::parse("file.txt", &content).unwrap();
        let lines: Vec<&str> = content.lines().collect();
        play_all(&sections[0], "file.txt", &lines)
    };
    play("S~ 211-Features:\nS~  UTF8\nS!  AUTH TLS").unwrap();
    for (expected, told) in [
        ("S~  AUTH TLS", "expected: S~  AUTH TLS"),
        ("S~ UTF8", "expected: S~ UTF8"),
        ("S~  UTF8\nS!  SIZE", "expected: S!  SIZE"),
        ("S~  UTF8\nS: 200 More.", "came: nothing more"),
    ] {
        let error = play(expected).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn bytes_become_text_and_bytes_again() {
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&all[..], b"", b"\"\"", b" a  ", "é\u{85}\\x41 ".as_bytes(), b"{}"] {
        assert_eq!(text::unescape(&text::line(bytes)).unwrap(), bytes);
        assert_eq!(text::unescape(&text::word(bytes)).unwrap(), bytes);
        assert!(!text::word(bytes).contains([' ', '{', '\n']));
    }
}

fn play_all(section: &Section, file: &str, lines: &[&str]) -> Result<(), String> {
    let merged = section.merged();
    play(section, &section.steps, &mut || usize::MAX, "whole", file, lines)?;
    play(section, &section.steps, &mut || 1, "byte by byte", file, lines)?;
    for seed in 0..SEEDS {
        let mut dice = Dice::new(seed);
        let way = format!("split at random, seed {seed}");
        play(section, &section.steps, &mut || 1 + dice.below(12), &way, file, lines)?;
    }
    play(section, &merged, &mut || usize::MAX, "neighbours in one segment", file, lines)
}

fn play(
    section: &Section,
    steps: &[Step],
    size: &mut dyn FnMut() -> usize,
    way: &str,
    file: &str,
    lines: &[&str],
) -> Result<(), String> {
    let (mut harness, mut outcome) = section.start();
    for (index, step) in steps.iter().enumerate() {
        if index > 0 {
            outcome = step.run(&mut harness, size);
        }
        step.compare(&outcome, &harness).map_err(|error| {
            let context = &lines[step.line.saturating_sub(6)..step.line.min(lines.len())];
            let context: String = context.iter().map(|line| format!("    | {line}\n")).collect();
            let line = step.line;
            format!("{file}:{line}: {} ({way})\n{context}{error}", section.name)
        })?;
    }
    Ok(())
}

/// Returns the transcript with what comes in place of what was expected.
fn rewritten(file: &str, content: &str) -> String {
    let sections = transcript::parse(file, content).unwrap_or_else(|error| panic!("{error}"));
    let mut outcomes = std::collections::BTreeMap::new();
    let mut greetings = std::collections::BTreeMap::new();
    for section in &sections {
        let (mut harness, greeting) = section.start();
        // The greeting comes before the first input.
        let first = section.steps.get(1).map_or(usize::MAX, |step| step.line);
        greetings.insert(first, greeting);
        for step in &section.steps[1..] {
            outcomes.insert(step.line, step.run(&mut harness, &mut || usize::MAX));
        }
    }
    // What is given by some of its lines stays as it is.
    let steps = sections.iter().flat_map(|section| &section.steps);
    let partial: std::collections::BTreeSet<usize> =
        steps.filter(|step| step.is_partial()).map(|step| step.line).collect();
    let (mut text, mut keeps) = (String::new(), false);
    let put = |outcome: Outcome, keeps: bool, text: &mut String| {
        outcome.actions.iter().for_each(|action| *text += &format!("! {action}\n"));
        let replies = if keeps { Vec::new() } else { transcript::shown(&outcome.replies) };
        replies.iter().for_each(|line| *text += &format!("{line}\n"));
    };
    for (number, line) in content.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        if let Some(greeting) = greetings.remove(&number) {
            put(greeting, false, &mut text);
        }
        keeps &= !line.starts_with("=== ");
        let mark = line.split(' ').next().unwrap_or_default();
        if mark != "!" && (keeps || !["S:", "S<"].contains(&mark)) {
            text += &format!("{line}\n");
        }
        if let Some(outcome) = outcomes.remove(&number) {
            keeps = partial.contains(&number);
            put(outcome, keeps, &mut text);
        }
    }
    greetings.into_values().for_each(|greeting| put(greeting, false, &mut text));
    text
}
