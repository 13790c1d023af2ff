//! What a folder can tell and do without waiting.
//!
//! The kernel says whether it has all that a path leads through in its caches (openat2(2),
//! RESOLVE_CACHED). What does not succeed here is left to the folder itself, whose errors are the
//! right ones: so nothing is decided twice.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;

use cap_std::fs::Dir;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use wharf_core::{Metadata, StorageError, VirtualPath, WriteMode};

use super::read::Reader;
use super::stat::Stat;
use super::upload::{self, Place};
use super::{Directory, Medium, check_path, relative};
use crate::{Entries, ReadFile, Storage, WriteFile};

/// A folder of a local disk, or of one in memory, as far as no call waits.
pub(super) struct AtOnce {
    tree: Directory,
}

impl AtOnce {
    /// Returns `None` where it is not known what waits: on a network mount even a question may.
    pub(super) fn of(tree: &Directory) -> Option<Arc<dyn Storage>> {
        let view = || Arc::new(Self { tree: tree.clone() }) as Arc<dyn Storage>;
        (tree.medium != Medium::Unknown).then(view)
    }

    /// Opens what is at `path` if that waits for nothing: on the file system of the folder, by way of
    /// no link.
    fn open(&self, path: &VirtualPath, flags: OFlags) -> Result<File, StorageError> {
        check_path(path).map_err(|_| StorageError::WouldBlock)?;
        let resolve = ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_XDEV
            | ResolveFlags::CACHED;
        let flags = flags | OFlags::CLOEXEC;
        rustix::fs::openat2(&*self.tree.root, relative(path), flags, Mode::empty(), resolve)
            .map(File::from)
            .map_err(|_| StorageError::WouldBlock)
    }

    /// Looks at what is at `path` without opening it. What stands in a root that is in memory is
    /// looked at as it is: no link and no mount is on the way there, and nothing waits.
    fn look(&self, path: &VirtualPath) -> Result<Stat, StorageError> {
        let stat = match (self.tree.medium, path.file_name()) {
            (Medium::Memory { .. }, Some(name)) if path.parent().is_root() => {
                Stat::at_hand(&self.tree.root, OsStr::from_bytes(name))
            }
            _ => Stat::of(self.open(path, OFlags::PATH)?),
        };
        stat.map_err(|_| StorageError::WouldBlock)
    }

    /// Makes sure that the kernel has in its caches what `path` leads to.
    fn reach(&self, path: &VirtualPath) -> Result<(), StorageError> {
        self.open(path, OFlags::PATH).map(drop)
    }

    /// Finds where a file is to be written.
    fn place<'a>(&'a self, path: &'a VirtualPath) -> Result<Place<'a>, StorageError> {
        let Medium::Memory { device } = self.tree.medium else {
            return Err(StorageError::WouldBlock);
        };
        let parent = path.parent();
        let dir = if parent.is_root() {
            Arc::clone(&self.tree.root)
        } else {
            Arc::new(Dir::from_std_file(self.open(&parent, OFlags::PATH | OFlags::DIRECTORY)?))
        };
        Place::in_memory(dir, device, &self.tree, path)
    }
}

