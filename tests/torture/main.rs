//! Torture: clients that store, overwrite, append, rename, remove and die at every point, while the
//! server is stopped, killed and started again. Nothing that was acknowledged may be lost, no old
//! file give way to half a new one, and nothing stay behind.
//!
//! Each failure names its seed. By the environment:
//!
//! | variable | meaning | default |
//! |---|---|---|
//! | `WHARF_TORTURE_SECONDS` | how long each test goes on | 10 |
//! | `WHARF_TORTURE_SEED` | where chance begins | another one each time |

#![cfg(target_os = "linux")]

#[path = "../support/mod.rs"]
mod support;

mod model;
mod peer;
mod power;
mod random;
mod rounds;
mod worker;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use support::for_each_driver;

for_each_driver!(deaths_of_clients_and_servers, power_cuts);

fn deaths_of_clients_and_servers(backend: wharf::Backend) {
    rounds::run(backend, seed(), duration());
}

fn power_cuts(backend: wharf::Backend) {
    power::run(backend, seed(), duration());
}

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name}={value}: a whole number is wanted")))
}

fn duration() -> Duration {
    Duration::from_secs(variable("WHARF_TORTURE_SECONDS").unwrap_or(10))
}

fn seed() -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    variable("WHARF_TORTURE_SEED").unwrap_or_else(now)
}
