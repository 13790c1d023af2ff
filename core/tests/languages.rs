//! Plays the transcripts in each language: every text that a client is sent has its translation.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use log::{LevelFilter, Log, Metadata, Record};
use support::canned::Canned;
use wharf_core::testing::{Harness, Section, Transcript};

/// What the session has found no translation for.
static MISSING: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct Listener;

impl Log for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let message = record.args().to_string();
        if message.contains("no translation of") {
            MISSING.lock().unwrap().insert(message);
        }
    }

    fn flush(&self) {}
}

#[test]
fn every_text_of_the_transcripts_is_translated() {
    log::set_logger(&Listener).unwrap();
    log::set_max_level(LevelFilter::Debug);
    let tags = tags();
    assert!(tags.len() > 1, "{tags:?}");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    for entry in fs::read_dir(folder).unwrap() {
        let content = fs::read_to_string(entry.unwrap().path()).unwrap();
        for section in Transcript::parse("", &content).unwrap().sections() {
            tags.iter().for_each(|tag| play(section, tag));
        }
    }
    let missing = MISSING.lock().unwrap();
    assert!(missing.is_empty(), "add these to core/src/language: {missing:#?}");
}

/// Returns the tags that FEAT lists.
fn tags() -> Vec<String> {
    let mut driver = Canned::new(Harness::plain());
    driver.send(b"FEAT");
    let feat = driver.take_replies().pop().unwrap();
    let lang = feat.lines.iter().find_map(|line| line.strip_prefix(b" LANG ")).unwrap();
    let lang = String::from_utf8(lang.to_vec()).unwrap();
    lang.split(';').map(|tag| tag.trim_end_matches('*').to_owned()).collect()
}

/// Plays a session, and asks for the language whenever the client has been greeted.
fn play(section: &Section, tag: &str) {
    let lang = format!("LANG {tag}\r\n");
    let (mut harness, _) = section.start();
    harness.receive(lang.as_bytes());
    for step in section.steps() {
        let outcome = step.run(&mut harness);
        if outcome.replies.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"220")) {
            harness.receive(lang.as_bytes());
        }
    }
}
