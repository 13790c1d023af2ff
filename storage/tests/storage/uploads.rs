//! What an upload keeps, leaves alone, and leaves: only a folder of the machine has these.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use rustix::fs::IFlags;
use rustix::fs::{FlockOperation, XattrFlags};
use tempfile::TempDir;
use wharf_core::{Disposition, StorageError, WriteMode};
use wharf_storage::{Directory, Durability, Storage, WriteFile};

use super::*;
use Disposition::{Discard, KeepPartial, Publish};

const APPEND_HERE: WriteMode = WriteMode::Append { create: true };
const CREATE_BESIDE: WriteMode = WriteMode::Create { atomic: true };
const CREATE_HERE: WriteMode = WriteMode::Create { atomic: false };

fn folder() -> (TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    let storage = Directory::open(folder.path()).unwrap();
    (folder, storage)
}

fn all_names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into()).collect()
}

fn begin(storage: &Directory, at: &str, mode: &WriteMode, content: &str) -> Box<dyn WriteFile> {
    let mut file = storage.open_write(&path(at), mode).unwrap();
    file.write(content.as_bytes()).unwrap();
    file
}

/// Sets an attribute, unless the file system has none.
fn mark(file: &Path, name: &str, value: &[u8]) -> bool {
    rustix::fs::setxattr(file, name, value, XattrFlags::empty()).is_ok()
}

fn marked(file: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 256];
    let length = rustix::fs::getxattr(file, name, &mut value[..]).ok()?;
    value.truncate(length);
    Some(value)
}

/// An ACL in the kernel's form: read and write for the owner, read for user 12345, nothing else.
fn acl_for_one_more() -> Vec<u8> {
    let mut acl = 2_u32.to_le_bytes().to_vec();
    let none = u32::MAX;
    for (tag, rights, id) in
        [(0x01, 6, none), (0x02, 4, 12345), (0x04, 0, none), (0x10, 4, none), (0x20, 0, none)]
    {
        acl.extend_from_slice(&u16::to_le_bytes(tag));
        acl.extend_from_slice(&u16::to_le_bytes(rights));
        acl.extend_from_slice(&u32::to_le_bytes(id));
    }
    acl
}

#[test]
fn attributes_outlive_the_content() {
    let (folder, storage) = folder();
    let file = folder.path().join("f");
    fs::write(&file, "old").unwrap();
    let has_attributes = mark(&file, "user.colour", b"blue");
    let acl = acl_for_one_more();
    let has_acls = mark(&file, "system.posix_acl_access", &acl);
    let before = fs::metadata(&file).unwrap();
    put(&storage, "/f", "new");
    let after = fs::metadata(&file).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    assert_ne!(after.ino(), before.ino(), "it was replaced in one step");
    assert_eq!(
        (after.mode(), after.uid(), after.gid()),
        (before.mode(), before.uid(), before.gid())
    );
    if has_attributes {
        assert_eq!(marked(&file, "user.colour").as_deref(), Some(&b"blue"[..]));
    }
    if has_acls {
        assert_eq!(marked(&file, "system.posix_acl_access"), Some(acl));
    }
}

#[test]
fn an_acl_that_the_folder_hands_down_is_no_replaced_files() {
    let (folder, storage) = folder();
    let file = folder.path().join("f");
    fs::write(&file, "old").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let mut acl = acl_for_one_more();
    acl[6] = 6;
    if !mark(folder.path(), "system.posix_acl_default", &acl) {
        return;
    }
    put(&storage, "/f", "new");
    assert_eq!(marked(&file, "system.posix_acl_access"), None);
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
    put(&storage, "/g", "a new file");
    assert!(marked(&folder.path().join("g"), "system.posix_acl_access").is_some());
}

#[test]
fn owner_and_group_outlive_the_content() {
    let (folder, storage) = folder();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        // Only root gives files away.
        return;
    }
    let file = folder.path().join("f");
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::chown(&file, Some(12345), Some(12346)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o2640)).unwrap();
    put(&storage, "/f", "new");
    let after = fs::metadata(&file).unwrap();
    assert_eq!((after.uid(), after.gid(), after.mode() & 0o7777), (12345, 12346, 0o2640));
}

