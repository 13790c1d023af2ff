//! What stands in the place of digests where they were not built in (feature `digests`): there is no
//! value of these types.

use std::ops::Range;

use wharf_core::{DigestAlgorithm, DigestEnd, RequestId, StorageError};
use wharf_storage::ReadFile;

pub(crate) struct Digesting(Never);

#[allow(dead_code, reason = "no digest goes on")]
pub(crate) enum DigestStep {
    Read(Box<Reading>),
    Waiting,
    Ended(DigestEnd, Box<dyn ReadFile>),
}

pub(crate) struct Reading(Never);

impl Digesting {
    pub(crate) fn begin(
        _: RequestId,
        _: Box<dyn ReadFile>,
        _: DigestAlgorithm,
        _: Range<u64>,
    ) -> Option<Self> {
        None
    }

    pub(crate) fn id(&self) -> RequestId {
        match self.0 {}
    }

    pub(crate) fn step(&mut self) -> DigestStep {
        match self.0 {}
    }

    pub(crate) fn complete(&mut self, _: Box<Reading>, _: Result<(), StorageError>) -> u64 {
        match self.0 {}
    }

    pub(crate) fn stop(&mut self) {
        match self.0 {}
    }
}

impl Reading {
    pub(crate) fn read(&mut self) -> Result<(), StorageError> {
        match self.0 {}
    }
}

/// Hidden in the types above, so that code beyond this file does not count as unreachable.
enum Never {}
