//! `--run-as`: to serve as a user who may do less than root.

use std::fmt;
use std::str::FromStr;

use nix::unistd::{Gid, Group, Uid, User};

/// The user and group to serve as, by name or number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunAs {
    user: String,
    group: Option<String>,
}

/// The same as the system's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    uid: Uid,
    gid: Gid,
    /// The other groups that the user is in.
    groups: Vec<Gid>,
}

impl FromStr for RunAs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group.to_string())),
            None => (text, None),
        };
        if user.is_empty() || group.as_ref().is_some_and(String::is_empty) {
            return Err("a user is wanted, and maybe a group: anna, or anna:staff".into());
        }
        Ok(Self { user: user.to_string(), group })
    }
}

impl fmt::Display for RunAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user)?;
        self.group.iter().try_for_each(|group| write!(f, ":{group}"))
    }
}

impl RunAs {
    /// Looks them up. The error is one line.
    pub(crate) fn find(&self) -> Result<Identity, String> {
        let mistake = |what: String| format!("--run-as {self}: {what}");
        let (uid, known) = self.find_user().map_err(mistake)?;
        let gid = match (&self.group, &known) {
            (Some(group), _) => find_group(group).map_err(mistake)?,
            (None, Some(user)) => user.gid,
            (None, None) => {
                return Err(mistake(
                    "no user has this number: name a group too, USER:GROUP".into(),
                ));
            }
        };
        if uid.is_root() || gid == Gid::from_raw(0) {
            return Err(mistake("that is root itself".into()));
        }
        let groups = match &known {
            Some(user) => other_groups(user, gid).map_err(mistake)?,
            None => vec![gid],
        };
        Ok(Identity { uid, gid, groups })
    }

    fn find_user(&self) -> Result<(Uid, Option<User>), String> {
        let named = User::from_name(&self.user).map_err(|error| error.to_string())?;
        if let Some(user) = named {
            return Ok((user.uid, Some(user)));
        }
        let unknown = || format!("there is no user {:?}", self.user);
        let uid = Uid::from_raw(number(&self.user).ok_or_else(unknown)?);
        Ok((uid, User::from_uid(uid).map_err(|error| error.to_string())?))
    }
}

fn find_group(name: &str) -> Result<Gid, String> {
    if let Some(group) = Group::from_name(name).map_err(|error| error.to_string())? {
        return Ok(group.gid);
    }
    let gid = number(name).ok_or_else(|| format!("there is no group {name:?}"))?;
    Ok(Gid::from_raw(gid))
}

/// Reads a user's or group's number; the largest stands for none.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|&number| digits && number != u32::MAX)
}

/// Returns all groups of a user; that of root is left out.
fn other_groups(user: &User, gid: Gid) -> Result<Vec<Gid>, String> {
    let name = std::ffi::CString::new(user.name.clone()).map_err(|error| error.to_string())?;
    let mut groups =
        nix::unistd::getgrouplist(&name, gid).map_err(|error| format!("its groups: {error}"))?;
    groups.retain(|group| *group != Gid::from_raw(0));
    Ok(groups)
}

impl Identity {
    /// Becomes that user, for good: there is no way back, and nothing of root is left.
    ///
    /// It has to be called before the first thread is started: capabilities are each thread's own.
    pub(crate) fn assume(&self) -> Result<(), String> {
        if !Uid::effective().is_root() {
            return Err("only root can become another user".into());
        }
        let failed = |what: &'static str| move |error| format!("{what}: {error}");
        nix::unistd::setgroups(&self.groups).map_err(failed("cannot set the groups"))?;
        nix::unistd::setresgid(self.gid, self.gid, self.gid)
            .map_err(failed("cannot set the group"))?;
        nix::unistd::setresuid(self.uid, self.uid, self.uid)
            .map_err(failed("cannot set the user"))?;
        drop_capabilities().map_err(|error| format!("cannot give up capabilities: {error}"))?;
        self.verify()
    }

    /// Makes sure that it is so.
    fn verify(&self) -> Result<(), String> {
        let ids = nix::unistd::getresuid().and_then(|user| Ok((user, nix::unistd::getresgid()?)));
        let (user, group) = ids.map_err(|error| error.to_string())?;
        let all_user = [user.real, user.effective, user.saved].iter().all(|id| *id == self.uid);
        let all_group = [group.real, group.effective, group.saved].iter().all(|id| *id == self.gid);
        let root = Uid::from_raw(0);
        if all_user && all_group && nix::unistd::setresuid(root, root, root).is_err() {
            Ok(())
        } else {
            Err("something of root is left".into())
        }
    }
}

/// Gives up what root could do, also where the system was told to keep it for other users, and lets
/// no program that is started from here have more.
#[cfg(target_os = "linux")]
fn drop_capabilities() -> std::io::Result<()> {
    use rustix::thread::{
        CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities,
        set_no_new_privs,
    };
    let none = CapabilitySet::empty();
    clear_ambient_capability_set()?;
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(set_no_new_privs(true)?)
}

#[cfg(not(target_os = "linux"))]
fn drop_capabilities() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(text: &str) -> Result<Identity, String> {
        text.parse::<RunAs>()?.find()
    }

    #[test]
    fn names_and_numbers() {
        let nobody = find("nobody").unwrap();
        assert!(!nobody.uid.is_root());
        assert_eq!(find(&nobody.uid.to_string()).unwrap(), nobody);
        let other = find(&format!("nobody:{}", 54321)).unwrap();
        assert_eq!((other.uid, other.gid), (nobody.uid, Gid::from_raw(54321)));
        assert!(other.groups.contains(&other.gid));
        let unknown = find("54321:54322").unwrap();
        assert_eq!((unknown.uid, unknown.groups), (Uid::from_raw(54321), vec![unknown.gid]));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("", "a user is wanted"),
            (":staff", "a user is wanted"),
            ("nobody:", "a user is wanted"),
            ("no-such-user", "no user \"no-such-user\""),
            ("nobody:no-such-group", "no group \"no-such-group\""),
            ("nobody:4294967295", "no group"),
            ("54321", "name a group"),
            ("-1", "no user"),
            ("+5", "no user"),
            ("root", "root itself"),
            ("0:54321", "root itself"),
            ("nobody:0", "root itself"),
        ] {
            let mistake = find(text).unwrap_err();
            assert!(mistake.contains(part), "{text}: {mistake}");
        }
    }
}
