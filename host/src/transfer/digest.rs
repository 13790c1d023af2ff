//! The digest of a file, a portion at a time.

use std::ops::Range;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use wharf_core::{DigestAlgorithm, DigestEnd, RequestId, StorageError};

use wharf_storage::ReadFile;

/// How much a job reads: a thousandth of a second's work, so that a long file does not hold up
/// others that wait for the same thread, and an end of it is soon heard of.
const PORTION: usize = 256 * 1024;

/// A digest that is being computed.
pub(crate) struct Digesting {
    id: RequestId,
    /// What is read and what came of it, while no job has it.
    reading: Option<Box<Reading>>,
    /// How it ends, when not with a digest.
    over: Option<DigestEnd>,
}

/// What a [`Digesting`] comes to next.
pub(crate) enum DigestStep {
    /// A portion is to be [read](Reading::read), where that may block.
    Read(Box<Reading>),
    /// A portion is being read: wait for it.
    Waiting,
    /// It is over; the file is to be dropped where that may block.
    Ended(DigestEnd, Box<dyn ReadFile>),
}

/// A file, and the digest of what has been read of it.
pub(crate) struct Reading {
    file: Box<dyn ReadFile>,
    hasher: Hasher,
    start: u64,
    /// What is still to be read.
    left: Range<u64>,
    buffer: Vec<u8>,
}

impl Digesting {
    pub(crate) fn begin(
        id: RequestId,
        file: Box<dyn ReadFile>,
        algorithm: DigestAlgorithm,
        part: Range<u64>,
    ) -> Option<Self> {
        let (hasher, start) = (Hasher::new(algorithm), part.start);
        let reading = Reading { file, hasher, start, left: part, buffer: Vec::new() };
        Some(Self { id, reading: Some(Box::new(reading)), over: None })
    }

    pub(crate) fn id(&self) -> RequestId {
        self.id
    }

    pub(crate) fn step(&mut self) -> DigestStep {
        let Some(reading) = self.reading.take() else { return DigestStep::Waiting };
        let end = match self.over.take() {
            Some(end) => end,
            None if reading.left.is_empty() => DigestEnd::Complete(reading.hasher.finish()),
            None => return DigestStep::Read(reading),
        };
        DigestStep::Ended(end, reading.file)
    }

    /// Takes back what has been read, or not; returns how many bytes have been read in all.
    pub(crate) fn complete(
        &mut self,
        reading: Box<Reading>,
        outcome: Result<(), StorageError>,
    ) -> u64 {
        let bytes = reading.left.start - reading.start;
        self.reading = Some(reading);
        if let Err(error) = outcome {
            self.over = Some(DigestEnd::Storage(error));
        }
        bytes
    }

    /// Reads no further portion.
    pub(crate) fn stop(&mut self) {
        let has_more = self.reading.as_ref().is_none_or(|reading| !reading.left.is_empty());
        if has_more {
            self.over.get_or_insert(DigestEnd::Stopped);
        }
    }
}

impl Reading {
    /// Takes the next portion in. It may block.
    pub(crate) fn read(&mut self) -> Result<(), StorageError> {
        self.buffer.resize(PORTION, 0);
        let left = usize::try_from(self.left.end - self.left.start).unwrap_or(PORTION);
        let portion = &mut self.buffer[..left.min(PORTION)];
        let count = self.file.read_at(self.left.start, portion)?;
        if count == 0 {
            wharf_storage::log_limited!(
                Warn,
                "a file became shorter while its digest was computed"
            );
            return Err(StorageError::Other);
        }
        self.hasher.update(&portion[..count]);
        self.left.start += count as u64;
        Ok(())
    }
}

