//! Where the data connection comes from: PORT, PASV, EPRT, EPSV.
//!
//! RFC 959 section 4.1.2, RFC 2428; the defences are those of RFC 2577 sections 3 and 4.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::action::{Action, DataEnd};
use crate::event::{DataProof, PortLoss, RequestId};
use crate::reply::Text;
use crate::time::Now;

use super::failure::Refusal;
use super::state::{Awaiting, Data, EarlyTls, NotAwaited, PassiveReply, Protection, Work};
use super::transfer::HANDSHAKE_FAILED;
use super::{Session, number, trim};

/// The text of 425 where no command has said where the data connection comes from.
const NO_DATA: &str = "Use PASV, EPSV, PORT or EPRT first.";

impl Session {
    /// PORT.
    pub(crate) fn port(&mut self, argument: &[u8]) {
        match parse_port(trim(argument)) {
            Some(address) => self.go_active(address, "PORT"),
            None => self.reply(501, "Invalid PORT format."),
        }
    }

    /// EPRT (RFC 2428 section 2).
    pub(crate) fn eprt(&mut self, argument: &[u8]) {
        match parse_eprt(trim(argument), self.own_family()) {
            Ok(address) => self.go_active(address, "EPRT"),
            Err(BadEprt::OtherFamily) => self.reply(522, self.other_family()),
            Err(BadEprt::UnknownFamily) => {
                self.reply(522, "Network protocol not supported, use (1,2).");
            }
            Err(BadEprt::Syntax) => {
                self.reply(501, "Invalid EPRT format.");
            }
        }
    }

    fn go_active(&mut self, to: SocketAddr, command: &str) {
        self.close_data();
        if self.parameters.epsv_all {
            return self.reply(501, Text::from("{} not allowed after EPSV ALL.").with(command));
        }
        if to.port() == 0 || to.port() < 1024 && !self.config.allow_privileged_ports {
            return self.reply(501, "Can't connect over a privileged port.");
        }
        if !self.may_be_data(to.ip()) {
            self.journal.refused(format_args!("{command} to foreign {to} refused"));
            return self.reply(501, "Rejected data connection to foreign address.");
        }
        self.data = Data::Active(to);
        self.reply(200, Text::from("{} command successful.").with(command));
    }

    /// PASV. Its reply has no room for an IPv6 address.
    pub(crate) fn pasv(&mut self) {
        self.close_data();
        if self.parameters.epsv_all {
            self.reply(501, Text::from("{} not allowed after EPSV ALL.").with("PASV"));
        } else if self.endpoint.local().is_ipv6() {
            self.reply(522, "PASV cannot name an IPv6 address; use EPSV.");
        } else {
            self.listen(PassiveReply::Address);
        }
    }

    /// EPSV (RFC 2428 section 3).
    pub(crate) fn epsv(&mut self, argument: &[u8]) {
        self.close_data();
        let argument = trim(argument);
        if argument.eq_ignore_ascii_case(b"ALL") {
            self.parameters.epsv_all = true;
            return self.reply(200, "Only EPSV is accepted from now on.");
        }
        match number(argument) {
            None if !argument.is_empty() => {
                self.reply(501, "Invalid EPSV argument: 1, 2 or ALL is wanted.");
            }
            Some(family) if family != self.own_family() => self.reply(522, self.other_family()),
            _ => self.listen(PassiveReply::PortOnly),
        }
    }

    /// The number of the control connection's own protocol (RFC 2428 section 2).
    fn own_family(&self) -> u64 {
        if self.endpoint.local().is_ipv4() { 1 } else { 2 }
    }

