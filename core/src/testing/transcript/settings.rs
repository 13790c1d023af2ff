//! How a session of a transcript is set up.

use std::format;
use std::string::String;

use super::Result;
use crate::testing::events::{self, duration, number, split};
use crate::testing::text::unescape;
use crate::{OnHangup, Resumption, SessionConfig, SiteCommand, TlsPolicy};

/// Reads words such as `all`, `require` and `ccc`; `on` stands for none.
fn tls_policy(text: &str) -> Result<TlsPolicy> {
    let mut policy = TlsPolicy::default();
    for word in text.split_whitespace().filter(|word| *word != "on") {
        match word {
            "ccc" => policy.allow_ccc = true,
            "off" => policy.resumption = Resumption::Off,
            "prefer" => policy.resumption = Resumption::Prefer,
            "require" => policy.resumption = Resumption::Require,
            "strict" | "lenient" => policy.upload_end = events::upload_end(word)?,
            _ => policy.required = events::tls_required(word)?,
        }
    }
    Ok(policy)
}

/// Changes the setting that has this name.
pub(super) fn configure(config: &mut SessionConfig, name: &str, value: &str) -> Result<()> {
    let time = |value: &str| duration(&format!("+{value}"));
    match name {
        "greeting" => {
            config.greeting = String::from_utf8(unescape(value)?).map_err(|_| "not UTF-8")?
        }
        "idle_timeout" => config.idle_timeout = time(value)?,
        "login_timeout" => config.login_timeout = time(value)?,
        "data_timeout" => config.data_timeout = time(value)?,
        "login_attempts" => config.max_login_attempts = number(value)?,
        "login_delay" => config.login_delay = time(value)?,
        "allow_foreign_data" => config.allow_foreign_data = number(value)?,
        "allow_privileged_ports" => config.allow_privileged_ports = number(value)?,
        "atomic_uploads" => config.atomic_uploads = number(value)?,
        "on_hangup" => {
            config.on_hangup = match value {
                "keep" => OnHangup::Keep,
                "publish" => OnHangup::Publish,
                _ => return Err(format!("unknown word {value}")),
            }
        }
        "notices" => {
            config.notices = match value {
                "on" => true,
                "off" => false,
                _ => return Err(format!("unknown word {value}")),
            }
        }
        "digests" => config.digests = number(value)?,
        "mode_z" => config.mode_z = number(value)?,
        "list_utc_offset_minutes" => config.list_utc_offset_minutes = number(value)?,
        "list_depth" => config.list_bounds.depth = number(value)?,
        "list_entries" => config.list_bounds.entries = number(value)?,
        "tls" => config.tls = Some(tls_policy(value)?),
        "host" => config.hosts.push(value.into()),
        "site" => {
            let (name, syntax) = split(value);
            config.site_commands.push(SiteCommand { name: name.into(), syntax: syntax.into() });
        }
        _ => return Err(format!("unknown setting {name}")),
    }
    Ok(())
}
