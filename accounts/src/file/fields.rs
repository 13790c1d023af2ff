//! What the fields of an accounts file may hold. Each error says what would be right.

use std::str::FromStr;

use wharf_core::{LONGEST_PATH, Permissions, UnknownWord, VirtualPath};

/// Reads permissions: the words `read` and `write`, or letters.
pub(super) fn permissions(text: &str) -> Result<Permissions, String> {
    match text {
        "read" => Ok(Permissions::READ_ONLY),
        "write" => Ok(Permissions::ALL),
        // It would not mean what is hoped for.
        both if both.contains('w') && both.contains('n') => Err(format!(
            "{text:?}: w and n together; w lets files be replaced, n alone only new ones be stored"
        )),
        letters => Permissions::parse(letters).map_err(|odd| {
            format!(
                "{text:?}: no permission is {odd:?}; letters of elradfmwnMT, or \"read\", or \"write\""
            )
        }),
    }
}

/// Reads a setting that is one word.
pub(super) fn word<T: FromStr<Err = UnknownWord>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?}: {error:#}"))
}

/// Reads the name of a folder as clients see it; the root has none of its own.
pub(super) fn folder(text: &str) -> Result<VirtualPath, String> {
    if !text.starts_with('/') {
        return Err("it has to begin with /, which is the account's root".into());
    }
    if text.split('/').any(|component| component == ".." || component == ".") {
        return Err("a path without . and .. is wanted".into());
    }
    match VirtualPath::root().resolve(text.as_bytes()) {
        Ok(path) if path.is_root() => Err("for / there is the field permissions".into()),
        Ok(path) => Ok(path),
        Err(_) => Err(format!("a path of at most {LONGEST_PATH} bytes and without NUL is wanted")),
    }
}

/// Reads a SHA-256 fingerprint: 64 hexadecimal digits, in pairs parted by colons or not.
pub(super) fn fingerprint(text: &str) -> Result<[u8; 32], String> {
    let digits = match text.len() {
        95 if text.split(':').all(|pair| pair.len() == 2) => text.replace(':', ""),
        _ => text.to_string(),
    };
    let mut bytes = [0; 32];
    if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or_default();
        }
        return Ok(bytes);
    }
    Err(format!("{text:?}: not a SHA-256 fingerprint; 32 bytes such as \"AB:CD:…\" are wanted"))
}

/// Checks a login name.
pub(super) fn login_name(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("a name is wanted".into());
    }
    if text.chars().any(char::is_control) {
        return Err(format!("{text:?}: a name without control characters is wanted"));
    }
    Ok(())
}

/// Checks that a login name can stand for `{user}` in a root: it is one folder's name.
pub(super) fn folder_name(name: &str) -> Result<(), String> {
    if matches!(name, "" | "." | "..") || name.contains(['/', '\\', '\0']) {
        return Err("this name cannot be a folder's, as {user} wants; write the folder out".into());
    }
    Ok(())
}

/// Reads the name of a virtual host; the result is in small letters.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let ends = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && label.bytes().all(known) && !ends
    };
    if text.len() <= 253 && text.split('.').all(label) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("{text:?}: not a host name; one such as \"files.example.org\" is wanted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_words_or_letters() {
        assert_eq!(permissions("read"), Ok(Permissions::READ_ONLY));
        assert_eq!(permissions("write"), Ok(Permissions::ALL));
        assert_eq!(permissions(""), Ok(Permissions::NONE));
        assert_eq!(permissions("elw").map(|set| set.to_string()), Ok("elw".into()));
        assert_eq!(permissions("eln").map(|set| set.to_string()), Ok("eln".into()));
        assert!(permissions("Read").unwrap_err().contains("'R'"));
        for both in ["elwn", "nw", "elradfmwnMT"] {
            assert!(permissions(both).unwrap_err().contains("w and n together"), "{both}");
        }
    }

    #[test]
    fn folders_are_absolute() {
        assert_eq!(folder("/in/").unwrap().as_bytes(), b"/in");
        assert_eq!(folder("/in//x").unwrap().as_bytes(), b"/in/x");
        for bad in ["", "in", "/", "//", "/in/../out", "/./in", "/in\0", &"/x".repeat(3000)] {
            assert!(folder(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fingerprints_have_32_bytes() {
        let plain = "ab".repeat(32);
        let parted = vec!["AB"; 32].join(":");
        assert_eq!(fingerprint(&plain), Ok([0xab; 32]));
        assert_eq!(fingerprint(&parted), Ok([0xab; 32]));
        for bad in [&plain[1..], &parted[1..], "", &"xy".repeat(32), &"é".repeat(32)] {
            assert!(fingerprint(bad).is_err(), "{bad}");
        }
        assert!(fingerprint(&format!("+{}", &plain[1..])).is_err());
        assert!(fingerprint(&parted.replacen("AB:A", "A:BA", 1)).is_err());
    }

    #[test]
    fn host_names_are_of_letters_digits_and_hyphens() {
        assert_eq!(host_name("Files.Example-1.org"), Ok("files.example-1.org".into()));
        let long = ["x".repeat(63), "x".repeat(64)];
        assert!(host_name(&long[0]).is_ok());
        for bad in
            ["", ".", "a.", ".a", "a..b", "-a", "a-", "a_b", "a b", "é.org", "[::1]", &long[1]]
        {
            assert!(host_name(bad).is_err(), "{bad}");
        }
        assert!(host_name(&vec!["abcdefgh"; 29].join(".")).is_err());
    }

    #[test]
    fn names_that_could_leave_are_no_folders() {
        for bad in ["", ".", "..", "a/b", "/", "a\\b", "a\0b"] {
            assert!(folder_name(bad).is_err(), "{bad}");
        }
        for good in ["anna", "...", "a b", "{user}", "~"] {
            assert!(folder_name(good).is_ok(), "{good}");
        }
    }
}
