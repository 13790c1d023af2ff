//! What Session wants, carried out.

use wharf_core::{
    Action, DataEnd, DigestEnd, Event, Now, Plan, RequestId, StorageError, StorageRequest,
    TransferEnd, VirtualPath,
};

use super::Connection;
use super::data::Order;
use super::end::Life;
use super::job::{Job, no_site_reply};
use crate::server::site::SiteRequest;
use crate::transfer::digest::{DigestStep, Digesting};
use crate::transfer::files::{Files, OpenFile};

impl Connection {
    /// Carries out what Session wants; returns `true` if there was anything.
    pub(super) fn act(&mut self, now: Now) -> bool {
        let mut acted = false;
        while !self.data.was_replaced()
            && let Some(action) = self.session.poll()
        {
            acted = true;
            self.carry_out(action, now);
        }
        acted
    }

    fn carry_out(&mut self, action: Action, now: Now) {
        match action {
            Action::StartTls { host } => self.start_tls(host, now),
            Action::EndTls => self.control.end_tls(),
            Action::ProtectData { id, tickets } => {
                if !self.protect_data(id, tickets) {
                    self.session.handle(Event::DataProtected { id, proof: None }, now);
                }
            }
            Action::Authenticate { id, user, method, host } => {
                self.authenticate(id, user, method, host);
            }
            Action::Logout => self.log_out(),
            Action::Notice(notice) => self.tell(*notice),
            Action::Vacate => {
                self.permit.vacate();
                if let Some(account) = &mut self.account {
                    account.permit = None;
                }
            }
            Action::Storage { id, request } => self.call_storage(id, request, now),
            Action::Release(id) => {
                let file = self.files.take(id);
                let drop = |file| Job::drop_unless(file, OpenFile::closes_at_once);
                self.jobs.extend(file.and_then(drop));
            }
            Action::Site { id, command, argument, user, directory } => {
                match self.site_request(argument, user, directory) {
                    Some(request) => self.call_site(id, command, request, now),
                    None => self.session.handle(Event::Site { id, reply: no_site_reply() }, now),
                }
            }
            Action::Listen { id } => {
                let port = if self.take_descriptors() {
                    let ports = &self.service.passive_ports;
                    self.data.listen(id, self.peer.ip(), self.local, ports)
                } else {
                    None
                };
                self.session.handle(Event::Listening { id, port }, now);
            }
            Action::AcceptData => self.data.accept_offered(),
            Action::RefuseData => self.data.refuse_offered(),
            Action::Connect { id, to } => {
                if !self.take_descriptors() || !self.data.connect(id, self.local, to) {
                    self.session.handle(Event::Connected { id, established: false }, now);
                }
            }
            Action::CloseData(DataEnd::Plain) => self.data.close(&mut self.jobs),
            Action::CloseData(DataEnd::Refused) => self.data.refuse(&mut self.jobs, false),
            Action::CloseData(DataEnd::Announced) => self.data.refuse(&mut self.jobs, true),
            Action::Transfer { id, plan, mode, rate } => {
                let opens =
                    matches!(&plan, Plan::List { format, .. } if format.opens_directories());
                let account = self.account.as_ref().filter(|_| opens);
                let storage = account.map(|account| account.storage.clone());
                self.transfer(id, Order { plan, mode, rate, storage }, now);
            }
            Action::StopTransfer => self.data.stop(),
            Action::CheckControl { id } => {
                let (control, _, mut cx) = self.parts(now);
                control.check(&mut cx);
                cx.handle(Event::ControlChecked { id });
            }
            Action::Digest { id, file, algorithm, start, end } => {
                self.digest = match self.files.take(file) {
                    Some(OpenFile::Read(file)) => Digesting::begin(id, file, algorithm, start..end),
                    _ => None,
                };
                if self.digest.is_none() {
                    let end = DigestEnd::Storage(StorageError::Other);
                    self.session.handle(Event::DigestEnded { id, end }, now);
                }
            }
            Action::StopDigest => {
                if let Some(digest) = &mut self.digest {
                    digest.stop();
                }
            }
            Action::Close => {
                self.close(if self.control.is_broken() {
                    Life::Over
                } else {
                    Life::LingeringClose(self.lingering_until(now))
                });
            }
        }
    }

    /// Makes a storage call: at once where it waits for nothing, else where it may block.
    fn call_storage(&mut self, id: RequestId, request: StorageRequest, now: Now) {
        if Files::are_opened_by(&request) && !self.take_descriptors() {
            let outcome = Err(StorageError::Busy);
            return self.session.handle(Event::Storage { id, outcome }, now);
        }
        let Some(account) = &self.account else {
            let outcome = Err(StorageError::PermissionDenied);
            return self.session.handle(Event::Storage { id, outcome }, now);
        };
        if let Some(storage) = &self.at_once
            && self.files.can_be_at_once(&request)
        {
            let takes_file = Files::used_by(&request).is_some();
            let call = self.files.call(storage.clone(), id, request.clone());
            let done = Job::storage(call).run();
            // A file that was taken is not there any more.
            if takes_file || !done.would_block() {
                return self.take_outcome(done);
            }
        }
        let call = self.files.call(account.storage.clone(), id, request);
        self.jobs.push_back(Job::storage(call));
    }

    /// Returns what the handler of a SITE command is asked; `None` without an account.
    fn site_request(
        &self,
        argument: Vec<u8>,
        user: Vec<u8>,
        directory: VirtualPath,
    ) -> Option<SiteRequest> {
        let account = self.account.as_ref()?;
        Some(SiteRequest {
            argument,
            user,
            peer: self.peer.ip(),
            directory,
            rights: account.grant.rights.clone(),
            storage: account.storage.clone(),
        })
    }

    fn call_site(&mut self, id: RequestId, command: usize, request: SiteRequest, now: Now) {
        match self.service.site_handlers.get(command).cloned() {
            Some(handler) => self.jobs.push_back(Job::site(id, move || handler(&request))),
            None => self.session.handle(Event::Site { id, reply: no_site_reply() }, now),
        }
    }

    fn transfer(&mut self, id: RequestId, order: Order, now: Now) {
        // A file that is written is finished under its id; all others just go.
        let read = order.plan.dropped();
        let (_, data, mut cx) = self.parts(now);
        let Err(end) = data.start(id, order, &mut cx) else { return };
        if end == TransferEnd::NoMemory {
            wharf_storage::log_limited!(Warn, "transfers take all the memory they may");
        }
        self.data.refuse(&mut self.jobs, true);
        self.jobs.extend(read.and_then(|file| self.files.take(file)).map(Job::drop));
        self.session.handle(Event::TransferEnded { id, bytes: 0, end }, now);
    }

    /// Goes on with the digest, if there is one; returns `true` if anything happened.
    pub(super) fn advance_digest(&mut self, now: Now) -> bool {
        let Some(digest) = &mut self.digest else { return false };
        match digest.step() {
            DigestStep::Waiting => return false,
            DigestStep::Read(reading) => self.jobs.push_back(Job::digest(reading)),
            DigestStep::Ended(end, file) => {
                let id = digest.id();
                self.digest = None;
                self.jobs.push_back(Job::drop(file));
                self.session.handle(Event::DigestEnded { id, end }, now);
            }
        }
        true
    }
}
