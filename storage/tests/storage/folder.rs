//! What only a folder of the machine can do, and what only memory can.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tempfile::TempDir;
use wharf_core::{Disposition, Kind, Metadata, StorageError, VirtualPath, WallTime, WriteMode};
use wharf_storage::{Directory, Memory, Storage};

use super::*;
use Disposition::{Discard, Publish};

/// A folder `tree` that is served, beside one named `secret` that is not.
fn tree() -> (TempDir, Directory) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tree")).unwrap();
    fs::create_dir(folder.path().join("secret")).unwrap();
    fs::write(folder.path().join("secret/file"), "secret").unwrap();
    let storage = Directory::open(folder.path().join("tree")).unwrap();
    (folder, storage)
}

fn link(folder: &TempDir, target: impl AsRef<std::path::Path>, at: &str) {
    symlink(target, folder.path().join("tree").join(at)).unwrap();
}

/// Where a link says that it leads, and what to: a file with its size, or a directory.
fn link_of(storage: &Directory, at: &str) -> (Option<Vec<u8>>, Option<Option<u64>>) {
    match storage.link_metadata(&path(at)).unwrap().kind {
        Kind::Symlink { target, leads_to } => {
            let size = |to: Box<Metadata>| (to.kind == Kind::File).then_some(to.size);
            (target, leads_to.map(size))
        }
        kind => panic!("{kind:?}"),
    }
}

#[test]
fn only_a_directory_can_be_opened() {
    let (folder, _) = tree();
    assert!(Directory::open(folder.path().join("none")).is_err());
    assert!(Directory::open(folder.path().join("secret/file")).is_err());
}

#[test]
fn links_out_are_seen_but_not_followed() {
    let (folder, storage) = tree();
    let outside = folder.path().join("secret");
    link(&folder, &outside, "absolute");
    link(&folder, outside.join("file"), "absolute-file");
    link(&folder, "../secret", "relative");
    link(&folder, "../secret/file", "relative-file");
    link(&folder, "../../../../../../../../etc", "far");
    // Also where the way leads back in.
    link(&folder, "../tree", "around");
    let denied = StorageError::PermissionDenied;

    for at in ["absolute", "absolute-file", "relative", "relative-file", "far", "around"] {
        assert_eq!(link_of(&storage, at), (None, None), "{at}");
        assert_eq!(storage.metadata(&path(at)), Err(denied), "{at}");
        assert_eq!(storage.open_read(&path(at)).err(), Some(denied), "{at}");
        assert_eq!(storage.open_directory(&path(at)).err(), Some(denied), "{at}");
        assert_eq!(storage.set_mode(&path(at), 0o777), Err(denied), "{at}");
        let then = WallTime::from_seconds(0);
        assert_eq!(storage.set_modified(&path(at), then), Err(denied), "{at}");
        assert_eq!(storage.space_left(&path(at)), Err(denied), "{at}");
        for mode in [ATOMIC, IN_PLACE, WriteMode::Append { create: true }, WriteMode::ResumeAt(0)] {
            assert_eq!(storage.open_write(&path(at), &mode).err(), Some(denied), "{at}");
            assert_eq!(storage.check_write(&path(at), &mode).err(), Some(denied), "{at}");
        }
        assert_eq!(storage.unique_name(&path(at), b"x"), Err(denied), "{at}");
        let below = path(format!("{at}/file"));
        assert_eq!(storage.metadata(&below), Err(denied));
        assert_eq!(storage.link_metadata(&below), Err(denied));
        assert_eq!(storage.open_read(&below).err(), Some(denied));
        assert_eq!(storage.remove_file(&below), Err(denied));
        assert_eq!(storage.remove_directory(&below), Err(denied));
        assert_eq!(storage.create_directory(&below), Err(denied));
        assert_eq!(storage.rename(&below, &path("/stolen"), true), Err(denied));
        assert_eq!(storage.rename(&path(at), &below, true), Err(denied));
    }
    assert_eq!(list(&storage, "/").unwrap().len(), 6);
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    // The links themselves can go.
    storage.remove_file(&path("/absolute")).unwrap();
    storage.rename(&path("/relative"), &path("/moved"), true).unwrap();
    assert!(outside.exists());
}

