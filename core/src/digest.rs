//! Digests of files: which there are, and what they are called.

use alloc::string::String;

/// How the digest of a file is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestAlgorithm {
    /// SHA-256 (FIPS 180-4), 32 bytes.
    Sha256,
    /// SHA-512 (FIPS 180-4), 64 bytes.
    Sha512,
    /// SHA-1 (FIPS 180-4), 20 bytes. Only good against accidents.
    Sha1,
    /// MD5 (RFC 1321), 16 bytes. Only good against accidents.
    Md5,
    /// The CRC of ISO 3309, gzip and ZIP, 4 bytes in network order. Only good against accidents.
    Crc32,
}

impl DigestAlgorithm {
    /// All of them, the best first.
    pub const ALL: [Self; 5] = [Self::Sha256, Self::Sha512, Self::Sha1, Self::Md5, Self::Crc32];

    /// Finds one by its name, in capitals or not.
    pub(crate) fn find(name: &[u8]) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|algorithm| algorithm.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Its name in IANA's registry of hash functions, where it has one.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha512 => "SHA-512",
            Self::Sha1 => "SHA-1",
            Self::Md5 => "MD5",
            Self::Crc32 => "CRC32",
        }
    }

    /// Returns what FEAT says after `HASH `: all of them, this one marked as the one in use
    /// (draft-bryan-ftpext-hash-02 section 3.1).
    pub(crate) fn feature(self) -> String {
        let shown = Self::ALL.map(|algorithm| match algorithm == self {
            true => [algorithm.name(), "*"].concat(),
            false => algorithm.name().into(),
        });
        shown.join(";")
    }
}
