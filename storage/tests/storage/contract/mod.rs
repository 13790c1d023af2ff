//! The contract of [`Storage`](wharf_storage::Storage), function by function. Each is given an empty
//! tree.

mod files;
mod tree;

pub(crate) use files::*;
pub(crate) use tree::*;
