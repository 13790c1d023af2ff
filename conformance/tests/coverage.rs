//! Requirements and checks belong together, row by row.

use std::collections::BTreeSet;

use wharf_conformance::{Requirement, all, requirements};

/// Sections of which every row has a check.
const SECTIONS: &[&str] = &[
    "RFC 959", "RFC 1123", "RFC 2228", "RFC 2389", "RFC 2428", "RFC 2577", "RFC 2640", "RFC 3659",
    "RFC 4217", "RFC 7151",
];

/// Rows of other sections that have one.
const ROWS: &[&str] = &[
    "ext.implicit",
    "ext.site-chmod",
    "ext.site-utime",
    "ext.mfmt",
    "ext.mff",
    "ext.hash",
    "ext.xhash",
    "ext.rang",
    "ext.mode-z",
    "ext.clnt",
    "ext.avbl",
    "ext.csid",
];

fn is_due(row: &Requirement) -> bool {
    SECTIONS.contains(&row.section.as_str()) || ROWS.contains(&row.id.as_str())
}

#[test]
fn every_row_that_is_due_has_a_check() {
    let checked: BTreeSet<_> = all().map(|check| check.id).collect();
    let due = requirements().iter().filter(|row| is_due(row));
    let missing: Vec<_> =
        due.map(|row| row.id.as_str()).filter(|id| !checked.contains(id)).collect();
    assert!(missing.is_empty(), "rows without a check: {missing:?}");
}

#[test]
fn every_check_belongs_to_a_row() {
    let rows: BTreeSet<_> = requirements().iter().map(|row| row.id.as_str()).collect();
    let strays: Vec<_> = all().map(|check| check.id).filter(|id| !rows.contains(id)).collect();
    assert!(strays.is_empty(), "checks without a row: {strays:?}");
    for id in ROWS {
        assert!(rows.contains(id), "{id} is no row");
    }
    for section in SECTIONS {
        let mut rows = requirements().iter();
        assert!(rows.any(|row| row.section == *section), "{section} is no section");
    }
}

#[test]
fn no_row_has_two_checks() {
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = all().map(|check| check.id).filter(|id| !seen.insert(*id)).collect();
    assert!(twice.is_empty(), "two checks: {twice:?}");
}
