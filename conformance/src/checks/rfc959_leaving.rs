//! RFC 959 section 4.1.1: clients that leave, or stop talking, before all is answered.

use std::thread;
use std::time::Duration;

use super::{
    BIG, Result, advise, both_replies, ensure, holds, pattern, put_big, quietly, same_bytes,
};
use crate::check::{Check, Context, Failure};
use crate::client::Client;
use crate::data::{Data, Offer, eprt_argument, port_argument};
use crate::patience::Deadline;
use crate::target::{Credentials, Profile};

pub(super) const CHECKS: &[Check] = &[
    Check { id: "rfc959.quit-unread", run: quit_unread },
    Check { id: "rfc959.half-close", run: half_close },
];

/// Whether an upload survives is a race at most servers that get it wrong: once tells nothing.
const TRIES: usize = 8;

/// As large as a picture: a server is still busy with it when its client has gone.
const PICTURE: usize = 700_000;

const OLD: &[u8] = b"the old content";

/// Where a client says QUIT.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quit {
    /// After the last byte and the end of the data connection.
    After,
    /// While half of the bytes are still to be sent.
    Amid,
}

fn quit_unread(context: &mut Context<'_>) -> Result {
    let mut reader = context.login()?;
    let picture = pattern(PICTURE);
    let mut stored = Vec::new();
    for number in 0..TRIES {
        for over_old in [false, true] {
            let name = format!("{}-{number}", if over_old { "old" } else { "new" });
            if over_old {
                quietly(&mut reader, |reader| reader.put(&name, OLD))?;
            }
            leave(context, &format!("STOR {}", context.path(&name)), &picture, Quit::After)?;
            arrives(&mut reader, &name, &picture)?;
            stored.push((name, picture.clone()));
        }
    }
    reader.note(&format!("{TRIES} new files and {TRIES} over old ones: stored whole"));
    for (name, bytes) in [("none", pattern(0)), ("small", pattern(9))] {
        leave(context, &format!("STOR {}", context.path(name)), &bytes, Quit::After)?;
        arrives(&mut reader, name, &bytes)?;
        stored.push((name.to_owned(), bytes));
    }
    quietly(&mut reader, |reader| reader.put("grown", OLD))?;
    leave(context, &format!("APPE {}", context.path("grown")), &picture, Quit::After)?;
    let grown = [OLD, &picture].concat();
    arrives(&mut reader, "grown", &grown)?;
    stored.push(("grown".to_owned(), grown));
    reader.note("nothing, a few bytes, and APPE: stored whole");

    // RFC 959 has the transfer finish here too, but no client reads the result.
    for name in ["amid-new", "amid-old"] {
        if name == "amid-old" {
            quietly(&mut reader, |reader| reader.put(name, OLD))?;
        }
        leave(context, &format!("STOR {}", context.path(name)), &picture, Quit::Amid)?;
        match arrives(&mut reader, name, &picture) {
            Ok(()) => stored.push((name.to_owned(), picture.clone())),
            Err(error) => context.advise(format!("QUIT during the upload: {error}"))?,
        }
    }
    reader.note("QUIT during the upload");

    // What has been stored stays.
    for (name, bytes) in &stored {
        quietly(&mut reader, |reader| holds(reader, name, bytes))?;
    }
    reader.note("all of them are still there");
    Ok(())
}

/// Uploads over a session of its own, whose client closes without reading 226 and 221.
fn leave(context: &mut Context<'_>, command: &str, bytes: &[u8], quit: Quit) -> Result {
    let mut client = context.login_quietly(Profile::Standard)?;
    let (_, mut data) = client.open(command)?;
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    data.send(first)?;
    if quit == Quit::Amid {
        client.send("QUIT")?;
        drop(client);
        data.send(rest)?;
        data.finish();
        return Ok(());
    }
    data.send(rest)?;
    data.finish();
    client.send("QUIT")
}

/// Waits until a file has this content: nothing says when a client that has gone was served.
fn arrives(client: &mut Client, name: &str, expected: &[u8]) -> Result {
    let deadline = Deadline::new();
    quietly(client, |client| {
        loop {
            let reply = client.attempt(format!("RETR {name}"))?;
            let got = if reply.code < 300 { Some(client.get(name)?) } else { None };
            if got.as_deref() == Some(expected) {
                return Ok(());
            }
            if !deadline.has_passed() {
                thread::sleep(Duration::from_millis(10));
                continue;
            }
            return Err(match got {
                Some(got) if got == OLD => Failure::new(format!("{name}: the old file stays")),
                Some(got) if expected.starts_with(&got) => Failure::new(format!(
                    "{name}: {} bytes of {} are stored",
                    got.len(),
                    expected.len()
                )),
                Some(got) => return same_bytes(name, &got, expected),
                None => Failure::new(format!("{name}: the upload is lost, {}", reply.whole())),
            });
        }
    })
}

