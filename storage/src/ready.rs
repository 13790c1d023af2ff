//! Listings and files whose content is in memory already.

use std::sync::Arc;
use std::vec;

use wharf_core::{Entry, StorageError};

use crate::{Entries, ReadFile};

/// Makes a listing of these entries.
impl From<Vec<Entry>> for Box<dyn Entries> {
    fn from(entries: Vec<Entry>) -> Self {
        Box::new(Listing(entries.into_iter()))
    }
}

/// Makes a file with this content.
impl From<Vec<u8>> for Box<dyn ReadFile> {
    fn from(content: Vec<u8>) -> Self {
        Box::new(Content(content))
    }
}

/// Makes a file with this content, which is not copied.
impl From<Arc<Vec<u8>>> for Box<dyn ReadFile> {
    fn from(content: Arc<Vec<u8>>) -> Self {
        Box::new(Content(content))
    }
}

struct Listing(vec::IntoIter<Entry>);

impl Entries for Listing {
    fn next(&mut self) -> Result<Option<Entry>, StorageError> {
        Ok(self.0.next())
    }
}

struct Content<B>(B);

impl<B: AsRef<Vec<u8>> + Send> ReadFile for Content<B> {
    fn size(&self) -> u64 {
        self.0.as_ref().len() as u64
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let rest = self.0.as_ref().get(offset..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn is_at_hand(&self, _: u64, _: u64) -> bool {
        true
    }

    fn closes_at_once(&self) -> bool {
        true
    }
}
