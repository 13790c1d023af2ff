//! Names, and what they stand for.

use wharf_core::{Disposition::Publish, Kind, StorageError, VirtualPath, WallTime, WriteMode};

use super::{ATOMIC, IN_PLACE, list, names, path, put, read, write};
use crate::Storage;

pub(super) fn the_root_is_a_directory(storage: &dyn Storage) {
    let root = storage.metadata(&VirtualPath::root()).unwrap();
    assert_eq!(root.kind, Kind::Directory);
    assert!(root.access.read && root.access.write && !root.access.remove);
    assert_eq!(storage.link_metadata(&path("/")), Ok(root));
    assert!(list(storage, "/").unwrap().is_empty());

    assert_eq!(storage.create_directory(&path("/")), Err(StorageError::AlreadyExists));
    assert_eq!(storage.remove_file(&path("/")), Err(StorageError::IsADirectory));
    assert_eq!(storage.remove_directory(&path("/")), Err(StorageError::PermissionDenied));
    assert_eq!(storage.rename(&path("/"), &path("/a"), true), Err(StorageError::PermissionDenied));
    assert_eq!(storage.open_read(&path("/")).err(), Some(StorageError::IsADirectory));
    for mode in [ATOMIC, IN_PLACE, WriteMode::Append { create: true }, WriteMode::ResumeAt(0)] {
        let error = storage.open_write(&path("/"), &mode).err();
        assert_eq!(error, Some(StorageError::IsADirectory), "{mode:?}");
    }
    assert!(storage.space_left(&path("/")).is_ok());
}

pub(super) fn entries_come_sorted_and_described(storage: &dyn Storage) {
    put(storage, "/b", "12345");
    storage.create_directory(&path("/a")).unwrap();
    put(storage, "/B", "");
    put(storage, "/a/below", "");
    let entries = list(storage, "/").unwrap();
    let seen: Vec<_> = entries.iter().map(|e| (&e.name[..], &e.metadata.kind)).collect();
    let expected =
        [(&b"B"[..], &Kind::File), (&b"a"[..], &Kind::Directory), (&b"b"[..], &Kind::File)];
    assert_eq!(seen, expected);
    for entry in &entries {
        assert_eq!(storage.metadata(&path(&entry.name)).unwrap(), entry.metadata);
    }
    assert_eq!(names(storage, "/a"), ["below"]);

    let mut open = storage.open_directory(&path("/")).unwrap();
    assert!(open.next().unwrap().is_some());
    storage.remove_file(&path("/b")).unwrap();
    while let Some(entry) = open.next().unwrap() {
        assert_ne!(entry.name, b"B");
    }
    assert_eq!(open.next(), Ok(None));
}

pub(super) fn odd_names_travel_unchanged(storage: &dyn Storage) {
    let odd: [&[u8]; 8] = [b" ", b"\r\n", b"*", b"-rf", b"...", b"a\\b", b"\xc3\xa4", b"\xff\xfe"];
    for name in odd {
        let at = VirtualPath::root().join(name);
        let mut file = storage.open_write(&at, &ATOMIC).unwrap();
        file.write(name).unwrap();
        file.finish(Publish).unwrap();
        assert_eq!(storage.metadata(&at).unwrap().size, name.len() as u64);
    }
    let listed: Vec<Vec<u8>> =
        list(storage, "/").unwrap().into_iter().map(|entry| entry.name).collect();
    let mut expected = odd.map(<[u8]>::to_vec);
    expected.sort();
    assert_eq!(listed, expected);
    for name in odd {
        storage.remove_file(&VirtualPath::root().join(name)).unwrap();
    }
}

pub(super) fn names_have_a_longest_length(storage: &dyn Storage) {
    let longest = "n".repeat(255);
    let longer = path("n".repeat(256));
    put(storage, &longest, "x");
    assert_eq!(read(storage, &longest).unwrap(), "x");
    for mode in [ATOMIC, IN_PLACE, WriteMode::Append { create: true }] {
        let result = storage.open_write(&longer, &mode).and_then(|file| file.finish(Publish));
        assert_eq!(result, Err(StorageError::BadName), "{mode:?}");
    }
    assert_eq!(storage.create_directory(&longer), Err(StorageError::BadName));
    assert_eq!(storage.rename(&path(&longest), &longer, true), Err(StorageError::BadName));
    assert_eq!(names(storage, "/"), [longest]);
}

