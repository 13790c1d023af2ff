//! The scripted client, with answers of a test's own.

use wharf_core::testing::{Answers, ScriptedClient};
use wharf_core::{
    Denial, Grant, LoginMethod, Permissions, Plan, RequestId, SessionConfig, SiteCommand,
    SiteReply, StorageAnswer, StorageError, StorageRequest, TransferEnd,
};

/// Knows one user and one SITE command, and has no files.
#[derive(Default)]
struct Door {
    tried: Vec<Vec<u8>>,
    asked: Vec<u8>,
}

impl Answers for Door {
    fn login(&mut self, user: &[u8], method: &LoginMethod) -> Result<Grant, Denial> {
        self.tried.push(user.to_vec());
        match method {
            LoginMethod::Password(password)
                if user == b"anna" && password.as_bytes() == b"harbour" =>
            {
                Ok(Grant { rights: Permissions::READ_ONLY.into(), ..Grant::default() })
            }
            _ => Err(Denial::Refused),
        }
    }

    fn storage(&mut self, _: RequestId, _: &StorageRequest) -> Result<StorageAnswer, StorageError> {
        Err(StorageError::NotFound)
    }

    fn transfer(&mut self, plan: &Plan, _: &mut Vec<u8>) -> TransferEnd {
        panic!("nothing is there to be moved: {plan:?}")
    }

    fn release(&mut self, id: RequestId) {
        panic!("{id:?} was never opened")
    }

    fn site(&mut self, command: usize, argument: &[u8]) -> SiteReply {
        assert_eq!(command, 0);
        self.asked = argument.to_vec();
        SiteReply::new(250, "Noted.")
    }
}

#[test]
fn answers_decide_who_comes_in_and_what_is_there() {
    let command = SiteCommand { name: "NOTE".into(), syntax: "<text>".into() };
    let config = SessionConfig {
        site_commands: vec![command],
        login_delay: std::time::Duration::ZERO,
        ..SessionConfig::default()
    };
    let mut client = ScriptedClient::with_config(config, Door::default());
    assert_eq!(client.log_in("ben", "harbour"), 530);
    assert_eq!(client.log_in("anna", "harbour"), 230);
    assert_eq!(client.answers().tried, [&b"ben"[..], b"anna"]);
    assert_eq!(client.send("SITE NOTE high tide"), 250);
    assert_eq!(client.answers().asked, b"high tide");
    assert_eq!(client.send("SIZE a"), 550);
    assert_eq!(client.download("RETR a"), Err(550));
    assert_eq!(client.send("QUIT"), 221);
    assert!(client.harness().is_closed());
    assert_eq!(client.send("NOOP"), 0);
}
