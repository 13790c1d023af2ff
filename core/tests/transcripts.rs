//! Plays the transcripts in `tests/transcripts`: each whole, byte by byte, split at random, and
//! with the client's neighbouring lines in one segment.
//!
//! `WRITE_TRANSCRIPTS=1` writes what comes into the files instead. Read the difference before you
//! believe it: a transcript says what must be, not what happens to be.

use std::fs;
use std::path::{Path, PathBuf};

use wharf_core::testing::{Transcript, show_line, show_word, unescape};

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
        let transcript =
            Transcript::parse(file, &content).unwrap_or_else(|error| panic!("{error}"));
        if write {
            fs::write(&path, transcript.rewritten()).unwrap();
            continue;
        }
        sessions += transcript.sections().len();
        errors.extend(transcript.play().err().map(|error| error.to_string()));
    }
    println!("{sessions} sessions");
    assert!(errors.is_empty(), "{} files differ\n\n{}", errors.len(), errors.join("\n"));
}

#[test]
fn a_difference_is_shown_with_its_place() {
    let content =
        "=== one\n\nS: 220 wharf FTP server ready.\nC: NOOP\nS: 200 Other words.\n! close\n";
    let error = Transcript::parse("file.txt", content).unwrap().play().unwrap_err().to_string();
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
    let error = Transcript::parse("file.txt", "C: a\nX: b\n").unwrap_err();
    assert!(error.to_string().starts_with("file.txt:2: "), "{error}");
}

#[test]
fn a_reply_may_be_given_by_some_of_its_lines() {
    let play = |expected: &str| {
        let content = format!(
            "S: 220 wharf FTP server ready.\nC: FEAT\n{expected}\nC: NOOP\nS: 200 NOOP command successful.\n"
        );
        Transcript::parse("file.txt", &content).unwrap().play()
    };
    play("S~ 211-Features:\nS~  UTF8\nS!  AUTH TLS").unwrap();
    for (expected, told) in [
        ("S~  AUTH TLS", "expected: S~  AUTH TLS"),
        ("S~ UTF8", "expected: S~ UTF8"),
        ("S~  UTF8\nS!  SIZE", "expected: S!  SIZE"),
        ("S~  UTF8\nS: 200 More.", "came: nothing more"),
    ] {
        let error = play(expected).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn bytes_become_text_and_bytes_again() {
    let all: Vec<u8> = (0..=255).collect();
    for bytes in [&all[..], b"", b"\"\"", b" a  ", "é\u{85}\\x41 ".as_bytes(), b"{}"] {
        assert_eq!(unescape(&show_line(bytes)).unwrap(), bytes);
        assert_eq!(unescape(&show_word(bytes)).unwrap(), bytes);
        assert!(!show_word(bytes).contains([' ', '{', '\n']));
    }
}
