//! What is wrong is told in one line, with where it is and what would be right.

use super::*;

/// Returns all that is wrong with the file, without the folder that it is in.
fn mistakes(place: &Place) -> Vec<String> {
    let error = place.try_load().expect_err("there is a mistake");
    let folder = format!("{}/", place.folder.path().display());
    error.mistakes().iter().map(|mistake| mistake.replace(&folder, "")).collect()
}

/// Checks a file whose only mistake is that of `line`, which begins like `expected`.
#[track_caller]
fn told(text: &str, expected: &str) {
    let place = Place::new(text);
    std::os::unix::fs::symlink("/", place.base().join("out")).unwrap();
    let found = mistakes(&place);
    assert_eq!(found.len(), 1, "{text}\n{found:?}");
    assert!(found[0].starts_with(expected), "{text}\nis  {}\nnot {expected}", found[0]);
    assert!(!found[0].contains('\n'));
}

#[test]
fn of_users() {
    for (name, line, expected) in [
        (
            "anna",
            "permissions = \"elx\"",
            "permissions: \"elx\": no permission is 'x'; letters of elradfmwnMT, or",
        ),
        ("anna", "permissions = \"elwn\"", "permissions: \"elwn\": w and n together; w lets"),
        ("anna", "folders.\"/in\" = \"nw\"", "folders: \"/in\": \"nw\": w and n together"),
        (
            "anna",
            "tls = \"yes\"",
            "tls: \"yes\": \"none\", \"login\", \"data\" or \"all\" is wanted",
        ),
        (
            "anna",
            "tls_upload_end = \"never\"",
            "tls_upload_end: \"never\": \"strict\" or \"lenient\" is wanted",
        ),
        (
            "anna",
            "certificate = \"AB:CD\"",
            "certificate: \"AB:CD\": not a SHA-256 fingerprint; 32 bytes such as",
        ),
        ("anna", "certificate = []", "certificate: a fingerprint is wanted"),
        ("anna", "allow_from = []", "allow_from: a network is wanted, such as"),
        (
            "anna",
            "allow_from = [\"10.0.0.1\", \"office\"]",
            "allow_from: \"office\": an address or a network is wanted, such as",
        ),
        (
            "anna",
            "deny_from = \"10.0.0.1/8\"",
            "deny_from: \"10.0.0.1/8\": an address within a network; 10.0.0.0/8 is the network",
        ),
        ("anna", "root = \"nowhere\"", "root: cannot open the folder \"nowhere\": No such file"),
        (
            "anna",
            "root = \"/nonexistent/x\"",
            "root: cannot open the folder \"/nonexistent/x\": No such",
        ),
        ("anna", "root = \"\"", "root: cannot open the folder \"\": "),
        ("anna", "root = \"here\"", "root: cannot open the folder \"here\": Not a directory"),
        ("anna", "root = \"../served\"", "root: cannot open the folder \"../served\": "),
        ("anna", "root = \"out\"", "root: cannot open the folder \"out\": "),
        ("anna", "root = \"out/etc\"", "root: cannot open the folder \"out/etc\": "),
        ("..", "root = \"homes/{user}\"", "root: this name cannot be a folder's"),
        (".", "root = \"homes/{user}\"", "root: this name cannot be a folder's"),
        ("a/b", "root = \"homes/{user}\"", "root: this name cannot be a folder's"),
        ("/", "root = \"{user}\"", "root: this name cannot be a folder's"),
        (
            "cat",
            "root = \"homes/{user}\"",
            "root: cannot open the folder \"homes/cat\": No such file",
        ),
        ("anna", "folders.\"in\" = \"elw\"", "folders: \"in\": it has to begin with /"),
        ("anna", "folders.\"/a/../b\" = \"elw\"", "folders: \"/a/../b\": a path without . and .."),
        ("anna", "folders.\"/\" = \"elw\"", "folders: \"/\": for / there is the field permissions"),
        ("anna", "folders.\"/in\" = \"elx\"", "folders: \"/in\": \"elx\": no permission is 'x'"),
        (
            "anna",
            "folders = { \"/in\" = \"e\", \"/in/\" = \"l\" }",
            "folders: \"/in/\": line 4 has the same",
        ),
        ("anna", "limits.sessions = 0", "limits.sessions: 0: a number of at least 1 is wanted"),
        ("anna", "limits.download_rate = 0", "limits.download_rate: 0: a number of at least 1"),
        ("anna", "limits.upload_rate = -5", "limits.upload_rate: -5: a number of at least 1"),
        // What the parser finds.
        ("anna", "limits.upload_rate = 1.5", "limits.upload_rate: invalid type: floating point"),
        ("anna", "enabled = \"yes\"", "enabled: invalid type: string \"yes\", expected a boolean"),
        (
            "anna",
            "public_keys = \"ssh-rsa AAAA\"",
            "public_keys: invalid type: string \"ssh-rsa AAAA\", expected a sequence",
        ),
        ("anna", "public_keys = [5]", "public_keys: invalid type: integer `5`, expected a string"),
        ("anna", "certificate = 5", "certificate: a string or an array of strings is wanted"),
        ("anna", "root = 5", "root: invalid type: integer `5`, expected a string"),
    ] {
        let expected = format!("accounts.toml:4: user {name:?}: {expected}");
        told(&user(name, "x", line), &expected);
    }
    // What is found at a key, not at its value, has a column too.
    for (line, expected) in [
        ("limits.quota = 5", "8: user \"anna\": unknown field `quota`, expected one of `sessions`"),
        ("quota = 5", "1: user \"anna\": unknown field `quota`, expected one of `name`"),
        ("name = \"ben\"", "1: user \"anna\": duplicate key"),
    ] {
        told(&user("anna", "x", line), &format!("accounts.toml:4:{expected}"));
    }
    let backslash = user("a\\\\b", "x", "root = \"{user}\"");
    told(&backslash, "accounts.toml:4: user \"a\\\\b\": root: this name cannot be a folder's");
}

