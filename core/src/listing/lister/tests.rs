use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::{format, vec};

use crate::listing::{ListBounds, Order, Recursion, SortKey, heading};
use crate::permissions::Permissions;
use crate::rights::Rights;
use crate::time::WallTime;

use super::*;

/// How much memory an entry takes, its name aside.
const ENTRY: u32 = size_of::<Entry>() as u32;

/// A tree as a test describes it. Directories are told apart by a number each.
#[derive(Default)]
struct Tree {
    directories: BTreeMap<String, Result<Vec<Entry>, StorageError>>,
    open: alloc::vec::IntoIter<Entry>,
    /// How many entries are read until one cannot be.
    readable: Option<usize>,
    opened: Vec<String>,
    spent: Duration,
    step: Duration,
}

fn number(path: &str) -> u64 {
    path.bytes().fold(7, |sum, byte| sum * 31 + u64::from(byte))
}

fn entry(name: &str, metadata: Metadata) -> Entry {
    Entry { name: name.into(), metadata }
}

fn file(name: &str, size: u64, seconds: i64) -> Entry {
    entry(name, Metadata::file(size, WallTime::from_seconds(seconds)))
}

fn directory(path: &str) -> Metadata {
    let mut metadata = Metadata::directory();
    metadata.unique = Some((1, number(path)));
    metadata
}

fn link(name: &str, to: Metadata) -> Entry {
    let leads_to = Some(Box::new(to));
    let kind = Kind::Symlink { target: Some(b"somewhere".to_vec()), leads_to };
    entry(name, Metadata::new(kind, 9, WallTime::from_seconds(0)))
}

impl Tree {
    /// Adds a directory: names, those of directories with a slash at the end.
    fn with(self, path: &str, names: &[&str]) -> Self {
        let entries = names.iter().map(|name| match name.strip_suffix('/') {
            Some(name) => {
                let path = format!("{}/{name}", path.trim_end_matches('/'));
                entry(name, directory(&path))
            }
            None => file(name, 0, 0),
        });
        let entries = entries.collect();
        self.with_entries(path, entries)
    }

    fn with_entries(mut self, path: &str, entries: Vec<Entry>) -> Self {
        self.directories.insert(path.into(), Ok(entries));
        self
    }

    fn broken(mut self, path: &str, error: StorageError) -> Self {
        self.directories.insert(path.into(), Err(error));
        self
    }
}

impl ListedTree for Tree {
    fn next(&mut self, entry: &mut Entry, detail: Detail) -> Result<bool, StorageError> {
        if let Some(readable) = &mut self.readable {
            *readable = readable.checked_sub(1).ok_or(StorageError::Other)?;
        }
        self.spent += self.step;
        let Some(next) = self.open.next() else { return Ok(false) };
        entry.name = next.name;
        if detail >= Detail::Metadata {
            entry.metadata = next.metadata;
        }
        Ok(true)
    }

    fn open(&mut self, path: &VirtualPath) -> Result<(), StorageError> {
        let path = path.to_string();
        self.opened.push(path.clone());
        let found = self.directories.get(&path).cloned().unwrap_or(Err(StorageError::NotFound));
        self.open = found?.into_iter();
        Ok(())
    }

    fn time_spent(&self) -> Duration {
        self.spent
    }
}

fn names() -> ListingFormat {
    ListingFormat::new(Style::Names, Permissions::ALL, WallTime::default())
}

fn recursion(base: &str, headings: bool) -> Option<Box<Recursion>> {
    Some(Box::new(Recursion {
        base: base.into(),
        headings,
        all: false,
        directory: Some(directory("/")),
        rights: Rights::everywhere(Permissions::ALL),
    }))
}

/// NLST -R, and LIST -1R.
fn recursive(headings: bool) -> ListingFormat {
    ListingFormat { recursion: recursion(if headings { "./" } else { "" }, headings), ..names() }
}

