//! Every check against every backend, each a test of its own: `mio::rfc959.user`; and against the
//! example of a driver that is not one of wharf's: `driver::rfc959.user`.

#[path = "../../examples/driver.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod driver;
mod support;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use support::Servers;
use wharf::{Backend, Driver};
use wharf_conformance::{Note, Verdict, all, run_one};

/// What may be left out of a check that passes: no server of ours is left out, but a machine may be
/// without IPv6.
const LEFT_OUT: &[&str] = &[
    "whether the time tells them apart",
    "the server on IPv6 (--ipv6)",
    "STOU of an account that may not enter the folder",
];

fn is_expected(note: &Note) -> bool {
    matches!(note, Note::NotChecked(why) if LEFT_OUT.contains(&why.as_str()))
}

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let backends = Backend::ALL.iter().map(|backend| (backend.name(), backend.driver()));
    for (name, driver) in backends.chain([("driver", driver::run as Driver)]) {
        let servers = Arc::new(Servers::new(name, driver));
        for check in all() {
            let servers = Arc::clone(&servers);
            trials.push(Trial::test(format!("{name}::{}", check.id), move || {
                let outcome = run_one(&*servers, &check);
                let dialogue = outcome.dialogue.join("\n");
                let strange = outcome.notes.iter().find(|note| !is_expected(note));
                match (outcome.verdict, strange) {
                    (Verdict::Passed, None) => Ok(()),
                    (Verdict::Passed, Some(note)) => {
                        Err(format!("{dialogue}\npassed, but: {note}").into())
                    }
                    (verdict, _) => Err(format!("{dialogue}\n{verdict}").into()),
                }
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