#[test]
fn links_within_are_followed() {
    let (folder, storage) = tree();
    storage.create_directory(&path("/d")).unwrap();
    storage.create_directory(&path("/d/deep")).unwrap();
    put(&storage, "/d/f", "12345");
    link(&folder, "d/f", "file");
    link(&folder, "d", "dir");
    // Up and down again, but never out.
    link(&folder, "../../d/f", "d/deep/up");
    link(&folder, "dir/deep/up", "chain");
    link(&folder, "none", "dangling");
    link(&folder, ".", "self");

    let file = (Some(b"d/f".to_vec()), Some(Some(5)));
    assert_eq!(link_of(&storage, "/file"), file);
    assert_eq!(link_of(&storage, "/dir"), (Some(b"d".to_vec()), Some(None)));
    assert_eq!(link_of(&storage, "/self"), (Some(b".".to_vec()), Some(None)));
    assert_eq!(link_of(&storage, "/dangling"), (Some(b"none".to_vec()), None));
    let up = (Some(b"../../d/f".to_vec()), Some(Some(5)));
    assert_eq!(link_of(&storage, "/d/deep/up"), up);

    for at in ["/file", "/chain", "/d/deep/up", "/dir/deep/up", "/self/dir/f"] {
        assert_eq!(read(&storage, at).unwrap(), "12345", "{at}");
        let metadata = storage.metadata(&path(at)).unwrap();
        assert_eq!((metadata.kind, metadata.size), (Kind::File, 5), "{at}");
    }
    assert_eq!(names(&storage, "/dir"), ["deep", "f"]);
    let entries = list(&storage, "/d/deep").unwrap();
    let Kind::Symlink { leads_to: Some(target), .. } = &entries[0].metadata.kind else {
        panic!("{entries:?}");
    };
    assert_eq!((&target.kind, target.size), (&Kind::File, 5));

    // Writing goes through the link, and leaves it a link.
    put(&storage, "/chain", "new");
    assert_eq!(read(&storage, "/d/f").unwrap(), "new");
    write(&storage, "/file", &WriteMode::Append { create: true }, "er", Publish).unwrap();
    assert_eq!(read(&storage, "/d/f").unwrap(), "newer");
    assert_eq!(names(&storage, "/d"), ["deep", "f"]);
    assert!(link_of(&storage, "/chain").1.is_some());
    let denied = Some(StorageError::PermissionDenied);
    assert_eq!(storage.open_write(&path("/dangling"), &ATOMIC).err(), denied);
    assert_eq!(storage.open_write(&path("/dangling"), &IN_PLACE).err(), denied);
    let is_directory = Some(StorageError::IsADirectory);
    assert_eq!(storage.open_write(&path("/dir"), &ATOMIC).err(), is_directory);

    // Removing and renaming mean the link itself.
    assert_eq!(storage.remove_directory(&path("/dir")), Err(StorageError::NotADirectory));
    storage.rename(&path("/dir"), &path("/dir2"), true).unwrap();
    storage.remove_file(&path("/dir2")).unwrap();
    storage.remove_file(&path("/dangling")).unwrap();
    storage.rename(&path("/file"), &path("/chain"), true).unwrap();
    assert_eq!(link_of(&storage, "/chain"), (Some(b"d/f".to_vec()), file.1));
    assert_eq!(read(&storage, "/d/f").unwrap(), "newer");
}

#[test]
fn loops_lead_nowhere() {
    let (folder, storage) = tree();
    link(&folder, "b", "a");
    link(&folder, "a", "b");
    link(&folder, "own", "own");
    for at in ["/a", "/b", "/own"] {
        assert_eq!(storage.metadata(&path(at)), Err(StorageError::NotFound));
        assert_eq!(storage.open_read(&path(at)).err(), Some(StorageError::NotFound));
        assert_eq!(link_of(&storage, at).1, None);
        let denied = Some(StorageError::PermissionDenied);
        assert_eq!(storage.open_write(&path(at), &ATOMIC).err(), denied);
    }
    assert_eq!(names(&storage, "/"), ["a", "b", "own"]);
}

#[test]
fn a_link_that_is_swapped_does_not_lead_out() {
    let (folder, storage) = tree();
    let inside = folder.path().join("tree");
    fs::create_dir(inside.join("good")).unwrap();
    fs::write(inside.join("good/file"), "good").unwrap();
    symlink("good", inside.join("way")).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for target in ["../secret", "good"] {
                    symlink(target, inside.join("next")).unwrap();
                    fs::rename(inside.join("next"), inside.join("way")).unwrap();
                }
            }
        });
        for _ in 0..2_000 {
            if let Ok(content) = read(&storage, "/way/file") {
                assert_eq!(content, "good");
            }
            let _ = write(&storage, "/way/file", &ATOMIC, "good", Publish);
            let _ = write(&storage, "/way/other", &IN_PLACE, "good", Discard);
        }
        stop.store(true, Ordering::Relaxed);
    });
    let outside = folder.path().join("secret");
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "secret");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 1);
}

