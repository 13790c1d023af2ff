//! The checks, a file for each group of requirements.

mod ext_digests;
mod ext_identity;
mod ext_mode_z;
mod ext_modify;
mod ext_rang;
mod implicit;
mod rfc1123;
mod rfc2228;
mod rfc2389;
mod rfc2428;
mod rfc2577;
mod rfc2640;
mod rfc3659_facts;
mod rfc3659_files;
mod rfc4217_control;
mod rfc4217_data;
mod rfc4217_early;
mod rfc4217_reuse;
mod rfc7151;
mod rfc959_access;
mod rfc959_connection;
mod rfc959_control;
mod rfc959_files;
mod rfc959_info;
mod rfc959_leaving;
mod rfc959_lists;
mod rfc959_no_data;
mod rfc959_retrieve;
mod rfc959_store;

use crate::check::{Check, Context, Failure, Why, advise, ensure};
use crate::client::{Client, Detail};
use crate::data::Data;
use crate::listing::LongLine;
use crate::reply::Reply;
use crate::target::{Account, Credentials, Profile};
use crate::wire::excerpt;

/// Returns all checks.
pub fn all() -> impl Iterator<Item = Check> {
    [
        rfc959_access::CHECKS,
        rfc959_connection::CHECKS,
        rfc959_retrieve::CHECKS,
        rfc959_store::CHECKS,
        rfc959_no_data::CHECKS,
        rfc959_leaving::CHECKS,
        rfc959_control::CHECKS,
        rfc959_files::CHECKS,
        rfc959_lists::CHECKS,
        rfc959_info::CHECKS,
        rfc1123::CHECKS,
        rfc2389::CHECKS,
        rfc2428::CHECKS,
        rfc2577::CHECKS,
        rfc2640::CHECKS,
        rfc3659_facts::CHECKS,
        rfc3659_files::CHECKS,
        rfc2228::CHECKS,
        rfc4217_control::CHECKS,
        rfc4217_data::CHECKS,
        rfc4217_early::CHECKS,
        rfc4217_reuse::CHECKS,
        rfc7151::CHECKS,
        implicit::CHECKS,
        ext_modify::CHECKS,
        ext_identity::CHECKS,
        ext_digests::CHECKS,
        ext_rang::CHECKS,
        ext_mode_z::CHECKS,
    ]
    .concat()
    .into_iter()
}

type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// More than what a connection's buffers hold with [`Client::open_narrow`].
const BIG: usize = 12 << 20;

/// Returns bytes that are all of a value, and of which no two nearby stretches are alike.
fn pattern(length: usize) -> Vec<u8> {
    // The block is no multiple of what servers take for the size of a buffer.
    let block: Vec<u8> = (0..65_521_usize).map(|i| (i ^ i >> 8) as u8).collect();
    let mut bytes = block.repeat(length / block.len() + 1);
    bytes.truncate(length);
    bytes
}

/// Stores a file of [`BIG`] bytes.
fn put_big(client: &mut Client, name: &str) -> Result<Vec<u8>> {
    let bytes = pattern(BIG);
    client.put(name, &bytes)?;
    Ok(bytes)
}

/// Starts a download that stands still, because the client does not read.
fn stalled_download(client: &mut Client, name: &str) -> Result<(Reply, Data)> {
    put_big(client, name)?;
    client.open_narrow(format!("RETR {name}"))
}

/// Fails unless the bytes are equal, and says where they differ.
fn same_bytes(what: &str, got: &[u8], expected: &[u8]) -> Result {
    if got == expected {
        return Ok(());
    }
    let at = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
    Err(Failure::new(format!(
        "{what}: {} bytes instead of {}, different from byte {at} on: {:?} instead of {:?}",
        got.len(),
        expected.len(),
        excerpt(&got[at..]),
        excerpt(&expected[at..]),
    )))
}

/// Fails unless the file has this content.
fn holds(client: &mut Client, name: &str, expected: &[u8]) -> Result {
    let got = client.get(name)?;
    same_bytes(name, &got, expected)
}

/// Fails unless the working directory is this.
fn is_in(client: &mut Client, path: &str) -> Result {
    let quoted = client.expect("PWD", &[257])?.quoted()?;
    ensure!(quoted == path.as_bytes(), "PWD says {}, not {path}", quoted.escape_ascii());
    Ok(())
}

