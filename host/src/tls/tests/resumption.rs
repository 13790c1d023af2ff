//! Which data connections resume, and what they prove.

use std::io::{Read, Write};
use std::sync::Arc;

use rustls::server::{ProducesTickets, StoresServerSessions};
use rustls::{ClientConnection, HandshakeKind};
use wharf_core::{DataProof, Resumption};

use super::super::notes::Notes;
use super::super::session::{Gate, Role, TlsSessions};
use super::super::{Certificate, Owner, ServerConnection, Tls};
use super::{Client, Way, serve};

const NAME: &str = "ftp.example";
const OTHER_NAME: &str = "other.example";

fn server() -> (Tls, Certificate) {
    let certificate = Certificate::self_signed(&[NAME, OTHER_NAME]).unwrap();
    (Tls::new(certificate.clone()).unwrap(), certificate)
}

/// Makes a control connection, which must not resume.
fn control(tls: &Tls, client: &Client) -> Owner {
    let (mut server, owner) = tls.control(None).unwrap();
    let mut connection = client.connect(NAME, &mut server).unwrap();
    assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full));
    exchange(&mut connection, &mut server);
    owner
}

fn data(tls: &Tls, owner: &Owner, client: &Client, tickets: bool) -> DataProof {
    data_at(NAME, tls, owner, client, tickets)
}

fn data_at(name: &str, tls: &Tls, owner: &Owner, client: &Client, tickets: bool) -> DataProof {
    let (mut server, origin) = tls.data(owner, None, tickets).unwrap();
    let mut connection = client.connect(name, &mut server).unwrap();
    exchange(&mut connection, &mut server);
    let proof = origin.proof(&server);
    let resumed = server.handshake_kind() == Some(HandshakeKind::Resumed);
    assert_eq!(resumed, proof == DataProof::Resumed);
    proof
}

fn exchange(client: &mut ClientConnection, server: &mut ServerConnection) {
    let (mut there, mut back, mut buffer) = (Vec::new(), Vec::new(), [0; 4]);
    client.writer().write_all(b"ping").unwrap();
    client.write_tls(&mut there).unwrap();
    let came = serve(server, &mut there, &mut back, b"pong").unwrap();
    assert_eq!(came, b"ping");
    client.read_tls(&mut &back[..]).unwrap();
    client.process_new_packets().unwrap();
    client.reader().read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"pong");
}

#[test]
fn data_connections_resume_their_control_connection() {
    for way in Way::ALL {
        let (tls, certificate) = server();
        let client = Client::new(way, &[&certificate]);
        let owner = control(&tls, &client);
        for _ in 0..4 {
            assert_eq!(data(&tls, &owner, &client, true), DataProof::Resumed, "{way:?}");
            assert_eq!(data(&tls, &owner, &client, false), DataProof::Resumed, "{way:?}");
        }
    }
}

#[test]
fn new_tickets_go_on_for_ever() {
    for way in Way::ALL {
        let (tls, certificate) = server();
        let client = Client::new(way, &[&certificate]);
        let owner = control(&tls, &client);
        for _ in 0..50 {
            assert_eq!(data(&tls, &owner, &client, true), DataProof::Resumed, "{way:?}");
        }
    }
}

#[test]
fn a_client_without_a_session_is_fresh() {
    for way in Way::ALL {
        let (tls, certificate) = server();
        let owner = control(&tls, &Client::new(way, &[&certificate]));
        let stranger = Client::new(way, &[&certificate]);
        // Nor does it come by one so.
        for _ in 0..3 {
            assert_eq!(data(&tls, &owner, &stranger, true), DataProof::Fresh, "{way:?}");
            assert_eq!(stranger.tickets(), 0);
        }
    }
}

#[test]
fn the_session_of_another_control_connection_is_foreign() {
    for way in Way::ALL {
        let (tls, certificate) = server();
        let (ann, ben) = (Client::new(way, &[&certificate]), Client::new(way, &[&certificate]));
        let (of_ann, of_ben) = (control(&tls, &ann), control(&tls, &ben));
        assert_eq!(data(&tls, &of_ben, &ann, true), DataProof::Foreign, "{way:?}");
        assert_eq!(data(&tls, &of_ben, &ben, true), DataProof::Resumed, "{way:?}");
        assert_eq!(data(&tls, &of_ann, &ben, true), DataProof::Foreign, "{way:?}");
        // A second control connection of the same client is another one, too.
        let again = control(&tls, &ann);
        assert_eq!(data(&tls, &again, &ann, true), DataProof::Resumed, "{way:?}");
        assert_eq!(data(&tls, &of_ann, &ann, true), DataProof::Foreign, "{way:?}");
    }
}

