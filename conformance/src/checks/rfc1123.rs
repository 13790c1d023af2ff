//! RFC 1123 section 4.1.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::{
    BIG, Result, advise, ensure, holds, is_in, is_missing, pattern, quietly, same_bytes,
    stalled_download, with_detail,
};
use crate::check::{Check, Context, Failure, Why};
use crate::client::{Client, Detail};
use crate::data::{Dial, End};
use crate::patience::Deadline;
use crate::reply::{DATA_MARK, DO, DONT, IAC, INTERRUPT, NOP, Reply, WILL, WONT};
use crate::target::Profile;

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc1123.type-l8", run: type_l8 },
    Check { id: "rfc1123.pasv-per-transfer", run: pasv_per_transfer },
    Check { id: "rfc1123.list-type", run: list_type },
    Check { id: "rfc1123.stou-format", run: stou_format },
    Check { id: "rfc1123.stou-no-250", run: stou_no_250 },
    Check { id: "rfc1123.x-commands", run: x_commands },
    Check { id: "rfc1123.idle-timeout", run: idle_timeout },
    Check { id: "rfc1123.concurrency", run: concurrency },
    Check { id: "rfc1123.rest-554", run: rest_554 },
    Check { id: "rfc1123.telnet", run: telnet },
];

fn type_l8(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let bytes = [&b"a\r\nb\nc\rd\0\xff"[..], &pattern(1000)].concat();
    client.expect("TYPE A", &[200])?;
    let reply = client.command("TYPE L 8")?;
    if reply.code >= 500 {
        return Err(Failure::skip(Why::NotOffered, format!("TYPE L 8: {}", reply.whole())));
    }
    client.judge(reply, &[200], &[])?;
    client.put("file", &bytes)?;
    holds(&mut client, "file", &bytes)?;
    client.expect("TYPE I", &[200])?;
    holds(&mut client, "file", &bytes)
}

fn pasv_per_transfer(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;

    quietly(&mut client, |client| {
        let first = client.pasv()?;
        let second = client.pasv()?;
        if first != second {
            closes(client, first)?;
        }
        same_bytes("file", &retrieve_from(client, second)?, b"content")?;
        closes(client, second)?;
        let third = client.passive_port()?;
        same_bytes("file", &retrieve_from(client, third)?, b"content")?;
        closes(client, third)
    })?;
    client.note("ports close when another is asked for, and when they have served");

    quietly(&mut client, |client| (0..300).try_for_each(|_| client.pasv().map(drop)))?;
    client.note("after 300 PASV");
    holds(&mut client, "file", b"content")
}

fn retrieve_from(client: &mut Client, port: SocketAddr) -> Result<Vec<u8>> {
    let data = client.dial_data(port, Dial::default())?;
    let opening = client.expect("RETR file", &[125, 150])?;
    client.finish_download((opening, data))?.complete()
}

