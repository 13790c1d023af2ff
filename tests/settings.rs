//! Settings that make no sense are told by name before anything starts.

mod support;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use wharf::{
    Backend, ListBounds, ListenerRules, Memory, Permissions, Resumption, Server, ServerBuilder,
    SimpleAccounts, SiteReply, StartError, TlsRequired, UploadEnd,
};

type Make = fn() -> ServerBuilder;

/// What can be started as it is.
fn good() -> ServerBuilder {
    support::server(Backend::default(), Memory::new())
}

fn accounts() -> SimpleAccounts {
    SimpleAccounts::new(std::sync::Arc::new(Memory::new())).anonymous(Permissions::ALL)
}

fn with_accounts() -> ServerBuilder {
    Server::builder().accounts(accounts())
}

#[test]
fn what_is_right_starts() {
    let right: &[Make] = &[
        good,
        with_accounts,
        || {
            good()
                .host("a.example", accounts())
                .host("b.example.", accounts())
                .host("c", accounts())
        },
        || good().user("anna", "secret", Permissions::ALL).user("Anna", "", Permissions::ALL),
        || support::server(Backend::default(), Memory::new()).max_login_failures(0),
        || good().login_delay(Duration::ZERO).shutdown_timeout(Duration::ZERO),
    ];
    for (number, make) in right.iter().enumerate() {
        let built = make().build();
        assert!(built.is_ok(), "{number}: {built:?}");
    }
}

#[test]
fn what_makes_no_sense_is_told_by_name() {
    let wrong: &[(&str, Make)] = &[
        ("max_sessions(0): at least 1", || good().max_sessions(0)),
        ("max_sessions_per_address(0): at least 1", || good().max_sessions_per_address(0)),
        ("max_login_attempts(0): at least 1", || good().max_login_attempts(0)),
        ("logins_at_once(0): at least 1", || good().logins_at_once(0)),
        ("storage_threads(0): at least 1", || good().storage_threads(0)),
        ("max_stuck_calls(0): at least 1", || good().max_stuck_calls(0)),
        ("max_transfer_memory(65535): at least 65536 bytes", || good().max_transfer_memory(65535)),
        ("idle_timeout(0ns): a time longer than zero", || good().idle_timeout(Duration::ZERO)),
        ("login_timeout(0ns): a time longer than zero", || good().login_timeout(Duration::ZERO)),
        ("data_timeout(0ns): a time longer than zero", || good().data_timeout(Duration::ZERO)),
        ("login_cool_down(0ns): a time longer", || good().login_cool_down(Duration::ZERO)),
        ("list_bounds.time(0ns): a time longer than zero", || {
            good().list_bounds(ListBounds { time: Duration::ZERO, ..ListBounds::default() })
        }),
        ("list_utc_offset_minutes(1440): less than a day", || good().list_utc_offset_minutes(1440)),
        ("list_utc_offset_minutes(-32768)", || good().list_utc_offset_minutes(i16::MIN)),
        ("listener_rules(127.0.0.1:9): no listener", || {
            good().listener_rules(([127, 0, 0, 1], 9).into(), ListenerRules::new())
        }),
        ("public_address(0.0.0.0): an address", || good().public_address(Ipv4Addr::UNSPECIFIED)),
        ("storage: there is nothing to serve", Server::builder),
        ("anonymous: no client could log in", || Server::builder().storage(Memory::new())),
        ("storage: it has no effect besides `accounts`", || with_accounts().storage(Memory::new())),
        ("anonymous: it has no effect besides `accounts`", || {
            with_accounts().anonymous(Permissions::ALL)
        }),
        ("user: it has no effect besides `accounts`", || {
            with_accounts().user("anna", "secret", Permissions::ALL)
        }),
        ("user(\"\"): a name", || good().user("", "secret", Permissions::ALL)),
        ("user(\"anna\"): the name is given twice", || {
            let server = good().user("anna", "secret", Permissions::ALL);
            server.user("anna", "other", Permissions::READ_ONLY)
        }),
        ("user(\"FTP\"): `anonymous` lets", || good().user("FTP", "secret", Permissions::ALL)),
        ("user(\"anonymous\"): `anonymous` lets", || {
            good().user("anonymous", "secret", Permissions::ALL)
        }),
        ("host(\"\"): a host name", || good().host("", accounts())),
        ("host(\"a b\"): a host name", || good().host("a b", accounts())),
        ("host(\"-a.example\"): a host name", || good().host("-a.example", accounts())),
        ("host(\"a..example\"): a host name", || good().host("a..example", accounts())),
        ("host(\"files.example\"): the name is given twice", || {
            good().host("files.example", accounts()).host("FILES.example.", accounts())
        }),
        ("site_command(\"TWO WORDS\"): one word", || good().site_command("two words", "", answer)),
        ("site_command(\"\"): one word", || good().site_command("", "", answer)),
        ("site_command(\"HELP\"): there is", || good().site_command("help", "", answer)),
        ("site_command(\"QUOTA\"): there is", || {
            good().site_command("QUOTA", "", answer).site_command("quota", "", answer)
        }),
        ("tls_required: it needs a certificate", || good().tls_required(TlsRequired::Login)),
        ("tls_resumption: it needs a certificate", || good().tls_resumption(Resumption::Require)),
        ("tls_upload_end: it needs a certificate", || good().tls_upload_end(UploadEnd::Lenient)),
        ("allow_ccc: it needs a certificate", || good().allow_ccc(true)),
        ("listen_implicit: implicit TLS", || good().listen_implicit("127.0.0.1:0")),
        ("listen(\"nonsense\"): an address and a port", || good().listen("nonsense")),
        ("listen_implicit(\"x\"): an address and a port", || good().listen_implicit("x")),
        ("listen(127.0.0.1:2121): the address is given twice", || {
            good().listen("127.0.0.1:2121").listen("127.0.0.1:2121")
        }),
    ];
    for &(text, make) in wrong {
        let error = make().build().unwrap_err();
        assert!(matches!(error, StartError::Setting { .. }) && error.is_mistake(), "{error:?}");
        assert!(error.to_string().starts_with(text), "{text:?} is wanted: {error}");
        let error = io::Error::from(make().spawn().unwrap_err());
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().starts_with(text), "{text:?} is wanted: {error}");
    }
}

fn answer(_: &wharf::SiteRequest) -> SiteReply {
    SiteReply { code: 200, text: Vec::new() }
}

#[test]
fn the_first_mistake_is_told_before_an_address_is_opened() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = good().listen(address).max_sessions(0).bind().unwrap_err();
    assert!(error.to_string().starts_with("max_sessions(0)"), "{error}");
}

#[test]
fn a_failure_of_the_system_is_no_mistake() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = good().listen(address).spawn().unwrap_err();
    assert!(matches!(error, StartError::Listen { .. }) && !error.is_mistake(), "{error:?}");
    assert!(error.to_string().starts_with(&format!("cannot listen on {address}: ")), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::AddrInUse);
}
