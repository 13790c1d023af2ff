//! SITE commands of an embedding program: the example, as a client meets it.

mod support;

#[path = "../examples/site.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod example;

use std::io::Write;

use support::Client;

#[test]
fn the_example_does_what_it_says() {
    let server = example::server().spawn().unwrap();
    Client::log_in(&server).ask("SITE QUOTA", 550);
    let mut client = Client::connect(&server);
    client.ask("USER anna", 331);
    client.ask("PASS secret", 230);
    client.ask("TYPE I", 200);
    let help = client.ask("SITE HELP", 214).text;
    assert!(help.contains("VERSION") && help.contains("QUOTA"), "{help}");
    assert!(client.ask("SITE HELP QUOTA", 214).text.contains("SITE QUOTA [BYTES|PERCENT]"));
    assert!(client.ask("SITE VERSION", 200).text.contains("Example 1.0"));
    assert!(client.ask("SITE QUOTA", 200).text.contains("7 of 1000000 bytes"));
    client.put("STOR half", &[0; 500_000]);
    assert!(client.ask("site quota percent", 200).text.contains("50 %"));
    client.ask("SITE QUOTA feet", 501);
    // What the storage says is left is what AVBL tells, and beyond it uploads are refused.
    assert!(client.ask("AVBL", 213).text.contains("499993"));
    // Whether all of it is still taken is up to the network.
    let _ = client.begin("STOR more").write_all(&[0; 500_000]);
    client.expect(552);
    client.ask("SITE NOTHING", 504);
}

#[test]
fn names_that_could_not_be_asked_for() {
    for name in ["", "TWO WORDS", "help", "version"] {
        let answer = |_: &wharf::SiteRequest| wharf::SiteReply { code: 200, text: Vec::new() };
        let error = example::server().site_command(name, "", answer).spawn().unwrap_err();
        assert!(error.to_string().contains(&name.to_uppercase()), "{error}");
    }
}
