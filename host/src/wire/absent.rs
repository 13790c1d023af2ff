//! What stands in the place of the TLS layer where it was not built in (feature `tls`): there is no
//! value of it.

use std::io;

use crate::tls::ServerConnection;

use super::flow::{Flow, Progress, Readiness};
use super::link::Link;

pub(super) struct Secured(Never);

impl Secured {
    pub(super) fn new(connection: ServerConnection, _: Vec<u8>, _: usize) -> Self {
        connection.never()
    }

    pub(super) fn set_buffer(&mut self, _: usize) {
        match self.0 {}
    }

    pub(super) fn set_portion(&mut self, _: usize) {
        match self.0 {}
    }

    pub(super) fn connection(&self) -> &ServerConnection {
        match self.0 {}
    }

    pub(super) fn interest(&self) -> Readiness {
        match self.0 {}
    }

    pub(super) fn handshake(&mut self, _: &mut Link<'_>) -> Progress {
        match self.0 {}
    }

    pub(super) fn read(&mut self, _: &mut Link<'_>, _: &mut [u8]) -> Flow {
        match self.0 {}
    }

    pub(super) fn write(&mut self, _: &mut Link<'_>, _: &[u8]) -> Flow {
        match self.0 {}
    }

    pub(super) fn push(&mut self, _: &mut Link<'_>) -> io::Result<()> {
        match self.0 {}
    }

    pub(super) fn close(&mut self, _: &mut Link<'_>) -> Progress {
        match self.0 {}
    }

    pub(super) fn leave(&mut self) {
        match self.0 {}
    }

    pub(super) fn has_left(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn into_rest(self) -> Vec<u8> {
        match self.0 {}
    }
}

/// Hidden in the types above, so that code beyond this file does not count as unreachable.
enum Never {}
