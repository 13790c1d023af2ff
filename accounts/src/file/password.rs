//! Password hashes: Argon2id (RFC 9106), written as PHC strings.

use std::fmt;
use std::io;

use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use subtle::ConstantTimeEq;

use super::scratch::Scratch;

/// Longest password that can be right, in bytes.
pub(super) const LONGEST_PASSWORD: usize = 1024;

/// What a hash may cost: memory in KiB, passes, lanes. Beyond that it is a mistake, or an attack.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 100;
const MOST_LANES: u32 = 64;

/// The lengths in bytes that a hash may have.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// Makes the hash of a password, as the accounts file wants it.
///
/// It is Argon2id with 19 MiB, two passes and one lane, as OWASP advises, and a salt of its own.
/// Fails for an empty password, one of more than 1024 bytes, and where the system has no
/// randomness or no memory.
pub fn hash_password(password: &[u8]) -> io::Result<String> {
    hash_with(&Params::DEFAULT, password)
}

/// Does the same at another price.
pub(super) fn hash_with(params: &Params, password: &[u8]) -> io::Result<String> {
    let refused = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    if password.is_empty() {
        return refused("the password is empty");
    }
    if password.len() > LONGEST_PASSWORD {
        return refused("the password is longer than 1024 bytes");
    }
    let salt: [u8; argon2::RECOMMENDED_SALT_LEN] = random()?;
    let hash = argon2::PasswordHasher::hash_password_with_salt(
        &Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone()),
        password,
        &salt,
    );
    hash.map(|hash| hash.to_string()).map_err(|error| io::Error::other(error.to_string()))
}

/// Returns random bytes.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| io::Error::other(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// A stored hash, taken apart.
#[derive(Clone)]
pub(super) struct StoredHash {
    text: String,
    argon2: Argon2<'static>,
    salt: Vec<u8>,
    output: Vec<u8>,
}

/// The computer cannot do the computation now: there is too little memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OutOfMemory;

impl StoredHash {
    /// Takes a PHC string apart; the error says what would be right, and nothing of the string.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        const ADVICE: &str = "make one with \"wharf passwd\"";
        if text.is_empty() {
            return Err(format!("empty, which no password matches; {ADVICE}"));
        }
        let no_hash = || format!("not an Argon2id hash; {ADVICE}");
        let phc = PasswordHash::new(text).map_err(|_| no_hash())?;
        if phc.algorithm.as_str() != "argon2id" {
            return Err(no_hash());
        }
        if phc.version != Some(Version::V0x13.into()) {
            return Err(format!("an Argon2id hash of another version than v=19; {ADVICE}"));
        }
        let params = check(&phc)?;
        let (Some(salt), Some(output)) = (phc.salt, phc.hash) else {
            return Err(format!("an Argon2id hash without its end; {ADVICE}"));
        };
        if !LENGTHS.contains(&output.len()) {
            return Err(format!("an Argon2id hash of less than 16 bytes; {ADVICE}"));
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let (salt, output) = (salt.as_ref().to_vec(), output.as_bytes().to_vec());
        Ok(Self { text: text.to_string(), argon2, salt, output })
    }

    /// Makes a hash that no password matches, and that costs as much as `model`, or as one of
    /// [`hash_password`] where there is none.
    pub(super) fn decoy(model: Option<&Self>) -> io::Result<Self> {
        let params = model.map_or(Params::DEFAULT, |hash| hash.argon2.params().clone());
        let salt = random::<{ argon2::RECOMMENDED_SALT_LEN }>()?.to_vec();
        let output = random::<{ Params::DEFAULT_OUTPUT_LEN }>()?.to_vec();
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Ok(Self { text: String::new(), argon2, salt, output })
    }

    /// Returns `true` if this is the password's hash; it takes as long for a wrong one.
    pub(super) fn matches(&self, password: &[u8], scratch: &Scratch) -> Result<bool, OutOfMemory> {
        let mut output = vec![0; self.output.len()];
        let computed = scratch.with(self.argon2.params().block_count(), |blocks| {
            self.argon2.hash_password_into_with_memory(password, &self.salt, &mut output, blocks)
        });
        let cause = match computed {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(error.to_string()),
            None => Some("too little memory".into()),
        };
        if let Some(cause) = cause {
            wharf_storage::log_limited!(
                Error,
                "accounts: cannot compute a password's hash: {cause}"
            );
            return Err(OutOfMemory);
        }
        Ok(output.ct_eq(&self.output).into())
    }

    /// Returns the PHC string.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns how many blocks of memory it fills in all, which is what it costs.
    pub(super) fn cost(&self) -> u64 {
        let params = self.argon2.params();
        u64::from(params.m_cost()) * u64::from(params.t_cost())
    }
}

