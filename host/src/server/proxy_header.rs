//! The header by which a proxy names the client whose connection it passes on: the PROXY protocol,
//! versions 1 and 2 (haproxy.org, `doc/proxy-protocol.txt`). Pure: bytes in, an address out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The longest header of version 1, with its CRLF.
const LONGEST_V1: usize = 107;

/// The longest header of version 2 that is taken, with all that a proxy adds to the addresses.
const LONGEST_V2: usize = 4096;

/// How version 1 begins.
const V1: &[u8] = b"PROXY ";

/// How version 2 begins.
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// What stands before the addresses in version 2.
const FIXED_V2: usize = 16;

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProxyHeader {
    /// The client; `None` where the proxy speaks for itself, such as to see whether the server is
    /// there.
    pub(crate) client: Option<SocketAddr>,
    /// How many bytes it has.
    pub(crate) length: usize,
}

/// Not a header, whatever may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHeader;

impl ProxyHeader {
    /// Reads the header at the beginning of `bytes`; `Ok(None)` where more of it has to come.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, NoHeader> {
        if begins_like(bytes, V1) {
            parse_v1(bytes)
        } else if begins_like(bytes, V2) {
            parse_v2(bytes)
        } else {
            Err(NoHeader)
        }
    }
}

/// Returns `true` if the bytes begin with `start`, or are the beginning of it.
fn begins_like(bytes: &[u8], start: &[u8]) -> bool {
    let shared = bytes.len().min(start.len());
    bytes[..shared] == start[..shared]
}

fn parse_v1(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoHeader> {
    let within = &bytes[..bytes.len().min(LONGEST_V1)];
    let Some(end) = within.windows(2).position(|pair| pair == b"\r\n") else {
        return if within.len() < LONGEST_V1 { Ok(None) } else { Err(NoHeader) };
    };
    let rest = within.get(V1.len()..end).ok_or(NoHeader)?;
    let rest = std::str::from_utf8(rest).map_err(|_| NoHeader)?;
    let mut words = rest.split(' ');
    let client = match words.next() {
        Some("UNKNOWN") => None,
        Some("TCP4") => Some(addresses_v1::<Ipv4Addr>(words)?),
        Some("TCP6") => Some(addresses_v1::<Ipv6Addr>(words)?),
        _ => return Err(NoHeader),
    };
    Ok(Some(ProxyHeader { client, length: end + 2 }))
}

/// Reads the client's address, the proxy's, and the two ports; returns the client's.
fn addresses_v1<'a, A: std::str::FromStr + Into<IpAddr>>(
    mut words: impl Iterator<Item = &'a str>,
) -> Result<SocketAddr, NoHeader> {
    let mut next = || words.next().ok_or(NoHeader);
    let (client, proxy, port, other) = (next()?, next()?, next()?, next()?);
    let address = |text: &str| text.parse::<A>().map_err(|_| NoHeader);
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|_| is_number).ok_or(NoHeader)
    };
    let (client, port) = (address(client)?, number(port)?);
    let (_, _) = (address(proxy)?, number(other)?);
    if words.next().is_some() { Err(NoHeader) } else { Ok(SocketAddr::new(client.into(), port)) }
}

fn parse_v2(bytes: &[u8]) -> Result<Option<ProxyHeader>, NoHeader> {
    let Some(&[command, family, high, low]) = bytes.get(V2.len()..FIXED_V2) else {
        return Ok(None);
    };
    let length = FIXED_V2 + usize::from(u16::from_be_bytes([high, low]));
    if length > LONGEST_V2 {
        return Err(NoHeader);
    }
    let is_local = match command {
        0x20 => true,
        0x21 => false,
        _ => return Err(NoHeader),
    };
    let Some(rest) = bytes.get(FIXED_V2..length) else { return Ok(None) };
    let client = match family {
        _ if is_local => None,
        0x00 => None,
        0x11 => Some(client_v2::<4, Ipv4Addr>(rest)?),
        0x21 => Some(client_v2::<16, Ipv6Addr>(rest)?),
        _ => return Err(NoHeader),
    };
    Ok(Some(ProxyHeader { client, length }))
}

