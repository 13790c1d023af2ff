//! The table of commands: a row for each, and all that holds for it in its columns.

use alloc::string::String;
use alloc::vec::Vec;

use crate::config::SessionConfig;
use crate::digest::DigestAlgorithm;
use crate::permissions::Permissions;
use crate::session::Session;

use super::Argument::{None, Optional, Required};
use super::Feature::{Line, Made, Name, Where};
use super::{Argument, Begins, Feature, Offer, Run, Spec, Timing, TlsRule};

/// What FEAT says besides the commands' own lines.
pub(crate) const FEATURES: [&str; 2] = ["TVFS", "UTF8"];

/// All commands, in alphabetical order.
pub(crate) static COMMANDS: &[Spec] = &[
    user("ABOR", None, "", |s, _| s.abor()).timing(Timing::Aborts),
    open("ACCT", Required, "<account>", |s, _| s.acct()),
    open("ADAT", Optional, "<base64>", |s, _| s.adat()),
    user("ALLO", Required, "<size> [R <record-size>]", |s, c| s.allo(c.argument)),
    user("APPE", Required, "<path>", |s, c| s.appe(c.argument))
        .may(Permissions::APPEND)
        .transfers(),
    open("AUTH", Required, "TLS|TLS-C|SSL", |s, c| s.auth(c.argument, c.now))
        .barrier()
        .feat(Where(|config| config.tls.is_some(), "AUTH TLS")),
    user("AVBL", Optional, "[<path>]", |s, c| s.avbl(c.argument))
        .may(Permissions::CREATE)
        .feat(Name),
    open("CCC", None, "", |s, _| s.ccc())
        .barrier()
        .feat(Where(|config| config.tls.is_some_and(|tls| tls.allow_ccc), "CCC")),
    user("CDUP", None, "", |s, _| s.cdup()).may(Permissions::CHANGE_DIRECTORY),
    open("CLNT", Required, "<name>", |s, c| s.clnt(c.argument)).feat(Name),
    open("CONF", Optional, "<base64>", |s, _| s.wrapped()),
    open("CSID", Required, "Name=<name>; Version=<version>;", |s, c| s.csid(c.argument)).feat(Name),
    user("CWD", Required, "<path>", |s, c| s.cwd(c.argument)).may(Permissions::CHANGE_DIRECTORY),
    user("DELE", Required, "<path>", |s, c| s.dele(c.argument)).may(Permissions::DELETE),
    open("ENC", Optional, "<base64>", |s, _| s.wrapped()),
    user("EPRT", Required, "|<family>|<address>|<port>|", |s, c| s.eprt(c.argument)).feat(Name),
    user("EPSV", Optional, "[1|2|ALL]", |s, c| s.epsv(c.argument)).feat(Name),
    open("FEAT", None, "", |s, _| s.feat()),
    user("HASH", Required, "<path>", |s, c| s.hash(c.argument))
        .digests()
        .feat(Made(Session::hash_feature)),
    open("HELP", Optional, "[<command>]", |s, c| s.help(c.argument)),
    open("HOST", Required, "<name>", |s, c| s.choose_host(c.argument))
        .feat(Where(|config| !config.hosts.is_empty(), "HOST")),
    open("LANG", Optional, "[<language-tag>]", |s, c| s.lang(c.argument))
        .feat(Made(Session::lang_feature)),
    user("LIST", Optional, "[-<options>] [<path>]", |s, c| s.list(c.argument, c.now))
        .may(Permissions::LIST)
        .transfers(),
    user("MDTM", Required, "<path>", |s, c| s.mdtm(c.argument)).may(Permissions::LIST).feat(Name),
    user("MFF", Required, "<fact>=<value>;... <path>", |s, c| s.mff(c.argument))
        .feat(Line("MFF Modify;UNIX.mode;")),
    user("MFMT", Required, "<YYYYMMDDHHMMSS> <path>", |s, c| s.mfmt(c.argument))
        .may(Permissions::SET_TIME)
        .feat(Name),
    open("MIC", Optional, "<base64>", |s, _| s.wrapped()),
    user("MKD", Required, "<path>", |s, c| s.mkd(c.argument)).may(Permissions::MAKE_DIRECTORY),
    user("MLSD", Optional, "[<path>]", |s, c| s.mlsd(c.argument, c.now))
        .may(Permissions::LIST)
        .transfers(),
    user("MLST", Optional, "[<path>]", |s, c| s.mlst(c.argument))
        .may(Permissions::LIST)
        .feat(Made(Session::mlst_feature)),
    user("MODE", Required, "", |s, c| s.set_mode(c.argument))
        .syntax_by(|config| if config.mode_z { "S | Z".into() } else { "S".into() })
        .feat(Where(|config| config.mode_z, "MODE Z")),
    user("NLST", Optional, "[<path>]", |s, c| s.nlst(c.argument, c.now))
        .may(Permissions::LIST)
        .transfers(),
    open("NOOP", None, "", |s, _| s.noop()).timing(Timing::Overtakes),
    open("OPTS", Required, "", |s, c| s.opts(c.argument)).syntax_by(opts_syntax),
    open("PASS", Optional, "<password>", |s, c| s.pass(c.argument)),
    user("PASV", None, "", |s, _| s.pasv()),
    open("PBSZ", Required, "0", |s, c| s.pbsz(c.argument))
        .feat(Where(|config| config.tls.is_some(), "PBSZ")),
    user("PORT", Required, "<h1>,<h2>,<h3>,<h4>,<p1>,<p2>", |s, c| s.port(c.argument)),
    open("PROT", Required, "C|P", |s, c| s.prot(c.argument))
        .feat(Where(|config| config.tls.is_some(), "PROT")),
    user("PWD", None, "", |s, _| s.pwd()),
    open("QUIT", None, "", |s, c| s.quit(c.now)).begins(Begins::End),
    user("RANG", Required, "<first-byte> <last-byte>", |s, c| s.rang(c.argument))
        .feat(Line("RANG STREAM")),
    open("REIN", None, "", |s, c| s.rein(c.now)).barrier(),
    user("REST", Required, "<offset>", |s, c| s.restart(c.argument)).feat(Line("REST STREAM")),
    user("RETR", Required, "<path>", |s, c| s.retr(c.argument))
        .may(Permissions::RETRIEVE)
        .transfers(),
    user("RMD", Required, "<path>", |s, c| s.rmd(c.argument)).may(Permissions::DELETE),
    user("RNFR", Required, "<path>", |s, c| s.rnfr(c.argument)).may(Permissions::RENAME),
    user("RNTO", Required, "<path>", |s, c| s.rnto(c.argument, c.rename_from))
        .may(Permissions::RENAME),
    open("SITE", Required, "HELP | <command>", |s, c| s.site(c)),
    user("SIZE", Required, "<path>", |s, c| s.size(c.argument)).may(Permissions::LIST).feat(Name),
    known("SMNT"),
    open("STAT", Optional, "[<path>]", |s, _| s.stat())
        .timing(Timing::Reports)
        .with_argument(&STAT_PATH),
    user("STOR", Required, "<path>", |s, c| s.stor(c.argument))
        .may(Permissions::CREATE)
        .transfers(),
    user("STOU", Optional, "[<name>]", |s, c| s.stou(c.argument))
        .may(Permissions::CREATE)
        .transfers(),
    user("STRU", Required, "F", |s, c| s.set_structure(c.argument)),
    open("SYST", None, "", |s, _| s.syst()),
    user("TYPE", Required, "A [N] | I | L 8", |s, c| s.set_type(c.argument)),
    open("USER", Required, "<name>", |s, c| s.user(c.argument, c.now)).timing(Timing::Refused),
    digest("XCRC", |s, c| s.bare_digest(DigestAlgorithm::Crc32, c.argument)),
    user("XCUP", None, "", |s, _| s.cdup()).may(Permissions::CHANGE_DIRECTORY),
    user("XCWD", Required, "<path>", |s, c| s.cwd(c.argument)).may(Permissions::CHANGE_DIRECTORY),
    digest("XMD5", |s, c| s.bare_digest(DigestAlgorithm::Md5, c.argument)),
    user("XMKD", Required, "<path>", |s, c| s.mkd(c.argument)).may(Permissions::MAKE_DIRECTORY),
    user("XPWD", None, "", |s, _| s.pwd()),
    user("XRMD", Required, "<path>", |s, c| s.rmd(c.argument)).may(Permissions::DELETE),
    digest("XSHA", |s, c| s.bare_digest(DigestAlgorithm::Sha1, c.argument)),
    digest("XSHA1", |s, c| s.bare_digest(DigestAlgorithm::Sha1, c.argument)),
    digest("XSHA256", |s, c| s.bare_digest(DigestAlgorithm::Sha256, c.argument)),
    digest("XSHA512", |s, c| s.bare_digest(DigestAlgorithm::Sha512, c.argument)),
];