impl Storage for AtOnce {
    fn metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.reach(path)?;
        self.tree.metadata(path)
    }

    fn link_metadata(&self, path: &VirtualPath) -> Result<Metadata, StorageError> {
        self.reach(path)?;
        self.tree.link_metadata(path)
    }

    /// A directory may have many names, which take their time.
    fn open_directory(&self, _: &VirtualPath) -> Result<Box<dyn Entries>, StorageError> {
        Err(StorageError::WouldBlock)
    }

    fn open_read(&self, path: &VirtualPath) -> Result<Box<dyn ReadFile>, StorageError> {
        // To open a FIFO, or a device, is an act: what stands there is looked at first.
        if !self.look(path)?.is_file() {
            return Err(StorageError::WouldBlock);
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(Box::new(Reader::at_once(self.open(path, flags)?, self.tree.medium)?))
    }

    fn check_write(&self, path: &VirtualPath, mode: &WriteMode) -> Result<(), StorageError> {
        if self.tree.medium == Medium::LocalDisk {
            self.reach(path)?;
            return self.tree.check_write(path, mode);
        }
        upload::check(&self.place(path)?, mode)
    }

    fn open_write(
        &self,
        path: &VirtualPath,
        mode: &WriteMode,
    ) -> Result<Box<dyn WriteFile>, StorageError> {
        upload::open(&self.place(path)?, mode)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn path(text: &str) -> VirtualPath {
        text.parse().unwrap()
    }

    /// Returns the view of a folder, as if it were in memory or on a disk.
    fn view(folder: &tempfile::TempDir, medium: Medium) -> Arc<dyn Storage> {
        let tree = Directory { medium, ..Directory::open(folder.path()).unwrap() };
        AtOnce::of(&tree).unwrap()
    }

    fn memory(folder: &tempfile::TempDir) -> Medium {
        Medium::Memory { device: rustix::fs::stat(folder.path()).unwrap().st_dev }
    }

    /// Returns `true` where the kernel can say what it has in its caches, Linux 5.12.
    fn is_told(view: &dyn Storage) -> bool {
        view.metadata(&VirtualPath::root()).is_ok()
    }

    #[test]
    fn what_is_cached_is_told_at_once_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), b"abc").unwrap();
        symlink("file", folder.path().join("link")).unwrap();
        for medium in [memory(&folder), Medium::LocalDisk] {
            let view = view(&folder, medium);
            if !is_told(&*view) {
                return;
            }
            assert_eq!(view.metadata(&path("/file")).unwrap().size, 3);
            let file = view.open_read(&path("/file")).unwrap();
            assert_eq!((file.size(), file.closes_at_once()), (3, true));
            // What waits, or fails, is for the folder itself.
            let blocked = Some(StorageError::WouldBlock);
            for name in ["/link", "/missing", "/.wharf-upload-x", "/file/x"] {
                assert_eq!(view.metadata(&path(name)).err(), blocked, "{name}");
                assert_eq!(view.open_read(&path(name)).err(), blocked, "{name}");
            }
            assert_eq!(view.open_read(&VirtualPath::root()).err(), blocked);
            assert_eq!(view.open_directory(&VirtualPath::root()).err(), blocked);
            assert_eq!(view.remove_file(&path("/file")), Err(StorageError::ReadOnly));
        }
    }

    #[test]
    fn only_memory_is_written_to_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mode = WriteMode::Replace { atomic: true };
        let (memory, disk) = (view(&folder, memory(&folder)), view(&folder, Medium::LocalDisk));
        assert_eq!(disk.check_write(&path("/new"), &mode), Err(StorageError::WouldBlock));
        assert_eq!(disk.open_write(&path("/new"), &mode).err(), Some(StorageError::WouldBlock));
        if !is_told(&*memory) {
            return;
        }
        assert_eq!(memory.check_write(&path("/new"), &mode), Ok(()));
        // What it refuses it refuses as the folder does.
        let tree = Directory::open(folder.path()).unwrap();
        for name in ["/.wharf-upload-x", "/"] {
            let refused = memory.check_write(&path(name), &mode);
            assert!(refused.is_err(), "{name}");
            assert_eq!(refused, tree.check_write(&path(name), &mode), "{name}");
        }
        let mut file = memory.open_write(&path("/new"), &mode).unwrap();
        assert!(file.is_in_memory());
        file.write(b"abc").unwrap();
        file.finish(wharf_core::Disposition::Publish).unwrap();
        assert_eq!(std::fs::read(folder.path().join("new")).unwrap(), b"abc");
        // On a disk it can be judged whether a file that is there may be written.
        assert_eq!(disk.check_write(&path("/new"), &mode), Ok(()));
        let beyond = WriteMode::ResumeAt(4);
        assert_eq!(disk.check_write(&path("/new"), &beyond), Err(StorageError::BadOffset));
        // A link may lead to a disk, and so may what is mounted; what is large takes its time.
        symlink("new", folder.path().join("link")).unwrap();
        std::fs::File::create(folder.path().join("large")).unwrap().set_len(1 << 30).unwrap();
        let elsewhere = view(&folder, Medium::Memory { device: 0 });
        for (view, name) in [(&memory, "/link"), (&memory, "/large"), (&elsewhere, "/new")] {
            let opened = view.open_write(&path(name), &mode).err();
            assert_eq!(opened, Some(StorageError::WouldBlock), "{name}");
        }
        assert_eq!(disk.check_write(&path("/link"), &mode), Err(StorageError::WouldBlock));
        assert_eq!(disk.open_write(&path("/new"), &mode).err(), Some(StorageError::WouldBlock));
    }

    #[test]
    fn a_fifo_is_not_opened() {
        use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let (kind, mode) = (rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, kind, mode, 0).unwrap();
        let events = inotify::init(CreateFlags::NONBLOCK).unwrap();
        inotify::add_watch(&events, &fifo, WatchFlags::OPEN).unwrap();
        let was_opened = || {
            let mut buffer = [std::mem::MaybeUninit::uninit(); 512];
            inotify::Reader::new(&events, &mut buffer).next().is_ok()
        };
        for medium in [memory(&folder), Medium::LocalDisk] {
            let view = view(&folder, medium);
            assert_eq!(view.open_read(&path("/fifo")).err(), Some(StorageError::WouldBlock));
            for atomic in [true, false] {
                let mode = WriteMode::Replace { atomic };
                assert!(view.check_write(&path("/fifo"), &mode).is_err());
                assert!(view.open_write(&path("/fifo"), &mode).is_err());
            }
        }
        assert!(!was_opened());
        // Should it come to stand there after the look, it is opened and refused.
        let opened = rustix::fs::open(&fifo, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty());
        assert!(was_opened());
        let refused = Reader::at_once(opened.unwrap().into(), Medium::LocalDisk);
        assert_eq!(refused.err(), Some(StorageError::WouldBlock));
    }

    /// Needs the right to mount, and shows nothing without it.
    #[test]
    fn what_is_mounted_is_left_to_the_folder() {
        struct Mounted(std::path::PathBuf);
        impl Drop for Mounted {
            fn drop(&mut self) {
                let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
            }
        }
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (here, there) = (folder.path().join("file"), other.path().join("file"));
        std::fs::write(&here, "here").unwrap();
        std::fs::write(&there, "there").unwrap();
        let mount =
            std::process::Command::new("mount").arg("--bind").args([&there, &here]).output();
        if !mount.is_ok_and(|done| done.status.success()) {
            return;
        }
        let _mounted = Mounted(here);
        for medium in [memory(&folder), Medium::LocalDisk] {
            let opened = view(&folder, medium).open_read(&path("/file")).err();
            assert_eq!(opened, Some(StorageError::WouldBlock));
        }
    }

    #[test]
    fn a_file_in_memory_is_written_in_place_at_once_unless_it_is_large() {
        let folder = tempfile::tempdir().unwrap();
        let view = view(&folder, memory(&folder));
        let at = folder.path().join("file");
        let replace = WriteMode::Replace { atomic: false };
        let append = WriteMode::Append { create: true };
        let store = |mode: &WriteMode| {
            let mut file = view.open_write(&path("/file"), mode).unwrap();
            assert!(file.is_in_memory());
            file.write(b"new").unwrap();
            file.finish(wharf_core::Disposition::Publish).unwrap();
            std::fs::read(&at).unwrap()
        };
        let create = WriteMode::Create { atomic: false };
        assert_eq!(store(&create), b"new");
        assert_eq!(store(&append), b"newnew");
        assert_eq!(store(&replace), b"new");
        std::fs::File::create(&at).unwrap().set_len(upload::EMPTIED_AT_ONCE).unwrap();
        assert_eq!(store(&replace), b"new");
        std::fs::File::create(&at).unwrap().set_len(upload::EMPTIED_AT_ONCE + 1).unwrap();
        assert_eq!(store(&append).len() as u64, upload::EMPTIED_AT_ONCE + 4);
        let opened = view.open_write(&path("/file"), &replace).err();
        assert_eq!(opened, Some(StorageError::WouldBlock));
        assert_eq!(std::fs::metadata(&at).unwrap().len(), upload::EMPTIED_AT_ONCE + 4);
        std::fs::remove_file(&at).unwrap();
        assert_eq!(store(&replace), b"new");
        // What another removes meanwhile is not published.
        let file = view.open_write(&path("/file"), &append).unwrap();
        std::fs::remove_file(&at).unwrap();
        std::fs::write(&at, "other").unwrap();
        let finished = file.finish(wharf_core::Disposition::Publish);
        assert_eq!(finished, Err(StorageError::Displaced));
    }

    #[test]
    fn a_removed_file_takes_its_time_to_close() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("file");
        std::fs::write(&place, b"abc").unwrap();
        let view = view(&folder, Medium::LocalDisk);
        if !is_told(&*view) {
            return;
        }
        let file = view.open_read(&path("/file")).unwrap();
        std::fs::remove_file(place).unwrap();
        assert!(!file.closes_at_once());
    }
}