fn half_close(context: &mut Context<'_>) -> Result {
    context.in_clear()?;
    let mut keeper = context.login()?;
    let bytes = pattern(PICTURE);
    keeper.put("file", &bytes)?;
    let account = context.full_account()?;
    let mut has_active = true;
    for _ in 0..TRIES {
        has_active &= from_the_greeting_on(context, &account, &bytes)?;
        if !has_active {
            context.skip("a download over PORT, which the server refuses");
            break;
        }
    }
    for _ in 0..TRIES {
        pipe_behind_passive(context, "RETR file\r\nQUIT\r\n")?.downloads(&bytes)?;
    }
    put_big(&mut keeper, "big")?;
    pipe_behind_passive(context, "RETR big\r\nQUIT\r\n")?.downloads(&pattern(BIG))?;
    let listing = pipe_behind_passive(context, "NLST\r\nQUIT\r\n")?.download()?;
    let listing = String::from_utf8_lossy(&listing);
    for name in ["file\r\n", "big\r\n"] {
        ensure!(listing.contains(name), "NLST without {}: {listing:?}", name.trim());
    }
    for name in ["new", "old"] {
        if name == "old" {
            quietly(&mut keeper, |keeper| keeper.put(name, OLD))?;
        }
        pipe_behind_passive(context, &format!("STOR {name}\r\nQUIT\r\n"))?.uploads(&bytes)?;
        holds(&mut keeper, name, &bytes)?;
    }
    in_mid_download(context)?;
    without_a_transfer(context)
}

/// A session whose write side is shut, and its data connection.
struct Piped {
    client: Client,
    data: Data,
}

/// Logs in, makes a passive data connection, and sends these commands in one go, with nothing to
/// follow.
fn pipe_behind_passive(context: &mut Context<'_>, commands: &str) -> Result<Piped> {
    let mut client = context.login()?;
    let data = client.passive()?;
    client.send_raw(commands.as_bytes())?;
    client.end_sending()?;
    Ok(Piped { client, data })
}

impl Piped {
    /// Receives what the command sends, up to the end of the session.
    fn download(mut self) -> Result<Vec<u8>> {
        self.client.expect_reply(&[125, 150])?;
        let (bytes, _) = self.data.receive();
        self.client.note("data: received");
        all_is_answered(&mut self.client)?;
        Ok(bytes)
    }

    fn downloads(self, expected: &[u8]) -> Result {
        same_bytes("the download", &self.download()?, expected)
    }

    fn uploads(mut self, bytes: &[u8]) -> Result {
        self.client.expect_reply(&[125, 150])?;
        self.data.send(bytes)?;
        self.data.end_sending()?;
        self.client.note("data: sent");
        all_is_answered(&mut self.client)
    }
}

/// Takes the transfer's last reply and then that to QUIT, and the end of the connection.
fn all_is_answered(client: &mut Client) -> Result {
    let (in_order, goodbye) = both_replies(client, &[226, 250], "QUIT")?;
    advise!(client, in_order, "QUIT is answered before the transfer that it came behind");
    goodbye.expect(&[221])?;
    client.expect_close()
}

/// Sends a file as `nc` does: the login, an active transfer and QUIT. Returns `true` if the server
/// takes the client's port.
fn from_the_greeting_on(
    context: &mut Context<'_>,
    account: &Credentials,
    expected: &[u8],
) -> Result<bool> {
    let mut client = context.dial(Profile::Standard)?;
    let offer = client.listen()?;
    let port = port_line(&offer)?;
    context.journal().hide(&port, "PORT");
    let (user, password, file) = (&account.user, &account.password, context.path("file"));
    client.record_from_here("connected, and does not wait for a greeting");
    client.send_raw(
        format!("USER {user}\r\nPASS {password}\r\nTYPE I\r\n{port}\r\nRETR {file}\r\nQUIT\r\n")
            .as_bytes(),
    )?;
    client.end_sending()?;
    if client.expect_reply(&[120, 220])?.code == 120 {
        client.expect_reply(&[220])?;
    }
    let has_password = client.expect_reply(&[230, 331])?.code == 331;
    let codes: &[u16] = if has_password { &[202, 230] } else { &[202, 230, 503] };
    client.expect_reply(codes)?;
    client.expect_reply(&[200])?;
    let taken = client.reply()?;
    if taken.code >= 400 {
        return Ok(false);
    }
    taken.expect(&[200])?;
    client.expect_reply(&[125, 150])?;
    let (bytes, _) = offer.accept()?.receive();
    client.note("data: received");
    all_is_answered(&mut client)?;
    same_bytes("the download", &bytes, expected)?;
    Ok(true)
}

/// Returns the command that offers this port.
fn port_line(offer: &Offer) -> Result<String> {
    let address = offer.address()?;
    Ok(match address.ip() {
        std::net::IpAddr::V4(ip) => format!("PORT {}", port_argument(ip, address.port())),
        std::net::IpAddr::V6(_) => format!("EPRT {}", eprt_argument(address, '|')),
    })
}

/// The write side is shut while the server waits for its reader.
fn in_mid_download(context: &mut Context<'_>) -> Result {
    for commands in ["QUIT\r\n", ""] {
        let mut client = context.login()?;
        let (_, mut data) = client.open_narrow("RETR big")?;
        if !commands.is_empty() {
            client.send_raw(commands.as_bytes())?;
        }
        client.end_sending()?;
        let (bytes, _) = data.receive();
        same_bytes("big", &bytes, &pattern(BIG))?;
        if commands.is_empty() {
            client.expect_reply(&[226, 250])?;
        } else {
            all_is_answered(&mut client)?;
        }
    }
    Ok(())
}

/// Commands alone, with QUIT and without.
fn without_a_transfer(context: &mut Context<'_>) -> Result {
    for commands in ["PWD\r\nMKD made\r\nRMD made\r\nQUIT\r\n", "PWD\r\nMKD made\r\nRMD made\r\n"] {
        let mut client = context.login()?;
        client.send_raw(commands.as_bytes())?;
        client.end_sending()?;
        for code in [257, 257, 250] {
            client.expect_reply(&[code])?;
        }
        if commands.ends_with("QUIT\r\n") {
            client.expect_reply(&[221])?;
            client.expect_close()?;
        }
    }
    Ok(())
}
