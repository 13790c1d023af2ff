//! The contract of [`Storage`](wharf_host::Storage), function by function. Each is given an empty
//! tree.

mod files;
mod tree;

pub(crate) use files::*;
pub(crate) use tree::*;
