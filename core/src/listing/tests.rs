use super::*;
use crate::storage::Access;
use alloc::string::String;
use proptest::prelude::*;

/// 2024-11-21 07:40:00 UTC.
const NOW: i64 = 1_732_174_800;

fn format(style: Style) -> ListingFormat {
    ListingFormat::new(style, Permissions::ALL, WallTime::from_seconds(NOW))
}

fn entry(name: &[u8], kind: Kind, mode: u32, seconds: i64) -> Entry {
    let metadata = Metadata {
        kind,
        size: 1234,
        modified: WallTime::from_seconds(seconds),
        mode,
        links: 1,
        owner: 1000,
        group: 1000,
        unique: None,
        access: Access::ALL,
    };
    Entry { name: name.to_vec(), metadata }
}

fn line(format: &ListingFormat, entry: &Entry) -> String {
    let mut out = Vec::new();
    format.write(entry, &mut out);
    String::from_utf8(out).unwrap()
}

fn long(kind: Kind, mode: u32, seconds: i64) -> String {
    line(&format(Style::Long), &entry(b"name", kind, mode, seconds))
}

#[test]
fn long_lines() {
    assert_eq!(
        long(Kind::File, 0o644, NOW),
        "-rw-r--r--   1 1000     1000         1234 Nov 21 07:40 name\r\n"
    );
    assert_eq!(
        long(Kind::Directory, 0o1777, 0),
        "drwxrwxrwt   1 1000     1000         1234 Jan  1  1970 name\r\n"
    );
    let mut wide = entry(b"name", Kind::Other, 0, NOW);
    wide.metadata.size = u64::MAX;
    (wide.metadata.owner, wide.metadata.group) = (u32::MAX, u32::MAX);
    assert_eq!(
        line(&format(Style::Long), &wide),
        "p---------   1 4294967295 4294967295 18446744073709551615 Nov 21 07:40 name\r\n"
    );
}

#[test]
fn long_lines_show_where_links_lead() {
    let target = Some(b"a\nb".to_vec());
    let known = Kind::Symlink { target, leads_to: None };
    assert!(long(known, 0o777, NOW).ends_with(" name -> a\0b\r\n"));
    let unknown = Kind::Symlink { target: None, leads_to: None };
    let shown = long(unknown, 0o777, NOW);
    assert!(shown.starts_with("lrwxrwxrwx ") && shown.ends_with(":40 name\r\n"));
}

#[test]
fn modes() {
    let expect = |mode, drawn: &str| assert_eq!(&long(Kind::File, mode, NOW)[..10], drawn);
    expect(0o4755, "-rwsr-xr-x");
    expect(0o4644, "-rwSr--r--");
    expect(0o2755, "-rwxr-sr-x");
    expect(0o3644, "-rw-r-Sr-T");
    expect(0o100_421, "-r---w---x");
}

#[test]
fn dates() {
    let date = |seconds| String::from(&long(Kind::File, 0, seconds)[42..54]);
    assert_eq!(date(NOW - RECENT_SECONDS), "May 25 07:40");
    assert_eq!(date(NOW - RECENT_SECONDS - 1), "May 25  2024");
    assert_eq!(date(NOW + DAY_SECONDS), "Nov 22 07:40");
    assert_eq!(date(NOW + DAY_SECONDS + 1), "Nov 22  2024");
    assert!(date(i64::MAX).ends_with("  9999") && date(i64::MIN).ends_with("  0000"));
    let shifted = ListingFormat { utc_offset_minutes: -480, ..format(Style::Long) };
    let shown = line(&shifted, &entry(b"name", Kind::File, 0, NOW));
    assert_eq!(&shown[42..54], "Nov 20 23:40");
}

#[test]
fn names_have_the_prefix() {
    let names = ListingFormat { prefix: b"dir/".to_vec(), ..format(Style::Names) };
    assert_eq!(line(&names, &entry("ä b".as_bytes(), Kind::File, 0, 0)), "dir/ä b\r\n");
}

#[test]
fn facts_and_roles() {
    let format = format(Style::Facts(Facts::parse(b"type;size")));
    let directory = entry(b"/a/b", Kind::Directory, 0, 0);
    assert_eq!(line(&format, &directory), "type=dir; /a/b\r\n");
    let mut out = Vec::new();
    format.write_as(Role::Listed, b"/a/b", &directory.metadata, &mut out);
    format.write_as(Role::Parent, b"..", &directory.metadata, &mut out);
    assert_eq!(out, b"type=cdir; /a/b\r\ntype=pdir; ..\r\n");
    let none = ListingFormat { style: Style::Facts(Facts::parse(b"")), ..format };
    assert_eq!(line(&none, &directory), " /a/b\r\n");
}