/// Fails unless there is nothing under this name.
fn is_missing(client: &mut Client, name: &str) -> Result {
    client.refused(format!("RETR {name}"), &[550])?;
    client.expect(format!("CWD {name}"), &[550]).map(drop)
}

/// Ends a check that is about passwords where the account has none, or any will do.
fn wants_password(context: &mut Context<'_>, known: &Credentials) -> Result {
    if !context.is_strict() {
        let mut client = context.connect_quietly(Profile::Standard)?;
        if client.command(format!("USER {}", known.user))?.code == 230 {
            let why = "an account with a password: this one needs none";
            return Err(Failure::skip(Why::NeedsOption, why));
        }
    }
    known.have_a_password()
}

/// Fails unless a command is refused that came without its argument. What else a server makes of
/// that is no matter of the command: some end the session.
fn wants_argument(context: &mut Context<'_>, client: &mut Client, command: &str) -> Result {
    let reply = match context.is_strict() {
        true => client.command(command)?,
        false => context.login()?.command(command)?,
    };
    ensure!(reply.code >= 400, "{command} without an argument: {}", reply.whole());
    Ok(())
}

/// Reads the lines of a LIST, or of a STAT with a path, without a line `total n` and without `.` and
/// `..`. No RFC says what the lines look like: where all of them look like something else, the check
/// ends and is no failure.
fn long_lines(client: &Client, lines: &[Vec<u8>]) -> Result<Vec<LongLine>> {
    let lines = lines.iter().filter(|line| !line.starts_with(b"total "));
    // An empty directory is an empty line to some.
    let lines: Vec<_> = lines.filter(|line| client.is_strict() || !line.is_empty()).collect();
    let (read, wrong): (Vec<_>, Vec<_>) =
        lines.iter().map(|line| LongLine::parse(line)).partition(Result::is_ok);
    let mut read: Vec<_> = read.into_iter().flatten().collect();
    if let Some(Err(error)) = wrong.into_iter().next() {
        return Err(match read.is_empty() && !client.is_strict() {
            true => {
                Failure::skip(Why::DoesNotApply, format!("lists in a form of its own, {error}"))
            }
            false => error,
        });
    }
    read.retain(|entry| entry.name != b"." && entry.name != b"..");
    Ok(read)
}

/// Fails when a transfer succeeds for which there is no data connection. A server that waits for one
/// is told not to.
fn no_data_connection(client: &mut Client, line: &str) -> Result {
    if client.prefer(line, &[125, 150, 425], &[500, 503, 550])?.code < 200 {
        client.send("ABOR")?;
        until_aborted(client, &[225, 226, 425, 426])?;
    }
    Ok(())
}

/// Takes the replies up to the last one to ABOR: a few at most, and each one of `codes`.
fn until_aborted(client: &mut Client, codes: &[u16]) -> Result {
    for _ in 0..4 {
        if [225, 226].contains(&client.expect_reply(codes)?.code) {
            return Ok(());
        }
    }
    Err(Failure::new("replies to ABOR without an end"))
}

/// Fails unless an account of this kind is refused this command, with a data connection at hand.
fn denied(context: &mut Context<'_>, account: Account, command: &str, codes: &[u16]) -> Result {
    if let Some(mut client) = context.login_as(account)? {
        client.refused(command, codes)?;
    }
    Ok(())
}

/// Waits for a transfer's reply and for that to another command, in whichever order. Returns whether
/// the transfer's came first, and the other.
fn both_replies(client: &mut Client, codes: &[u16], other: &str) -> Result<(bool, Reply)> {
    let (first, second) = (client.reply()?, client.reply()?);
    match (codes.contains(&first.code), codes.contains(&second.code)) {
        (true, _) => Ok((true, second)),
        (false, true) => Ok((false, first)),
        (false, false) => Err(Failure::new(format!(
            "a transfer, and {other} during it: {}, then {}",
            first.whole(),
            second.whole()
        ))),
    }
}

/// Runs a part of a check without a record of it.
fn quietly<T>(client: &mut Client, part: impl FnOnce(&mut Client) -> Result<T>) -> Result<T> {
    with_detail(client, Detail::None, part)
}

/// Runs a part of a check with this much of a record.
fn with_detail<T>(
    client: &mut Client,
    detail: Detail,
    part: impl FnOnce(&mut Client) -> Result<T>,
) -> Result<T> {
    let before = client.keep(detail);
    let result = part(client);
    client.keep(before);
    result
}