/// STAT with a path, which is another command: it waits, and asks the storage. The listing comes on
/// the control connection.
static STAT_PATH: Spec = user("STAT", Optional, "[<path>]", |s, c| s.stat_path(c.argument, c.now))
    .may(Permissions::LIST)
    .tls(TlsRule::Control);

/// The SITE commands of the server's own, in the order in which SITE HELP lists them.
pub(crate) static SITE_COMMANDS: &[Spec] = &[
    open("HELP", Optional, "[<command>]", |s, c| s.site_help(c.argument)),
    user("CHMOD", Optional, "<octal mode> <path>", |s, c| s.chmod(c.argument))
        .feat(Line("SITE CHMOD")),
    user("UTIME", Optional, "<YYYYMMDDHHMMSS> <path>", |s, c| s.utime(c.argument))
        .feat(Line("SITE UTIME")),
];

fn opts_syntax(config: &SessionConfig) -> String {
    let options = [
        ("MLST [<fact>;...]", true),
        ("MODE Z [LEVEL <0-9>]", config.mode_z),
        ("HASH [<algorithm>]", config.digests),
        ("UTF8 ON", true),
    ];
    let offered = options.into_iter().filter(|(_, offered)| *offered);
    offered.map(|(option, _)| option).collect::<Vec<_>>().join(" | ")
}

