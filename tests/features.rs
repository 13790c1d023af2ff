//! What was built in is offered, and nothing else: FEAT tells the truth in each build.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use wharf::{Backend, Memory, Permissions, Server};

/// Sends a command; returns the whole reply.
fn ask(client: &mut BufReader<TcpStream>, command: &str) -> String {
    client.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
    reply(client)
}

fn reply(client: &mut BufReader<TcpStream>) -> String {
    let mut text = String::new();
    loop {
        let begin = text.len();
        assert_ne!(client.read_line(&mut text).unwrap(), 0, "the end, after {text:?}");
        let line = &text.as_bytes()[begin..];
        if line.len() > 3 && line[..3].iter().all(u8::is_ascii_digit) && line[3] == b' ' {
            return text;
        }
    }
}

#[test]
fn what_was_left_out_is_not_offered() {
    for &backend in Backend::ALL {
        let files = Memory::new().with_file("/file", "content");
        let server = Server::builder().backend(backend).storage(files);
        let server = server.anonymous(Permissions::READ_ONLY).shutdown_timeout(Duration::ZERO);
        let server = server.spawn().unwrap();
        let stream = TcpStream::connect(server.addresses()[0]).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = BufReader::new(stream);
        assert!(reply(&mut client).starts_with("220"));
        assert!(ask(&mut client, "USER anonymous").starts_with("331"));
        assert!(ask(&mut client, "PASS me@example").starts_with("230"));

        let feat = ask(&mut client, "FEAT");
        assert!(feat.contains("\r\n MDTM\r\n"), "{feat}");
        // There is no certificate here, whether TLS was built in or not.
        assert!(!feat.contains("AUTH"), "{feat}");
        let (mode_z, digests) = (cfg!(feature = "mode-z"), cfg!(feature = "digests"));
        assert_eq!(feat.contains("MODE Z"), mode_z, "{feat}");
        for feature in ["HASH", "XCRC", "XMD5", "XSHA", "XSHA512"] {
            assert_eq!(feat.contains(feature), digests, "{feat}");
        }
        let help = ask(&mut client, "HELP");
        assert_eq!(help.contains("HASH"), digests, "{help}");

        assert_eq!(&ask(&mut client, "AUTH TLS")[..3], "431");
        assert_eq!(&ask(&mut client, "MODE Z")[..3], if mode_z { "200" } else { "504" });
        assert_eq!(&ask(&mut client, "HASH file")[..3], if digests { "213" } else { "502" });
        assert_eq!(&ask(&mut client, "QUIT")[..3], "221");
    }
}
