//! Standard output and standard error, each written by a thread of its own, so that a slow reader
//! delays nothing else.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// How many bytes wait to be written, at most.
const MOST_WAITING: usize = 1 << 20;

/// How many bytes are written at once.
const MOST_AT_ONCE: usize = 64 * 1024;

/// How long after a reminder was set it is due.
const PULSE: Duration = Duration::from_secs(10);

/// What the program prints for its user.
pub(crate) static STDOUT: Output = Output::new(Stream::Output);

/// The log, and why the program ends.
pub(crate) static STDERR: Output = Output::new(Stream::Error);

#[derive(Clone, Copy, Debug)]
enum Stream {
    Output,
    Error,
}

/// A stream, and the text that waits to be written to it.
pub(crate) struct Output {
    stream: Stream,
    queue: Mutex<Queue>,
    /// There is something to write.
    filled: Condvar,
    /// All has been written.
    emptied: Condvar,
}

struct Queue {
    pieces: VecDeque<Vec<u8>>,
    bytes: usize,
    /// How many pieces were dropped, as there was no room.
    dropped: u64,
    /// When the writing thread calls `say` again.
    reminder: Option<Instant>,
    writing: bool,
    has_thread: bool,
}

impl Output {
    const fn new(stream: Stream) -> Self {
        let queue = Queue {
            pieces: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            reminder: None,
            writing: false,
            has_thread: false,
        };
        let (filled, emptied) = (Condvar::new(), Condvar::new());
        Self { stream, queue: Mutex::new(queue), filled, emptied }
    }

    /// Queues a piece of text, such as a line. Where too much waits, it is dropped and counted.
    /// Never waits for a reader.
    pub(crate) fn push(&self, piece: &[u8]) {
        let mut queue = self.lock();
        if queue.bytes.saturating_add(piece.len()) > MOST_WAITING {
            queue.dropped += 1;
            // As soon as something has been written.
            queue.reminder = Some(Instant::now());
            return;
        }
        queue.bytes += piece.len();
        queue.pieces.push_back(piece.to_vec());
        drop(queue);
        self.filled.notify_one();
    }

    /// Has the writing thread call `say` after a while.
    pub(crate) fn remind(&self) {
        let mut queue = self.lock();
        if queue.reminder.is_none() {
            queue.reminder = Some(Instant::now() + PULSE);
            drop(queue);
            self.filled.notify_one();
        }
    }

    /// Returns how many pieces were dropped since the last call.
    pub(crate) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.lock().dropped)
    }

    /// Starts the thread that writes. Until then, what is pushed waits.
    ///
    /// That thread calls `say` after a reminder, and when it can write again after some pieces had
    /// to be dropped.
    pub(crate) fn start(&'static self, say: fn()) -> io::Result<()> {
        if std::mem::replace(&mut self.lock().has_thread, true) {
            return Ok(());
        }
        let thread = thread::Builder::new().name("wharf-output".into());
        let started = thread.spawn(move || self.work(say));
        self.lock().has_thread = started.is_ok();
        started.map(drop)
    }

    /// Waits until all has been written, for `bound` at most; without one, however long it takes.
    pub(crate) fn finish(&'static self, bound: Option<Duration>) {
        // Without a thread, write it here.
        if self.start(|| ()).is_err() {
            let batch = self.take(&mut self.lock());
            if self.is_ready(bound) {
                self.write(&batch);
            }
            return;
        }
        let end = bound.map(|bound| Instant::now() + bound);
        let mut queue = self.lock();
        while queue.writing || !queue.pieces.is_empty() {
            queue = match end {
                None => self.emptied.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(end) => {
                    let left = end.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    let waited = self.emptied.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn work(&self, say: fn()) {
        loop {
            let mut queue = self.wait();
            let batch = self.take(&mut queue);
            let is_reminded = queue.reminder.is_some_and(|due| due <= Instant::now());
            if is_reminded {
                queue.reminder = None;
            }
            drop(queue);
            self.write(&batch);
            if is_reminded {
                say();
            }
        }
    }

    /// Waits until there is something to write, or a reminder is due.
    fn wait(&self) -> MutexGuard<'_, Queue> {
        let mut queue = self.lock();
        queue.writing = false;
        while queue.pieces.is_empty() {
            self.emptied.notify_all();
            queue = match queue.reminder {
                None => self.filled.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(due) => {
                    let left = due.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    let waited = self.filled.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        queue.writing = true;
        queue
    }

    /// Takes what is to be written next.
    fn take(&self, queue: &mut Queue) -> Vec<u8> {
        let mut batch = Vec::new();
        while let Some(piece) = queue.pieces.pop_front() {
            queue.bytes -= piece.len();
            batch.extend_from_slice(&piece);
            if batch.len() >= MOST_AT_ONCE {
                break;
            }
        }
        batch
    }

    /// Writes all of it, however long the reader takes. That there is no reader any more is no
    /// error.
    fn write(&self, mut batch: &[u8]) {
        while !batch.is_empty() {
            match self.with_stream(|stream| rustix::io::write(stream, batch)) {
                Ok(count) => batch = &batch[count..],
                Err(Errno::INTR) => {}
                // Another program that shares the terminal or pipe has made it non-blocking.
                Err(Errno::AGAIN) => {
                    self.is_ready(Some(PULSE));
                }
                Err(_) => return,
            }
        }
    }

    /// Waits until something can be written; returns `false` if that takes longer.
    fn is_ready(&self, bound: Option<Duration>) -> bool {
        let bound = bound.and_then(|bound| Timespec::try_from(bound).ok());
        self.with_stream(|stream| {
            poll(&mut [PollFd::new(&stream, PollFlags::OUT)], bound.as_ref()) == Ok(1)
        })
    }

    fn with_stream<T>(&self, use_it: impl FnOnce(BorrowedFd<'_>) -> T) -> T {
        match self.stream {
            Stream::Output => use_it(io::stdout().as_fd()),
            Stream::Error => use_it(io::stderr().as_fd()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
