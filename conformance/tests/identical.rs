//! The backends behave alike: not only the verdicts are the same, but every word.

mod support;

use std::sync::LazyLock;
use std::thread;

use support::Servers;
use wharf::Backend;
use wharf_conformance::{Claims, Report, Verdict, run};

/// What pyftpdlib publishes of itself, with the row that each is here.
const PYFTPDLIB: &str = include_str!("../pyftpdlib-rfc-tables.csv");

/// The reports on all backends, made once.
fn reports() -> &'static [Report] {
    static REPORTS: LazyLock<Vec<Report>> = LazyLock::new(|| {
        assert_eq!(Backend::ALL.len(), 3, "not every backend was compiled in");
        thread::scope(|scope| {
            let run_all =
                |backend: Backend| run(&Servers::new(backend.name(), backend.driver()), 4);
            let started: Vec<_> =
                Backend::ALL.iter().map(|&backend| scope.spawn(move || run_all(backend))).collect();
            started.into_iter().map(|thread| thread.join().expect("no check panics")).collect()
        })
    });
    &REPORTS
}

#[test]
fn the_reports_of_all_backends_are_identical() {
    let reports = reports();
    for (backend, report) in Backend::ALL.iter().zip(reports).skip(1) {
        let difference = first_difference(&reports[0], report);
        assert!(difference.is_none(), "{} and {backend}: {}", Backend::ALL[0], difference.unwrap());
    }
}

#[test]
fn every_row_of_pyftpdlibs_tables_passes_on_all_backends() {
    let claims = Claims::parse(PYFTPDLIB).expect("a table whose ids are rows of the requirements");
    assert_eq!((claims.server.as_str(), claims.rows.len()), ("pyftpdlib", 72));
    for (backend, report) in Backend::ALL.iter().zip(reports()) {
        for claim in &claims.rows {
            let outcome = report.outcomes.iter().find(|outcome| outcome.id == claim.id);
            let verdict = outcome.map(|outcome| &outcome.verdict);
            let (id, feature) = (&claim.id, &claim.feature);
            assert_eq!(verdict, Some(&Verdict::Passed), "{backend}: {feature} ({id})");
        }
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
