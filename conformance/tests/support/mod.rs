//! Servers of one driver, started in this process, for the checks to run against.

mod accounts;

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use accounts::{HOSTED, PASSWORD, People, TLS_ONLY, hosted};
use wharf::{
    Certificate, Driver, Resumption, Server, ServerBuilder, SiteReply, SiteRequest, Tls,
    TlsRequired,
};
use wharf_conformance::{Account, Credentials, Profile, Settings, Target, VirtualHost};

/// The name of the virtual host.
const HOST: &str = "files.example";

/// The servers of one driver: started when a check first asks for them, stopped when dropped.
pub(crate) struct Servers {
    name: &'static str,
    driver: Driver,
    running: OnceLock<Running>,
}

struct Running {
    // Dropped in this order: the folder goes when nothing uses it any more.
    standard: wharf::Server,
    impatient: wharf::Server,
    strict: wharf::Server,
    ccc: wharf::Server,
    clear: wharf::Server,
    crowded: wharf::Server,
    _hosted: Folder,
    _folder: Folder,
}

impl Servers {
    /// Prepares them; nothing is started yet.
    pub(crate) fn new(name: &'static str, driver: Driver) -> Self {
        Self { name, driver, running: OnceLock::new() }
    }

    fn running(&self) -> &Running {
        self.running.get_or_init(|| {
            let folder = Folder::new(self.name);
            let file = File::create(folder.0.join("large")).expect("a file in a new folder");
            file.set_len((4 << 30) + 1_000_000).expect("a sparse file of 4 GiB");
            let hosted = Folder::new(&format!("{}-{HOST}", self.name));
            let server = |settings: &Settings| builder(&folder.0, settings);
            let start =
                |builder: ServerBuilder| builder.run_with(self.driver).expect("the server starts");
            let (settings, strict) = (Settings::default(), Settings::strict());
            Running {
                standard: start(standard(server(&settings), &hosted.0)),
                impatient: start(server(&Settings::impatient())),
                strict: start(server(&strict).tls(tls())),
                ccc: start(server(&settings).tls(tls()).allow_ccc(true)),
                clear: start(server(&Settings::clear())),
                crowded: start(server(&Settings::crowded())),
                _hosted: hosted,
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
            Profile::Implicit => running.standard.implicit_addresses().first().copied(),
            Profile::Strict => running.strict.addresses().first().copied(),
            Profile::Ccc => running.ccc.addresses().first().copied(),
            Profile::Clear => running.clear.addresses().first().copied(),
            Profile::Crowded => running.crowded.addresses().first().copied(),
        }
    }

    fn settings(&self, profile: Profile) -> Settings {
        let settings = match profile {
            Profile::Standard | Profile::Ipv6 | Profile::Implicit => {
                Settings { host: Some(virtual_host()), ..Settings::default() }
            }
            Profile::Impatient => Settings { tls: false, ..Settings::impatient() },
            Profile::Strict => Settings::strict(),
            Profile::Ccc => Settings::default(),
            Profile::Clear => Settings::clear(),
            Profile::Crowded => Settings::crowded(),
        };
        Settings { newline_as_nul: true, site_echo: Some("ECHO".to_owned()), ..settings }
    }

    fn credentials(&self, account: Account) -> Option<Credentials> {
        Some(match account {
            Account::Full => credentials("user", PASSWORD),
            Account::Anonymous => credentials("anonymous", "guest@example.org"),
            Account::Powerless => credentials("powerless", PASSWORD),
            Account::TlsOnly => credentials(TLS_ONLY, PASSWORD),
        })
    }

    fn large_file(&self) -> Option<String> {
        Some("/large".to_owned())
    }
}

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.to_owned(), password: password.to_owned() }
}

fn virtual_host() -> VirtualHost {
    VirtualHost { name: HOST.to_owned(), credentials: credentials(HOSTED, PASSWORD) }
}

/// How wharf is started is known.
const KNOWN: &str = "a server of ours has all settings";

/// Returns what all servers have in common.
fn builder(folder: &Path, settings: &Settings) -> ServerBuilder {
    let mut builder = Server::builder();
    if settings.tls_required {
        builder = builder.tls_required(TlsRequired::All);
    }
    if settings.resumption_required == Some(true) {
        builder = builder.tls_resumption(Resumption::Require);
    }
    let [sessions, per_address] = settings.sessions.unwrap_or([1000, 1000]);
    builder
        .listen("127.0.0.1:0")
        .accounts(People::new(folder))
        .site_command("ECHO", "<text>", |request: &SiteRequest| SiteReply {
            code: 200,
            text: request.argument.clone(),
        })
        .idle_timeout(settings.idle_timeout.expect(KNOWN))
        .login_timeout(settings.login_timeout.expect(KNOWN))
        .data_timeout(settings.data_timeout.expect(KNOWN))
        .login_delay(settings.login_delay.expect(KNOWN))
        .max_login_attempts(settings.login_attempts.expect(KNOWN))
        .atomic_uploads(settings.atomic_uploads.expect(KNOWN))
        .max_sessions(sessions)
        .max_sessions_per_address(per_address)
        .shutdown_timeout(Duration::from_secs(1))
}

/// Adds what the server of the standard profile has beyond that.
fn standard(builder: ServerBuilder, hosted_folder: &Path) -> ServerBuilder {
    let builder = builder.tls(tls().host(HOST, certificate(HOST)));
    let builder = builder.host(HOST, hosted(hosted_folder)).listen_implicit("127.0.0.1:0");
    if has_ipv6() { builder.listen("[::1]:0") } else { builder }
}

fn tls() -> Tls {
    Tls::new(certificate("localhost")).expect("the provider has what TLS needs")
}

fn certificate(name: &str) -> Certificate {
    Certificate::self_signed(&[name]).expect("a certificate for a host's name")
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
