//! Reading and writing.

use std::collections::HashSet;
use std::thread;

use wharf_core::{Kind, StorageError, WallTime, WriteMode};

use super::{ATOMIC, IN_PLACE, list, names, path, put, read, write};
use crate::Disposition::{Discard, KeepPartial, Publish};
use crate::Storage;

pub(super) fn files_are_stored_and_read(storage: &dyn Storage) {
    let before = storage.metadata(&path("/")).unwrap();
    put(storage, "/empty", "");
    put(storage, "/some", "hello, world");
    assert_eq!(read(storage, "/empty").unwrap(), "");
    assert_eq!(read(storage, "/some").unwrap(), "hello, world");

    let some = storage.metadata(&path("/some")).unwrap();
    assert_eq!((some.kind, some.size), (Kind::File, 12));
    assert!(some.access.read && some.access.write && some.access.remove);
    assert!(some.modified >= WallTime::from_seconds(before.modified.seconds - 1));
    let empty = storage.metadata(&path("/empty")).unwrap();
    assert_ne!(some.unique, empty.unique);
    assert_eq!(storage.link_metadata(&path("/some")).unwrap().unique, some.unique);

    let mut file = storage.open_read(&path("/some")).unwrap();
    let mut buffer = [0; 100];
    assert_eq!(file.read_at(7, &mut buffer[..3]), Ok(3));
    assert_eq!(&buffer[..3], b"wor");
    assert_eq!(file.read_at(7, &mut buffer), Ok(5));
    assert_eq!(file.read_at(12, &mut buffer), Ok(0));
    assert_eq!(file.read_at(1 << 40, &mut buffer), Ok(0));
}

pub(super) fn replacing_in_one_step(storage: &dyn Storage) {
    put(storage, "/f", "the old");
    let mut early = storage.open_read(&path("/f")).unwrap();
    let mut file = storage.open_write(&path("/f"), &ATOMIC).unwrap();
    assert!(file.existed());
    file.write(b"a new and longer content").unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "the old");
    assert_eq!(names(storage, "/"), ["f"]);
    file.finish(Publish).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "a new and longer content");
    assert_eq!(names(storage, "/"), ["f"]);

    let mut buffer = [0; 100];
    assert_eq!(early.read_at(0, &mut buffer), Ok(7));
    assert_eq!(&buffer[..7], b"the old");
    assert_eq!(early.size(), 7);
    assert!(!storage.open_write(&path("/g"), &ATOMIC).unwrap().existed());
    assert_eq!(names(storage, "/"), ["f"]);
}

pub(super) fn replacing_in_place(storage: &dyn Storage) {
    put(storage, "/f", "the old one");
    let unique = storage.metadata(&path("/f")).unwrap().unique;
    let mut file = storage.open_write(&path("/f"), &IN_PLACE).unwrap();
    assert!(file.existed());
    assert_eq!(read(storage, "/f").unwrap(), "");
    file.write(b"new").unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "new");
    file.finish(Publish).unwrap();
    assert_eq!(storage.metadata(&path("/f")).unwrap().unique, unique);

    let file = storage.open_write(&path("/g"), &IN_PLACE).unwrap();
    assert!(!file.existed());
    assert_eq!(read(storage, "/g").unwrap(), "");
}

pub(super) fn cut_off_where_no_file_was(storage: &dyn Storage) {
    write(storage, "/kept", &ATOMIC, "half", KeepPartial).unwrap();
    assert_eq!(read(storage, "/kept").unwrap(), "half");
    write(storage, "/gone", &ATOMIC, "half", Discard).unwrap();
    drop(storage.open_write(&path("/dropped"), &ATOMIC).unwrap());
    assert_eq!(names(storage, "/"), ["kept"]);

    // Another came first.
    let mut late = storage.open_write(&path("/race"), &ATOMIC).unwrap();
    late.write(b"late").unwrap();
    put(storage, "/race", "first");
    late.finish(KeepPartial).unwrap();
    assert_eq!(read(storage, "/race").unwrap(), "first");
    // Publishing is another matter: the last one whole wins.
    let mut late = storage.open_write(&path("/race2"), &ATOMIC).unwrap();
    late.write(b"late").unwrap();
    put(storage, "/race2", "first");
    late.finish(Publish).unwrap();
    assert_eq!(read(storage, "/race2").unwrap(), "late");
    // Unless a directory has come to stand there.
    let late = storage.open_write(&path("/race3"), &ATOMIC).unwrap();
    storage.create_directory(&path("/race3")).unwrap();
    assert_eq!(late.finish(Publish), Err(StorageError::IsADirectory));
    assert_eq!(names(storage, "/"), ["kept", "race", "race2", "race3"]);
}

