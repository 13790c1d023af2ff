//! The traits for what points at a storage or at an open file: each call goes to what is there.
//!
//! A method that is left out here would fall back on the trait's default in silence; the lint
//! forbids that.

#![deny(clippy::missing_trait_methods)]

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use wharf_core::{
    Detail, Disposition, Entry, Metadata, StorageError, VirtualPath, WallTime, WriteMode,
};

use crate::{Entries, ReadFile, Storage, WriteFile};

macro_rules! forward_storage {
    ($($pointer:ident)*) => {$(
        impl<S: Storage + ?Sized> Storage for $pointer<S> {
            fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
                (**self).metadata(path)
            }

            fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
                (**self).link_metadata(path)
            }

            fn at_once(&self) -> Option<Arc<dyn Storage>> {
                (**self).at_once()
            }

            fn open_directory(
                &self,
                path: &VirtualPath,
            ) -> Result<Box<dyn Entries>, StorageError> {
                (**self).open_directory(path)
            }

            fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
                (**self).open_read(path)
            }

            fn check_write(
                &self,
                path: &VirtualPath,
                mode: &WriteMode,
            ) -> Result<(), StorageError> {
                (**self).check_write(path, mode)
            }

            fn unique_name(
                &self,
                directory: &VirtualPath,
                hint: &[u8],
            ) -> Result<Vec<u8>, StorageError> {
                (**self).unique_name(directory, hint)
            }

            fn open_write(
                &self,
                path: &VirtualPath,
                mode: &WriteMode,
            ) -> Result<Box<dyn WriteFile>, StorageError> {
                (**self).open_write(path, mode)
            }

            fn create_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
                (**self).create_directory(path)
            }

            fn remove_file(&self, path: &VirtualPath) -> Result<(), StorageError> {
                (**self).remove_file(path)
            }

            fn remove_directory(&self, path: &VirtualPath) -> Result<(), StorageError> {
                (**self).remove_directory(path)
            }

            fn rename(
                &self,
                from: &VirtualPath,
                to: &VirtualPath,
                replace: bool,
            ) -> Result<(), StorageError> {
                (**self).rename(from, to, replace)
            }

            fn set_modified(
                &self,
                path: &VirtualPath,
                to: WallTime,
            ) -> Result<(), StorageError> {
                (**self).set_modified(path, to)
            }

            fn set_mode(&self, path: &VirtualPath, mode: u32) -> Result<(), StorageError> {
                (**self).set_mode(path, mode)
            }

            fn space_left(&self, path: &VirtualPath) -> Result<Option<u64>, StorageError> {
                (**self).space_left(path)
            }
        }
    )*};
}

forward_storage!(Arc Box);

impl<E: Entries + ?Sized> Entries for Box<E> {
    fn next(&mut self) -> Result<Option<Entry>, StorageError> {
        (**self).next()
    }

    fn next_into(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        (**self).next_into(entry, detail)
    }
}

impl<F: ReadFile + ?Sized> ReadFile for Box<F> {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<usize, StorageError> {
        (**self).read_at(offset, buffer)
    }

    fn as_file(&self) -> Option<&File> {
        (**self).as_file()
    }

    fn is_at_hand(&self, offset: u64, length: u64) -> bool {
        (**self).is_at_hand(offset, length)
    }

    fn closes_at_once(&self) -> bool {
        (**self).closes_at_once()
    }
}

impl<F: WriteFile + ?Sized> WriteFile for Box<F> {
    fn existed(&self) -> bool {
        (**self).existed()
    }

    fn is_in_memory(&self) -> bool {
        (**self).is_in_memory()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        (**self).write(bytes)
    }

    fn write_from_pipe(
        &mut self,
        pipe: BorrowedFd<'_>,
        count: usize,
    ) -> Option<Result<usize, StorageError>> {
        (**self).write_from_pipe(pipe, count)
    }

    fn sync(&mut self) -> Result<(), StorageError> {
        (**self).sync()
    }

    fn finish(self: Box<Self>, disposition: Disposition) -> Result<(), StorageError> {
        (*self).finish(disposition)
    }
}