#[test]
fn of_names_and_passwords() {
    for (text, expected) in [
        (
            "[[user]]\nname = \"anna\"\npassword = \"secret\"\n",
            "3: user \"anna\": password: not an Argon2id hash; make one with \"wharf passwd\"",
        ),
        ("[[user]]\nname = \"anna\"\npassword = \"\"\n", "3: user \"anna\": password: empty"),
        (
            "[[user]]\nname = \"anna\"\npassword = 12345\n",
            "3: user \"anna\": password: a hash in quotes is wanted",
        ),
        (
            "[[user]]\nname = \"anna\"\n",
            "1: user \"anna\": password: missing, and there is no certificate",
        ),
        (
            "[[user]]\nname = \"anna\"\npassword = \"$argon2id$v=19$m=2000000,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\"",
            "3: user \"anna\": password: m=2000000: 8 to 1048576 KiB are wanted",
        ),
        ("[[user]]\nenabled = true\n", "1:1: missing field `name`"),
        ("", "1: nobody could log in"),
        ("[user]\nname = \"anna\"\n", "1:1: there may be several: [[user]], with two brackets"),
        ("[[user]]\nname = anna\n", "2: name: "),
        ("[[user\n", "1:"),
        ("[[users]]\n", "1:3: unknown field `users`, expected one of `user`, `anonymous`, `host`"),
    ] {
        told(text, &format!("accounts.toml:{expected}"));
    }
    told(&user("", "x", ""), "accounts.toml:2: user \"\": name: a name is wanted");
    told(
        &user("a\\u0000b", "x", ""),
        "accounts.toml:2: user \"a\\0b\": name: \"a\\0b\": a name without",
    );
    let twice = user("anna", "x", "") + &user("ben", "x", "") + &user("anna", "y", "");
    told(&twice, "accounts.toml:10: user \"anna\": name: there is one of this name in line 2");
}

#[test]
fn of_the_anonymous() {
    for (text, expected) in [
        (
            "[anonymous]\nroot = \"homes/{user}\"\n",
            "2: anonymous: root: {user} stands for a login name",
        ),
        ("[anonymous]\npermissions = \"x\"\n", "2: anonymous: permissions: \"x\": no permission"),
        ("[anonymous]\npassword = \"x\"\n", "2:1: unknown field `password`"),
    ] {
        told(text, &format!("accounts.toml:{expected}"));
    }
    let both = format!("{}[anonymous]\n", user("FTP", "x", ""));
    told(&both, "accounts.toml:2: user \"FTP\": name: this is the name of [anonymous]");
}

#[test]
fn of_hosts() {
    const ANYBODY: &str = "[host.anonymous]\n";
    for (host, expected) in [
        ("name = \"a b\"\n", "2: host: name: \"a b\": not a host name; one such as"),
        ("name = \"a\"\ncertificate = \"a.crt\"\n", "1: host \"a\": key: missing; both files"),
        ("name = \"a\"\nkey = \"a.key\"\n", "1: host \"a\": certificate: missing; both files"),
        (
            "name = \"a\"\ncertificate = \"accounts.toml\"\nkey = \"a.key\"\n",
            "4: host \"a\": key: a.key: No such file",
        ),
        (
            "name = \"a\"\ncertificate = \"served\"\nkey = \"accounts.toml\"\n",
            "3: host \"a\": certificate: served: not a file",
        ),
        ("name = \"a\"\nport = 21\n", "3:1: host \"a\": unknown field `port`"),
    ] {
        told(&format!("[[host]]\n{host}{ANYBODY}"), &format!("accounts.toml:{expected}"));
    }
    told("[[host]]\nname = \"a\"\n", "accounts.toml:1: host \"a\": nobody could log in");
    let twice = format!("[[host]]\nname = \"A\"\n{ANYBODY}[[host]]\nname = \"a\"\n{ANYBODY}");
    told(&twice, "accounts.toml:5: host \"a\": name: there is one of this name in line 2");
    let inside = user("anna", "x", "tls = \"x\"").replace("[user", "[host.user");
    told(
        &format!("[[host]]\nname = \"a\"\n{inside}"),
        "accounts.toml:6: host \"a\": user \"anna\": tls: \"x\"",
    );
}

#[test]
fn all_are_told_in_order() {
    let text =
        user("anna", "x", "tls = \"x\"\npermissions = \"x\"") + "[anonymous]\nroot = \"x\"\n";
    let place = Place::new(&text);
    let found = mistakes(&place);
    let lines: Vec<_> = found.iter().map(|line| line.split(':').nth(1).unwrap()).collect();
    assert_eq!(lines, ["4", "5", "7"], "{found:?}");
    let error = place.try_load().unwrap_err().to_string();
    assert!(error.contains("tls") && error.ends_with("(and 2 other mistakes)"), "{error}");
}

#[test]
fn files_that_cannot_be_read() {
    let place = Place::new("");
    fs::write(place.file(), b"# caf\xe9\n").unwrap();
    assert_eq!(mistakes(&place), ["accounts.toml: line 1 is not UTF-8 text"]);
    fs::remove_file(place.file()).unwrap();
    let found = mistakes(&place);
    assert!(found[0].starts_with("accounts.toml: cannot read it: No such file"), "{found:?}");
    let error = AccountsFile::load(place.file(), &place.folder.path().join("none")).unwrap_err();
    assert!(error.to_string().contains("cannot open the folder"), "{error}");
}