pub(super) fn missing_and_misplaced(storage: &dyn Storage) {
    put(storage, "/file", "");
    storage.create_directory(&path("/dir")).unwrap();
    for (at, expected) in [
        ("/none", StorageError::NotFound),
        ("/none/x", StorageError::NotFound),
        ("/file/x", StorageError::NotADirectory),
    ] {
        let at = path(at);
        assert_eq!(storage.metadata(&at), Err(expected));
        assert_eq!(storage.link_metadata(&at), Err(expected));
        assert_eq!(storage.open_directory(&at).err(), Some(expected));
        assert_eq!(storage.open_read(&at).err(), Some(expected));
        assert_eq!(storage.remove_file(&at), Err(expected));
        assert_eq!(storage.remove_directory(&at), Err(expected));
        assert_eq!(storage.rename(&at, &path("/new"), true), Err(expected));
        assert_eq!(storage.set_mode(&at, 0o600), Err(expected));
        assert_eq!(storage.set_modified(&at, WallTime::from_seconds(0)), Err(expected));
        assert_eq!(storage.space_left(&at), Err(expected));
    }
    for mode in [ATOMIC, IN_PLACE, WriteMode::Append { create: true }, WriteMode::ResumeAt(0)] {
        let open = |at| storage.open_write(&path(at), &mode).err();
        assert_eq!(open("/none/x"), Some(StorageError::NotFound), "{mode:?}");
        assert_eq!(open("/file/x"), Some(StorageError::NotADirectory), "{mode:?}");
        assert_eq!(open("/dir"), Some(StorageError::IsADirectory), "{mode:?}");
    }
    let at = path("/none/x");
    assert_eq!(storage.create_directory(&at), Err(StorageError::NotFound));
    assert_eq!(storage.rename(&path("/file"), &at, true), Err(StorageError::NotFound));
    assert_eq!(storage.open_directory(&path("/file")).err(), Some(StorageError::NotADirectory));
    assert_eq!(storage.open_read(&path("/dir")).err(), Some(StorageError::IsADirectory));
    assert_eq!(names(storage, "/"), ["dir", "file"]);
}

pub(super) fn directories(storage: &dyn Storage) {
    storage.create_directory(&path("/a")).unwrap();
    storage.create_directory(&path("/a/b")).unwrap();
    put(storage, "/file", "");
    assert_eq!(storage.create_directory(&path("/a")), Err(StorageError::AlreadyExists));
    assert_eq!(storage.create_directory(&path("/file")), Err(StorageError::AlreadyExists));
    let a = storage.metadata(&path("/a")).unwrap();
    assert!(a.access.read && a.access.write && a.access.remove);
    assert_eq!(storage.remove_directory(&path("/a")), Err(StorageError::NotEmpty));
    assert_eq!(storage.remove_directory(&path("/file")), Err(StorageError::NotADirectory));
    assert_eq!(storage.remove_file(&path("/a/b")), Err(StorageError::IsADirectory));
    storage.remove_directory(&path("/a/b")).unwrap();
    storage.remove_directory(&path("/a")).unwrap();
    assert_eq!(names(storage, "/"), ["file"]);
}

pub(super) fn removing_files(storage: &dyn Storage) {
    put(storage, "/f", "content");
    let mut open = storage.open_read(&path("/f")).unwrap();
    let mut written = storage.open_write(&path("/f"), &WriteMode::Append { create: true }).unwrap();
    storage.remove_file(&path("/f")).unwrap();
    assert_eq!(storage.remove_file(&path("/f")), Err(StorageError::NotFound));
    assert_eq!(open.read_at(0, &mut [0; 7]), Ok(7));
    written.write(b"lost").unwrap();
    assert_eq!(written.finish(Publish), Err(StorageError::Displaced));
    assert!(names(storage, "/").is_empty());
}