/// Shows what it costs, and not what would help to guess the password.
impl fmt::Debug for StoredHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredHash({})", self.argon2.params())
    }
}

/// Reads the parameters, and refuses those that cannot be meant.
fn check(phc: &PasswordHash) -> Result<Params, String> {
    let number = |name: &str, most: u32, least: u32, unit: &str| {
        let value = phc.params.get_decimal(name);
        let value = value.ok_or_else(|| format!("an Argon2id hash without {name}=<number>"))?;
        if value < least || value > most {
            return Err(format!("{name}={value}: {least} to {most}{unit} are wanted"));
        }
        Ok(value)
    };
    if let Some((odd, _)) =
        phc.params.iter().find(|(name, _)| !["m", "t", "p"].contains(&name.as_str()))
    {
        return Err(format!("an Argon2id hash with \"{odd}\", which cannot be used here"));
    }
    let passes = number("t", MOST_PASSES, 1, "")?;
    let lanes = number("p", MOST_LANES, 1, "")?;
    let memory = number("m", MOST_MEMORY, 8 * lanes, " KiB")?;
    Params::new(memory, passes, lanes, None).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a hash that takes no time.
    fn cheap(password: &str) -> String {
        hash_with(&Params::new(8, 1, 1, None).unwrap(), password.as_bytes()).unwrap()
    }

    #[test]
    fn a_hash_matches_its_password_alone() {
        let hash = StoredHash::parse(&cheap("right")).unwrap();
        assert_eq!(hash.matches(b"right", &Scratch::default()), Ok(true));
        for wrong in [&b""[..], b"righ", b"right ", b"Right", b"right\0"] {
            assert_eq!(hash.matches(wrong, &Scratch::default()), Ok(false));
        }
        assert_eq!(
            StoredHash::decoy(Some(&hash)).unwrap().matches(b"", &Scratch::default()),
            Ok(false)
        );
        assert_ne!(cheap("right"), cheap("right"), "each has a salt of its own");
    }

    #[test]
    fn a_hash_made_elsewhere() {
        // By the reference implementation: argon2 somesalt -id -t 2 -k 256 -p 1 -l 32.
        let text = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ\
                    $nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(
            StoredHash::parse(text).unwrap().matches(b"password", &Scratch::default()),
            Ok(true)
        );
    }

    #[test]
    fn a_made_hash_costs_what_owasp_advises() {
        let hash = hash_password("pässword".as_bytes()).unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(
            StoredHash::parse(&hash).unwrap().matches("pässword".as_bytes(), &Scratch::default()),
            Ok(true)
        );
        assert!(hash_password(b"").is_err());
        assert!(hash_password(&[b'x'; LONGEST_PASSWORD + 1]).is_err());
    }

    #[test]
    fn what_is_no_hash_is_told() {
        let end = "c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        for (text, part) in [
            ("", "empty"),
            ("secret", "not an Argon2id hash"),
            ("$2b$12$saltsaltsaltsalt", "not an Argon2id hash"),
            (&format!("$argon2i$v=19$m=256,t=2,p=1${end}"), "not an Argon2id hash"),
            (&format!("$argon2id$v=16$m=256,t=2,p=1${end}"), "v=19"),
            (&format!("$argon2id$m=256,t=2,p=1${end}"), "v=19"),
            ("$argon2id$v=19$m=256,t=2,p=1", "without its end"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ", "without its end"),
            ("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIP", "less than 16"),
            (&format!("$argon2id$v=19$m=1048577,t=2,p=1${end}"), "m=1048577: 8 to 1048576 KiB"),
            (&format!("$argon2id$v=19$m=7,t=2,p=1${end}"), "m=7: 8 to"),
            (&format!("$argon2id$v=19$m=31,t=2,p=4${end}"), "m=31: 32 to"),
            (&format!("$argon2id$v=19$m=256,t=101,p=1${end}"), "t=101: 1 to 100"),
            (&format!("$argon2id$v=19$m=256,t=0,p=1${end}"), "t=0: 1 to 100"),
            (&format!("$argon2id$v=19$m=1024,t=2,p=65${end}"), "p=65: 1 to 64"),
            (&format!("$argon2id$v=19$t=2,p=1${end}"), "without m="),
            (&format!("$argon2id$v=19$m=256,t=2,p=1,data=Zm9v${end}"), "\"data\""),
        ] {
            let mistake = StoredHash::parse(text).unwrap_err();
            assert!(mistake.contains(part), "{text}: {mistake}");
            assert!(!mistake.contains("secret") && !mistake.contains('\n'), "{mistake}");
        }
    }
}
