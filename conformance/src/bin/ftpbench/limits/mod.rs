//! What the machine can do at most: the same work over loopback TCP without an FTP server.

mod bulk;
mod canned;
mod folder;
mod protected;

use std::time::Duration;

use crate::control::Result;
use crate::report::Measured;

/// Measures a limit, for this long.
type Limit = fn(&str, Duration) -> Result<Measured>;

/// All of them by name.
pub(crate) const ALL: [(&str, Limit); 19] = [
    ("limit-sendfile-1", |name, time| bulk::sendfile(name, 1, bulk::FILE, time)),
    ("limit-sendfile-4", |name, time| bulk::sendfile(name, 4, bulk::FILE, time)),
    ("limit-sendfile-48k-1", |name, time| bulk::sendfile(name, 1, 48 << 10, time)),
    ("limit-sendfile-48k-4", |name, time| bulk::sendfile(name, 4, 48 << 10, time)),
    ("limit-receive-1", |name, time| bulk::receive(name, 1, time)),
    ("limit-receive-4", |name, time| bulk::receive(name, 4, time)),
    ("limit-splice-1", |name, time| bulk::splice(name, 1, time)),
    ("limit-splice-4", |name, time| bulk::splice(name, 4, time)),
    ("limit-tls-send-1", |name, time| protected::send(name, 1, time)),
    ("limit-tls-send-4", |name, time| protected::send(name, 4, time)),
    ("limit-tls-receive-1", |name, time| protected::receive(name, 1, time)),
    ("limit-tls-receive-4", |name, time| protected::receive(name, 4, time)),
    ("limit-noop-one-cpu", |name, time| canned::on_one_cpu(|| canned::noop(name, time))),
    ("limit-noop", canned::noop),
    ("limit-noop-pipelined", canned::noop_pipelined),
    ("limit-login-1", canned::login),
    ("limit-small-retr-1", canned::small_retrieve),
    ("limit-small-retr-1-one-cpu", |name, time| {
        canned::on_one_cpu(|| canned::small_retrieve(name, time))
    }),
    ("limit-list-10000", folder::list),
];