#[test]
fn a_mode_that_is_narrowed_meanwhile_stays_narrow() {
    let (folder, storage) = folder();
    put(&storage, "/f", "old");
    storage.set_mode(&path("/f"), 0o644).unwrap();
    let mut file = begin(&storage, "/f", &ATOMIC, "new");
    file.sync().unwrap();
    storage.set_mode(&path("/f"), 0o600).unwrap();
    file.finish(Publish).unwrap();
    assert_eq!(fs::metadata(folder.path().join("f")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(read(&storage, "/f").unwrap(), "new");
}

#[test]
fn a_file_of_several_names_is_written_in_place_when_all_has_come() {
    let (folder, storage) = folder();
    put(&storage, "/f", "the old content");
    fs::hard_link(folder.path().join("f"), folder.path().join("g")).unwrap();
    drop(begin(&storage, "/f", &ATOMIC, "half"));
    begin(&storage, "/f", &ATOMIC, "half").finish(KeepPartial).unwrap();
    assert_eq!(read(&storage, "/g").unwrap(), "the old content");
    let mut file = begin(&storage, "/f", &ATOMIC, "new");
    file.sync().unwrap();
    assert_eq!(read(&storage, "/g").unwrap(), "the old content");
    file.finish(Publish).unwrap();
    for at in ["/f", "/g"] {
        assert_eq!(read(&storage, at).unwrap(), "new");
    }
    assert_eq!(fs::metadata(folder.path().join("g")).unwrap().nlink(), 2);
    assert_eq!(all_names(folder.path()).len(), 2);
}

#[test]
fn what_was_written_has_to_be_there_in_the_end() {
    for mode in [APPEND_HERE, WriteMode::ResumeAt(0), IN_PLACE] {
        let (folder, storage) = folder();
        let on_disk = folder.path().join("f");
        for replace in [false, true] {
            for existed in [false, true] {
                if existed {
                    put(&storage, "/f", "old");
                }
                let file = begin(&storage, "/f", &mode, "lost");
                fs::remove_file(&on_disk).unwrap();
                if replace {
                    put(&storage, "/f", "another's");
                }
                assert_eq!(file.finish(Publish), Err(StorageError::Displaced), "{mode:?}");
                assert_eq!(fs::read_to_string(&on_disk).ok().is_some(), replace);
                let _ = fs::remove_file(&on_disk);
            }
        }
        // Renamed is not there either, and nothing is lost.
        let file = begin(&storage, "/f", &mode, "content");
        storage.rename(&path("/f"), &path("/g"), false).unwrap();
        assert_eq!(file.finish(Publish), Err(StorageError::Displaced));
        assert_eq!(read(&storage, "/g").unwrap(), "content");
        put(&storage, "/f", "");
        begin(&storage, "/f", &mode, "content").finish(Publish).unwrap();
    }
}

#[test]
fn only_the_very_file_that_was_made_is_removed() {
    for mode in [APPEND_HERE, WriteMode::ResumeAt(0), IN_PLACE, CREATE_HERE] {
        for theirs in ["", "another's"] {
            let (folder, storage) = folder();
            let open = storage.open_write(&path("/f"), &mode).unwrap();
            fs::remove_file(folder.path().join("f")).unwrap();
            put(&storage, "/f", theirs);
            drop(open);
            assert_eq!(read(&storage, "/f").unwrap(), theirs, "{mode:?}");

            let open = storage.open_write(&path("/g"), &mode).unwrap();
            fs::rename(folder.path().join("f"), folder.path().join("g")).unwrap();
            open.finish(Discard).unwrap();
            assert_eq!(read(&storage, "/g").unwrap(), theirs, "{mode:?}");

            // Another writer's bytes are in it by now.
            let open = storage.open_write(&path("/h"), &mode).unwrap();
            write(&storage, "/h", &APPEND_HERE, "more", Publish).unwrap();
            drop(open);
            assert_eq!(read(&storage, "/h").unwrap(), "more", "{mode:?}");
            assert_eq!(all_names(folder.path()).len(), 2);
        }
    }
}

#[test]
fn a_new_file_takes_no_place() {
    let (folder, storage) = folder();
    for mode in [CREATE_BESIDE, CREATE_HERE] {
        begin(&storage, "/f", &mode, "first").finish(Publish).unwrap();
        let taken = Err(StorageError::AlreadyExists);
        assert_eq!(storage.check_write(&path("/f"), &mode), taken);
        assert_eq!(storage.open_write(&path("/f"), &mode).map(drop), taken);
        storage.remove_file(&path("/f")).unwrap();
    }
    let late = begin(&storage, "/f", &CREATE_BESIDE, "late");
    put(&storage, "/f", "first");
    assert_eq!(late.finish(Publish), Err(StorageError::AlreadyExists));
    assert_eq!(read(&storage, "/f").unwrap(), "first");
    assert_eq!(all_names(folder.path()).len(), 1);
}

#[test]
fn checking_changes_nothing() {
    let (folder, storage) = folder();
    put(&storage, "/f", "12345");
    storage.create_directory(&path("/d")).unwrap();
    symlink("none", folder.path().join("dangling")).unwrap();
    let too_long = "n".repeat(256);
    let check = |at: &str, mode: WriteMode| storage.check_write(&path(at), &mode);
    for mode in [ATOMIC, IN_PLACE, APPEND_HERE, WriteMode::ResumeAt(0)] {
        assert_eq!(check("/f", mode.clone()), Ok(()));
        assert_eq!(check("/new", mode.clone()), Ok(()));
        assert_eq!(check("/d", mode.clone()), Err(StorageError::IsADirectory));
        assert_eq!(check("/none/f", mode.clone()), Err(StorageError::NotFound));
        assert_eq!(check("/f/f", mode.clone()), Err(StorageError::NotADirectory));
        assert_eq!(check("/dangling", mode.clone()), Err(StorageError::PermissionDenied));
        assert_eq!(check(&too_long, mode.clone()), Err(StorageError::BadName));
        assert_eq!(check(".Wharf-Upload-x", mode), Err(StorageError::BadName));
    }
    assert_eq!(check("/f", WriteMode::ResumeAt(6)), Err(StorageError::BadOffset));
    assert_eq!(check("/new", WriteMode::ResumeAt(1)), Err(StorageError::NotFound));
    assert_eq!(check("/new", WriteMode::Append { create: false }), Err(StorageError::NotFound));
    assert_eq!(all_names(folder.path()).len(), 3);
    assert_eq!(read(&storage, "/f").unwrap(), "12345");
}

#[test]
fn nothing_is_left_of_nothing() {
    for mode in [ATOMIC, CREATE_BESIDE, CREATE_HERE, APPEND_HERE, IN_PLACE, WriteMode::ResumeAt(0)]
    {
        let (folder, storage) = folder();
        for disposition in [KeepPartial, Discard] {
            storage.open_write(&path("/f"), &mode).unwrap().finish(disposition).unwrap();
            assert!(all_names(folder.path()).is_empty(), "{mode:?}");
        }
        begin(&storage, "/f", &mode, "half").finish(Discard).unwrap();
        assert!(all_names(folder.path()).is_empty(), "{mode:?}");
        begin(&storage, "/f", &mode, "half").finish(KeepPartial).unwrap();
        assert_eq!(read(&storage, "/f").unwrap(), "half");
    }
}

#[test]
fn both_durabilities_store_alike() {
    for durability in [Durability::Full, Durability::None] {
        let (_folder, storage) = folder();
        let storage = storage.durability(durability);
        for mode in [ATOMIC, IN_PLACE, APPEND_HERE, WriteMode::ResumeAt(0)] {
            let mut file = begin(&storage, "/f", &mode, "content");
            file.sync().unwrap();
            file.finish(Publish).unwrap();
            assert_eq!(read(&storage, "/f").unwrap(), "content");
            storage.remove_file(&path("/f")).unwrap();
        }
    }
}

/// Leaves what a crash would where files without a name are not to be had.
fn leave(folder: &Path, name: &str) -> File {
    let file = File::create(folder.join(format!(".wharf-upload-{name}"))).unwrap();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    file
}

#[test]
fn what_a_crash_left_goes_and_what_is_under_way_stays() {
    let (folder, storage) = folder();
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    drop(leave(elsewhere.path(), "0"));
    symlink(elsewhere.path(), folder.path().join("link")).unwrap();
    put(&storage, "/a/f", "f");
    drop(leave(folder.path(), "1"));
    drop(leave(&below, "2"));
    let under_way = leave(&below, "3");
    let directory = below.join(".wharf-upload-4");
    fs::create_dir(&directory).unwrap();

    assert_eq!(storage.remove_remains(), 2);
    assert_eq!(all_names(&below).len(), 2);
    assert_eq!(all_names(folder.path()).len(), 2);
    assert_eq!(all_names(elsewhere.path()).len(), 1);
    assert_eq!(read(&storage, "/a/f").unwrap(), "f");
    drop(under_way);
    assert_eq!(storage.remove_remains(), 1);
    assert_eq!(storage.remove_remains(), 0);
}

#[test]
fn what_a_crash_left_keeps_no_folder() {
    let (folder, storage) = folder();
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    drop(leave(&below, "1"));
    let under_way = leave(&below, "2");
    let (inner, outer) = (path("/a/b"), path("/a"));
    assert_eq!(storage.remove_directory(&inner), Err(StorageError::NotEmpty));
    drop(under_way);
    drop(leave(&folder.path().join("a"), "3"));
    assert_eq!(storage.remove_directory(&outer), Err(StorageError::NotEmpty));
    storage.remove_directory(&inner).unwrap();
    // Where there is anything else, what is hidden stays too.
    put(&storage, "/a/f", "f");
    drop(leave(&folder.path().join("a"), "4"));
    assert_eq!(storage.remove_directory(&outer), Err(StorageError::NotEmpty));
    assert!(folder.path().join("a/.wharf-upload-4").exists());
    storage.remove_file(&path("/a/f")).unwrap();
    storage.remove_directory(&outer).unwrap();
    assert!(all_names(folder.path()).is_empty());
}

/// Runs `test` in a folder on a disk and in one in memory, as far as there are both, and where what
/// is in memory does not wait.
fn wherever(test: impl Fn(&Path, &dyn Storage)) {
    let memory = tempfile::tempdir_in("/dev/shm").ok();
    for folder in [tempfile::tempdir().ok(), memory].into_iter().flatten() {
        let storage = Directory::open(folder.path()).unwrap();
        test(folder.path(), &storage);
        let at_once = storage.at_once();
        if let Some(view) = at_once.filter(|view| view.check_write(&path("/f"), &ATOMIC).is_ok()) {
            test(folder.path(), &*view);
        }
    }
}

#[test]
fn what_has_come_to_stand_there_meanwhile_is_looked_at_anew() {
    wherever(|folder, storage| {
        let file = folder.join("f");
        let mode = |mode| fs::Permissions::from_mode(mode);
        let replaced_by = |come: &dyn Fn()| {
            fs::write(&file, "old").unwrap();
            fs::set_permissions(&file, mode(0o644)).unwrap();
            let mut upload = storage.open_write(&path("/f"), &ATOMIC).unwrap();
            upload.write(b"new").unwrap();
            fs::remove_file(&file).unwrap();
            come();
            upload.finish(Publish)
        };
        let is = || {
            let mode = fs::symlink_metadata(&file).unwrap().mode() & 0o7777;
            (fs::read_to_string(&file).unwrap(), mode)
        };
        let new = |mode| (String::from("new"), mode);

        // The old file is gone, and with it the knowledge of those that could read it.
        assert_eq!(replaced_by(&|| ()), Ok(()));
        assert_eq!(is(), new(0o600));

        let other = || {
            fs::write(&file, "other").unwrap();
            fs::set_permissions(&file, mode(0o640)).unwrap();
        };
        assert_eq!(replaced_by(&other), Ok(()));
        assert_eq!(is(), new(0o640));

        // A link is replaced itself, and what it leads to stays.
        fs::write(folder.join("target"), "target").unwrap();
        assert_eq!(replaced_by(&|| symlink("target", &file).unwrap()), Ok(()));
        assert_eq!(is(), new(0o600));
        assert_eq!(fs::read_to_string(folder.join("target")).unwrap(), "target");

        assert_eq!(
            replaced_by(&|| fs::create_dir(&file).unwrap()),
            Err(StorageError::IsADirectory)
        );
        fs::remove_dir(&file).unwrap();

        let fifo = || {
            let made = std::process::Command::new("mkfifo").arg(&file).status();
            assert!(made.unwrap().success());
        };
        assert_eq!(replaced_by(&fifo), Err(StorageError::NotRegular));
        fs::remove_file(&file).unwrap();
        fs::remove_file(folder.join("target")).unwrap();
        assert!(all_names(folder).is_empty());
    });
}

/// A flag of a file, until this is dropped: with it the file could not be removed.
#[cfg(target_os = "linux")]
struct Flagged(File);

#[cfg(target_os = "linux")]
impl Flagged {
    /// Returns `None` where the file system has no flags, or the process may not set them.
    fn set(file: &Path, flag: IFlags) -> Option<Self> {
        let file = File::open(file).unwrap();
        let flags = rustix::fs::ioctl_getflags(&file).ok()?;
        rustix::fs::ioctl_setflags(&file, flags | flag).ok()?;
        Some(Self(file))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Flagged {
    fn drop(&mut self) {
        let set = IFlags::IMMUTABLE | IFlags::APPEND | IFlags::NODUMP;
        if let Ok(flags) = rustix::fs::ioctl_getflags(&self.0) {
            let _ = rustix::fs::ioctl_setflags(&self.0, flags & !set);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn flags_of_a_file_are_heeded() {
    wherever(|folder, storage| {
        let file = folder.join("f");
        let content = || fs::read_to_string(&file).unwrap();
        let store = |mode: &WriteMode| {
            storage.check_write(&path("/f"), mode)?;
            let mut upload = storage.open_write(&path("/f"), mode)?;
            upload.write(b"new")?;
            upload.finish(Publish)
        };
        let refused = Err(StorageError::PermissionDenied);
        fs::write(&file, "old").unwrap();
        if let Some(_flag) = Flagged::set(&file, IFlags::IMMUTABLE) {
            for mode in [ATOMIC, IN_PLACE, APPEND_HERE] {
                assert_eq!(store(&mode), refused, "{mode:?}");
            }
        }
        if let Some(_flag) = Flagged::set(&file, IFlags::APPEND) {
            for mode in [ATOMIC, IN_PLACE, WriteMode::ResumeAt(0)] {
                assert_eq!(store(&mode), refused, "{mode:?}");
            }
            assert_eq!(content(), "old");
            assert_eq!(store(&APPEND_HERE), Ok(()));
            assert_eq!(content(), "oldnew");
        }
        // What a new file would lack: the old one is written to.
        let before = fs::metadata(&file).unwrap().ino();
        if let Some(_flag) = Flagged::set(&file, IFlags::NODUMP) {
            assert_eq!(store(&ATOMIC), Ok(()));
            assert_eq!((content().as_str(), fs::metadata(&file).unwrap().ino()), ("new", before));
        }
        assert_eq!(store(&ATOMIC), Ok(()));
        assert_ne!(fs::metadata(&file).unwrap().ino(), before);
        fs::remove_file(&file).unwrap();
    });
}
