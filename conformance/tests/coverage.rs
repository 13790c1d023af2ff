//! Requirements and checks belong together, row by row.

use std::collections::BTreeSet;

use wharf_conformance::{all, requirements};

#[test]
fn every_row_has_a_check() {
    let checked: BTreeSet<_> = all().map(|check| check.id).collect();
    let rows = requirements().iter().map(|row| row.id.as_str());
    let missing: Vec<_> = rows.filter(|id| !checked.contains(id)).collect();
    assert!(missing.is_empty(), "rows without a check: {missing:?}");
}

#[test]
fn every_check_belongs_to_a_row() {
    let rows: BTreeSet<_> = requirements().iter().map(|row| row.id.as_str()).collect();
    let strays: Vec<_> = all().map(|check| check.id).filter(|id| !rows.contains(id)).collect();
    assert!(strays.is_empty(), "checks without a row: {strays:?}");
}

#[test]
fn no_row_has_two_checks() {
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = all().map(|check| check.id).filter(|id| !seen.insert(*id)).collect();
    assert!(twice.is_empty(), "two checks: {twice:?}");
}
