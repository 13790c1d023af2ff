//! A sample: clients that do one thing over and over for a time, each on its own thread.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::control::Result;

/// What one call of a client has done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Done {
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
}

/// What a client does; one call is one latency.
pub(crate) type Load = Box<dyn FnMut() -> Result<Done> + Send>;

/// What all clients have done.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    pub(crate) done: Done,
    pub(crate) latencies: Latencies,
}

/// Runs all clients at once. Each goes on until the time is over, and then ends what it has begun;
/// the sample lasts until the last has ended. The first failure ends it.
pub(crate) fn sample(loads: &mut [Load], duration: Duration) -> Result<Sample> {
    let barrier = Barrier::new(loads.len() + 1);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let run = |load| run(load, duration, &barrier, &stop);
        let threads: Vec<_> = loads.iter_mut().map(|load| scope.spawn(move || run(load))).collect();
        barrier.wait();
        let begin = Instant::now();
        let ended: Vec<_> = threads.into_iter().map(|it| it.join().expect("no panic")).collect();
        let seconds = begin.elapsed().as_secs_f64();
        let (mut done, mut nanoseconds) = (Done::default(), Vec::new());
        for each in ended {
            let (its_done, its_nanoseconds) = each?;
            done.operations += its_done.operations;
            done.bytes += its_done.bytes;
            nanoseconds.extend(its_nanoseconds);
        }
        Ok(Sample { seconds, done, latencies: Latencies::new(nanoseconds) })
    })
}

fn run(
    load: &mut Load,
    duration: Duration,
    barrier: &Barrier,
    stop: &AtomicBool,
) -> Result<(Done, Vec<u64>)> {
    let mut done = Done::default();
    // More than there is time for; what is not used is never touched.
    let mut nanoseconds = Vec::with_capacity(1 << 18);
    barrier.wait();
    let mut now = Instant::now();
    let end = now + duration;
    while now < end && !stop.load(Ordering::Relaxed) {
        let Done { operations, bytes } =
            load().inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
        let after = Instant::now();
        nanoseconds.push((after - now).as_nanos() as u64);
        now = after;
        done.operations += operations;
        done.bytes += bytes;
    }
    Ok((done, nanoseconds))
}

/// How long each operation took, from the shortest to the longest.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<u64>);

impl Latencies {
    fn new(mut nanoseconds: Vec<u64>) -> Self {
        nanoseconds.sort_unstable();
        Self(nanoseconds)
    }

    /// Returns the least latency that so many percent of all operations do not exceed, in
    /// microseconds; `None` if there were no operations.
    pub(crate) fn percentile(&self, percent: u32) -> Option<f64> {
        let rank = (self.0.len() as u64 * u64::from(percent)).div_ceil(100);
        let at = (rank as usize).saturating_sub(1);
        self.0.get(at).map(|&nanoseconds| nanoseconds as f64 / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_latencies_that_occurred() {
        let of = |count: u64| Latencies::new((1..=count).rev().map(|it| it * 1000).collect());
        let all = |latencies: &Latencies| [50, 90, 99, 100].map(|it| latencies.percentile(it));
        assert_eq!(all(&of(0)), [None; 4]);
        assert_eq!(all(&of(1)), [Some(1.0); 4]);
        assert_eq!(all(&of(2)), [Some(1.0), Some(2.0), Some(2.0), Some(2.0)]);
        assert_eq!(all(&of(1000)), [Some(500.0), Some(900.0), Some(990.0), Some(1000.0)]);
        assert_eq!(all(&of(101)), [Some(51.0), Some(91.0), Some(100.0), Some(101.0)]);
    }

    #[test]
    fn adds_up_what_all_clients_do_and_stops_at_a_failure() {
        let load = |bytes| -> Load { Box::new(move || Ok(Done { operations: 2, bytes })) };
        let mut loads = [load(1), load(3)];
        let Sample { seconds, done, latencies } =
            sample(&mut loads, Duration::from_millis(5)).unwrap();
        assert!(seconds >= 0.005);
        assert_eq!(done.operations, latencies.0.len() as u64 * 2);
        assert!(done.bytes > done.operations / 2 && done.bytes < done.operations * 3 / 2);
        // The other client would go on for an hour.
        let mut loads = [load(1), Box::new(|| Err("no".to_owned()))];
        assert_eq!(sample(&mut loads, Duration::from_secs(3600)).unwrap_err(), "no");
    }
}