pub(super) fn cut_off_where_a_file_was(storage: &dyn Storage) {
    put(storage, "/f", "whole");
    for disposition in [Discard, KeepPartial] {
        write(storage, "/f", &ATOMIC, "half", disposition).unwrap();
        assert_eq!(read(storage, "/f").unwrap(), "whole");
    }
    let mut dropped = storage.open_write(&path("/f"), &ATOMIC).unwrap();
    dropped.write(b"half").unwrap();
    drop(dropped);
    assert_eq!(read(storage, "/f").unwrap(), "whole");
    assert_eq!(names(storage, "/"), ["f"]);
}

pub(super) fn in_place_what_was_written_stays(storage: &dyn Storage) {
    put(storage, "/f", "0123456789");
    write(storage, "/f", &WriteMode::ResumeAt(2), "ab", Discard).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "01ab456789");
    write(storage, "/f", &WriteMode::Append { create: true }, "!", KeepPartial).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "01ab456789!");
    write(storage, "/f", &IN_PLACE, "new", Discard).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "new");
}

pub(super) fn only_new_files(storage: &dyn Storage) {
    for atomic in [true, false] {
        let mode = WriteMode::Create { atomic };
        let at = format!("/new-{atomic}");
        assert_eq!(storage.check_write(&path(&at), &mode), Ok(()));
        let mut file = storage.open_write(&path(&at), &mode).unwrap();
        assert!(!file.existed());
        file.write(b"first").unwrap();
        // The name is taken at once, or in the end.
        assert_eq!(read(storage, &at).is_err(), atomic);
        file.finish(Publish).unwrap();
        assert_eq!(read(storage, &at).unwrap(), "first");
        let taken = Some(StorageError::AlreadyExists);
        assert_eq!(storage.check_write(&path(&at), &mode).err(), taken);
        assert_eq!(storage.open_write(&path(&at), &mode).err(), taken);
    }
    // Another comes first: it stays, whatever becomes of the late one.
    let mode = WriteMode::Create { atomic: true };
    for (disposition, outcome) in
        [(Publish, Err(StorageError::AlreadyExists)), (KeepPartial, Ok(())), (Discard, Ok(()))]
    {
        let mut late = storage.open_write(&path("/race"), &mode).unwrap();
        late.write(b"late").unwrap();
        put(storage, "/race", "first");
        assert_eq!(late.finish(disposition), outcome);
        assert_eq!(read(storage, "/race").unwrap(), "first");
        storage.remove_file(&path("/race")).unwrap();
    }
    storage.create_directory(&path("/d")).unwrap();
    for atomic in [true, false] {
        let mode = WriteMode::Create { atomic };
        let error = storage.open_write(&path("/d"), &mode).err();
        assert_eq!(error, Some(StorageError::AlreadyExists));
        assert_eq!(storage.open_write(&path("/none/a"), &mode).err(), Some(StorageError::NotFound));
    }
    assert_eq!(names(storage, "/"), ["d", "new-false", "new-true"]);
}

pub(super) fn checking_creates_and_changes_nothing(storage: &dyn Storage) {
    use StorageError::*;
    put(storage, "/f", "01234");
    storage.create_directory(&path("/d")).unwrap();
    let resume = WriteMode::ResumeAt;
    let create = WriteMode::Create { atomic: false };
    for (at, mode, outcome) in [
        ("/f", ATOMIC, Ok(())),
        ("/f", IN_PLACE, Ok(())),
        ("/f", WriteMode::Append { create: true }, Ok(())),
        ("/f", resume(5), Ok(())),
        ("/f", resume(6), Err(BadOffset)),
        ("/f", create.clone(), Err(AlreadyExists)),
        ("/new", ATOMIC, Ok(())),
        ("/new", IN_PLACE, Ok(())),
        ("/new", WriteMode::Append { create: true }, Ok(())),
        ("/new", resume(0), Ok(())),
        ("/new", resume(1), Err(NotFound)),
        ("/new", create.clone(), Ok(())),
        ("/new", WriteMode::Append { create: false }, Err(NotFound)),
        ("/d", ATOMIC, Err(IsADirectory)),
        ("/d", create, Err(AlreadyExists)),
        ("/none/new", ATOMIC, Err(NotFound)),
        ("/f/new", WriteMode::Append { create: true }, Err(NotADirectory)),
    ] {
        assert_eq!(storage.check_write(&path(at), &mode), outcome, "{at} {mode:?}");
        assert_eq!(names(storage, "/"), ["d", "f"]);
        assert_eq!(read(storage, "/f").unwrap(), "01234");
    }
}

