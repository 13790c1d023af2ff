//! The backends behave alike: not only the verdicts are the same, but every word.

mod support;

use std::thread;

use support::Servers;
use wharf::Backend;
use wharf_conformance::{Report, run};

#[test]
fn the_reports_of_all_backends_are_identical() {
    assert_eq!(Backend::ALL.len(), 3, "not every backend was compiled in");
    let reports: Vec<_> = thread::scope(|scope| {
        let run_all = |backend| run(&Servers::new(backend), 4);
        let started: Vec<_> =
            Backend::ALL.iter().map(|&backend| scope.spawn(move || run_all(backend))).collect();
        started.into_iter().map(|thread| thread.join().expect("no check panics")).collect()
    });
    for (backend, report) in Backend::ALL.iter().zip(&reports).skip(1) {
        let difference = first_difference(&reports[0], report);
        assert!(difference.is_none(), "{} and {backend}: {}", Backend::ALL[0], difference.unwrap());
    }
}

/// Describes where two reports part ways, with what led there.
fn first_difference(one: &Report, other: &Report) -> Option<String> {
    let (one, other) = (one.dialogues(), other.dialogues());
    if one == other {
        return None;
    }
    let (one, other): (Vec<_>, Vec<_>) = (one.lines().collect(), other.lines().collect());
    let same = one.iter().zip(&other).take_while(|(a, b)| a == b).count();
    let check = one[..same].iter().rposition(|line| line.starts_with("== ")).unwrap_or(0);
    let before = one[check..same].join("\n");
    let line = |lines: &[&str]| lines.get(same).unwrap_or(&"(the end)").to_string();
    Some(format!("\n{before}\n--- one:   {}\n--- other: {}", line(&one), line(&other)))
}
