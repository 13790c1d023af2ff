//! Which programs talk to each other: CLNT, and CSID
//! (draft-peterson-streamlined-ftp-command-extensions).

use crate::reply::Text;

use super::access::ForLog;
use super::{Session, trim};

/// How many names of a client's program a session writes to the log. A client names itself once or
/// twice; one that does so for ever is not to fill the disk.
const NAMES_LOGGED: u8 = 4;

impl Session {
    /// CLNT: the client names its program.
    pub(crate) fn clnt(&mut self, argument: &[u8]) {
        self.log_client(trim(argument));
        self.reply(200, "Noted.");
    }

    /// CSID: the client names its program, and so does the server.
    pub(crate) fn csid(&mut self, argument: &[u8]) {
        let argument = trim(argument);
        let Some(name) = field(argument, b"Name") else {
            return self.reply(501, "Syntax error: CSID Name=<name>; Version=<version>;.");
        };
        match field(argument, b"Version") {
            Some(version) => self.log_client(&[name, b" ", version].concat()),
            None => self.log_client(name),
        }
        let version = concat!("Name=wharf; Version=", env!("CARGO_PKG_VERSION"), ";");
        self.reply(200, Text::verbatim(version));
    }

    fn log_client(&mut self, name: &[u8]) {
        if self.names_logged < NAMES_LOGGED {
            self.names_logged += 1;
            self.journal.ordinary(format_args!("client is {}", ForLog(name)));
        }
    }
}

/// Finds the value of a field such as `Name=x;`, where it has one.
fn field<'a>(fields: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    fields.split(|&byte| byte == b';').find_map(|field| {
        let equals = memchr::memchr(b'=', field)?;
        let value = trim(&field[equals + 1..]);
        (trim(&field[..equals]).eq_ignore_ascii_case(name) && !value.is_empty()).then_some(value)
    })
}
