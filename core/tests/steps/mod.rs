//! Keeps the steps that sessions log, to hold them against the table of the states.

use std::collections::BTreeSet;
use std::sync::{Mutex, Once};

use log::{LevelFilter, Log, Metadata, Record};
use wharf_core::states::{FROM_ANY, State, TRANSITIONS};

static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct Keeper;

impl Log for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "wharf_core::states"
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let line = record.args().to_string();
            let (_, step) = line.split_once(": ").expect("the peer's address comes first");
            SEEN.lock().unwrap().insert(step.into());
        }
    }

    fn flush(&self) {}
}

/// Keeps the steps of all sessions of this process from now on.
pub(crate) fn keep() {
    static KEEPER: Once = Once::new();
    KEEPER.call_once(|| {
        log::set_logger(&Keeper).unwrap();
        log::set_max_level(LevelFilter::Trace);
    });
}

/// The steps that have been seen.
pub(crate) fn seen() -> BTreeSet<String> {
    SEEN.lock().unwrap().clone()
}

/// The steps of the table, each as it is logged.
pub(crate) fn known() -> BTreeSet<String> {
    let steps = TRANSITIONS.iter().flat_map(|(from, triggers, to)| {
        triggers.iter().map(move |trigger| format!("{from:?} -> {to:?}: {trigger:?}"))
    });
    steps.collect()
}

/// Returns `true` if any state may make this step.
pub(crate) fn is_from_any(step: &str) -> bool {
    let ends = FROM_ANY.iter().map(|trigger| format!(" -> {:?}: {trigger:?}", State::Ending));
    ends.into_iter().any(|end| step.ends_with(&end))
}

/// Panics where a step was seen that is not in the table.
pub(crate) fn assert_known() {
    let known = known();
    let is_unknown = |step: &String| !known.contains(step) && !is_from_any(step);
    let unknown: Vec<String> = seen().into_iter().filter(is_unknown).collect();
    assert!(unknown.is_empty(), "not in core/src/session/states.rs: {unknown:#?}");
}
