//! The drivers over real sockets: what they must bear, each test with every driver.

#[path = "../support/mod.rs"]
mod support;

mod crowds;
mod digests;
mod embedding;
mod events;
mod failures;
mod hangup;
mod limits;
mod listings;
mod logins;
mod lost;
mod memory;
mod mode_z;
mod networks;
mod no_data;
mod overtaking;
mod panics;
mod passive;
mod ports;
mod proxied;
mod rates;
mod refusals;
mod rights;
mod shutdown;
mod slow;
mod strangers;
mod stuck;
mod tls_begin;
mod tls_ccc;
mod tls_certificates;
mod tls_early;
mod tls_end;
mod tls_hijack;
mod tls_stalls;
mod tls_transfers;
mod transfers;