pub(super) fn renaming(storage: &dyn Storage) {
    storage.create_directory(&path("/d")).unwrap();
    put(storage, "/f", "f");
    put(storage, "/g", "g");
    storage.rename(&path("/f"), &path("/d/h"), true).unwrap();
    assert_eq!(read(storage, "/d/h").unwrap(), "f");
    storage.rename(&path("/d/h"), &path("/g"), true).unwrap();
    assert_eq!(read(storage, "/g").unwrap(), "f");
    storage.rename(&path("/g"), &path("/g"), true).unwrap();
    put(storage, "/d/below", "below");
    storage.rename(&path("/d"), &path("/e"), true).unwrap();
    storage.rename(&path("/e"), &path("/e"), true).unwrap();
    assert_eq!(read(storage, "/e/below").unwrap(), "below");
    assert_eq!(names(storage, "/"), ["e", "g"]);
}

pub(super) fn renaming_replaces_only_where_it_may(storage: &dyn Storage) {
    storage.create_directory(&path("/d")).unwrap();
    storage.create_directory(&path("/e")).unwrap();
    put(storage, "/f", "f");
    put(storage, "/g", "g");
    put(storage, "/d/f", "below");
    let rename = |from, to| storage.rename(&path(from), &path(to), false);
    assert_eq!(rename("/f", "/g"), Err(StorageError::AlreadyExists));
    assert_eq!(rename("/f", "/d/f"), Err(StorageError::AlreadyExists));
    assert_eq!(rename("/f", "/d"), Err(StorageError::IsADirectory));
    assert_eq!(rename("/d", "/e"), Err(StorageError::AlreadyExists));
    assert_eq!(rename("/d", "/f"), Err(StorageError::NotADirectory));
    assert_eq!(rename("/none", "/g"), Err(StorageError::NotFound));
    assert_eq!(read(storage, "/g").unwrap(), "g");
    assert_eq!(read(storage, "/d/f").unwrap(), "below");
    rename("/f", "/f").unwrap();
    rename("/d", "/d").unwrap();
    rename("/f", "/h").unwrap();
    rename("/h", "/e/f").unwrap();
    rename("/d", "/e/d").unwrap();
    assert_eq!(read(storage, "/e/f").unwrap(), "f");
    assert_eq!(read(storage, "/e/d/f").unwrap(), "below");
    assert_eq!(names(storage, "/"), ["e", "g"]);
}

pub(super) fn renaming_refused(storage: &dyn Storage) {
    storage.create_directory(&path("/d")).unwrap();
    storage.create_directory(&path("/e")).unwrap();
    put(storage, "/f", "f");
    let rename = |from, to| storage.rename(&path(from), &path(to), true).unwrap_err();
    assert_eq!(rename("/d", "/d/x"), StorageError::BadName);
    assert_eq!(rename("/d", "/f"), StorageError::NotADirectory);
    assert_eq!(rename("/d", "/e"), StorageError::AlreadyExists);
    assert_eq!(rename("/f", "/d"), StorageError::IsADirectory);
    assert_eq!(rename("/f", "/"), StorageError::PermissionDenied);
    assert_eq!(rename("/f", "/f/x"), StorageError::NotADirectory);
    assert_eq!(names(storage, "/"), ["d", "e", "f"]);
    // A name that merely begins alike is no way into itself.
    storage.rename(&path("/d"), &path("/dx"), true).unwrap();
}

pub(super) fn times(storage: &dyn Storage) {
    put(storage, "/f", "f");
    storage.create_directory(&path("/d")).unwrap();
    for seconds in [0, 1_000_000_000, 4_000_000_000, -1] {
        let time = WallTime { seconds, nanoseconds: 0 };
        for at in ["/f", "/d"] {
            storage.set_modified(&path(at), time).unwrap();
            assert_eq!(storage.metadata(&path(at)).unwrap().modified, time);
        }
    }
    write(storage, "/f", &WriteMode::Append { create: true }, "more", Publish).unwrap();
    assert!(storage.metadata(&path("/f")).unwrap().modified.seconds > 1_700_000_000);
}

pub(super) fn modes(storage: &dyn Storage) {
    put(storage, "/f", "f");
    storage.create_directory(&path("/d")).unwrap();
    for at in ["/f", "/d"] {
        for mode in [0o700, 0o755, 0o777] {
            storage.set_mode(&path(at), mode).unwrap();
            assert_eq!(storage.metadata(&path(at)).unwrap().mode, mode);
        }
        // The bits that make a program run as another user are not for clients.
        storage.set_mode(&path(at), 0o7755).unwrap();
        assert_eq!(storage.metadata(&path(at)).unwrap().mode, 0o755);
    }
}
