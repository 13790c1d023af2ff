//! Every check against every backend, each a test of its own: `mio::rfc959.user`.

mod support;

use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use support::Servers;
use wharf_conformance::{Verdict, all, run_one};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for &backend in wharf::Backend::ALL {
        let servers = Arc::new(Servers::new(backend));
        for check in all() {
            let servers = Arc::clone(&servers);
            trials.push(Trial::test(format!("{backend}::{}", check.id), move || {
                let outcome = run_one(&*servers, &check);
                match outcome.verdict {
                    Verdict::Passed => Ok(()),
                    Verdict::Failed(why) => {
                        Err(format!("{}\n{why}", outcome.dialogue.join("\n")).into())
                    }
                }
            }));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