    fn other_family(&self) -> &'static str {
        match self.own_family() {
            1 => "Network protocol not supported, use (1).",
            _ => "Network protocol not supported, use (2).",
        }
    }

    fn listen(&mut self, reply: PassiveReply) {
        let id = self.next_id();
        self.actions.push_back(Action::Listen { id });
        self.work = Work::Waiting { id, awaiting: Awaiting::Port(reply) };
    }

    /// The passive port is open, or none was free.
    pub(super) fn listening(
        &mut self,
        id: RequestId,
        port: Option<u16>,
        now: Now,
    ) -> Result<(), NotAwaited> {
        let command = self.take_awaiting(id, Awaiting::port)?;
        self.enter_passive_mode(command, id, port, now);
        Ok(())
    }

    fn enter_passive_mode(
        &mut self,
        command: PassiveReply,
        id: RequestId,
        port: Option<u16>,
        now: Now,
    ) {
        let Some(port) = port else {
            return self.reply(425, "No passive port is free; try later.");
        };
        let until = now.instant + self.config.data_timeout;
        self.data = Data::Listening { port: id, until };
        if command == PassiveReply::PortOnly {
            let text = Text::from("Entering Extended Passive Mode (|||{}|).");
            return self.reply(229, text.with(port));
        }
        let own = match self.endpoint.local().ip() {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        let [a, b, c, d] = self.endpoint.public_address().unwrap_or(own).octets();
        let (high, low) = (port / 256, port % 256);
        let numbers = format_args!("{a},{b},{c},{d},{high},{low}");
        self.reply(227, Text::from("Entering Passive Mode ({}).").with(numbers));
    }

    /// A connection came to the passive port: only the client itself is let in.
    pub(super) fn data_arrived(
        &mut self,
        id: RequestId,
        peer: IpAddr,
        now: Now,
    ) -> Result<(), NotAwaited> {
        let (port, until) = match self.data {
            Data::Listening { port, until } if port == id => (port, until),
            _ => return Err(NotAwaited(id)),
        };
        if !self.may_be_data(peer.to_canonical()) {
            self.journal.refused(format_args!("data connection from {peer} dropped"));
            self.actions.push_back(Action::RefuseData);
            return Ok(());
        }
        self.actions.push_back(Action::AcceptData);
        self.data = Data::Arrived { port, until, early: EarlyTls::NotBegun };
        self.data_established(now);
        Ok(())
    }

    /// The client has sent something over the connection to the passive port, or closed it. Where no
    /// command has come, it begins TLS of its own accord, and may wait for that.
    pub(super) fn data_readable(&mut self, id: RequestId) -> Result<(), NotAwaited> {
        let early = match &mut self.data {
            Data::Arrived { port, early: early @ EarlyTls::NotBegun, .. } if *port == id => early,
            _ => return Err(NotAwaited(id)),
        };
        let claimed = matches!(self.work, Work::Transferring(_));
        if claimed || self.protection != Protection::Private {
            return Ok(());
        }
        self.last_id += 1;
        let request = RequestId(self.last_id);
        *early = EarlyTls::Securing(request);
        // Whether the client is going to read them is not known yet.
        self.actions.push_back(Action::ProtectData { id: request, tickets: false });
        Ok(())
    }

    /// TLS that began before a command came is done, or has failed. The next command is told.
    pub(super) fn early_protected(
        &mut self,
        id: RequestId,
        proof: Option<DataProof>,
    ) -> Result<(), NotAwaited> {
        let early = match &mut self.data {
            Data::Arrived { early, .. } if *early == EarlyTls::Securing(id) => early,
            _ => return Err(NotAwaited(id)),
        };
        match proof {
            Some(proof) => *early = EarlyTls::Secured(proof),
            None => {
                self.refuse_data();
                self.data = Data::Lost(522, HANDSHAKE_FAILED);
            }
        }
        Ok(())
    }

    /// PROT C has come: a connection that is within TLS cannot go on in clear.
    pub(super) fn unprotect_data(&mut self) {
        if let Data::Arrived { early: EarlyTls::Securing(_) | EarlyTls::Secured(_), .. } = self.data
        {
            self.close_data();
            self.data = Data::Lost(425, "PROT C came behind TLS; open the data connection anew.");
        }
    }

    /// The passive port is gone without having served.
    pub(super) fn port_lost(&mut self, id: RequestId, why: PortLoss) -> Result<(), NotAwaited> {
        if !matches!(self.data, Data::Listening { port, .. } if port == id) {
            return Err(NotAwaited(id));
        }
        let text = match why {
            PortLoss::Failed => "The passive port failed; try again.",
            PortLoss::GivenAway => {
                self.journal.ordinary(format_args!("unused passive port given away"));
                "All passive ports were taken, and yours went to another session; try again."
            }
        };
        self.data = Data::Lost(425, text);
        if let Work::Transferring(transfer) = &self.work
            && transfer.can_abort()
        {
            self.fail_transfer(425, text);
        }
        Ok(())
    }

    /// No command has used the passive port, or the connection to it, for too long.
    pub(super) fn data_unused(&mut self) {
        let text = match self.data {
            Data::Listening { .. } => "No command used the passive port in time; it is closed.",
            _ => "No command used the data connection in time; it is closed.",
        };
        self.close_data();
        self.data = Data::Lost(425, text);
    }

    /// Returns the reply to a command that needs a data connection where none can come.
    pub(super) fn missing_data(&self) -> Option<Refusal> {
        match self.data {
            Data::None => Some((425, NO_DATA)),
            Data::Lost(code, text) => Some((code, text)),
            _ => None,
        }
    }

    /// Returns `true` if a transfer waits for a connection to the passive port.
    pub fn awaits_data(&self) -> bool {
        matches!((&self.work, &self.data), (Work::Transferring(_), Data::Listening { .. }))
    }

    /// Returns `true` if data connections are protected (PROT P): a client may shake hands there before
    /// its command, and wait for the end of it.
    pub fn protects_data(&self) -> bool {
        self.protection == Protection::Private
    }

    /// Closes passive port and data connection, whatever there is.
    pub(super) fn close_data(&mut self) {
        self.let_go_of_data(DataEnd::Plain);
    }

    /// As [`close_data`](Self::close_data), where a transfer was refused that was to have used them.
    pub(super) fn refuse_data(&mut self) {
        let announced = match &self.work {
            Work::Transferring(transfer) => transfer.was_announced(),
            _ => false,
        };
        self.let_go_of_data(if announced { DataEnd::Announced } else { DataEnd::Refused });
    }

    fn let_go_of_data(&mut self, end: DataEnd) {
        match core::mem::replace(&mut self.data, Data::None) {
            Data::None | Data::Lost(..) => {}
            _ => self.actions.push_back(Action::CloseData(end)),
        }
    }

    /// Returns `true` if a data connection may lead there, or come from there.
    fn may_be_data(&self, ip: IpAddr) -> bool {
        ip == self.endpoint.peer().ip() || self.config.allow_foreign_data
    }
}