/// A command that works before login.
const fn open(name: &'static str, argument: Argument, syntax: &'static str, run: Run) -> Spec {
    Spec {
        name,
        syntax,
        syntax_by: Option::None,
        argument,
        run,
        login: false,
        permissions: Permissions::NONE,
        timing: Timing::Waits,
        barrier: false,
        begins: Begins::Nothing,
        tls: TlsRule::None,
        offer: Offer::Always,
        feature: Feature::None,
        with_argument: Option::None,
    }
}

/// A command that needs a login.
const fn user(name: &'static str, argument: Argument, syntax: &'static str, run: Run) -> Spec {
    Spec { login: true, ..open(name, argument, syntax, run) }
}

/// A word of the RFCs and drafts that this server knows and does not implement.
const fn known(name: &'static str) -> Spec {
    Spec { offer: Offer::Never, ..open(name, Optional, "", |_, _| unreachable!("never offered")) }
}

/// A command that answers with the bare digest of a file.
const fn digest(name: &'static str, run: Run) -> Spec {
    user(name, Required, "<path>|\"<path>\" [<start> <end>]", run)
        .may(Permissions::RETRIEVE)
        .digests()
        .feat(Name)
}

/// The columns in which few commands differ from the others.
impl Spec {
    /// The account needs all of these permissions.
    const fn may(self, permissions: Permissions) -> Self {
        Self { permissions, ..self }
    }

    /// Its syntax depends on the settings.
    const fn syntax_by(self, syntax_by: fn(&SessionConfig) -> String) -> Self {
        Self { syntax_by: Some(syntax_by), ..self }
    }

    const fn timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    const fn barrier(self) -> Self {
        Self { barrier: true, ..self }
    }

    const fn begins(self, begins: Begins) -> Self {
        Self { begins, ..self }
    }

    const fn tls(self, tls: TlsRule) -> Self {
        Self { tls, ..self }
    }

    const fn feat(self, feature: Feature) -> Self {
        Self { feature, ..self }
    }

    const fn with_argument(self, other: &'static Spec) -> Self {
        Self { with_argument: Some(other), ..self }
    }

    const fn transfers(self) -> Self {
        self.begins(Begins::Transfer).tls(TlsRule::Data)
    }

    /// What a file holds can be told from the digests of its parts: the reply is as secret as it.
    const fn digests(self) -> Self {
        Self { offer: Offer::Digests, ..self.begins(Begins::Digest).tls(TlsRule::Control) }
    }
}
