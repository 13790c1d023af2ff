//! What is written in an accounts file, as it is written: nothing is checked but its shape.
//!
//! Texts and numbers know where they stand, so that what is wrong with them can be shown.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) type Text = Spanned<String>;
pub(super) type Number = Spanned<i64>;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) user: Vec<Spanned<User>>,
    pub(super) anonymous: Option<Spanned<Anonymous>>,
    #[serde(default)]
    pub(super) host: Vec<Spanned<Host>>,
}

/// `[[host]]`: a virtual host.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    pub(super) name: Text,
    pub(super) certificate: Option<Text>,
    pub(super) key: Option<Text>,
    #[serde(default)]
    pub(super) user: Vec<Spanned<User>>,
    pub(super) anonymous: Option<Spanned<Anonymous>>,
}

/// `[[user]]`, `[[host.user]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct User {
    pub(super) name: Text,
    pub(super) password: Option<Text>,
    pub(super) certificate: Option<Spanned<OneOrMore>>,
    /// For SFTP one day: only its shape is looked at.
    #[serde(default, rename = "public_keys")]
    pub(super) _public_keys: Vec<String>,
    #[serde(default = "yes")]
    pub(super) enabled: bool,
    root: Option<Text>,
    permissions: Option<Text>,
    tls: Option<Text>,
    tls_upload_end: Option<Text>,
    allow_from: Option<Spanned<OneOrMore>>,
    deny_from: Option<Spanned<OneOrMore>>,
    #[serde(default)]
    folders: BTreeMap<Text, Text>,
    #[serde(default)]
    limits: Limits,
}

/// `[anonymous]`, `[host.anonymous]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Anonymous {
    root: Option<Text>,
    permissions: Option<Text>,
    tls: Option<Text>,
    tls_upload_end: Option<Text>,
    allow_from: Option<Spanned<OneOrMore>>,
    deny_from: Option<Spanned<OneOrMore>>,
    #[serde(default)]
    folders: BTreeMap<Text, Text>,
    #[serde(default)]
    limits: Limits,
}

/// What users and the anonymous have in common.
pub(super) struct Common {
    pub(super) root: Option<Text>,
    pub(super) permissions: Option<Text>,
    pub(super) tls: Option<Text>,
    pub(super) tls_upload_end: Option<Text>,
    pub(super) allow_from: Option<Spanned<OneOrMore>>,
    pub(super) deny_from: Option<Spanned<OneOrMore>>,
    pub(super) folders: BTreeMap<Text, Text>,
    pub(super) limits: Limits,
}

/// `[user.limits]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) sessions: Option<Number>,
    pub(super) download_rate: Option<Number>,
    pub(super) upload_rate: Option<Number>,
}

/// A text, or an array of texts.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or an array of strings is wanted")]
pub(super) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text],
            Self::More(texts) => texts,
        }
    }
}

impl User {
    /// Takes out what the anonymous have too.
    pub(super) fn common(&mut self) -> Common {
        Common {
            root: self.root.take(),
            permissions: self.permissions.take(),
            tls: self.tls.take(),
            tls_upload_end: self.tls_upload_end.take(),
            allow_from: self.allow_from.take(),
            deny_from: self.deny_from.take(),
            folders: std::mem::take(&mut self.folders),
            limits: std::mem::take(&mut self.limits),
        }
    }
}

impl From<Anonymous> for Common {
    fn from(anonymous: Anonymous) -> Self {
        let Anonymous {
            root,
            permissions,
            tls,
            tls_upload_end,
            allow_from,
            deny_from,
            folders,
            limits,
        } = anonymous;
        Self { root, permissions, tls, tls_upload_end, allow_from, deny_from, folders, limits }
    }
}

fn yes() -> bool {
    true
}
