//! What is found, as JSON and as a table.

use std::fmt::Write as _;

use serde::Serialize;

use crate::machine::Usage;
use crate::sample::{Latencies, Sample};

/// What others may take of one processor without a remark in the table.
const NOTED: f64 = 0.1;

/// All that a run has found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) schema: u32,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) banner: Option<String>,
    pub(crate) results: Vec<Measured>,
    pub(crate) failed: Vec<Failed>,
}

/// A workload that could not be carried out.
#[derive(Debug, Serialize)]
pub(crate) struct Failed {
    pub(crate) workload: String,
    pub(crate) error: String,
}

/// What a workload gave.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) workload: String,
    pub(crate) clients: u32,
    pub(crate) seconds: f64,
    pub(crate) operations: u64,
    pub(crate) bytes: u64,
    pub(crate) rate: f64,
    pub(crate) unit: &'static str,
    pub(crate) cpu: Option<Cpu>,
    pub(crate) latency_us: Option<LatencyUs>,
    pub(crate) client_cpu_seconds: f64,
    pub(crate) memory: Option<Memory>,
    pub(crate) load: Others,
}

/// The server's processor time.
#[derive(Debug, Serialize)]
pub(crate) struct Cpu {
    pub(crate) seconds: f64,
    pub(crate) per: &'static str,
    pub(crate) each: f64,
}

/// How long operations took, in microseconds.
#[derive(Debug, Serialize)]
pub(crate) struct LatencyUs {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

/// The memory of the server's processes (PSS), without and with idle sessions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) sessions: u32,
    pub(crate) before_kib: u64,
    pub(crate) with_kib: u64,
    pub(crate) each_kib: f64,
}

/// What else ran on the machine.
#[derive(Debug, Serialize)]
pub(crate) struct Others {
    pub(crate) others_cpu_seconds: f64,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    /// Bytes of files, in MiB.
    Bytes,
    /// Operations.
    Operations,
    /// Entries of a directory, so many in each operation.
    Entries(u32),
}

impl Measured {
    /// Puts a result together.
    pub(crate) fn new(
        workload: String,
        clients: u32,
        unit: Unit,
        sample: &Sample,
        usage: Usage,
    ) -> Self {
        let Sample { seconds, done, latencies } = sample;
        let (amount, name) = match unit {
            Unit::Bytes => (done.bytes as f64 / f64::from(1 << 20), "MiB/s"),
            Unit::Operations => (done.operations as f64, "1/s"),
            Unit::Entries(count) => (done.operations as f64 * f64::from(count), "entries/s"),
        };
        let (per, amounts) = match unit {
            Unit::Bytes => ("GiB", amount / 1024.0),
            Unit::Operations | Unit::Entries(_) => ("operation", done.operations as f64),
        };
        Self {
            workload,
            clients,
            seconds: *seconds,
            operations: done.operations,
            bytes: done.bytes,
            rate: amount / seconds,
            unit: name,
            cpu: usage.server.map(|seconds| Cpu { seconds, per, each: seconds / amounts }),
            latency_us: LatencyUs::of(latencies),
            client_cpu_seconds: usage.own,
            memory: None,
            load: Others { others_cpu_seconds: usage.others },
        }
    }

    /// Describes it in a line.
    fn line(&self) -> String {
        let mut line = format!("{:<20} {:>12.1} {:<9}", self.workload, self.rate, self.unit);
        match &self.cpu {
            Some(cpu) if cpu.per == "GiB" => _ = write!(line, " {:>9.3} s/GiB", cpu.each),
            Some(cpu) => _ = write!(line, " {:>9.1} us   ", cpu.each * 1e6),
            None => _ = write!(line, " {:>9}      ", "-"),
        }
        if let Some(LatencyUs { p50, p90, p99, max }) = &self.latency_us {
            _ = write!(line, " {p50:>11.1} {p90:>11.1} {p99:>11.1} {max:>11.1}");
        }
        if let Some(memory) = &self.memory {
            _ = write!(line, "  {:.1} KiB a session", memory.each_kib);
        }
        let others = self.load.others_cpu_seconds;
        if others > self.seconds * NOTED {
            _ = write!(line, "  (others took {others:.2} s of {:.2})", self.seconds);
        }
        line
    }
}

impl LatencyUs {
    fn of(latencies: &Latencies) -> Option<Self> {
        let [p50, p90, p99, max] = [50, 90, 99, 100].map(|percent| latencies.percentile(percent));
        Some(Self { p50: p50?, p90: p90?, p99: p99?, max: max? })
    }
}

impl Report {
    /// Returns it as JSON.
    pub(crate) fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and texts") + "\n"
    }

    /// Returns it as a table for people.
    pub(crate) fn table(&self) -> String {
        let mut text = self.banner.as_ref().map(|banner| format!("{banner}\n")).unwrap_or_default();
        _ = writeln!(
            text,
            "{:<20} {:>22} {:>15} {:>11} {:>11} {:>11} {:>11}",
            "workload", "rate", "server CPU", "p50 us", "p90 us", "p99 us", "max us"
        );
        for result in &self.results {
            _ = writeln!(text, "{}", result.line());
        }
        for Failed { workload, error } in &self.failed {
            _ = writeln!(text, "{workload:<20} failed: {error}");
        }
        text
    }
}
