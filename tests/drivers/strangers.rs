//! Clients that do not log in keep no others out.

use std::net::IpAddr;

use wharf::{Backend, Memory, Server};

use crate::support::{Client, address, for_each_driver, server, wait_until};

for_each_driver!(
    the_silent_make_room,
    the_silent_of_an_address_make_room_for_its_own,
    who_logs_out_may_have_to_go,
);

fn come_from(server: &Server, last: u8) -> Client {
    let from = IpAddr::from([127, 0, 0, if cfg!(target_os = "linux") { last } else { 1 }]);
    let mut client = Client::dial_from(from, address(server)).unwrap();
    client.expect(220);
    client
}

fn the_silent_make_room(backend: Backend) {
    let server = server(backend, Memory::new()).max_sessions(6).spawn().unwrap();
    let mut inside = Client::log_in(&server);
    let mut silent: Vec<_> = (0..5).map(|number| come_from(&server, 2 + number % 4)).collect();
    // One has said who it is, but not shown it.
    silent[1].ask("USER anonymous", 331);
    let mut honest: Vec<_> = (0..5).map(|_| Client::log_in(&server)).collect();
    for client in &mut silent {
        client.expect(421);
        client.expect_end();
    }
    // Who is logged in stays, and then the server is full.
    let mut late = Client::dial(address(&server)).unwrap();
    late.expect(421);
    honest.iter_mut().chain([&mut inside]).for_each(|client| drop(client.ask("NOOP", 200)));
}

fn the_silent_of_an_address_make_room_for_its_own(backend: Backend) {
    let server = server(backend, Memory::new()).max_sessions_per_address(2).spawn().unwrap();
    let mut first = come_from(&server, 1);
    let mut second = come_from(&server, 1);
    let mut third = Client::log_in(&server);
    first.expect(421);
    first.expect_end();
    second.enter();
    let mut late = Client::dial(address(&server)).unwrap();
    late.expect(421);
    second.ask("NOOP", 200);
    third.ask("NOOP", 200);
}

fn who_logs_out_may_have_to_go(backend: Backend) {
    let server = server(backend, Memory::new()).max_sessions(1).spawn().unwrap();
    let mut first = Client::log_in(&server);
    first.ask("REIN", 220);
    let mut second = Client::log_in(&server);
    first.expect(421);
    first.expect_end();
    // USER anew is a logout too.
    second.ask("USER anonymous", 331);
    wait_until("there is room", || Client::try_log_in(&server).is_some());
    second.expect_hangup();
}