enum Hasher {
    Crc32(crc32fast::Hasher),
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    fn new(algorithm: DigestAlgorithm) -> Self {
        match algorithm {
            DigestAlgorithm::Crc32 => Self::Crc32(crc32fast::Hasher::new()),
            DigestAlgorithm::Md5 => Self::Md5(Md5::new()),
            DigestAlgorithm::Sha1 => Self::Sha1(Sha1::new()),
            DigestAlgorithm::Sha256 => Self::Sha256(Sha256::new()),
            DigestAlgorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc32(hasher) => hasher.update(bytes),
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha1(hasher) => hasher.update(bytes),
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(hasher) => hasher.finalize().to_be_bytes().to_vec(),
            Self::Md5(hasher) => hasher.finalize().to_vec(),
            Self::Sha1(hasher) => hasher.finalize().to_vec(),
            Self::Sha256(hasher) => hasher.finalize().to_vec(),
            Self::Sha512(hasher) => hasher.finalize().to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use wharf_core::VirtualPath;

    use super::*;
    use wharf_storage::{Memory, Storage};

    fn begin(content: &[u8], algorithm: DigestAlgorithm, part: Range<u64>) -> Digesting {
        let files = Memory::new().with_file("/file", content.to_vec());
        let file = files.open_read(&VirtualPath::root().join(b"file")).unwrap();
        Digesting::begin(RequestId(7), file, algorithm, part).unwrap()
    }

    /// Goes on to the end; returns it, and how far it had come after each portion.
    fn run(digesting: &mut Digesting) -> (DigestEnd, Vec<u64>) {
        let mut progress = Vec::new();
        loop {
            match digesting.step() {
                DigestStep::Read(mut reading) => {
                    assert!(matches!(digesting.step(), DigestStep::Waiting));
                    let outcome = reading.read();
                    progress.push(digesting.complete(reading, outcome));
                }
                DigestStep::Ended(end, _) => return (end, progress),
                DigestStep::Waiting => panic!("it waits for nothing"),
            }
        }
    }

    fn hex(content: &[u8], algorithm: DigestAlgorithm, part: Range<u64>) -> String {
        match run(&mut begin(content, algorithm, part)).0 {
            DigestEnd::Complete(digest) => {
                digest.iter().map(|byte| format!("{byte:02x}")).collect()
            }
            end => panic!("{end:?}"),
        }
    }

    #[test]
    fn known_digests() {
        use DigestAlgorithm::*;
        for (algorithm, of_nothing, of_abc) in [
            (Md5, "d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72"),
            (
                Sha1,
                "da39a3ee5e6b4b0d3255bfef95601890afd80709",
                "a9993e364706816aba3e25717850c26c9cd0d89d",
            ),
            (
                Sha256,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            ),
            (
                Sha512,
                "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                 47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
                "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                 2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            ),
            (Crc32, "00000000", "352441c2"),
        ] {
            assert_eq!(hex(b"", algorithm, 0..0), of_nothing, "{algorithm:?}");
            assert_eq!(hex(b"abc", algorithm, 0..3), of_abc, "{algorithm:?}");
            assert_eq!(hex(b"--abc--", algorithm, 2..5), of_abc, "{algorithm:?}");
            assert_eq!(hex(b"abc", algorithm, 3..3), of_nothing, "{algorithm:?}");
        }
        assert_eq!(hex(b"123456789", Crc32, 0..9), "cbf43926");
    }

    #[test]
    fn portion_by_portion() {
        // The million times "a" of FIPS 180-4's examples.
        let content = vec![b'a'; 1_000_000];
        let mut digesting = begin(&content, DigestAlgorithm::Sha1, 0..1_000_000);
        let (end, progress) = run(&mut digesting);
        assert_eq!(progress, [262_144, 524_288, 786_432, 1_000_000]);
        let digest =
            b"\x34\xaa\x97\x3c\xd4\xc4\xda\xa4\xf6\x1e\xeb\x2b\xdb\xad\x27\x31\x65\x34\x01\x6f";
        assert_eq!(end, DigestEnd::Complete(digest.to_vec()));
    }

    #[test]
    fn stopped_between_portions_and_during_one() {
        let content = vec![b'a'; 600_000];
        let mut digesting = begin(&content, DigestAlgorithm::Md5, 0..600_000);
        digesting.stop();
        assert_eq!(run(&mut digesting), (DigestEnd::Stopped, vec![]));

        let mut digesting = begin(&content, DigestAlgorithm::Md5, 0..600_000);
        let DigestStep::Read(mut reading) = digesting.step() else { panic!("nothing is read") };
        digesting.stop();
        let outcome = reading.read();
        digesting.complete(reading, outcome);
        assert_eq!(run(&mut digesting), (DigestEnd::Stopped, vec![]));

        // Nothing is left to be stopped.
        let mut digesting = begin(b"", DigestAlgorithm::Crc32, 0..0);
        digesting.stop();
        assert_eq!(run(&mut digesting).0, DigestEnd::Complete(vec![0; 4]));
    }

    #[test]
    fn a_file_that_became_shorter() {
        let mut digesting = begin(b"abc", DigestAlgorithm::Md5, 0..4);
        let end = DigestEnd::Storage(StorageError::Other);
        assert_eq!(run(&mut digesting), (end, vec![3, 3]));
    }
}