fn outcome(format: ListingFormat, tree: &mut Tree) -> Result<String, StorageError> {
    tree.open(&VirtualPath::root()).unwrap();
    tree.opened.clear();
    let mut lister = Lister::new(Box::new(format));
    let (mut all, mut portion) = (Vec::new(), Vec::new());
    loop {
        portion.clear();
        // Portions of every size make the same listing.
        let more = lister.write_portion(tree, 1 + all.len() % 7, &mut portion)?;
        all.append(&mut portion);
        if !more {
            return Ok(String::from_utf8(all).unwrap());
        }
    }
}

fn lines(format: ListingFormat, tree: &mut Tree) -> Vec<String> {
    let text = outcome(format, tree).unwrap();
    assert!(text.is_empty() || text.ends_with("\r\n"), "{text}");
    text.lines().map(String::from).collect()
}

fn small() -> Tree {
    Tree::default()
        .with("/", &["b/", "a", "c/"])
        .with("/b", &["x/", "1"])
        .with("/b/x", &["2"])
        .with("/c", &[])
}

#[test]
fn each_directory_is_listed_after_that_which_holds_it() {
    let names = ["b", "a", "c", "b/x", "b/1", "b/x/2"];
    assert_eq!(lines(recursive(false), &mut small()), names);
    let mut tree = small();
    let headings = ["b", "a", "c", "", "./b:", "x", "1", "", "./b/x:", "2", "", "./c:"];
    assert_eq!(lines(recursive(true), &mut tree), headings);
    assert_eq!(tree.opened, ["/b", "/b/x", "/c"]);
}

#[test]
fn headings_name_the_directory() {
    for (base, expected) in [("./", ".:"), ("/", "/:"), ("pub/", "pub:"), ("../", "..:")] {
        let mut out = Vec::new();
        heading(base.as_bytes(), &mut out);
        assert_eq!(out, format!("{expected}\r\n").as_bytes());
    }
    let mut tree = Tree::default()
        .with_entries("/", vec![entry("a\nb", directory("/a"))])
        .with("/a\\nb", &["x"]);
    assert_eq!(lines(recursive(true), &mut tree), ["a\0b", "", "./a\0b:", "x"]);
}

#[test]
fn each_directory_is_sorted() {
    for (order, expected) in [
        (Order { reversed: true, ..Order::default() }, ["c", "b", "a", "b/x", "b/1", "b/x/2"]),
        (Order { key: SortKey::Size, reversed: false }, ["a", "b", "c", "b/1", "b/x", "b/x/2"]),
    ] {
        assert_eq!(lines(ListingFormat { order, ..recursive(false) }, &mut small()), expected);
    }
}

#[test]
fn entries_come_by_time_and_size() {
    let mut tree = Tree::default().with_entries(
        "/",
        vec![file("b", 5, 10), file("a", 5, 30), link("l", file("", 7, 20).metadata)],
    );
    let mut sorted = |key, reversed, follow_links| {
        let order = Order { key, reversed };
        lines(ListingFormat { order, follow_links, ..names() }, &mut tree)
    };
    assert_eq!(sorted(SortKey::Storage, false, false), ["b", "a", "l"]);
    assert_eq!(sorted(SortKey::Storage, true, false), ["l", "b", "a"]);
    assert_eq!(sorted(SortKey::Modified, false, false), ["a", "b", "l"]);
    assert_eq!(sorted(SortKey::Modified, false, true), ["a", "l", "b"]);
    assert_eq!(sorted(SortKey::Modified, true, true), ["b", "l", "a"]);
    assert_eq!(sorted(SortKey::Size, false, false), ["l", "a", "b"]);
    assert_eq!(sorted(SortKey::Size, true, false), ["b", "a", "l"]);
}

