//! Clients that are let in, or not, by the network that they come from.

use std::sync::Arc;
use std::time::Duration;

use wharf::{
    Account, Accounts, Attempt, Backend, Denial, ListenerRules, Memory, Networks, Permissions,
    PublicAddress, SimpleAccounts,
};

use crate::support::{Client, accounts_server, address, for_each_driver, server, tls_server};

for_each_driver!(
    a_network_that_is_denied_is_told_so,
    a_network_that_is_denied_takes_no_place,
    a_denied_client_of_implicit_tls_is_closed_at_once,
    an_account_for_another_network_is_as_a_wrong_password,
    pasv_names_the_public_address_to_clients_outside,
    each_listener_may_have_a_public_address,
);

const REFUSED: &str = "421 Connections from your address are not allowed.\r\n";

fn networks(text: &str) -> Networks {
    text.parse().unwrap()
}

fn a_network_that_is_denied_is_told_so(backend: Backend) {
    let refuse = |rules: ListenerRules| {
        let server = server(backend, Memory::new()).rules(rules).spawn().unwrap();
        let mut client = Client::dial(address(&server)).unwrap();
        assert_eq!(client.expect(421).text, REFUSED);
        client.expect_end();
    };
    refuse(ListenerRules::new().allow(networks("192.0.2.0/24")));
    refuse(ListenerRules::new().allow(networks("127.0.0.0/8")).deny(networks("127.0.0.1")));
    let server = server(backend, Memory::new()).allow(networks("127.0.0.0/8"));
    Client::visit(&server.deny(networks("127.0.0.2")).spawn().unwrap());
}

fn a_network_that_is_denied_takes_no_place(backend: Backend) {
    let free = || "127.0.0.1:0".parse().unwrap();
    let server = server(backend, Memory::new()).listen("127.0.0.1:0").listen("[::1]:0");
    let server = server.listener_rules(free(), ListenerRules::new().deny(networks("127.0.0.1")));
    let server = server.max_sessions(1).spawn().unwrap();
    let denied: Vec<_> = (0..100).map(|_| Client::dial(address(&server)).unwrap()).collect();
    // Each is told, though so many wait.
    for mut client in denied {
        assert_eq!(client.expect(421).text, REFUSED);
        client.expect_end();
    }
    let mut other = Client::dial(server.addresses()[1]).unwrap();
    other.expect(220);
    other.enter();
}

fn a_denied_client_of_implicit_tls_is_closed_at_once(backend: Backend) {
    let server = tls_server(backend, Memory::new()).listen_implicit("127.0.0.1:0");
    let server = server.deny(networks("127.0.0.1")).spawn().unwrap();
    Client::dial(server.implicit_addresses()[0]).unwrap().expect_end();
}

/// Accounts whose user `far` is for another network, and takes any password but `wrong`.
struct Far(SimpleAccounts);

impl Accounts for Far {
    fn login(&self, attempt: &Attempt<'_>) -> Result<Account, Denial> {
        let account = self.0.login(attempt)?;
        let is_far = attempt.user == b"far";
        Ok(if is_far { account.allow_from(networks("192.0.2.0/24")) } else { account })
    }
}

fn an_account_for_another_network_is_as_a_wrong_password(backend: Backend) {
    let accounts = SimpleAccounts::new(Arc::new(Memory::new()))
        .user("far", "right", Permissions::ALL)
        .user("near", "right", Permissions::ALL);
    let server = accounts_server(backend, Far(accounts)).login_delay(Duration::ZERO);
    let server = server.max_login_failures(4).spawn().unwrap();
    let mut client = Client::connect(&server);
    for (password, code) in [("right", 530), ("wrong", 530), ("right", 421)] {
        client.ask("USER far", 331);
        let reply = client.ask(&format!("PASS {password}"), code);
        let text = if code == 421 { "Too many failed logins." } else { "Authentication failed." };
        assert_eq!(reply.text, format!("{code} {text}\r\n"));
    }
    let mut client = Client::connect(&server);
    client.ask("USER near", 331);
    client.ask("PASS right", 230);
    // The address has failed as often as if each had been a wrong password.
    let mut client = Client::connect(&server);
    client.ask("USER far", 331);
    client.ask("PASS right", 530);
    Client::dial(address(&server)).unwrap().expect(421);
}

fn public(text: &str) -> PublicAddress {
    text.parse().unwrap()
}

/// Returns what PASV and EPSV answer, without the port.
fn passive(mut client: Client) -> String {
    client.expect(220);
    client.enter();
    assert!(client.ask("EPSV", 229).text.contains("(|||"));
    let reply = client.ask("PASV", 227).text;
    let numbers = reply.split_once('(').unwrap().1;
    numbers.splitn(5, ',').take(4).collect::<Vec<_>>().join(".")
}

fn pasv_names_the_public_address_to_clients_outside(backend: Backend) {
    let server = server(backend, Memory::new());
    let server = server.public_address(public("203.0.113.7,!127.0.0.2")).spawn().unwrap();
    assert_eq!(passive(Client::dial(address(&server)).unwrap()), "203.0.113.7");
    #[cfg(target_os = "linux")]
    {
        let inside = Client::dial_from([127, 0, 0, 2].into(), address(&server)).unwrap();
        assert_eq!(passive(inside), "127.0.0.1");
    }
}

#[cfg(not(target_os = "linux"))]
fn each_listener_may_have_a_public_address(_: Backend) {}

#[cfg(target_os = "linux")]
fn each_listener_may_have_a_public_address(backend: Backend) {
    let listeners = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        .map(|ip| std::net::TcpListener::bind((ip, 0)).expect("Linux has all of 127.0.0.0/8"));
    let at = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let mut server = server(backend, Memory::new()).public_address(public("203.0.113.7"));
    for listener in listeners {
        server = server.listener(listener);
    }
    let rules = |text| ListenerRules::new().public_address(public(text));
    let server = server.listener_rules(at[1], rules("203.0.113.8"));
    let _server = server.listener_rules(at[2], rules("localhost")).spawn().unwrap();
    for (at, named) in at.into_iter().zip(["203.0.113.7", "203.0.113.8", "127.0.0.1"]) {
        assert_eq!(passive(Client::dial(at).unwrap()), named);
    }
}
