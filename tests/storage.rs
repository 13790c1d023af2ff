//! A storage of an embedding program: the example, as a client meets it.

mod support;

#[path = "../examples/storage.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod example;

use std::collections::BTreeMap;
use std::sync::Arc;

use example::{Counted, Reports};
use support::Client;
use wharf::{Permissions, Server, Storage};

#[test]
fn the_example_does_what_it_says() {
    let storage = Arc::new(Counted::new(Reports(BTreeMap::from([("Oslo", 11), ("Lisbon", 16)]))));
    let boxed: Box<dyn Storage> = Box::new(Arc::clone(&storage));
    let server = Server::builder().storage(boxed).anonymous(Permissions::ALL).spawn().unwrap();
    let mut client = Client::log_in(&server);
    assert_eq!(client.get("NLST"), b"Lisbon.txt\r\nOslo.txt\r\n");
    assert_eq!(storage.downloads(), 0);
    assert_eq!(client.get("RETR Oslo.txt"), b"The harbour of Oslo is 11 m deep.\n");
    assert_eq!(storage.downloads(), 1);
    client.ask("CWD Oslo.txt", 550);
    client.ask("RETR Rome.txt", 550);
    client.ask("DELE Oslo.txt", 550);
    client.ask("MKD new", 550);
    // Refused before there is a data connection.
    client.ask("PASV", 227);
    client.ask("STOR new.txt", 550);
}
