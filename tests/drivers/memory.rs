//! The memory that all transfers together may take: who stands still does not take it all, and what
//! there is no room for is told so.

use std::io::Write;
use std::time::Duration;

use wharf::{Backend, Directory, Memory, Server};

use crate::support::{Client, for_each_driver, noise, server, wait_until};

for_each_driver!(
    compressors_that_stand_still_leave_room_for_others,
    an_upload_without_room_leaves_nothing_behind,
);

const MIB: u64 = 1 << 20;

/// Retrieves a file that is more than all buffers hold, and reads nothing; 450 or 150 is told.
fn stand_still(server: &Server) -> (Client, std::net::TcpStream, u16) {
    let mut client = Client::log_in(server);
    client.ask("MODE Z", 200);
    let data = client.narrow_passive();
    client.ask("RETR large", 150);
    // The next reply is 450, or STAT's.
    client.send("STAT");
    let code = client.reply().unwrap().code;
    (client, data, code)
}

fn compressors_that_stand_still_leave_room_for_others(backend: Backend) {
    let memory = Memory::new().with_file("large", noise(16 << 20)).with_file("small", "small");
    let server = server(backend, memory)
        .max_transfer_memory(2 * MIB)
        .data_timeout(Duration::from_secs(3))
        .spawn()
        .unwrap();
    let mut stuck = Vec::new();
    let mut refused = loop {
        let (client, data, code) = stand_still(&server);
        match code {
            450 => break client,
            _ => stuck.push((client, data)),
        }
        assert!(stuck.len() < 10);
    };
    assert!(!stuck.is_empty());
    refused.expect(211);
    // Others, and the same client without compression, are served.
    refused.ask("MODE S", 200);
    assert_eq!(refused.get("RETR small"), b"small");
    let mut other = Client::log_in(&server);
    other.put("STOR new", &noise(300_000));
    assert_eq!(other.get("RETR new"), noise(300_000));
    // Who stands still is ended in time, and then there is room.
    for (client, _) in &mut stuck {
        client.expect(426);
    }
    other.ask("MODE Z", 200);
    wait_until("there is room", || {
        other.passive();
        other.send("NLST");
        other.expect(150);
        other.reply().unwrap().code == 226
    });
}

fn an_upload_without_room_leaves_nothing_behind(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("old"), "old").unwrap();
    let server = server(backend, Directory::open(folder.path()).unwrap())
        // As much as one upload of TYPE A takes.
        .max_transfer_memory(64 << 10)
        .spawn()
        .unwrap();
    let mut first = Client::log_in(&server);
    first.ask("TYPE A", 200);
    let mut data = first.begin("STOR first");
    data.write_all(b"some").unwrap();
    let mut second = Client::log_in(&server);
    for command in ["STOR new", "STOR old", "RETR old", "MLSD"] {
        let _data = second.passive();
        second.ask(command, 150);
        second.expect(450);
    }
    second.ask("SIZE new", 550);
    assert_eq!(std::fs::read(folder.path().join("old")).unwrap(), b"old");
    drop(data);
    first.expect(226);
    wait_until("there is room", || {
        let _data = second.passive();
        second.ask("NLST", 150);
        second.reply().unwrap().code == 226
    });
    assert_eq!(second.get("NLST"), b"first\r\nold\r\n");
    second.put("STOR new", b"new");
}
