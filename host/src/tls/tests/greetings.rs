//! What a client says in its greeting: names, and protocols.

use rustls::{AlertDescription, Error};

use super::super::{Certificate, Tls};
use super::{Client, Way, der, seen, serve};

const NAMES: [&str; 3] = ["default.example", "one.example", "two.example"];

struct Hosts {
    tls: Tls,
    default: Certificate,
    one: Certificate,
    two: Certificate,
}

impl Hosts {
    /// Each has a certificate with all names, so that clients take whichever they get.
    fn new() -> Self {
        let [default, one, two] = [(); 3].map(|()| Certificate::self_signed(&NAMES).unwrap());
        let tls = Tls::new(default.clone())
            .unwrap()
            .host("ONE.example.", one.clone())
            .host("two.example", two.clone());
        Self { tls, default, one, two }
    }

    fn client(&self, way: Way) -> Client {
        Client::new(way, &[&self.default, &self.one, &self.two])
    }

    /// What a client sees on a control connection, and on a fresh data connection.
    fn seen(&self, client: &Client, name: &str, host: Option<&str>) -> Vec<u8> {
        let (mut control, owner) = self.tls.control(host).unwrap();
        let certificate = seen(&client.connect(name, &mut control).unwrap());
        let (mut data, _) = self.tls.data(&owner, host, true).unwrap();
        let other = Client { config: client.config.clone(), ..self.client(Way::Tls13) };
        assert_eq!(seen(&other.connect(name, &mut data).unwrap()), certificate);
        certificate
    }
}

#[test]
fn names_choose_the_certificate() {
    let hosts = Hosts::new();
    let (default, one, two) = (der(&hosts.default), der(&hosts.one), der(&hosts.two));
    for way in Way::ALL {
        let client = hosts.client(way);
        for (name, host, expected) in [
            ("default.example", None, &default),
            ("one.example", None, &one),
            ("ONE.Example", None, &one),
            ("two.example", None, &two),
            // SNI comes before HOST, if the host is known.
            ("one.example", Some("two.example"), &one),
            ("default.example", Some("two.example"), &two),
            ("default.example", Some("Two.Example."), &two),
            ("default.example", Some("three.example"), &default),
            ("default.example", Some(""), &default),
        ] {
            assert_eq!(&hosts.seen(&client, name, host), expected, "{way:?} {name} {host:?}");
        }
        let silent = hosts.client(way).without_sni();
        assert_eq!(hosts.seen(&silent, "one.example", None), default, "{way:?}");
        assert_eq!(hosts.seen(&silent, "one.example", Some("two.example")), two, "{way:?}");
    }
}

#[test]
fn the_protocol_is_ftp() {
    let hosts = Hosts::new();
    for way in [Way::Tls13, Way::Tls12Ticket] {
        let connect = |protocols: &[&str]| {
            let client = hosts.client(way).alpn(protocols);
            let (mut control, owner) = hosts.tls.control(None).unwrap();
            client.connect("one.example", &mut control)?;
            let (mut data, _) = hosts.tls.data(&owner, None, false).unwrap();
            client.connect("one.example", &mut data)?;
            assert_eq!(data.alpn_protocol(), control.alpn_protocol());
            Ok(control.alpn_protocol().map(<[u8]>::to_vec))
        };
        assert_eq!(connect(&[]), Ok(None));
        assert_eq!(connect(&["ftp"]), Ok(Some(b"ftp".to_vec())));
        assert_eq!(connect(&["x-other", "ftp"]), Ok(Some(b"ftp".to_vec())));
        assert_eq!(connect(&["http/1.1"]), Err(Error::NoApplicationProtocol));

        // The client is told so.
        let client = hosts.client(way).alpn(&["http/1.1"]);
        let (mut control, _) = hosts.tls.control(None).unwrap();
        let name = "one.example".try_into().unwrap();
        let config = std::sync::Arc::new(client.config);
        let mut connection = rustls::ClientConnection::new(config, name).unwrap();
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes).unwrap();
        let mut alert = Vec::new();
        serve(&mut control, &mut bytes, &mut alert, &[]).unwrap_err();
        connection.read_tls(&mut &alert[..]).unwrap();
        let told = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
        assert_eq!(connection.process_new_packets().unwrap_err(), told);
    }
}

#[test]
fn noise_is_no_greeting() {
    let hosts = Hosts::new();
    for noise in [&b"USER anonymous\r\n"[..], &[0; 64], &[0x16, 3, 1, 0xFF, 0xFF, 0, 0, 0]] {
        let (mut control, _) = hosts.tls.control(None).unwrap();
        serve(&mut control, &mut noise.to_vec(), &mut Vec::new(), &[]).unwrap_err();
    }
}