#[test]
fn what_is_no_file_is_neither_opened_nor_waited_for() {
    let (folder, storage) = tree();
    let inside = folder.path().join("tree");
    let made = std::process::Command::new("mkfifo").arg(inside.join("fifo")).status();
    assert!(made.unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(inside.join("socket")).unwrap();
    for at in ["/fifo", "/socket"] {
        let Metadata { kind, access, .. } = storage.metadata(&path(at)).unwrap();
        assert_eq!((kind, access.read, access.write), (Kind::Other, false, false));
        let odd = Some(StorageError::NotRegular);
        assert_eq!(storage.open_read(&path(at)).err(), odd);
        for mode in [ATOMIC, IN_PLACE, WriteMode::Append { create: true }, WriteMode::ResumeAt(0)] {
            assert_eq!(storage.open_write(&path(at), &mode).err(), odd, "{mode:?}");
        }
        assert_eq!(storage.open_directory(&path(at)).err(), Some(StorageError::NotADirectory));
        assert_eq!(storage.set_mode(&path(at), 0o600), Err(StorageError::NotRegular));
        storage.remove_file(&path(at)).unwrap();
    }
}

#[test]
fn names_that_are_no_text() {
    let (folder, storage) = tree();
    let name = b"\xff\n\x01";
    fs::write(folder.path().join("tree").join(OsStr::from_bytes(name)), "odd").unwrap();
    assert_eq!(list(&storage, "/").unwrap()[0].name, name);
    assert_eq!(read(&storage, name).unwrap(), "odd");
    let nul = VirtualPath::root().join(b"a\0b");
    assert_eq!(storage.metadata(&nul), Err(StorageError::BadName));
    assert_eq!(storage.open_write(&nul, &IN_PLACE).err(), Some(StorageError::BadName));
}

#[test]
fn a_large_directory_is_listed_whole() {
    let (folder, storage) = tree();
    let large = folder.path().join("tree");
    const COUNT: usize = 10_500;
    for number in 0..COUNT {
        fs::write(large.join(number.to_string()), "").unwrap();
    }
    let listed = list(&storage, "/").unwrap();
    assert!(listed[..10_000].is_sorted_by_key(|entry| &entry.name));
    let mut numbers: Vec<usize> = listed
        .into_iter()
        .map(|entry| String::from_utf8(entry.name).unwrap().parse().unwrap())
        .collect();
    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..COUNT));
}

#[test]
fn unfinished_uploads_are_hidden() {
    let (folder, storage) = tree();
    let inside = folder.path().join("tree");
    let name = ".wharf-upload-0123456789abcdef";
    fs::write(inside.join(name), "stale").unwrap();
    link(&folder, name, "link");
    put(&storage, "/f", "f");
    let missing = StorageError::NotFound;
    assert_eq!(names(&storage, "/"), ["f", "link"]);
    for at in [format!("/{name}"), "/link".into()] {
        assert_eq!(storage.metadata(&path(&at)), Err(missing));
        assert_eq!(storage.open_read(&path(&at)).err(), Some(missing));
    }
    let at = path(name);
    assert_eq!(storage.link_metadata(&at), Err(missing));
    assert_eq!(storage.remove_file(&at), Err(missing));
    assert_eq!(storage.remove_directory(&at), Err(missing));
    assert_eq!(storage.rename(&at, &path("/g"), true), Err(missing));
    assert_eq!(storage.rename(&path("/f"), &at, true), Err(StorageError::BadName));
    assert_eq!(storage.create_directory(&at), Err(StorageError::BadName));
    let create = WriteMode::Create { atomic: true };
    let append = WriteMode::Append { create: true };
    for mode in [ATOMIC, IN_PLACE, append, WriteMode::ResumeAt(0), create] {
        assert_eq!(storage.open_write(&at, &mode).err(), Some(StorageError::BadName));
        assert_eq!(storage.check_write(&at, &mode).err(), Some(StorageError::BadName));
    }
    let named = storage.unique_name(&path("/"), name.as_bytes());
    assert_eq!(named, Err(StorageError::BadName));

    // One that is under way looks the same, if it has a name at all, and leaves nothing.
    fs::remove_file(inside.join(name)).unwrap();
    let file = storage.open_write(&path("/g"), &ATOMIC).unwrap();
    assert_eq!(names(&storage, "/"), ["f", "link"]);
    drop(file);
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 2);
}