/// Reads `h1,h2,h3,h4,p1,p2`.
fn parse_port(argument: &[u8]) -> Option<SocketAddr> {
    let mut numbers = [0; 6];
    let mut fields = argument.split(|&byte| byte == b',');
    for slot in &mut numbers {
        *slot = u8::try_from(number(fields.next()?)?).ok()?;
    }
    let [a, b, c, d, high, low] = numbers;
    let port = u16::from_be_bytes([high, low]);
    fields.next().is_none().then(|| (Ipv4Addr::new(a, b, c, d), port).into())
}

/// Why an EPRT argument is refused.
#[derive(Debug, PartialEq, Eq)]
enum BadEprt {
    Syntax,
    /// A network protocol other than 1 (IPv4) and 2 (IPv6).
    UnknownFamily,
    /// The one of the two that is not the control connection's.
    OtherFamily,
}

/// Reads `|family|address|port|`, with any delimiter from 33 to 126.
fn parse_eprt(argument: &[u8], own_family: u64) -> Result<SocketAddr, BadEprt> {
    let delimiter = *argument.first().ok_or(BadEprt::Syntax)?;
    if !(33..=126).contains(&delimiter) {
        return Err(BadEprt::Syntax);
    }
    let mut fields = argument.split(|&byte| byte == delimiter);
    let mut field = || fields.next().ok_or(BadEprt::Syntax);
    let (before, family, address, port, after) = (field()?, field()?, field()?, field()?, field()?);
    if !before.is_empty() || !after.is_empty() || fields.next().is_some() {
        return Err(BadEprt::Syntax);
    }
    let family = number(family).ok_or(BadEprt::Syntax)?;
    if !matches!(family, 1 | 2) {
        return Err(BadEprt::UnknownFamily);
    }
    if family != own_family {
        return Err(BadEprt::OtherFamily);
    }
    let address = core::str::from_utf8(address).map_err(|_| BadEprt::Syntax)?;
    let ip = match family {
        1 => IpAddr::V4(address.parse::<Ipv4Addr>().map_err(|_| BadEprt::Syntax)?),
        _ => IpAddr::V6(address.parse::<Ipv6Addr>().map_err(|_| BadEprt::Syntax)?),
    };
    let port = number(port).and_then(|port| u16::try_from(port).ok()).ok_or(BadEprt::Syntax)?;
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_arguments() {
        let good = parse_port(b"127,0,0,1,4,1").unwrap();
        assert_eq!(good, "127.0.0.1:1025".parse().unwrap());
        for bad in ["1,2,3,4,5", "1,2,3,4,5,6,7", "256,0,0,1,4,1", "1,2,3,4,5,", "a,2,3,4,5,6", ""]
        {
            assert_eq!(parse_port(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn eprt_arguments() {
        let good = |text: &str, family| parse_eprt(text.as_bytes(), family).unwrap();
        assert_eq!(good("|1|127.0.0.1|1025|", 1), "127.0.0.1:1025".parse().unwrap());
        assert_eq!(good("!2!::1!1025!", 2), "[::1]:1025".parse().unwrap());
        assert_eq!(parse_eprt(b"|3|x|1|", 1), Err(BadEprt::UnknownFamily));
        assert_eq!(parse_eprt(b"|2|x|1|", 1), Err(BadEprt::OtherFamily));
        for bad in ["", "|", "|1|::1|80|", "|1|127.0.0.1|70000|", "|1|127.0.0.1|80", "1|1|1|1|1|1"]
        {
            assert_eq!(parse_eprt(bad.as_bytes(), 1), Err(BadEprt::Syntax), "{bad}");
        }
    }
}
