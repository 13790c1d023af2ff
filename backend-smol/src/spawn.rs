//! Executors that sessions run on.

use std::future::Future;
use std::sync::Arc;

use smol::{Executor, LocalExecutor};

/// An executor, which runs one task for each session.
///
/// Implemented for smol's [`Executor`] and [`LocalExecutor`], for references to them, and for
/// [`Global`].
pub trait Spawn {
    /// Runs `session` to its end.
    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static);
}

/// The executor of [`smol::spawn`], which belongs to the whole program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Global;

impl Spawn for Global {
    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(session).detach();
    }
}

impl Spawn for Executor<'_> {
    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        Executor::spawn(self, session).detach();
    }
}

impl Spawn for LocalExecutor<'_> {
    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        LocalExecutor::spawn(self, session).detach();
    }
}

impl<E: Spawn + ?Sized> Spawn for &E {
    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        (**self).spawn(session);
    }
}

impl<E: Spawn + ?Sized> Spawn for Arc<E> {
    fn spawn(&self, session: impl Future<Output = ()> + Send + 'static) {
        (**self).spawn(session);
    }
}