#[test]
fn of_a_large_directory_the_first_are_sorted_and_a_line_says_so() {
    // In an order that is neither.
    let many = (0..100).map(|number| number * 37 % 100);
    let many: Vec<_> = many.map(|number| file(&format!("{number:02}"), number, 0)).collect();
    let names_as_given: Vec<_> = many.iter().map(|entry| entry.name.clone()).collect();
    let mut tree = Tree::default().with_entries("/", many);
    let bounds = ListBounds { memory_bytes: 10 * ENTRY, ..ListBounds::default() };
    for (order, ascending) in [
        (Order { key: SortKey::Size, reversed: false }, false),
        (Order { key: SortKey::Size, reversed: true }, true),
        (Order { key: SortKey::Storage, reversed: true }, false),
    ] {
        let format = ListingFormat { order, bounds, ..names() };
        let got = lines(format.clone(), &mut tree);
        let expected = |at: usize| format!("{:02}", if ascending { at } else { 99 - at });
        let sorted = got.iter().enumerate().take_while(|(at, name)| **name == expected(*at));
        let sorted = sorted.count();
        assert!((4..12).contains(&sorted), "{got:?}");
        // The rest comes as it is given.
        let first: Vec<_> = (0..sorted).map(expected).collect();
        let rest = names_as_given.iter().map(|name| String::from_utf8(name.clone()).unwrap());
        let rest: Vec<_> = rest.filter(|name| !first.contains(name)).collect();
        assert_eq!(got[sorted..], rest);
        // A program takes each line of NLST for a name.
        let long = lines(ListingFormat { style: Style::Long, ..format }, &mut tree);
        assert_eq!(long.len(), 101);
        assert_eq!(long[100], "ls: not all is sorted: too many entries in a directory");
    }
    // It is read twice, which counts once.
    let order = Order { key: SortKey::Storage, reversed: true };
    let hundred = ListBounds { entries: 100, ..bounds };
    let format = ListingFormat { order, bounds: hundred, ..recursive(true) };
    assert_eq!(lines(format.clone(), &mut tree).len(), 101);
    let fifty = ListBounds { entries: 50, ..bounds };
    let got = lines(ListingFormat { bounds: fifty, ..format }, &mut tree);
    assert_eq!(got.len(), 52);
    assert_eq!(got[51], "ls: the listing ends here: more than 50 entries");
    // As many as there is memory for are all.
    let mut tree = Tree::default().with_entries("/", vec![file("a", 1, 0), file("b", 2, 0)]);
    let two = ListBounds { memory_bytes: 2 * ENTRY + 10, ..bounds };
    let format = ListingFormat { style: Style::Long, order, bounds: two, ..names() };
    assert_eq!(lines(format, &mut tree).len(), 2);
}

#[test]
fn large_directories_are_sorted_one_by_one() {
    let order = Order { key: SortKey::Storage, reversed: true };
    let bounds = ListBounds { memory_bytes: 3 * ENTRY, ..ListBounds::default() };
    let mut tree = Tree::default()
        .with("/", &["a/", "b", "c", "d", "e/", "f"])
        .with("/a", &["1", "2", "3", "4", "5"])
        .with("/e", &["6"]);
    let format = ListingFormat { order, bounds, ..recursive(false) };
    let got = lines(format, &mut tree);
    assert_eq!((&got[0][..], got.len()), ("f", 12), "{got:?}");
    assert!(got.iter().any(|name| name == "e/6"));
    let of_a: Vec<_> = got.iter().filter(|name| name.starts_with("a/")).collect();
    assert_eq!((&of_a[0][..], of_a.len()), ("a/5", 5), "{got:?}");
}

