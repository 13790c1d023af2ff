//! A server of one thread whose replies are ready: no server can answer with less.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::bulk::TIMEOUT;
use crate::bench::{SMALL, load};
use crate::control::{Result, Server, words};
use crate::machine::{Meter, Usage, pin, thread_seconds};
use crate::report::{Measured, Unit};
use crate::sample::sample;
use crate::workload::Workload;

pub(super) fn noop(name: &str, time: Duration) -> Result<Measured> {
    measure(name, Workload::Noop, time)
}

pub(super) fn noop_pipelined(name: &str, time: Duration) -> Result<Measured> {
    measure(name, Workload::NoopPipelined, time)
}

pub(super) fn login(name: &str, time: Duration) -> Result<Measured> {
    measure(name, Workload::Login(1), time)
}

pub(super) fn small_retrieve(name: &str, time: Duration) -> Result<Measured> {
    measure(name, Workload::SmallRetr(1), time)
}

/// Measures where server and client share one processor.
pub(super) fn on_one_cpu(measure: impl FnOnce() -> Result<Measured> + Send) -> Result<Measured> {
    // What a thread starts stays where it does.
    let pinned = || {
        pin(0)?;
        measure()
    };
    thread::scope(|scope| scope.spawn(pinned).join().expect("no panic"))
}

/// Carries out a workload of one client against the canned server.
fn measure(name: &str, workload: Workload, time: Duration) -> Result<Measured> {
    let canned = Canned::bind().map_err(|error| words(&error))?;
    let address = canned.control.local_addr().map_err(|error| words(&error))?;
    let server = Server {
        address,
        user: "user".to_owned(),
        password: "password".to_owned(),
        tls: false,
        timeout: TIMEOUT,
    };
    let meter = Meter::start(None)?;
    let stop = AtomicBool::new(false);
    let (sample, used) = thread::scope(|scope| {
        let serving = scope.spawn(|| canned.serve(&stop));
        let sample = load(workload, 0, &server, SMALL).and_then(|load| sample(&mut [load], time));
        stop.store(true, Ordering::Relaxed);
        // It waits for a client, and looks then whether it shall stop.
        drop(TcpStream::connect(address));
        (sample, serving.join().expect("no panic"))
    });
    let (sample, used) = (sample?, used.map_err(|error| words(&error))?);
    let usage = meter.stop()?;
    let usage = Usage { server: Some(used), own: (usage.own - used).max(0.0), ..usage };
    Ok(Measured::new(name.to_owned(), 1, Unit::Operations, &sample, usage))
}

/// The server: one client after another, and one passive port for all transfers.
struct Canned {
    control: TcpListener,
    data: TcpListener,
    small: Vec<u8>,
    passive: String,
}

impl Canned {
    fn bind() -> io::Result<Self> {
        let data = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let passive = format!("229 Passive (|||{}|)\r\n", data.local_addr()?.port());
        let control = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self { control, data, small: vec![b's'; SMALL as usize], passive })
    }

    /// Serves until it shall stop; returns the processor time that it took.
    fn serve(&self, stop: &AtomicBool) -> io::Result<f64> {
        loop {
            let (socket, _) = self.control.accept()?;
            if stop.load(Ordering::Relaxed) {
                return Ok(thread_seconds());
            }
            socket.set_read_timeout(Some(TIMEOUT))?;
            socket.set_nodelay(true)?;
            self.converse(socket)?;
        }
    }

    fn converse(&self, mut socket: TcpStream) -> io::Result<()> {
        socket.write_all(b"220 Welcome\r\n")?;
        let (mut lines, mut length) = (vec![0; 4096], 0);
        let mut replies = Vec::with_capacity(4096);
        loop {
            let count = socket.read(&mut lines[length..])?;
            if count == 0 {
                return Ok(());
            }
            length += count;
            let mut begin = 0;
            while let Some(at) = lines[begin..length].iter().position(|&byte| byte == b'\n') {
                self.answer(&lines[begin..begin + at], &mut replies, &mut socket)?;
                begin += at + 1;
            }
            lines.copy_within(begin..length, 0);
            length -= begin;
            socket.write_all(&replies)?;
            replies.clear();
        }
    }

    fn answer(&self, line: &[u8], replies: &mut Vec<u8>, socket: &mut TcpStream) -> io::Result<()> {
        let reply: &[u8] = match line.get(..4).unwrap_or_default() {
            b"NOOP" | b"TYPE" => b"200 Done\r\n",
            b"USER" => b"331 Password\r\n",
            b"PASS" => b"230 Welcome\r\n",
            b"CWD " => b"250 Done\r\n",
            b"QUIT" => b"221 Goodbye\r\n",
            b"EPSV" => self.passive.as_bytes(),
            b"RETR" => {
                replies.extend(b"150 Here it comes\r\n");
                socket.write_all(replies)?;
                replies.clear();
                self.data.accept()?.0.write_all(&self.small)?;
                b"226 Done\r\n"
            }
            _ => b"500 What?\r\n",
        };
        replies.extend(reply);
        Ok(())
    }
}