/// An empty file that came into being goes by itself, and no other in its place.
pub(super) fn a_file_that_took_the_place_stays(storage: &dyn Storage) {
    for mode in [WriteMode::Append { create: true }, WriteMode::ResumeAt(0), IN_PLACE] {
        let waiting = storage.open_write(&path("/n"), &mode).unwrap();
        put(storage, "/other", "");
        storage.rename(&path("/other"), &path("/n"), true).unwrap();
        drop(waiting);
        assert_eq!(read(storage, "/n").unwrap(), "", "{mode:?}");
        storage.remove_file(&path("/n")).unwrap();
    }
}

pub(super) fn resuming(storage: &dyn Storage) {
    put(storage, "/f", "01234");
    write(storage, "/f", &WriteMode::ResumeAt(5), "56", Publish).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "0123456");
    write(storage, "/f", &WriteMode::ResumeAt(6), "abc", Publish).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "012345abc");
    write(storage, "/f", &WriteMode::ResumeAt(0), "X", Publish).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "X12345abc");

    let open = |at, offset| storage.open_write(&path(at), &WriteMode::ResumeAt(offset));
    assert!(open("/f", 9).unwrap().existed());
    assert_eq!(open("/f", 10).err(), Some(StorageError::BadOffset));
    assert_eq!(open("/f", u64::MAX).err(), Some(StorageError::BadOffset));
    assert_eq!(open("/none", 1).err(), Some(StorageError::NotFound));
    assert_eq!(names(storage, "/"), ["f"]);
    assert!(!open("/none", 0).unwrap().existed());
    assert_eq!(names(storage, "/"), ["f"], "nothing came of it");
    open("/none", 0).unwrap().finish(Publish).unwrap();
    assert_eq!(read(storage, "/none").unwrap(), "");
}

pub(super) fn appending_creates_only_where_it_may(storage: &dyn Storage) {
    let existing = WriteMode::Append { create: false };
    let missing = Some(StorageError::NotFound);
    assert_eq!(storage.open_write(&path("/f"), &existing).err(), missing);
    assert!(names(storage, "/").is_empty());
    put(storage, "/f", "old");
    write(storage, "/f", &existing, "new", Publish).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "oldnew");
}

pub(super) fn appending(storage: &dyn Storage) {
    let mut file = storage.open_write(&path("/f"), &WriteMode::Append { create: true }).unwrap();
    assert!(!file.existed());
    file.write(b"one").unwrap();
    let mut other = storage.open_write(&path("/f"), &WriteMode::Append { create: true }).unwrap();
    assert!(other.existed());
    other.write(b" two").unwrap();
    file.write(b" three").unwrap();
    file.finish(Publish).unwrap();
    assert_eq!(read(storage, "/f").unwrap(), "one two three");
}

pub(super) fn unique_names(storage: &dyn Storage) {
    storage.create_directory(&path("/d")).unwrap();
    put(storage, "/file", "");
    let mut seen = HashSet::new();
    for hint in ["", "", "a", "a", "a", "a b"] {
        let name = storage.unique_name(&path("/d"), hint.as_bytes()).unwrap();
        let name = String::from_utf8(name).unwrap();
        assert!(name.starts_with(if hint.is_empty() { "upload." } else { hint }), "{name}");
        let at = format!("/d/{name}");
        assert!(read(storage, &at).is_err(), "it is only a name");
        write(storage, &at, &WriteMode::Create { atomic: false }, &name, Publish).unwrap();
        assert_eq!(read(storage, &at).unwrap(), name);
        assert!(seen.insert(name));
    }
    assert!(seen.contains("a") && seen.contains("a b"));
    for hint in ["/", "a/b", "../a", ".", ".."] {
        let error = storage.unique_name(&path("/d"), hint.as_bytes()).err();
        assert_eq!(error, Some(StorageError::BadName), "{hint}");
    }
    // Where a name is impossible, asking for it says so, or opening the file.
    let open = |at, hint: &[u8]| {
        let name = storage.unique_name(&path(at), hint)?;
        storage.open_write(&path(at).join(&name), &WriteMode::Create { atomic: false }).map(drop)
    };
    assert_eq!(open("/d", &[b'n'; 300]), Err(StorageError::BadName));
    assert_eq!(open("/none", b"a"), Err(StorageError::NotFound));
    assert_eq!(open("/file", b"a"), Err(StorageError::NotADirectory));
    assert_eq!(names(storage, "/"), ["d", "file"]);
}

