//! Bytes of a file, to a socket and from one: what RETR and STOR must do at least.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::pipe::{SpliceFlags, fcntl_setpipe_size, pipe};

use crate::client::CHUNK;
use crate::control::{Result, words};
use crate::machine::{Meter, Usage, thread_seconds};
use crate::report::{Measured, Unit};
use crate::sample::{Done, Latencies, Sample};
use crate::wire::connect;

/// The size of the file.
pub(super) const FILE: u64 = 128 << 20;
/// No operation takes longer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// sendfile from a file in memory, `most` bytes a call.
pub(super) fn sendfile(name: &str, streams: u32, most: u64, time: Duration) -> Result<Measured> {
    let file = full_file().map_err(|error| words(&error))?;
    let send = |socket: TcpStream, end: Instant| {
        let mut total = 0;
        loop {
            let mut offset = 0;
            while offset < FILE {
                let left = (FILE - offset).min(most) as usize;
                total += rustix::fs::sendfile(&socket, &file, Some(&mut offset), left)? as u64;
            }
            if Instant::now() >= end {
                return Ok(total);
            }
        }
    };
    flow(name, streams, time, send, |socket, _| read(socket, |_| Ok(())))
}

/// read(2) and write(2) into a file in memory.
pub(super) fn receive(name: &str, streams: u32, time: Duration) -> Result<Measured> {
    let receive = |socket: TcpStream, _: Instant| {
        let (mut file, mut length) = (file()?, 0);
        read(socket, |bytes| {
            length += bytes.len() as u64;
            begin_anew(&mut file, &mut length)?;
            file.write_all(bytes)
        })
    };
    flow(name, streams, time, receive, write)
}

/// splice(2) through a pipe into a file in memory.
pub(super) fn splice(name: &str, streams: u32, time: Duration) -> Result<Measured> {
    let receive = |socket: TcpStream, _: Instant| {
        let (mut file, mut length, mut total) = (file()?, 0, 0);
        let (from, to): (OwnedFd, OwnedFd) = pipe()?;
        fcntl_setpipe_size(&to, 1 << 20)?;
        let flags = SpliceFlags::MOVE;
        loop {
            let count = rustix::pipe::splice(&socket, None, &to, None, 1 << 20, flags)?;
            if count == 0 {
                return Ok(total);
            }
            total += count as u64;
            length += count as u64;
            begin_anew(&mut file, &mut length)?;
            let mut left = count;
            while left > 0 {
                left -= rustix::pipe::splice(&from, None, &file, None, left, flags)?;
            }
        }
    };
    flow(name, streams, time, receive, write)
}

/// Runs both sides of so many connections, and measures them. Both return how many bytes passed.
pub(super) fn flow(
    name: &str,
    streams: u32,
    time: Duration,
    server: impl Fn(TcpStream, Instant) -> io::Result<u64> + Sync,
    client: impl Fn(TcpStream, Instant) -> io::Result<u64> + Sync,
) -> Result<Measured> {
    let failed = |error: io::Error| words(&error);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let meter = Meter::start(None)?;
    let begin = Instant::now();
    let end = begin + time;
    let (server, client) = (&server, &client);
    let serve = move |socket| {
        let before = thread_seconds();
        server(socket, end).map(|bytes| (bytes, thread_seconds() - before))
    };
    let (bytes, used) = thread::scope(|scope| {
        let mut both = Vec::new();
        for _ in 0..streams {
            let near = connect(address, None, TIMEOUT)?;
            let (far, _) = listener.accept()?;
            far.set_read_timeout(Some(TIMEOUT))?;
            far.set_write_timeout(Some(TIMEOUT))?;
            both.push((scope.spawn(move || serve(far)), scope.spawn(move || client(near, end))));
        }
        let mut sums = (0, 0.0);
        for (server, client) in both {
            let (bytes, used) = server.join().expect("no panic")?;
            if client.join().expect("no panic")? != bytes {
                return Err(io::Error::other("not all bytes have arrived"));
            }
            sums = (sums.0 + bytes, sums.1 + used);
        }
        Ok(sums)
    })
    .map_err(failed)?;
    let seconds = begin.elapsed().as_secs_f64();
    let done = Done { operations: u64::from(streams), bytes };
    let sample = Sample { seconds, done, latencies: Latencies::default() };
    let usage = meter.stop()?;
    let usage = Usage { server: Some(used), own: (usage.own - used).max(0.0), ..usage };
    Ok(Measured::new(name.to_owned(), streams, Unit::Bytes, &sample, usage))
}

fn file() -> io::Result<File> {
    Ok(memfd_create("ftpbench", MemfdFlags::CLOEXEC)?.into())
}

fn full_file() -> io::Result<File> {
    let mut file = file()?;
    let chunk = vec![b'f'; CHUNK];
    for _ in 0..FILE / CHUNK as u64 {
        file.write_all(&chunk)?;
    }
    Ok(file)
}

/// Empties a file that has become too long, as a new upload would.
fn begin_anew(file: &mut File, length: &mut u64) -> io::Result<()> {
    if *length > FILE {
        *length = 0;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
    }
    Ok(())
}

/// Reads until the end; `see` is given what comes.
pub(super) fn read(
    mut from: impl Read,
    mut see: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut total = 0;
    loop {
        let count = from.read(&mut chunk)?;
        if count == 0 {
            return Ok(total);
        }
        see(&chunk[..count])?;
        total += count as u64;
    }
}

/// Writes until the time is over, and says so.
fn write(mut to: TcpStream, end: Instant) -> io::Result<u64> {
    let total = write_until(&mut to, end)?;
    to.shutdown(Shutdown::Write)?;
    Ok(total)
}

/// Writes until the time is over.
pub(super) fn write_until(mut to: impl Write, end: Instant) -> io::Result<u64> {
    let chunk = vec![b'f'; CHUNK];
    let mut total = 0;
    loop {
        to.write_all(&chunk)?;
        total += CHUNK as u64;
        if Instant::now() >= end {
            return Ok(total);
        }
    }
}