#[test]
fn a_pattern_is_for_the_first_directory() {
    let mut tree = Tree::default()
        .with("/", &["a.d/", "b.d/", "c", "e/"])
        .with("/a.d", &["x", "y/"])
        .with("/a.d/y", &["z"]);
    let pattern = Some(b"*.d".to_vec());
    let got = lines(ListingFormat { pattern, ..recursive(false) }, &mut tree);
    assert_eq!(got, ["a.d", "b.d", "a.d/x", "a.d/y", "a.d/y/z"]);
    assert_eq!(tree.opened, ["/a.d", "/a.d/y", "/b.d"]);
    // A pattern that is too much work for once does not end the listing.
    let pattern = Some([&b"*"[..], &b"*b".repeat(500)].concat());
    let many: Vec<_> = (0..100).map(|number| file(&format!("{number:0200}"), 0, 0)).collect();
    let mut tree = Tree::default().with_entries("/", many);
    assert_eq!(lines(ListingFormat { pattern, ..recursive(false) }, &mut tree), [""; 0]);
}

#[test]
fn too_many_entries_end_the_listing() {
    let cut = |entries, headings| {
        let bounds = ListBounds { entries, ..ListBounds::default() };
        lines(ListingFormat { bounds, ..recursive(headings) }, &mut small())
    };
    assert_eq!(cut(6, false), ["b", "a", "c", "b/x", "b/1", "b/x/2"]);
    let note = "ls: the listing ends here: more than 5 entries";
    assert_eq!(cut(5, false), ["b", "a", "c", "b/x", "b/1", note]);
    assert_eq!(cut(5, true), ["b", "a", "c", "", "./b:", "x", "1", "", "./b/x:", note]);
    let bounds = ListBounds { entries: 2, ..ListBounds::default() };
    let order = Order { key: SortKey::Storage, reversed: true };
    let got = lines(ListingFormat { bounds, order, ..recursive(false) }, &mut small());
    assert_eq!(got, ["b", "a", "ls: the listing ends here: more than 2 entries"]);
}

#[test]
fn what_is_too_deep_is_left_out() {
    let bounds = ListBounds { depth: 1, ..ListBounds::default() };
    let got = lines(ListingFormat { bounds, ..recursive(false) }, &mut small());
    let note = "ls: some directories are not listed: more than 1 levels down";
    assert_eq!(got, ["b", "a", "c", "b/x", "b/1", note]);
    let bounds = ListBounds { depth: 2, ..bounds };
    assert_eq!(lines(ListingFormat { bounds, ..recursive(false) }, &mut small()).len(), 6);
}

#[test]
fn time_ends_the_listing() {
    let mut tree = small();
    tree.step = Duration::from_secs(3);
    let bounds = ListBounds { time: Duration::from_secs(10), ..ListBounds::default() };
    let got = lines(ListingFormat { bounds, ..recursive(false) }, &mut tree);
    assert_eq!(got, ["b", "a", "c", "ls: the listing ends here: more than 10 seconds"]);
}

