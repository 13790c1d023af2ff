//! MODE Z through the pumps: what is sent, what is received, and what is no zlib stream.

use std::io::Write as _;
use std::sync::{Arc, Mutex};

use flate2::write::{ZlibDecoder, ZlibEncoder};
use socket2::{Domain, Socket, Type};
use wharf_core::{Disposition, RequestId, VirtualPath};

use super::*;
use crate::transfer::memory::{LARGEST, Needs, TransferMemory};
use wharf_storage::{Memory, Storage, WriteFile};

const DEFLATE: Mode = Mode::Deflate { level: 6 };

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Inflates a stream that has to be whole, with nothing after it.
fn inflate(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = ZlibDecoder::new(Vec::new());
    decoder.write_all(bytes).unwrap();
    assert_eq!(decoder.total_in(), bytes.len() as u64, "bytes after the stream");
    decoder.finish().unwrap()
}

/// Bytes that shrink somewhat.
fn text(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut bytes = Vec::new();
    while bytes.len() < length {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(format!("{}\n", state >> 20).as_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn plenty() -> Arc<Share> {
    let plan = Plan::Receive { file: RequestId(1), filter: Filter::Identity, most: None };
    TransferMemory::new(1 << 30).share(Needs::of(&plan, DEFLATE, false)).unwrap()
}

/// What a source gives in all, and how much at once at the most.
fn all_of(mut source: Source) -> Result<(Vec<u8>, usize), StorageError> {
    let (mut all, mut most) = (Vec::new(), 0);
    loop {
        let mut buffer = Vec::new();
        let more = source.fill(&mut buffer, LARGEST)?;
        most = most.max(buffer.len());
        all.append(&mut buffer);
        if !more {
            return Ok((all, most));
        }
    }
}

fn file(content: &[u8]) -> Box<dyn crate::ReadFile> {
    let path = VirtualPath::root().join(b"file");
    Memory::new().with_file("/file", content).open_read(&path).unwrap()
}

#[test]
fn what_is_sent_is_one_whole_stream() {
    for content in [text(0), text(1), text(LARGEST), text(3 * LARGEST + 1), vec![0; 5 * LARGEST]] {
        for level in [0, 1, 6, 9] {
            let mode = Mode::Deflate { level };
            let source = Source::file(file(&content), Filter::Identity, 0, None).in_mode(mode);
            let (sent, most) = all_of(source).unwrap();
            assert!(inflate(&sent) == content, "{} bytes, level {level}", content.len());
            assert!(most < 2 * LARGEST, "{most} bytes at once");
            assert!(level == 0 || sent.len() < content.len() * 3 / 4 + 20);
        }
    }
}

#[test]
fn the_filter_of_the_type_comes_first_and_offsets_count_its_bytes() {
    let content = text(2 * LARGEST);
    let (converted, _) = all_of(Source::file(file(&content), Filter::Ascii, 0, None)).unwrap();
    for (filter, plain) in [(Filter::Identity, &content), (Filter::Ascii, &converted)] {
        for offset in [0, 1, LARGEST + 5, plain.len()] {
            let source = Source::file(file(&content), filter, offset as u64, None).in_mode(DEFLATE);
            assert!(inflate(&all_of(source).unwrap().0) == plain[offset..], "{filter:?}, {offset}");
        }
    }
    let source = Source::file(file(&content), Filter::Ascii, 1 << 30, None).in_mode(DEFLATE);
    assert_eq!(all_of(source), Err(StorageError::BadOffset));
}

/// A file that takes so many bytes and no more, and remembers the longest write.
struct Bounded {
    content: Arc<Mutex<Vec<u8>>>,
    longest: Arc<Mutex<usize>>,
    room: usize,
}

impl WriteFile for Bounded {
    fn existed(&self) -> bool {
        false
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let mut content = self.content.lock().unwrap();
        if content.len() + bytes.len() > self.room {
            return Err(StorageError::QuotaExceeded);
        }
        content.extend_from_slice(bytes);
        let mut longest = self.longest.lock().unwrap();
        *longest = bytes.len().max(*longest);
        Ok(())
    }

    fn finish(self: Box<Self>, _: Disposition) -> Result<(), StorageError> {
        Ok(())
    }
}

/// An upload in MODE Z over a pair of sockets.
struct Upload {
    receive: Receive,
    ours: Socket,
    theirs: Option<Socket>,
    wire: Wire,
    content: Arc<Mutex<Vec<u8>>>,
    longest: Arc<Mutex<usize>>,
    writes: usize,
}

impl Upload {
    fn new(filter: Filter, room: usize) -> Self {
        let (content, longest) = <(Arc<Mutex<Vec<u8>>>, Arc<Mutex<usize>>)>::default();
        let file = Bounded { content: content.clone(), longest: longest.clone(), room };
        let receive = Receive::new(
            RequestId(1),
            Sink::new(Box::new(file), filter, DEFLATE),
            DEFLATE,
            None,
            plenty(),
        );
        let (ours, theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).unwrap();
        ours.set_nonblocking(true).unwrap();
        let (theirs, wire) = (Some(theirs), Wire::new());
        Self { receive, ours, theirs, wire, content, longest, writes: 0 }
    }

    /// Goes on until nothing more happens, or so often more was written; returns how it ended.
    fn run(&mut self, writes: usize) -> Option<TransferEnd> {
        let until = self.writes.saturating_add(writes);
        self.wire.set_ready(Readiness::BOTH);
        while self.writes < until {
            match self.receive.step(&mut self.wire, &self.ours, Thread::Worker) {
                PumpStep::Moved(_) => {}
                PumpStep::Blocked => return None,
                PumpStep::Written { .. } => self.writes += 1,
                PumpStep::Ended(end) => return Some(end),
                PumpStep::Sent | PumpStep::File => panic!("a worker waits for no other"),
            }
        }
        None
    }

    /// Sends bytes in pieces of this length, and the end.
    fn take(mut self, bytes: &[u8], piece: usize) -> (Option<TransferEnd>, Vec<u8>) {
        for piece in bytes.chunks(piece) {
            self.theirs.as_ref().unwrap().write_all(piece).unwrap();
            if let Some(end) = self.run(usize::MAX) {
                return (Some(end), self.content.lock().unwrap().clone());
            }
        }
        self.theirs = None;
        let end = self.run(usize::MAX);
        (end, self.content.lock().unwrap().clone())
    }
}

fn upload(bytes: &[u8], piece: usize) -> (Option<TransferEnd>, Vec<u8>) {
    Upload::new(Filter::Identity, usize::MAX).take(bytes, piece)
}

const COMPLETE: Option<TransferEnd> = Some(TransferEnd::Complete);

#[test]
fn what_comes_is_expanded_however_it_is_cut() {
    for content in [text(0), text(1), text(3_000), text(400_000), vec![7; 1 << 20]] {
        let stream = deflate(&content);
        for piece in [1, 7, 4096, 60_000] {
            if stream.len() / piece > 10_000 {
                continue;
            }
            let (end, came) = upload(&stream, piece);
            assert_eq!(end, COMPLETE);
            assert!(came == content, "{} bytes by {piece}", content.len());
        }
    }
    let (end, came) = Upload::new(Filter::Ascii, 100).take(&deflate(b"a\r\nb\r\r"), 1);
    assert_eq!((end, came.as_slice()), (COMPLETE, &b"a\nb\r\r"[..]));
}

#[test]
fn a_stream_that_ends_too_early_is_cut_off() {
    let content = text(2_000);
    let stream = deflate(&content);
    for length in 0..stream.len() {
        let (end, came) = upload(&stream[..length], usize::MAX);
        assert_eq!(end, Some(TransferEnd::DataLost), "{length}");
        assert!(content.starts_with(&came), "{length}");
    }
}

#[test]
fn what_is_no_stream_is_damaged() {
    let stream = deflate(&text(2_000));
    let end = stream.len() - 1;
    let mut wrong_checksum = stream.clone();
    wrong_checksum[end] ^= 1;
    let mut wrong_middle = stream.clone();
    wrong_middle[end / 2] ^= 0x55;
    let with_dictionary = [&[0x78, 0xBB, 1, 2, 3, 4], &stream[2..]].concat();
    let raw = stream[2..].to_vec();
    let twice = [&stream[..], &stream].concat();
    let more = [&stream[..], b"x"].concat();
    let plain = text(2_000);
    for damaged in [wrong_checksum, wrong_middle, with_dictionary, raw, twice, more, plain] {
        for piece in [1, usize::MAX] {
            assert_eq!(upload(&damaged, piece).0, Some(TransferEnd::Damaged));
        }
    }
}

/// Some 16 kB that expand to 16 MiB.
fn bomb() -> Vec<u8> {
    let bomb = deflate(&vec![0; 16 << 20]);
    assert!(bomb.len() < 20_000);
    bomb
}

#[test]
fn a_bomb_is_expanded_in_portions_until_there_is_no_room() {
    let mut upload = Upload::new(Filter::Identity, 10 << 20);
    upload.theirs.as_ref().unwrap().write_all(&bomb()).unwrap();
    assert_eq!(upload.run(usize::MAX), Some(TransferEnd::Storage(StorageError::QuotaExceeded)));
    let longest = *upload.longest.lock().unwrap();
    assert!(longest <= 256 * 1024, "{longest} bytes at once");
    assert_eq!(upload.content.lock().unwrap().len(), 10 << 20);
}

#[test]
fn a_bomb_stops_when_it_is_told_to() {
    let mut upload = Upload::new(Filter::Identity, usize::MAX);
    upload.theirs.as_ref().unwrap().write_all(&bomb()).unwrap();
    assert_eq!(upload.run(3), None);
    upload.receive.stop();
    assert_eq!(upload.run(1), Some(TransferEnd::Stopped));
    assert_eq!(upload.writes, 3, "nothing more is expanded");
}