/// Reads the client's address and port; what stands after the addresses is for others.
fn client_v2<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(
    bytes: &[u8],
) -> Result<SocketAddr, NoHeader> {
    let address = bytes.first_chunk::<N>().ok_or(NoHeader)?;
    let Some(&[high, low, _, _]) = bytes.get(2 * N..2 * N + 4) else { return Err(NoHeader) };
    let port = u16::from_be_bytes([high, low]);
    Ok(SocketAddr::new(A::from(*address).into(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [V2, &[command, family], &length, rest].concat()
    }

    fn tcp4() -> Vec<u8> {
        vec![192, 0, 2, 1, 10, 0, 0, 1, 0x10, 0x01, 0, 21]
    }

    fn tcp6() -> Vec<u8> {
        let client: Ipv6Addr = "2001:db8::1".parse().unwrap();
        [&client.octets()[..], &[0; 16], &[0x10, 0x01, 0, 21]].concat()
    }

    /// Headers that are right, and the clients that they name.
    fn good() -> Vec<(Vec<u8>, Option<&'static str>)> {
        let four = Some("192.0.2.1:4097");
        let six = Some("[2001:db8::1]:4097");
        vec![
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4097 21\r\n".to_vec(), four),
            (b"PROXY TCP6 2001:db8::1 ::1 4097 21\r\n".to_vec(), six),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), None),
            (v2(0x21, 0x11, &tcp4()), four),
            (v2(0x21, 0x21, &tcp6()), six),
            (v2(0x21, 0x11, &[&tcp4()[..], &[0x04, 0, 1, 7]].concat()), four),
            (v2(0x21, 0x11, &[&tcp4()[..], &[9; 4068]].concat()), four),
            (v2(0x21, 0x00, b"whatever"), None),
            (v2(0x20, 0x00, b""), None),
            (v2(0x20, 0x11, &tcp4()), None),
        ]
    }

    #[test]
    fn a_header_names_the_client_and_its_own_length() {
        for (bytes, client) in good() {
            let client = client.map(|client| client.parse().unwrap());
            let header = ProxyHeader { client, length: bytes.len() };
            let text = bytes.escape_ascii().to_string();
            assert_eq!(ProxyHeader::parse(&bytes), Ok(Some(header)), "{text}");
            for after in [&b"USER joe\r\n"[..], b"\r\n\r\n", b"\x16\x03\x01"] {
                let all = [&bytes, after].concat();
                assert_eq!(ProxyHeader::parse(&all), Ok(Some(header)), "{text}");
            }
            for end in 0..bytes.len() {
                assert_eq!(ProxyHeader::parse(&bytes[..end]), Ok(None), "{end} of {text}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_as_soon_as_that_is_clear() {
        for bytes in [
            &b"USER joe\r\n"[..],
            b"P\r",
            b"proxy ",
            b"\x16\x03\x01",
            b"\r\n\r\nQ",
            b"PROXY \r\n",
            b"PROXY UDP4 192.0.2.1 10.0.0.1 4097 21\r\n",
            b"PROXY TCP4 2001:db8::1 ::1 4097 21\r\n",
            b"PROXY TCP6 192.0.2.1 10.0.0.1 4097 21\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4097\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4097 21 1\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 21\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 +1 21\r\n",
            b"PROXY TCP4  192.0.2.1 10.0.0.1 4097 21\r\n",
            b"PROXY TCP4 192.0.2.1 10.0.0.1 4097 21\n\r\n",
            b"PROXY TCP4 \xff 10.0.0.1 4097 21\r\n",
            &[&b"PROXY UNKNOWN "[..], &[b'x'; 93]].concat(),
            &v2(0x11, 0x11, &tcp4()),
            &v2(0x22, 0x11, &tcp4()),
            &v2(0x21, 0x12, &tcp4()),
            &v2(0x21, 0x31, &[0; 216]),
            &v2(0x21, 0x11, &tcp4()[1..]),
            &v2(0x21, 0x21, &tcp6()[1..]),
            &v2(0x21, 0x11, &[0; 4081])[..FIXED_V2],
        ] {
            assert_eq!(ProxyHeader::parse(bytes), Err(NoHeader), "{}", bytes.escape_ascii());
        }
    }

    /// Whatever comes: no panic, a length within what came, no header that could grow for ever, and
    /// the same answer however much more is there.
    #[test]
    fn bytes_at_random_keep_the_rules() {
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = move |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % below as u64).unwrap()
        };
        let good = good();
        let (mut headers, mut refused) = (0, 0);
        for _ in 0..50_000 {
            let mut bytes = good[random(good.len())].0.clone();
            for _ in 0..random(3) {
                let at = random(bytes.len().min(64));
                match random(3) {
                    0 => bytes[at] = u8::try_from(random(256)).unwrap(),
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, b" \r\n0:.\x21\0"[random(8)]),
                }
            }
            bytes.extend(b"USER joe\r\n");
            match ProxyHeader::parse(&bytes) {
                Ok(Some(header)) => {
                    headers += 1;
                    assert!(header.length <= bytes.len());
                    let alone = ProxyHeader::parse(&bytes[..header.length]);
                    assert_eq!(alone, Ok(Some(header)));
                }
                Ok(None) => assert!(bytes.len() < LONGEST_V2),
                Err(NoHeader) => {
                    refused += 1;
                    bytes.extend(b"\r\n and more");
                    assert_eq!(ProxyHeader::parse(&bytes), Err(NoHeader));
                }
            }
        }
        assert!(headers > 1000 && refused > 1000, "{headers} {refused}");
    }
}