#[test]
fn a_private_file_stays_private_while_it_is_replaced() {
    let (folder, storage) = tree();
    put(&storage, "/f", "private");
    storage.set_mode(&path("/f"), 0o640).unwrap();
    let file = storage.open_write(&path("/f"), &ATOMIC).unwrap();
    for entry in fs::read_dir(folder.path().join("tree")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
    file.finish(Publish).unwrap();
}

#[test]
fn times_and_modes_are_those_of_what_a_link_leads_to() {
    let (folder, storage) = tree();
    put(&storage, "/f", "f");
    link(&folder, "f", "link");
    let then = WallTime::from_seconds(1_000_000_000);
    storage.set_modified(&path("/link"), then).unwrap();
    storage.set_mode(&path("/link"), 0o600).unwrap();
    let file = storage.link_metadata(&path("/f")).unwrap();
    assert_eq!((file.modified, file.mode), (then, 0o600));
    assert_ne!(storage.link_metadata(&path("/link")).unwrap().modified, then);
}

#[test]
fn a_directory_keeps_what_it_hands_down() {
    let (folder, storage) = tree();
    let directory = folder.path().join("tree/d");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o2770)).unwrap();
    storage.set_mode(&path("/d"), 0o755).unwrap();
    assert_eq!(storage.metadata(&path("/d")).unwrap().mode, 0o2755);
    put(&storage, "/f", "f");
    let file = folder.path().join("tree/f");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o4770)).unwrap();
    storage.set_mode(&path("/f"), 0o755).unwrap();
    assert_eq!(storage.metadata(&path("/f")).unwrap().mode, 0o755);
}

#[test]
fn metadata_is_that_of_the_machine() {
    let (folder, storage) = tree();
    put(&storage, "/f", "12345");
    let real = fs::metadata(folder.path().join("tree/f")).unwrap();
    let seen = storage.metadata(&path("/f")).unwrap();
    assert_eq!(seen.size, real.len());
    assert_eq!(seen.mode, real.mode() & 0o7777);
    assert_eq!((seen.owner, seen.group, seen.links), (real.uid(), real.gid(), 1));
    assert_eq!(seen.unique, Some((real.dev(), real.ino())));
    assert_eq!(seen.modified.seconds, real.mtime());
    assert_eq!(i64::from(seen.modified.nanoseconds), real.mtime_nsec());
    assert!(storage.space_left(&path("/f")).unwrap().unwrap() > 0);
    let open = storage.open_read(&path("/f")).unwrap();
    assert_eq!(open.as_file().unwrap().metadata().unwrap().ino(), real.ino());
}

#[test]
fn memory_can_be_full() {
    let memory = Memory::new().with_capacity_bytes(10).with_file("/f", "123456");
    assert_eq!(memory.space_left(&path("/")), Ok(Some(4)));
    let full = Err(StorageError::QuotaExceeded);
    assert_eq!(write(&memory, "/g", &ATOMIC, "12345", Publish), full);
    assert_eq!(names(&memory, "/"), ["f"]);
    assert_eq!(
        write(&memory, "/f", &WriteMode::Append { create: true }, "12345678", Publish),
        full
    );
    assert_eq!(read(&memory, "/f").unwrap(), "123456", "what is of no use gives its room back");
    write(&memory, "/f", &WriteMode::Append { create: true }, "1234", Publish).unwrap();
    // Replacing in one step needs room for both.
    assert_eq!(write(&memory, "/f", &ATOMIC, "1", Publish), full);
    write(&memory, "/f", &WriteMode::ResumeAt(0), "abc", Publish).unwrap();
    write(&memory, "/f", &IN_PLACE, "1", Publish).unwrap();
    assert_eq!(memory.space_left(&path("/")), Ok(Some(9)));
}

#[test]
fn a_folder_that_cannot_be_opened_is_named() {
    let place = tempfile::tempdir().unwrap();
    let (none, file) = (place.path().join("none"), place.path().join("file"));
    fs::write(&file, "").unwrap();
    let error = Directory::open(&none).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let text = error.to_string();
    assert!(text.starts_with(&format!("cannot open the folder {none:?}: ")), "{text}");
    assert!(text.ends_with("; it has to be there"), "{text}");
    let text = Directory::open(&file).unwrap_err().to_string();
    assert!(text.contains("/file\": ") && text.ends_with("; it has to be a directory"), "{text}");
    // A relative path is shown with what it is relative to.
    let here = std::env::current_dir().unwrap().join("no such folder");
    let text = Directory::open("no such folder").unwrap_err().to_string();
    assert!(text.contains(&format!("{here:?}")), "{text}");
    let root = Directory::open(place.path()).unwrap();
    let text = root.open_beneath("none").unwrap_err().to_string();
    assert!(text.starts_with("cannot open the folder \"none\": "), "{text}");
    let error = root.open_beneath("..").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().starts_with("cannot open the folder \"..\": "), "{error}");
}