#[test]
fn directories_that_wait_take_little_memory() {
    let many: Vec<String> = (0..1000).map(|number| format!("{number:03}/")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut tree = Tree::default().with("/", &many);
    let bounds = ListBounds { memory_bytes: 10_000, ..ListBounds::default() };
    let got = lines(ListingFormat { bounds, ..recursive(false) }, &mut tree);
    assert_eq!(got.len(), 1001);
    assert_eq!(got[1000], "ls: some directories are not listed: too many at once");
    assert!((50..200).contains(&tree.opened.len()), "{}", tree.opened.len());
}

#[test]
fn what_cannot_be_listed_has_a_line_and_the_rest_goes_on() {
    let tree = || small().broken("/b", StorageError::PermissionDenied);
    let got = lines(recursive(true), &mut tree());
    let denied = "ls: cannot open directory './b': Permission denied";
    assert_eq!(got, ["b", "a", "c", denied, "", "./c:"]);
    // Where each line is a name there is none of it.
    assert_eq!(lines(recursive(false), &mut tree()), ["b", "a", "c"]);
    // What has gone meanwhile has none either.
    let gone = small().broken("/b", StorageError::NotFound);
    assert_eq!(lines(recursive(true), &mut { gone }), ["b", "a", "c", "", "./c:"]);
}

#[test]
fn the_account_lists_what_it_may_list() {
    let mut format = recursive(true);
    let none = Rights::everywhere(Permissions::ALL)
        .with_folder("/b".parse().unwrap(), Permissions::CHANGE_DIRECTORY);
    format.recursion.as_mut().unwrap().rights = none;
    let mut tree = small();
    let denied = "ls: cannot open directory './b': Permission denied";
    assert_eq!(lines(format, &mut tree), ["b", "a", "c", denied, "", "./c:"]);
    assert_eq!(tree.opened, ["/c"]);
}

#[test]
fn a_directory_that_cannot_be_read_to_its_end() {
    let mut tree = small();
    tree.readable = Some(5);
    let got = lines(recursive(true), &mut tree);
    let unread =
        |name| format!("ls: cannot read all of the directory '{name}': Input/output error");
    let (b, x, c) = (unread("./b"), unread("./b/x"), unread("./c"));
    let expected = ["b", "a", "c", "", "./b:", "x", &b, "", "./b/x:", &x, "", "./c:", &c];
    assert_eq!(got, expected);
    // Names alone would pass for all of them.
    tree.readable = Some(5);
    assert_eq!(outcome(recursive(false), &mut tree), Err(StorageError::Other));
}

#[test]
fn links_are_followed_where_that_is_asked_for_but_not_in_circles() {
    let tree = || {
        Tree::default()
            .with_entries(
                "/",
                vec![
                    entry("a", directory("/a")),
                    link("to-a", directory("/a")),
                    link("to-file", file("", 0, 0).metadata),
                ],
            )
            .with_entries("/a", vec![link("up", directory("/")), link("here", directory("/a"))])
            .with_entries("/to-a", vec![link("up", directory("/"))])
    };
    let mut left_alone = tree();
    let got = lines(recursive(true), &mut left_alone);
    assert_eq!(got, ["a", "to-a", "to-file", "", "./a:", "up", "here"]);
    let mut followed = tree();
    let format = ListingFormat { follow_links: true, ..recursive(true) };
    let circle = |name| format!("ls: not listing an already listed directory '{name}'");
    let (up, here, again) = (circle("./a/up"), circle("./a/here"), circle("./to-a/up"));
    let expected =
        ["a", "to-a", "to-file", "", "./a:", "up", "here", &up, &here, "", "./to-a:", "up", &again];
    assert_eq!(lines(format.clone(), &mut followed), expected);
    // The order changes nothing in that.
    let order = Order { key: SortKey::Modified, reversed: false };
    assert_eq!(lines(ListingFormat { order, ..format.clone() }, &mut tree()).len(), 13);
    // Where nothing tells directories apart, a link is not followed.
    let mut unknown = Tree::default()
        .with_entries("/", vec![link("l", Metadata::directory())])
        .with_entries("/l", vec![link("l", Metadata::directory())]);
    assert_eq!(lines(format, &mut unknown), ["l", &circle("./l")]);
}

#[test]
fn each_directory_has_its_own_dots() {
    let mut format = recursive(false);
    format.recursion.as_mut().unwrap().all = true;
    let got = lines(format, &mut small());
    let expected =
        ["b", "a", "c", "b/.", "b/..", "b/x", "b/1", "b/x/.", "b/x/..", "b/x/2", "c/.", "c/.."];
    assert_eq!(got, expected);
}

#[test]
fn without_options_it_is_the_plain_listing() {
    let mut tree = small();
    assert_eq!(lines(names(), &mut tree), ["b", "a", "c"]);
    tree.readable = Some(1);
    assert_eq!(outcome(names(), &mut tree), Err(StorageError::Other));
    let order = Order { key: SortKey::Size, reversed: false };
    tree.readable = Some(1);
    assert_eq!(outcome(ListingFormat { order, ..names() }, &mut tree), Err(StorageError::Other));
}
