//! Servers of one backend, started in this process, for the checks to run against.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use wharf::{Backend, Directory, Permissions, Server, SiteReply};
use wharf_conformance::{Account, Credentials, Profile, Settings, Target};

/// The servers of one backend: started when a check first asks for them, stopped when dropped.
pub(crate) struct Servers {
    backend: Backend,
    running: OnceLock<Running>,
}

struct Running {
    // Dropped in this order: the folder goes when nobody uses it any more.
    standard: wharf::Handle,
    impatient: wharf::Handle,
    _folder: Folder,
}

impl Servers {
    /// Prepares them; nothing is started yet.
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, running: OnceLock::new() }
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| {
            let folder = Folder::new(self.backend.name());
            let file = File::create(folder.0.join("large")).expect("a file in a new folder");
            file.set_len((4 << 30) + 1_000_000).expect("a sparse file of 4 GiB");
            Running {
                standard: start(self.backend, &folder.0, &Settings::default(), has_ipv6()),
                impatient: start(self.backend, &folder.0, &Settings::impatient(), false),
                _folder: folder,
            }
        })
    }
}

impl Target for Servers {
    fn address(&self, profile: Profile) -> Option<SocketAddr> {
        let running = self.running();
        match profile {
            Profile::Standard => running.standard.addresses().first().copied(),
            Profile::Ipv6 => running.standard.addresses().get(1).copied(),
            Profile::Impatient => running.impatient.addresses().first().copied(),
        }
    }

    fn settings(&self, profile: Profile) -> Settings {
        let settings = match profile {
            Profile::Standard | Profile::Ipv6 => Settings::default(),
            Profile::Impatient => Settings::impatient(),
        };
        Settings { newline_as_nul: true, site_echo: Some("ECHO".to_owned()), ..settings }
    }

    fn credentials(&self, account: Account) -> Option<Credentials> {
        let (user, password) = match account {
            Account::Full => ("user", "password"),
            Account::Anonymous => ("anonymous", "guest@example.org"),
            Account::Powerless => ("powerless", "password"),
        };
        Some(Credentials { user: user.to_owned(), password: password.to_owned() })
    }

    fn large_file(&self) -> Option<String> {
        Some("/large".to_owned())
    }
}

fn start(backend: Backend, folder: &Path, settings: &Settings, ipv6: bool) -> wharf::Handle {
    let mut builder = Server::builder()
        .listen("127.0.0.1:0")
        .backend(backend)
        .storage(Directory::open(folder).expect("the folder was just made"))
        .anonymous(Permissions::READ_ONLY)
        .user("user", "password", Permissions::ALL)
        .user("powerless", "password", Permissions::NONE)
        .site_command("ECHO", "<text>", |argument: &[u8]| SiteReply {
            code: 200,
            text: argument.to_vec(),
        })
        .idle_timeout(settings.idle_timeout)
        .login_timeout(settings.login_timeout)
        .data_timeout(settings.data_timeout)
        .login_delay(settings.login_delay)
        .login_attempts(settings.login_attempts)
        .atomic_uploads(settings.atomic_uploads)
        .max_sessions(1000)
        .max_sessions_per_address(1000)
        .shutdown_grace(Duration::from_secs(1));
    if ipv6 {
        builder = builder.listen("[::1]:0");
    }
    builder.spawn().expect("the server starts")
}

fn has_ipv6() -> bool {
    TcpListener::bind("[::1]:0").is_ok()
}

/// A new folder, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{name}-{}-{count}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("a folder among cargo's temporary ones");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
