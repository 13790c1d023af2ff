//! What can be wrong with a server, and which checks have to see it.

use std::sync::atomic::{AtomicU32, Ordering};

use wharf::ServerBuilder;

use super::faulty::{Edit, Fault, Sent};

/// One thing that is wrong.
pub(crate) struct Mutation {
    /// What.
    pub(crate) what: &'static str,
    /// Who has to see it.
    pub(crate) ids: &'static [&'static str],
    /// How the server is started.
    pub(crate) server: fn(ServerBuilder) -> ServerBuilder,
    /// What the proxy does.
    pub(crate) fault: Fault,
}

fn pass(line: &[u8]) -> Sent {
    Sent::Pass(line.to_vec())
}

/// A mutation that the server itself is told.
fn server(
    what: &'static str,
    ids: &'static [&'static str],
    server: fn(ServerBuilder) -> ServerBuilder,
) -> Mutation {
    Mutation { what, ids, server, fault: Fault::default() }
}

/// A mutation of commands.
fn command(
    what: &'static str,
    ids: &'static [&'static str],
    command: fn(&[u8]) -> Sent,
) -> Mutation {
    Mutation { what, ids, server: |b| b, fault: Fault { command, ..Fault::default() } }
}

/// A mutation of replies, line by line.
fn reply(
    what: &'static str,
    ids: &'static [&'static str],
    reply: fn(&str, String) -> String,
) -> Mutation {
    Mutation { what, ids, server: |b| b, fault: Fault { reply, ..Fault::default() } }
}