pub(super) fn unique_names_among_threads(storage: &dyn Storage) {
    let mode = WriteMode::Create { atomic: false };
    let invent = || -> Vec<Vec<u8>> {
        let name = |_| loop {
            let name = storage.unique_name(&path("/"), b"same").unwrap();
            match storage.open_write(&path("/").join(&name), &mode) {
                Ok(file) => {
                    file.finish(Publish).unwrap();
                    return name;
                }
                Err(error) => assert_eq!(error, StorageError::AlreadyExists),
            }
        };
        (0..50).map(name).collect()
    };
    let all: Vec<Vec<u8>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(invent)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let distinct: HashSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (200, 200));
    assert_eq!(list(storage, "/").unwrap().len(), 200);
}

pub(super) fn a_mode_outlives_its_content(storage: &dyn Storage) {
    put(storage, "/f", "f");
    for mode in [0o600, 0o666, 0o755] {
        storage.set_mode(&path("/f"), mode).unwrap();
        put(storage, "/f", "new");
        assert_eq!(storage.metadata(&path("/f")).unwrap().mode, mode);
    }
}

pub(super) fn read_only_files_are_not_replaced(storage: &dyn Storage) {
    put(storage, "/f", "f");
    storage.set_mode(&path("/f"), 0o444).unwrap();
    assert!(!storage.metadata(&path("/f")).unwrap().access.write);
    for mode in [ATOMIC, IN_PLACE, WriteMode::Append { create: true }, WriteMode::ResumeAt(0)] {
        let error = storage.open_write(&path("/f"), &mode).err();
        assert_eq!(error, Some(StorageError::PermissionDenied), "{mode:?}");
    }
    assert_eq!(read(storage, "/f").unwrap(), "f");
    storage.set_mode(&path("/f"), 0o000).unwrap();
    assert_eq!(storage.open_read(&path("/f")).err(), Some(StorageError::PermissionDenied));
    storage.remove_file(&path("/f")).unwrap();

    storage.create_directory(&path("/d")).unwrap();
    put(storage, "/d/f", "f");
    storage.set_mode(&path("/d"), 0o555).unwrap();
    let entry = &list(storage, "/d").unwrap()[0];
    assert!(!entry.metadata.access.remove);
    let denied = Err(StorageError::PermissionDenied);
    assert_eq!(storage.remove_file(&path("/d/f")), denied);
    assert_eq!(storage.create_directory(&path("/d/x")), denied);
    assert_eq!(storage.rename(&path("/d/f"), &path("/f"), true), denied);
    assert_eq!(write(storage, "/d/x", &ATOMIC, "", Publish), denied);
    storage.set_mode(&path("/d"), 0o755).unwrap();
}

/// RFC 3659 section 7.5.5: to enter a directory is one thing, to list it another.
pub(super) fn entering_is_not_listing(storage: &dyn Storage) {
    storage.create_directory(&path("/d")).unwrap();
    storage.create_directory(&path("/d/below")).unwrap();
    put(storage, "/d/f", "f");
    put(storage, "/d/below/g", "g");
    let denied = Some(StorageError::PermissionDenied);
    let access_with = |mode| {
        storage.set_mode(&path("/d"), mode).unwrap();
        storage.metadata(&path("/d")).unwrap().access
    };

    // It may be entered: who knows a name gets at it.
    let access = access_with(0o111);
    assert_eq!((access.read, access.write, access.enter), (false, false, true));
    assert_eq!(storage.open_directory(&path("/d")).err(), denied);
    assert_eq!(read(storage, "/d/f").unwrap(), "f");
    assert_eq!(read(storage, "/d/below/g").unwrap(), "g");
    assert_eq!(names(storage, "/d/below"), ["g"]);
    assert_eq!(storage.metadata(&path("/d/f")).unwrap().size, 1);
    assert_eq!(storage.metadata(&path("/d/none")), Err(StorageError::NotFound));
    assert_eq!(write(storage, "/d/new", &ATOMIC, "", Publish).err(), denied);

    // A drop box: what is stored cannot be seen.
    let access = access_with(0o333);
    assert_eq!((access.read, access.write, access.enter), (false, true, true));
    write(storage, "/d/new", &ATOMIC, "new", Publish).unwrap();
    assert_eq!(storage.open_directory(&path("/d")).err(), denied);
    storage.rename(&path("/d/new"), &path("/d/newer"), false).unwrap();
    storage.remove_file(&path("/d/newer")).unwrap();

    // Names that cannot be looked at make no listing, and none that is empty.
    let access = access_with(0o444);
    assert_eq!((access.read, access.write, access.enter), (false, false, false));
    assert_eq!(storage.open_directory(&path("/d")).err(), denied);
    assert_eq!(storage.open_read(&path("/d/f")).err(), denied);
    assert_eq!(storage.metadata(&path("/d/f")).err(), denied);

    let access = access_with(0o755);
    assert_eq!((access.read, access.write, access.enter), (true, true, true));
    assert!(!storage.metadata(&path("/d/f")).unwrap().access.enter);
}
