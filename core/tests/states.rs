//! The table of the states: what transcripts do is in it, what is in it some transcript does, and
//! the diagram in `docs/architecture.md` is drawn from it.
//!
//! `WRITE_DIAGRAMS=1` draws the diagram anew.

mod steps;
mod support;

use std::fs;
use std::path::Path;

use support::with_tls;
use wharf_core::Event;
use wharf_core::states::{FROM_ANY, mermaid};
use wharf_core::testing::Transcript;

#[test]
fn transcripts_make_the_steps_of_the_table() {
    steps::keep();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    for entry in fs::read_dir(folder).unwrap() {
        let content = fs::read_to_string(entry.unwrap().path()).unwrap();
        for section in Transcript::parse("", &content).unwrap().sections() {
            let (mut harness, _) = section.start();
            for step in section.steps() {
                step.run(&mut harness);
            }
        }
    }
    while_a_reply_does_not_leave();
    steps::assert_known();
    let seen = steps::seen();
    let unseen: Vec<String> =
        steps::known().into_iter().filter(|step| !seen.contains(step)).collect();
    assert!(unseen.is_empty(), "made by no transcript: {unseen:#?}");
    for trigger in FROM_ANY {
        let end = format!(": {trigger:?}");
        assert!(seen.iter().any(|step| steps::is_from_any(step) && step.ends_with(&end)));
    }
}

/// The driver of the transcripts sends replies at once. This one sends none.
fn while_a_reply_does_not_leave() {
    let after = |lines: &str| {
        let mut harness = with_tls();
        harness.eager = false;
        harness.receive(lines.as_bytes());
        harness
    };
    // AUTH is not answered before the idle time is over, or the server stops.
    after("AUTH TLS\r\n").pass_to_deadline();
    let mut harness = after("AUTH TLS\r\n");
    let deadline = harness.now().instant;
    harness.handle(Event::Shutdown { deadline });
    // Nor is CCC.
    let mut harness = with_tls();
    harness.receive(b"AUTH TLS\r\n");
    harness.handle(Event::TlsStarted { certificate: false });
    harness.eager = false;
    harness.receive(b"CCC\r\n");
    harness.pass_to_deadline();
}

const BEGIN: &str = "<!-- states: generated -->";
const END: &str = "<!-- states: end -->";

#[test]
fn the_diagram_is_that_of_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect(BEGIN);
    let (drawn, after) = rest.split_once(END).expect(END);
    let diagram = format!("\n```mermaid\n{}```\n", mermaid());
    if std::env::var_os("WRITE_DIAGRAMS").is_some() {
        fs::write(&path, [before, BEGIN, &diagram, END, after].concat()).unwrap();
    } else {
        let renew = "docs/architecture.md is stale: WRITE_DIAGRAMS=1 cargo test -p wharf-core --test states";
        assert!(drawn == diagram, "{renew}");
    }
}
