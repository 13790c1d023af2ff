//! Lines of listings, TYPE A, patterns.

use divan::Bencher;
use divan::counter::BytesCount;
use wharf_core::ascii::{FromNetwork, ToNetwork};
use wharf_core::{Entry, Facts, ListingFormat, Metadata, Permissions, Style, WallTime, glob};

const NOW: i64 = 1_732_174_800;

fn line(bencher: Bencher, style: Style) {
    let format = ListingFormat::new(style, Permissions::ALL, WallTime::from_seconds(NOW));
    let mut metadata = Metadata::file(123_456, WallTime::from_seconds(NOW - 1_000_000));
    (metadata.owner, metadata.group) = (1000, 1000);
    metadata.unique = Some((0xfd01, 0x0012_3456));
    let entry = Entry { name: b"some-file-000123.dat".to_vec(), metadata };
    let mut out = Vec::with_capacity(1024);
    bencher.bench_local(|| {
        out.clear();
        format.write(divan::black_box(&entry), &mut out);
        out.len()
    });
}

#[divan::bench]
fn list_line(bencher: Bencher) {
    line(bencher, Style::Long);
}

#[divan::bench]
fn mlsd_line(bencher: Bencher) {
    line(bencher, Style::Facts(Facts::ALL));
}

#[divan::bench]
fn nlst_line(bencher: Bencher) {
    line(bencher, Style::Names);
}

/// Text in lines of 40 bytes, 64 KiB of it.
fn text(line_end: &[u8]) -> Vec<u8> {
    let line = [&b"x".repeat(40 - line_end.len()), line_end].concat();
    line.repeat(64 * 1024 / 40)
}

#[divan::bench]
fn ascii_to_network(bencher: Bencher) {
    let (text, mut out) = (text(b"\n"), Vec::with_capacity(128 * 1024));
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| {
        out.clear();
        ToNetwork::default().convert(divan::black_box(&text), &mut out);
        out.len()
    });
}

#[divan::bench]
fn ascii_from_network(bencher: Bencher) {
    let (text, mut out) = (text(b"\r\n"), Vec::with_capacity(128 * 1024));
    bencher.counter(BytesCount::of_slice(&text)).bench_local(|| {
        out.clear();
        FromNetwork::default().convert(divan::black_box(&text), &mut out);
        out.len()
    });
}

#[divan::bench(args = ["*.dat", "*file*12?.[a-d]*", "*a*a*a*a*b"])]
fn glob_match(bencher: Bencher, pattern: &str) {
    let name = b"some-file-aaaaaaaaaaaaaaaaa-000123.dat";
    bencher.bench(|| glob::matches(divan::black_box(pattern.as_bytes()), divan::black_box(name)));
}