/// Waits until a port takes no connections any more. Soon after, another session may well be given it. RFC
/// 1123 has the client ask for a port each time, and leaves open what becomes of the last.
fn closes(client: &Client, port: SocketAddr) -> Result {
    let deadline = Deadline::new();
    // A server that closes it at all does so soon.
    let longest = if client.is_strict() { Duration::MAX } else { Duration::from_secs(2) };
    let begin = Instant::now();
    while is_open(port, deadline.left()) {
        if deadline.has_passed() || begin.elapsed() > longest {
            return client.advise("a passive port that is no longer wanted stays open");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Returns `true` if something listens there. On this machine, where no firewall stands before a
/// closed port, silence is that of a listener whose queue is full.
fn is_open(port: SocketAddr, limit: Duration) -> bool {
    match TcpStream::connect_timeout(&port, limit) {
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::TimedOut && port.ip().is_loopback(),
    }
}

fn list_type(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"a\nb\n")?;
    client.expect("MKD folder", &[257])?;
    // `list_ascii` fails unless every line ends in CRLF, and not in CR CR LF.
    for r#type in ["I", "A", "I"] {
        client.expect(format!("TYPE {type}"), &[200])?;
        let expected = client.get("file")?;
        for command in ["LIST", "NLST"] {
            for line in client.list_ascii(command)? {
                ensure!(!line.contains(&b'\r'), "{command}: {}", line.escape_ascii());
            }
            holds(&mut client, "file", &expected)?;
        }
    }
    Ok(())
}

/// Stores a file with STOU, and returns the replies.
fn store_unique(client: &mut Client, bytes: &[u8]) -> Result<(Reply, Reply)> {
    with_detail(client, Detail::Codes, |client| {
        let mut data = client.passive()?;
        let opening = client.command("STOU")?;
        applies(client, &opening)?;
        if opening.code >= 400 && !client.is_strict() {
            // That it has to work is a matter of the check for STOU.
            let why = format!("STOU: {}", opening.whole());
            return Err(Failure::skip(Why::DoesNotApply, why));
        }
        if opening.code >= 200 {
            return Ok((opening.clone(), opening));
        }
        data.send(bytes)?;
        data.finish();
        Ok((opening, client.reply()?))
    })
}

/// Ends a check that is about a command which the server need not have, and has not.
fn applies(client: &mut Client, reply: &Reply) -> Result {
    let offered = client.is_offered(reply);
    offered.map_err(|absent| Failure::skip(Why::DoesNotApply, absent.to_string()))
}

fn stou_format(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    for content in [b"one", b"two"] {
        let (opening, closing) = store_unique(&mut client, content)?;
        let text = opening.expect(&[125, 150])?.text();
        closing.expect(&[226, 250])?;
        let name = text.strip_prefix("FILE: ").unwrap_or_default();
        ensure!(!name.is_empty(), "not of the form FILE: name but {text}");
        context.journal().hide(name, "UNIQUE-NAME");
        client.note(&format!("< {text}"));
        holds(&mut client, name, content)?;
    }
    Ok(())
}

fn stou_no_250(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    let (opening, closing) = store_unique(&mut client, b"content")?;
    opening.expect(&[125, 150])?;
    closing.expect(&[226, 250]).map(drop)
}

fn x_commands(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.offered("XPWD", &[257])?;
    let made = client.offered("XMKD sub", &[257])?.quoted()?;
    let is_whole = made == context.path("sub").as_bytes();
    advise!(client, is_whole, "{} made", made.escape_ascii());
    ensure!(made.ends_with(b"sub"), "{} made", made.escape_ascii());
    client.expect("XMKD sub", &[550])?;
    client.offered("XCWD sub", &[250])?;
    let here = client.expect("XPWD", &[257])?.quoted()?;
    let expected = context.path("sub");
    ensure!(here == expected.as_bytes(), "XPWD says {}", here.escape_ascii());
    // CDUP is 250 (see there); RFC 959 also has 200 for it.
    let plain = client.expect("CDUP", &[200, 250])?.code;
    client.expect("CWD sub", &[250])?;
    client.offered("XCUP", &[plain])?;
    is_in(&mut client, context.folder())?;
    client.expect("XCWD missing", &[550])?;
    client.offered("XRMD sub", &[250])?;
    client.expect("XRMD sub", &[550])?;
    is_missing(&mut client, "sub")
}

fn idle_timeout(context: &mut Context<'_>) -> Result {
    let known = context.settings(Profile::Impatient).patience();
    let (idle_timeout, data_timeout) = known
        .filter(|_| context.has(Profile::Impatient))
        .ok_or_else(|| Failure::skip(Why::NeedsOption, Profile::Impatient.missing()))?;
    let patience = idle_timeout.min(data_timeout);
    context.wait_longer(idle_timeout.max(data_timeout) * 4);

    // Without a login, and with one.
    let mut stranger = context.connect(Profile::Impatient)?;
    let (mut client, begin) = context.in_time(patience, |context| {
        let mut client = context.login_to(Profile::Impatient)?;
        let begin = Instant::now();
        client.is_alive()?;
        Ok((client, begin))
    })?;
    client.expect_reply(&[421])?;
    let idle = begin.elapsed();
    ensure!(idle + TOLERANCE >= idle_timeout, "421 already after {idle:?}");
    client.expect_close()?;
    stranger.expect_reply(&[421])?;
    stranger.expect_close()?;

    // Data that moves keeps a session alive, however long it takes, and the wait starts anew
    // after it.
    context.attempt("this machine is slower than the server's timeouts", |context| {
        moving_upload(context, idle_timeout * 5 / 2, patience)
    })?;

    // Data that stands still does not.
    let (mut client, _stalled) = context.in_time(patience, |context| {
        let mut client = context.login_to(Profile::Impatient)?;
        let (_, mut data) = client.open("STOR stalled")?;
        data.send(b"half")?;
        Ok((client, data))
    })?;
    client.expect_reply(&[421, 425, 426, 451])?;
    let (mut client, _stalled) = context.in_time(patience, |context| {
        let mut client = context.login_to(Profile::Impatient)?;
        let (_, data) = stalled_download(&mut client, "big")?;
        Ok((client, data))
    })?;
    client.expect_reply(&[421, 425, 426, 451]).map(drop)
}

/// What a server's clock may lag behind ours.
const TOLERANCE: Duration = Duration::from_millis(50);

/// Uploads a byte now and then for so long; `None` where this program was itself held up too long
/// for a failure to mean anything.
fn moving_upload(
    context: &mut Context<'_>,
    duration: Duration,
    patience: Duration,
) -> Result<Option<()>> {
    let (mut longest, mut last) = (Duration::ZERO, Instant::now());
    let result = context.login_to(Profile::Impatient).and_then(|mut client| {
        let (_, mut data) = client.open("STOR slow")?;
        let begin = Instant::now();
        while begin.elapsed() < duration && data.send(b"x").is_ok() {
            std::thread::sleep(patience / 20);
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        data.finish();
        client.expect_reply(&[226, 250])?;
        client.is_alive()
    });
    let held_up = longest.max(last.elapsed()) > patience / 2;
    if result.is_err() && held_up { Ok(None) } else { result.map(|_| Some(())) }
}

fn concurrency(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"content")?;
    let mut stalled = stalled_download(&mut client, "big")?;
    answers_meanwhile(&mut client)?;
    with_detail(&mut client, Detail::Codes, |client| {
        let status = client.command("STAT")?;
        applies(client, &status)?;
        client.judge(status, &[211], &[])
    })?;
    client.is_alive()?;
    // Another session goes its way meanwhile.
    holds(&mut context.login()?, "file", b"content")?;
    client.send("PWD")?;
    let (bytes, _) = stalled.1.receive();
    same_bytes("big", &bytes, &pattern(BIG))?;
    drop(stalled);
    // PWD may be answered at once or when the transfer is over, but is answered.
    let mut codes = [client.reply()?.code, client.reply()?.code];
    codes.sort_unstable();
    ensure!(codes == [226, 257] || codes == [250, 257], "a download and PWD: {codes:?}");

    let _stalled = client.open_narrow("RETR big")?;
    client.is_alive()?;
    let first = client.command("ABOR")?;
    applies(&mut client, &first)?;
    client.judge(first, &[426], &[])?;
    client.expect_reply(&[225, 226])?;

    let (_, mut data) = client.open("STOR upload")?;
    data.send(b"half")?;
    client.is_alive()?;
    with_detail(&mut client, Detail::Codes, |client| client.expect("STAT", &[211]))?;
    client.send("QUIT")?;
    data.finish();
    // RFC 959 has the transfer's own reply first; that is a matter of the check for QUIT.
    let replies =
        [client.expect_reply(&[221, 226, 250])?.code, client.expect_reply(&[221, 226, 250])?.code];
    ensure!(replies.contains(&221), "an upload and QUIT: {replies:?}");
    client.expect_close()
}

/// Sends NOOP while a transfer runs. RFC 959 section 4.1 knows servers that do not read on then, but
/// after Telnet's Synch, which is a matter of the check for ABOR.
fn answers_meanwhile(client: &mut Client) -> Result {
    if client.is_strict() {
        return client.is_alive().map(drop);
    }
    client.send("NOOP")?;
    match client.reply_or_end()? {
        Err(End::Timeout) => Err(Failure::skip(
            Why::NotOffered,
            "no command is read while a transfer runs whose client does not take the data",
        )),
        Err(end) => Err(Failure::new(format!("NOOP during a transfer: no reply but {end}"))),
        Ok(reply) => client.judge(reply, &[200], &[500, 502]).map(drop),
    }
}

fn rest_554(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    client.put("file", b"0123456789")?;
    client.put("empty", b"")?;
    let reply = client.command("REST 0")?;
    applies(&mut client, &reply)?;
    for (offset, name) in [
        ("11", "file"),
        ("1", "empty"),
        // Of 32 bits, 4 would be left of it.
        ("4294967300", "file"),
        ("9223372036854775807", "file"),
    ] {
        let data = client.passive()?;
        client.expect(format!("REST {offset}"), &[350])?;
        // RFC 1123 section 4.1.3.4 has it that 554 "may" be the reply; what is left is nothing.
        let opening = client.prefer(format!("RETR {name}"), &[554], &[125, 150])?;
        if opening.code < 200 {
            let rest = client.finish_download((opening, data))?.bytes;
            ensure!(rest.is_empty(), "{} bytes from behind the end", rest.len());
        }
        holds(&mut client, "file", b"0123456789")?;
    }
    // Right at the end there is nothing wrong, and nothing left.
    let data = client.passive()?;
    client.expect("REST 10", &[350])?;
    let opening = client.expect("RETR file", &[125, 150])?;
    let bytes = client.finish_download((opening, data))?.complete()?;
    same_bytes("the rest", &bytes, b"")
}

fn telnet(context: &mut Context<'_>) -> Result {
    let mut client = context.login()?;
    // An option may have the value of a line end.
    for inside in [
        &[IAC, NOP][..],
        &[IAC, INTERRUPT],
        &[IAC, DATA_MARK],
        &[IAC, INTERRUPT, IAC, DATA_MARK],
        &[IAC, DO, 1],
        &[IAC, DONT, 1],
        &[IAC, WILL, 3],
        &[IAC, WONT, 3],
        &[IAC, DO, b'\n'],
        &[IAC, WILL, b'\r'],
        &[IAC, DO, IAC],
    ] {
        for at in 0..=4 {
            client.send_raw(&[&b"NOOP"[..at], inside, &b"NOOP"[at..], b"\r\n"].concat())?;
            client.expect_reply(&[200])?;
        }
        // A byte at a time.
        for byte in [b"NO", inside, b"OP\r\n"].concat() {
            quietly(&mut client, |client| client.send_raw(&[byte]))?;
        }
        client.expect_reply(&[200])?;
        // An answer is not needed, but if there is one it has to fit; and only requests have any.
        let options = client.telnet_options();
        let fits = |&(verb, option): &(u8, u8)| match *inside {
            [IAC, DO, asked] => [WILL, WONT].contains(&verb) && option == asked,
            [IAC, WILL, asked] => [DO, DONT].contains(&verb) && option == asked,
            // What is off already needs no answer (RFC 854), but one that agrees ends the matter.
            [IAC, DONT, asked] => !context.is_strict() && verb == WONT && option == asked,
            [IAC, WONT, asked] => !context.is_strict() && verb == DONT && option == asked,
            _ => false,
        };
        ensure!(options.iter().all(fits), "{inside:?} is answered with {options:?}");
    }
    // IAC IAC is a byte of the name, and travels doubled back again.
    let made = client.expect(b"MKD a\xff\xffb", &[257])?.quoted()?;
    let expected = [context.path("a").as_bytes(), b"\xffb"].concat();
    ensure!(made == expected, "257 names {}", made.escape_ascii());
    client.expect(b"CWD a\xff\xf1\xff\xffb", &[250])?;
    let here = client.expect("PWD", &[257])?.quoted()?;
    ensure!(here == expected, "257 names {}", here.escape_ascii());
    client.expect("CDUP", &[200, 250])?;
    let names = client.list("NLST")?;
    ensure!(names == [b"a\xffb".to_vec()], "NLST: {names:?}");
    Ok(())
}
