//! The drivers over real sockets: what they must bear, each test with every driver.

#[path = "../support/mod.rs"]
mod support;

mod crowds;
mod limits;
mod lost;
mod overtaking;
mod passive;
mod shutdown;
mod slow;
mod transfers;
