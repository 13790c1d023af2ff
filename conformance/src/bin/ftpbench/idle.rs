//! Sessions that do nothing: what they cost the server, and what others notice of them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use wharf_conformance::Tls;

use crate::bench::{Settings, measure, noop, small_retrieve};
use crate::client::log_in;
use crate::control::{Result, Server};
use crate::machine::{allow_open_files, memory_kib, open_files_of};
use crate::report::{Measured, Memory, Unit};
use crate::wire::Wire;

/// How many sessions are begun at a time.
const OPENERS: u32 = 32;
/// How many addresses the sessions come from.
const ADDRESSES: u32 = 200;
/// What this program has open besides.
const OTHER_FILES: u64 = 64;

/// Measures with so many idle sessions: NOOP, with the memory, and the RETR of a small file.
pub(crate) fn run(count: u32, server: &Server, settings: &Settings) -> Result<Vec<Measured>> {
    allow_open_files(u64::from(count) + OTHER_FILES)?;
    // Connected before, so that a server that is full lets them in.
    let mut noop = [noop(server)?];
    let mut retrieve = [small_retrieve(server, 0)?];
    let memory = || settings.pid.map(memory_kib).transpose();
    let before = memory()?;
    let sessions = open(count, server).map_err(|error| {
        let limit = settings.pid.and_then(open_files_of);
        let hint =
            limit.map(|limit| format!(" (the server may have {limit} files open: ulimit -n)"));
        error + &hint.unwrap_or_default()
    })?;
    let with = memory()?;
    let name = format!("idle-{count}");
    let noop = measure(&name, Unit::Operations, &mut noop, settings)?;
    let retr = measure(&format!("{name}-retr"), Unit::Operations, &mut retrieve, settings)?;
    drop(sessions);
    let memory = before.zip(with).map(|(before_kib, with_kib)| Memory {
        sessions: count,
        before_kib,
        with_kib,
        each_kib: (with_kib as f64 - before_kib as f64) / f64::from(count),
    });
    Ok(vec![Measured { memory, ..noop }, retr])
}

/// Begins so many sessions, several at a time, as some servers have a client wait.
fn open(count: u32, server: &Server) -> Result<Vec<Wire>> {
    let next = AtomicU32::new(0);
    let tls = server.tls.then(Tls::new);
    let open_some = || {
        let mut sessions = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(sessions);
            }
            tls.as_ref().inspect(|tls| tls.forget());
            let session = log_in(server, tls.as_ref(), address(server, number));
            let session = session.inspect_err(|_| next.store(count, Ordering::Relaxed));
            let said = |error| format!("session {} of {count}: {error}", number + 1);
            sessions.push(session.map_err(said)?.into_wire());
        }
    };
    thread::scope(|scope| {
        let openers: Vec<_> = (0..OPENERS.min(count)).map(|_| scope.spawn(open_some)).collect();
        let opened: Vec<Result<Vec<Wire>>> =
            openers.into_iter().map(|it| it.join().expect("no panic")).collect();
        let opened: Result<Vec<_>> = opened.into_iter().collect();
        Ok(opened?.into_iter().flatten().collect())
    })
}

/// Returns the address that a session comes from: on this machine one of several, so that neither
/// ports nor what a server allows an address are too few.
fn address(server: &Server, number: u32) -> Option<IpAddr> {
    let of = 2 + number % ADDRESSES;
    let is_here = server.address.is_ipv4() && server.address.ip().is_loopback();
    is_here.then(|| Ipv4Addr::new(127, 0, 0, of as u8).into())
}
