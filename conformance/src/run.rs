//! Running the checks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::check::{Check, Context, Failure, Why};
use crate::cleanup;
use crate::journal::Note;
use crate::patience;
use crate::report::{Outcome, Report, Verdict};
use crate::requirements::requirements;
use crate::target::Target;

/// Runs a check.
pub fn run_one(target: &dyn Target, check: &Check) -> Outcome {
    run_in_context(target, check).0
}

/// Runs every check, this many at a time.
pub fn run(target: &dyn Target, at_a_time: usize) -> Report {
    let checks: Vec<_> = crate::all().collect();
    run_checks(target, &checks, at_a_time, &|_| {})
}

/// What other sessions would disturb, or what would disturb them: a passive port that has closed may
/// be another session's at once, and sessions are counted.
const ALONE: &[&str] = &["rfc1123.pasv-per-transfer", "rfc2577.per-ip", "rfc2577.port-stealing"];

/// Runs these checks, this many at a time, and shows each outcome as soon as it is known. Some are
/// run alone, after the others. When the server answers no more, what is left fails for that reason.
pub fn run_checks(
    target: &dyn Target,
    checks: &[Check],
    at_a_time: usize,
    show: &(dyn Fn(&Outcome) + Sync),
) -> Report {
    let outcomes = Mutex::new(vec![None; checks.len()]);
    let silence = Mutex::new(Silence::default());
    let work = |check: &Check| {
        let lock = || silence.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(since) = lock().since() {
            let why = format!("not run: the server answers nobody any more, since {since}");
            return Outcome::failed(check.id, why);
        }
        let (outcome, is_gone) = run_in_context(target, check);
        lock().note(check.id, is_gone);
        outcome
    };
    let is_alone = |&index: &usize| at_a_time > 1 && ALONE.contains(&checks[index].id);
    let (alone, together): (Vec<_>, Vec<_>) = (0..checks.len()).partition(is_alone);
    for (indices, at_a_time) in [(together, at_a_time.max(1)), (alone, 1)] {
        let next = AtomicUsize::new(0);
        let work_off = || {
            while let Some(&index) = indices.get(next.fetch_add(1, Ordering::Relaxed)) {
                let outcome = work(&checks[index]);
                show(&outcome);
                let mut outcomes = outcomes.lock().expect("nothing panics with the lock held");
                outcomes[index] = Some(outcome);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(work_off);
            }
        });
    }
    let outcomes = outcomes.into_inner().expect("all checks have ended");
    Report { outcomes: outcomes.into_iter().flatten().collect() }
}

/// Since which check no client was greeted.
#[derive(Default)]
struct Silence {
    since: Option<&'static str>,
    checks: u32,
}

impl Silence {
    fn note(&mut self, id: &'static str, is_gone: bool) {
        match is_gone {
            true => {
                self.since.get_or_insert(id);
                self.checks += 1;
            }
            false => *self = Self::default(),
        }
    }

    /// Once may be an accident.
    fn since(&self) -> Option<&'static str> {
        self.since.filter(|_| self.checks > 1)
    }
}

/// Runs a check. The second value is `true` if the server did not answer when it last connected.
fn run_in_context(target: &dyn Target, check: &Check) -> (Outcome, bool) {
    let mut context = Context::new(target, check.id);
    let result = catch_unwind(AssertUnwindSafe(|| (check.run)(&mut context)));
    let result = result.unwrap_or_else(|_| Err(Failure::new("the check itself is broken")));
    let (took_too_long, in_vain) = (patience::is_over(), patience::was_in_vain());
    let is_gone = result.is_err() && context.is_gone();
    let left =
        if target.cleans_up() { cleanup::remove_folder(&mut context, is_gone) } else { None };
    // The name is long, and says nothing.
    let brief = |text: &str| text.replace(context.name(), "FOLDER");
    let journal = context.journal();
    let mut notes: Vec<_> = journal.notes().iter().map(|note| note.map(brief)).collect();
    let verdict = match result {
        Ok(()) => match notes.first() {
            Some(Note::NotChecked(why)) if !context.has_connected() => {
                Verdict::Skipped(Why::NeedsOption, why.clone())
            }
            _ => Verdict::Passed,
        },
        Err(failure) => {
            let message = brief(&failure.to_string());
            match failure.skipped() {
                None if took_too_long && !in_vain => Verdict::Skipped(
                    Why::NeedsOption,
                    format!("more time, as every answer came but late (--timeout): {message}"),
                ),
                None if took_too_long => Verdict::Failed(Failure::new(format!(
                    "{message} (and the check as a whole took too long)"
                ))),
                skipped => verdict(target, check.id, skipped, message),
            }
        }
    };
    notes.extend(left);
    let dialogue = journal.lines().iter().map(|line| brief(line)).collect();
    (Outcome { id: check.id, verdict, notes, dialogue, varying: journal.hidden() }, is_gone)
}

/// What a server MUST have by RFC 959 and RFC 1123 it cannot leave out. The other documents are
/// extensions, none of which a server has to have (RFC 5797): their MUST is for those that have them.
/// Where the checks are strict neither that can be left out, nor what a server SHOULD have.
fn verdict(target: &dyn Target, id: &str, skipped: Option<Why>, message: String) -> Verdict {
    let row = requirements().iter().find(|row| row.id == id);
    let level = row.map(|row| row.level.as_str());
    let is_base = row.is_some_and(|row| ["RFC 959", "RFC 1123"].contains(&row.section.as_str()));
    let needed = match level {
        Some("MUST") => is_base || target.is_strict(),
        Some("SHOULD") => target.is_strict(),
        _ => false,
    };
    match skipped {
        None => Verdict::Failed(Failure::new(message)),
        Some(Why::NotOffered) if needed => {
            let level = level.unwrap_or_default();
            Verdict::Failed(Failure::new(format!("not offered, and a {level}: {message}")))
        }
        Some(why) => Verdict::Skipped(why, message),
    }
}