/// A mutation of what data connections carry.
fn data(what: &'static str, ids: &'static [&'static str], data: Edit) -> Mutation {
    Mutation { what, ids, server: |b| b, fault: Fault { data: Some(data), ..Fault::default() } }
}

/// Replaces a code where a line begins with it, in replies to this command.
fn recoded(to: &str, line: &str, command: &str, code: &str, other: &str) -> String {
    match line.strip_prefix(code) {
        Some(rest) if to.starts_with(command) => format!("{other}{rest}"),
        _ => line.to_owned(),
    }
}

fn is(line: &[u8], command: &str) -> bool {
    line.to_ascii_uppercase().starts_with(command.as_bytes())
}

/// Answers a command that begins so in the server's place.
macro_rules! answers {
    ($command:literal, $answer:literal) => {
        |line| if is(line, $command) { Sent::Answer($answer) } else { pass(line) }
    };
}

/// Replaces one code by another in replies to a command.
macro_rules! code {
    ($command:literal, $code:literal => $other:literal) => {
        |to, line| recoded(to, &line, $command, $code, $other)
    };
}

/// Cuts off what of the numbers of REST and RANG does not fit into 32 bits.
fn in_32_bits(line: &[u8]) -> Sent {
    if !is(line, "REST") && !is(line, "RANG") {
        return pass(line);
    }
    let cut = |word: &str| match word.parse::<u64>() {
        Ok(number) => (number as u32).to_string(),
        Err(_) => word.to_owned(),
    };
    let line = String::from_utf8_lossy(line);
    let words: Vec<_> = line.split(' ').map(cut).collect();
    Sent::Pass(words.join(" ").into_bytes())
}

/// Edits what comes over data connections for a command.
macro_rules! edits {
    ($command:literal, $edit:expr) => {
        |command, bytes| if command.starts_with($command) { $edit(bytes) } else { bytes }
    };
}

fn without(bytes: Vec<u8>, unwanted: u8) -> Vec<u8> {
    bytes.into_iter().filter(|&byte| byte != unwanted).collect()
}

fn replaced(bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    text.replace(from, to).chars().map(|character| character as u8).collect()
}

fn shortened(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.pop();
    bytes
}

pub(crate) fn mutations() -> Vec<Mutation> {
    [replies(), behaviours(), transfers(), security()].into_iter().flatten().collect()
}

/// Codes and forms.
fn replies() -> Vec<Mutation> {
    vec![
        reply("PASS: 200 for 230", &["rfc959.pass"], code!("PASS", "230" => "200")),
        reply("RETR: 200 for 226", &["rfc959.retr"], code!("RETR", "226" => "200")),
        reply("STOR: 200 for 226", &["rfc959.stor"], code!("STOR", "226" => "200")),
        reply("NOOP: 500 for 200", &["rfc959.noop"], code!("NOOP", "200" => "500")),
        reply("SYST: 200 for 215", &["rfc959.syst"], code!("SYST", "215" => "200")),
        reply("HELP: 200 for 214", &["rfc959.help"], code!("HELP", "214" => "200")),
        reply("TYPE: 250 for 200", &["rfc959.type"], code!("TYPE", "200" => "250")),
        reply("STRU: 250 for 200", &["rfc959.stru"], code!("STRU", "200" => "250")),
        reply("MODE: 250 for 200", &["rfc959.mode"], code!("MODE", "200" => "250")),
        reply("DELE: 200 for 250", &["rfc959.dele"], code!("DELE", "250" => "200")),
        reply("RNFR: 250 for 350", &["rfc959.rnfr"], code!("RNFR", "350" => "250")),
        reply("RETR of nothing: 226 for 550", &["rfc959.retr"], code!("RETR", "550" => "226")),
        reply(
            "RETR behind the end: 226 for 554",
            &["rfc1123.rest-554"],
            code!("RETR", "554" => "226"),
        ),
        reply("PORT: 225 for 200", &["rfc959.port"], code!("PORT", "200" => "225")),
        reply("MDTM: 200 for 213", &["rfc3659.mdtm"], code!("MDTM", "213" => "200")),
        reply("no 1xx before a transfer", &["rfc959.retr", "rfc959.stor"], |_, line| {
            if line.starts_with("150") { String::new() } else { line }
        }),
        reply("a bare LF", &["rfc959.pwd"], |to, line| {
            if to == "PWD" { line.replace('\r', "") } else { line }
        }),
        reply("FEAT without the space", &["rfc2389.feat"], |to, line| {
            if to == "FEAT" { line.trim_start().to_owned() } else { line }
        }),
        reply("a reply of several lines that does not end", &["rfc2389.feat"], |to, line| {
            if to == "FEAT" { line.replace("211 ", "211-") } else { line }
        }),
        reply("a status line like the last line", &["rfc959.stat"], |to, line| {
            match line.strip_prefix(' ') {
                Some(rest) if to == "STAT" => format!("211x{rest}"),
                _ => line,
            }
        }),
        reply("quotes in MKD are not doubled", &["rfc959.mkd"], |to, line| {
            if to.starts_with("MKD") { line.replace("\"\"", "\"") } else { line }
        }),
        reply("quotes in PWD are not doubled", &["rfc959.pwd"], |to, line| {
            if to == "PWD" { line.replace("\"\"", "\"") } else { line }
        }),
        reply("EPSV: another form", &["rfc2428.epsv"], |_, line| line.replace("(|||", "(||")),
        reply("PASV: another form", &["rfc959.pasv"], |to, line| {
            if to == "PASV" { line.replace(',', ".") } else { line }
        }),
        reply("STOU does not name the file", &["rfc1123.stou-format"], |_, line| {
            line.replace("FILE: ", "file ")
        }),
        reply("MLST: a fact without its end", &["rfc3659.mlst"], |to, line| {
            if to.starts_with("MLST") { line.replace("; ", " ") } else { line }
        }),
        reply("SIZE: one more", &["rfc3659.size"], |to, line| {
            match line.strip_prefix("213 ").and_then(|size| size.trim().parse::<u64>().ok()) {
                Some(size) if to.starts_with("SIZE") => format!("213 {}\r\n", size + 1),
                _ => line,
            }
        }),
        reply("MDTM: a year ago", &["rfc3659.mdtm", "rfc3659.gmt"], |to, line| {
            match line.strip_prefix("213 ").and_then(|time| time.trim().parse::<u64>().ok()) {
                Some(time) if to.starts_with("MDTM") => {
                    format!("213 {}\r\n", time - 10_000_000_000)
                }
                _ => line,
            }
        }),
        reply("MLST: no p for a directory", &["rfc3659.facts"], |to, line| {
            if to.starts_with("MLST") {
                line.replace("perm=cdeflmp;", "perm=cdeflm;")
            } else {
                line
            }
        }),
        reply("FEAT without SIZE", &["rfc2389.feat"], |to, line| {
            if to == "FEAT" && line.trim() == "SIZE" { String::new() } else { line }
        }),
        reply("STOR: 226 for 426", &["rfc959.stor"], code!("STOR", "426" => "226")),
        reply("ABOR: one reply, not two", &["rfc959.abor"], |to, line| {
            let second = to.ends_with("ABOR") && line.starts_with("226");
            if second { String::new() } else { line }
        }),
    ]
}

/// Commands that do something else, or nothing.
fn behaviours() -> Vec<Mutation> {
    vec![
        command("ABOR is ignored", &["rfc959.abor"], |line| {
            if line.ends_with(b"ABOR") { Sent::Drop } else { pass(line) }
        }),
        command("QUIT without 221", &["rfc959.quit"], |line| {
            if is(line, "QUIT") { Sent::Close } else { pass(line) }
        }),
        command(
            "REST is ignored",
            &["rfc959.rest", "rfc3659.rest", "rfc1123.rest-554"],
            answers!("REST", "350 Restarting"),
        ),
        command("REST counts in 32 bits", &["rfc1123.rest-554"], in_32_bits),
        command("RANG counts in 32 bits", &["ext.rang"], in_32_bits),
        command("MKD without a login", &["rfc959.pass"], answers!("MKD STRANGER", "257 \"/s\"")),
        command("MODE B is MODE S", &["rfc959.mode"], answers!("MODE B", "200 Mode B")),
        command("STRU R is STRU F", &["rfc959.stru"], answers!("STRU R", "200 Structure R")),
        command("TYPE E is TYPE I", &["rfc959.type"], answers!("TYPE E", "200 Type E")),
        command("RNTO without RNFR", &["rfc959.rnto"], answers!("RNTO OTHER", "250 Renamed")),
        command("RNTO does nothing", &["rfc959.rnto"], answers!("RNTO", "250 Renamed")),
        command("DELE does nothing", &["rfc959.dele"], answers!("DELE", "250 Deleted")),
        command("RMD does nothing", &["rfc959.rmd"], answers!("RMD", "250 Removed")),
        command("CDUP does nothing", &["rfc959.cdup"], answers!("CDUP", "250 There")),
        command("CWD to anywhere", &["rfc959.cwd"], answers!("CWD MISSING", "250 There")),
        command("REIN does nothing", &["rfc959.rein"], answers!("REIN", "220 Ready")),
        command("EPSV ALL does nothing", &["rfc2428.epsv"], answers!("EPSV ALL", "200 Only EPSV")),
        command(
            "OPTS MLST does nothing",
            &["rfc2389.opts", "rfc3659.mlsd"],
            answers!("OPTS MLST", "200 MLST OPTS type;size;"),
        ),
        command("TYPE A does not convert", &["rfc959.type"], answers!("TYPE A", "200 ASCII")),
        command("any EPRT will do", &["rfc2428.eprt"], answers!("EPRT", "200 Fine")),
        command("any PORT will do", &["rfc959.port"], answers!("PORT", "200 Fine")),
        command("APPE replaces", &["rfc959.appe"], |line| {
            let name = line.strip_prefix(b"APPE");
            name.map_or_else(|| pass(line), |name| Sent::Pass([b"STOR", name].concat()))
        }),
        command("STOU replaces", &["rfc959.stou"], |line| {
            if is(line, "STOU") { pass(b"STOR stou") } else { pass(line) }
        }),
        command("Telnet commands stay", &["rfc1123.telnet"], |line| {
            Sent::Pass(line.iter().map(|&byte| if byte == 255 { b'?' } else { byte }).collect())
        }),
        command("HOST takes any name", &["rfc7151.host"], answers!("HOST", "220 Welcome")),
    ]
}

/// What data connections carry.
fn transfers() -> Vec<Mutation> {
    vec![
        data("a download without its last byte", &["rfc959.retr"], edits!("RETR", shortened)),
        data("an upload without its last byte", &["rfc959.stor"], edits!("STOR", shortened)),
        data(
            "LIST ends lines in LF",
            &["rfc1123.list-type"],
            edits!("LIST", |bytes| without(bytes, b'\r')),
        ),
        data(
            "LIST is no ls -l for files",
            &["rfc959.list"],
            edits!("LIST", |bytes| replaced(bytes, "-rw", "?rw")),
        ),
        data("NLST loses a line end", &["rfc959.nlst"], edits!("NLST", shortened)),
        data(
            "NLST leaves the path out",
            &["rfc959.nlst"],
            edits!("NLST", |bytes| replaced(bytes, "sub/", "")),
        ),
        data(
            "MLSD: a fact without its end",
            &["rfc3659.mlsd"],
            edits!("MLSD", |bytes| replaced(bytes, "; ", " ")),
        ),
        data(
            "MLSD knows no directories",
            &["rfc3659.mlsd"],
            edits!("MLSD", |bytes| replaced(bytes, "type=dir", "type=file")),
        ),
        data(
            "NLST spoils names",
            &["rfc2640.utf8"],
            edits!("NLST", |bytes| replaced(bytes, "\u{c3}", "?")),
        ),
    ]
}

/// What a server should not allow.
fn security() -> Vec<Mutation> {
    vec![
        server(
            "a bounce is allowed",
            &["rfc2577.bounce", "rfc959.port", "rfc2428.eprt"],
            |builder| builder.allow_foreign_data(true),
        ),
        server("privileged ports are allowed", &["rfc2577.privileged"], |builder| {
            builder.allow_privileged_ports(true)
        }),
        server("logins without a limit", &["rfc2577.attempts"], |builder| {
            builder.max_login_attempts(1000)
        }),
        server("PASV names another address", &["rfc959.pasv"], |builder| {
            builder.public_address(std::net::Ipv4Addr::new(192, 0, 2, 1))
        }),
        reply("user names leak", &["rfc2577.usernames"], |to, line| {
            if to == "USER STRANGER" { "530 No such user\r\n".to_owned() } else { line }
        }),
        reply("the passive port is always the same", &["rfc2577.port-stealing"], |to, line| {
            if to == "EPSV" { "229 Entering (|||40000|)\r\n".to_owned() } else { line }
        }),
        reply("passive ports in even steps", &["rfc2577.port-stealing"], |to, line| {
            static ASKED: AtomicU32 = AtomicU32::new(0);
            if to != "EPSV" {
                return line;
            }
            let step = ASKED.fetch_add(1, Ordering::Relaxed);
            format!("229 Entering (|||{}|)\r\n", 40_000 + step * 7_919 % 20_000)
        }),
        command("a login without a password", &["rfc959.pass"], |line| {
            if is(line, "PASS WRONG") { pass(b"PASS password") } else { pass(line) }
        }),
    ]
}