#[test]
fn a_session_of_another_server_is_fresh() {
    for way in Way::ALL {
        let ((tls, certificate), (other_tls, other)) = (server(), server());
        let client = Client::new(way, &[&certificate, &other]);
        let owner = control(&tls, &Client::new(way, &[&certificate]));
        control(&other_tls, &client);
        assert_eq!(data(&tls, &owner, &client, true), DataProof::Fresh, "{way:?}");
    }
}

#[test]
fn control_connections_never_resume() {
    for way in Way::ALL {
        let (tls, certificate) = server();
        let client = Client::new(way, &[&certificate]);
        // That it is a full handshake is looked at there.
        let owners = [control(&tls, &client), control(&tls, &client), control(&tls, &client)];
        assert_eq!(data(&tls, &owners[2], &client, true), DataProof::Resumed, "{way:?}");
    }
}

/// A ticket goes over the wire in the clear. An attacker that repeats it under another name, so that it
/// cannot be resumed, must not get new ones for it.
#[test]
fn a_session_that_cannot_be_resumed_brings_none() {
    for way in Way::ALL {
        let (tls, certificate) = server();
        let client = Client::new(way, &[&certificate]);
        let owner = control(&tls, &client);
        client.tickets();
        for _ in 0..3 {
            let proof = data_at(OTHER_NAME, &tls, &owner, &client, true);
            assert_eq!((proof, client.tickets()), (DataProof::Fresh, 0), "{way:?}");
        }
    }
}

#[test]
fn nothing_is_resumed_when_that_is_off() {
    for way in Way::ALL {
        let (tls, certificate) = server();
        let tls = tls.resumption(Resumption::Off);
        let client = Client::new(way, &[&certificate]);
        let owner = control(&tls, &client);
        assert_eq!(data(&tls, &owner, &client, true), DataProof::Fresh, "{way:?}");
        assert_eq!(data(&tls, &owner, &client, true), DataProof::Fresh, "{way:?}");
        assert_eq!(client.tickets(), 0);
    }
}

#[test]
fn tickets_come_where_they_are_read() {
    let (tls, certificate) = server();
    let client = Client::new(Way::Tls13, &[&certificate]);
    let owner = control(&tls, &client);
    assert_eq!(client.tickets(), 12);
    data(&tls, &owner, &client, true);
    assert_eq!(client.tickets(), 2);
    data(&tls, &owner, &client, false);
    assert_eq!(client.tickets(), 0);
}

#[test]
fn nothing_is_proven_before_the_handshake_ends() {
    let (tls, certificate) = server();
    let client = Client::new(Way::Tls12Ticket, &[&certificate]);
    let owner = control(&tls, &client);
    let (mut server, origin) = tls.data(&owner, None, true).unwrap();
    let config = Arc::new(client.config.clone());
    let mut connection = ClientConnection::new(config, NAME.try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    serve(&mut server, &mut hello, &mut Vec::new(), &[]).unwrap();
    assert_eq!(server.handshake_kind(), Some(HandshakeKind::Resumed));
    assert_eq!(origin.proof(&server), DataProof::Fresh);
}

fn gate(sessions: &TlsSessions, mark: u8, role: Role) -> Gate {
    Gate { sessions: sessions.clone(), mark: [mark; 16], role, notes: Arc::new(Notes::default()) }
}

#[test]
fn gates_keep_sessions_apart() {
    let sessions = TlsSessions::new();
    let control = gate(&sessions, 1, Role::Control);
    let (own, other) = (gate(&sessions, 1, Role::Data), gate(&sessions, 2, Role::Data));
    let ticket = control.encrypt(b"secrets").unwrap();
    assert_eq!(own.decrypt(&ticket).as_deref(), Some(&b"secrets"[..]));
    assert_eq!(other.decrypt(&ticket), None);
    assert_eq!(control.decrypt(&ticket), None);

    assert!(control.put(b"id".to_vec(), b"secrets".to_vec()));
    assert_eq!(own.get(b"id").as_deref(), Some(&b"secrets"[..]));
    // Others can neither see nor remove it.
    assert_eq!((other.get(b"id"), other.take(b"id"), control.take(b"id")), (None, None, None));
    assert_eq!(own.take(b"id").as_deref(), Some(&b"secrets"[..]));
    assert_eq!(own.take(b"id"), None);
}

#[test]
fn gates_bear_any_bytes() {
    let sessions = TlsSessions::new();
    let own = gate(&sessions, 1, Role::Data);
    let ticket = gate(&sessions, 1, Role::Control).encrypt(b"").unwrap();
    assert_eq!(own.decrypt(&ticket).as_deref(), Some(&b""[..]));
    for length in 0..ticket.len() {
        assert_eq!(own.decrypt(&ticket[..length]), None);
        let mut bent = ticket.clone();
        bent[length] ^= 1;
        assert_eq!(own.decrypt(&bent), None);
    }
    assert_eq!(own.encrypt(&[0; 1 << 20]), None);
    assert!(!own.put(b"long".to_vec(), vec![0; 1 << 20]));
}
