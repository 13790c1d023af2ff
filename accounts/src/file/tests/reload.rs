//! Reading the file again.

use super::*;

#[test]
fn a_reload_changes_who_comes_in() {
    let place = Place::new(&user("anna", "old", ""));
    let accounts = place.load();
    let live = login(&accounts, "anna", "old").unwrap();
    place.write(&(user("anna", "new", "root = \"public\"") + &user("ben", "new", "")));
    assert_eq!(accounts.reload(), Ok(2));
    assert_eq!((accounts.users(), accounts.summary().as_str()), (2, "2 users"));
    refused(login(&accounts, "anna", "old"));
    assert_eq!(sees(&login(&accounts, "anna", "new").unwrap()), "public".len());
    login(&accounts, "ben", "new").unwrap();
    // Who is in stays in.
    assert_eq!(sees(&live), 0);
}

#[test]
fn a_bad_file_leaves_the_old_accounts() {
    let place = Place::new(&user("anna", "old", ""));
    let accounts = place.load();
    for bad in ["[[user", "", "[[user]]\nname = \"anna\"\npassword = \"new\"\n"] {
        place.write(bad);
        accounts.reload().unwrap_err();
        login(&accounts, "anna", "old").unwrap();
    }
    fs::remove_file(place.file()).unwrap();
    let error = accounts.reload().unwrap_err().to_string();
    assert!(error.contains("cannot read it: No such file"), "{error}");
    login(&accounts, "anna", "old").unwrap();
    // Not even what was remembered is lost.
    assert_eq!(computed(&accounts), 1);
}

#[test]
fn a_reload_forgets_logins() {
    let place = Place::new(&user("anna", "right", ""));
    let accounts = place.load();
    login(&accounts, "anna", "right").unwrap();
    accounts.reload().unwrap();
    login(&accounts, "anna", "right").unwrap();
    assert_eq!(computed(&accounts), 2);
    place.write(&user("anna", "right", "enabled = false"));
    accounts.reload().unwrap();
    refused(login(&accounts, "anna", "right"));
}

#[test]
fn sessions_are_counted_across_reloads() {
    let place = Place::new(&user("anna", "right", ""));
    let accounts = place.load();
    let first = login(&accounts, "anna", "right").unwrap();
    let second = login(&accounts, "anna", "right").unwrap();
    place.write(&user("anna", "right", "limits.sessions = 2"));
    accounts.reload().unwrap();
    let full = login(&accounts, "anna", "right");
    assert_eq!(full.err(), Some(Denial::TooManySessions));
    drop(first);
    let third = login(&accounts, "anna", "right").unwrap();
    // While the account is gone, its sessions are not.
    place.write("[anonymous]");
    accounts.reload().unwrap();
    place.write(&user("anna", "right", "limits.sessions = 2"));
    accounts.reload().unwrap();
    assert_eq!(login(&accounts, "anna", "right").err(), Some(Denial::TooManySessions));
    drop((second, third));
    login(&accounts, "anna", "right").unwrap();
}

#[test]
fn hosts_follow_but_neither_come_nor_go() {
    let host = |name: &str, password: &str| {
        let user = user("anna", password, "").replace("user", "host.user");
        format!("[[host]]\nname = \"{name}\"\n{user}")
    };
    let place = Place::new(&(host("a", "old") + &host("b", "old")));
    let accounts = place.load();
    let hosts = accounts.hosts();
    place.write(&(host("B", "new") + &host("A", "newer")));
    assert_eq!(accounts.reload(), Ok(2));
    login(&*hosts[0].accounts, "anna", "newer").unwrap();
    login(&*hosts[1].accounts, "anna", "new").unwrap();
    refused(login(&*hosts[1].accounts, "anna", "old"));
    for (text, part) in [
        (host("a", "x"), "host \"b\": gone; for that, restart the server"),
        (host("a", "x") + &host("b", "x") + &host("c", "x"), "host \"c\": new; for that, restart"),
    ] {
        place.write(&text);
        let error = accounts.reload().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        login(&*hosts[0].accounts, "anna", "newer").unwrap();
    }
}