#[test]
fn portions() {
    let portion = |format: &ListingFormat, entries: usize, allowance, enough| {
        let name = [b'a'; 200];
        let mut left = entries;
        let mut out = Vec::new();
        let next = |next: &mut Entry, _| {
            let some = left > 0;
            left = left.saturating_sub(1);
            *next = entry(&name, Kind::File, 0, 0);
            Ok::<_, ()>(some)
        };
        let (count, end) = format.write_portion(next, allowance, enough, &mut out).unwrap();
        (count, end, out.len())
    };
    let names = format(Style::Names);
    let all = Allowance::ALL;
    assert_eq!(portion(&names, 3, all, 9999), (3, LinesEnd::Complete, 606));
    assert_eq!(portion(&names, 3, all, 300), (2, LinesEnd::Enough, 404));
    assert_eq!(portion(&names, 999, all, usize::MAX).0, ENTRIES_AT_ONCE);
    let two = Allowance { lines: 2, ..all };
    assert_eq!(portion(&names, 2, two, 9999), (2, LinesEnd::Complete, 404));
    assert_eq!(portion(&names, 3, two, 9999), (2, LinesEnd::NoRoom, 404));
    let bytes = Allowance { bytes: 605, ..all };
    assert_eq!(portion(&names, 3, bytes, 9999), (2, LinesEnd::NoRoom, 404));
    // Where each name is much work there are fewer of them.
    let hard = ListingFormat { pattern: Some(b"*".repeat(1000)), ..names };
    assert_eq!(portion(&hard, 999, all, usize::MAX), (6, LinesEnd::Enough, 6 * 202));
    let hard = ListingFormat { pattern: Some(b"*b".repeat(500)), ..hard };
    assert_eq!(portion(&hard, 999, two, usize::MAX), (0, LinesEnd::Enough, 0));
}

#[test]
fn no_more_is_asked_than_shown() {
    let asked = |style| {
        let mut asked = None;
        let next = |_: &mut Entry, detail| {
            asked = Some(detail);
            Ok::<_, ()>(false)
        };
        format(style).write_portion(next, Allowance::ALL, 1, &mut Vec::new()).unwrap();
        asked
    };
    assert_eq!(asked(Style::Names), Some(Detail::Name));
    assert_eq!(asked(Style::Long), Some(Detail::Metadata));
    assert_eq!(asked(Style::Facts(Facts::parse(b"type;size"))), Some(Detail::Metadata));
    assert_eq!(asked(Style::Facts(Facts::ALL)), Some(Detail::Access));
}

#[test]
fn the_pattern_chooses() {
    let some = ListingFormat { pattern: Some(b"*.txt".to_vec()), ..format(Style::Names) };
    assert_eq!(line(&some, &entry(b"a.txt", Kind::File, 0, 0)), "a.txt\r\n");
    assert_eq!(line(&some, &entry(b"a.bin", Kind::File, 0, 0)), "");
    let mut out = Vec::new();
    some.write_as(Role::Listed, b".", &entry(b"", Kind::Directory, 0, 0).metadata, &mut out);
    assert_eq!(out, b".\r\n");
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), any::<u8>()], 0..16)
}

fn style() -> impl Strategy<Value = Style> {
    prop_oneof![Just(Style::Long), Just(Style::Names), Just(Style::Facts(Facts::ALL))]
}

proptest! {
    #[test]
    fn a_line_ends_once(
        style in style(), name in name(), target in name(), prefix in name(),
        mode: u32, seconds: i64, now: i64, utc_offset_minutes: i16,
    ) {
        let now = WallTime::from_seconds(now);
        let format = ListingFormat { prefix, now, utc_offset_minutes, ..format(style) };
        let kind = Kind::Symlink { target: Some(target), leads_to: None };
        let mut out = Vec::new();
        format.write(&entry(&name, kind, mode, seconds), &mut out);
        prop_assert!(out.ends_with(b"\r\n"));
        prop_assert_eq!(memchr::memchr_iter(b'\n', &out).count(), 1);
    }
}
