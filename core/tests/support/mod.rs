//! What the tests of the session share.

#![allow(dead_code, reason = "each test crate uses a part of it")]

pub(crate) mod canned;

use wharf_core::testing::Harness;
use wharf_core::{SessionConfig, TlsPolicy};

/// Begins a session with TLS to be had, CCC, and a virtual host.
pub(crate) fn with_tls() -> Harness {
    let tls = Some(TlsPolicy { allow_ccc: true, ..TlsPolicy::default() });
    let hosts = vec!["a.example".into()];
    Harness::with_config(SessionConfig { tls, hosts, ..SessionConfig::default() })
}
