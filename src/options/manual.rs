//! Man pages, and completions for shells, of the command line as it is parsed. So they need nothing in
//! the program itself, and cannot be stale.
//!
//! `WRITE_MANUAL=FOLDER cargo test -p wharf --bin wharf manual` writes them into an absolute FOLDER.

use std::fs;
use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use super::CommandLine;

/// What the options do not say, in roff.
const MORE: &str = r#".SH ENVIRONMENT
.TP
\fBWHARF_PASSWORD\fR
The password of \fB\-\-user\fR, where there is no \fB\-\-password\-file\fR.
.SH SIGNALS
.TP
\fBSIGTERM\fR, \fBSIGINT\fR
Stop. Transfers may finish; a second signal ends the program at once.
.TP
\fBSIGHUP\fR
Read the accounts again, and look up the name of \fB\-\-public\-address\fR.
.SH EXIT STATUS
.TP
\fB0\fR
All went well.
.TP
\fB1\fR
It could not be done, or \fBwharf check\fR found a mistake.
.TP
\fB2\fR
The options or the files that they name are wrong. Standard error says what is.
.SH FILES
As Debian's package has them:
.TP
\fI/etc/default/wharf\fR
The options of the service.
.TP
\fI/etc/wharf/accounts.toml\fR
Who may log in.
.TP
\fI/usr/share/doc/wharf\fR
How to run it, accounts, TLS, uploads, limits.
"#;

#[test]
fn each_command_and_option_has_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("WRITE_MANUAL").map_or(folder.path().to_path_buf(), Into::into);
    write(&folder);

    let page = fs::read_to_string(folder.join("wharf.1")).unwrap();
    let completions = ["wharf.bash", "_wharf", "wharf.fish"]
        .map(|name| fs::read_to_string(folder.join(name)).unwrap());
    for option in CommandLine::command().get_arguments().filter_map(|option| option.get_long()) {
        let in_roff = format!("\\-\\-{}", option.replace('-', "\\-"));
        assert!(page.contains(&in_roff), "--{option} is not in the man page");
        for completion in &completions {
            assert!(completion.contains(option), "--{option} is not completed");
        }
    }
    for command in CommandLine::command().get_subcommands() {
        let name = command.get_name();
        assert!(page.contains(&format!("wharf\\-{name}(1)")), "{name} is not in the man page");
        assert!(folder.join(format!("wharf-{name}.1")).is_file(), "{name} has no man page");
    }
}

fn write(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let mut line = CommandLine::command();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut line, "wharf", folder).unwrap();
    }
    clap_mangen::generate_to(line.clone(), folder).unwrap();
    let man = Man::new(line);
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    man.render_synopsis_section(&mut page).unwrap();
    man.render_description_section(&mut page).unwrap();
    man.render_options_section(&mut page).unwrap();
    man.render_subcommands_section(&mut page).unwrap();
    page.write_all(MORE.as_bytes()).unwrap();
    man.render_version_section(&mut page).unwrap();
    fs::write(folder.join("wharf.1"), page).unwrap();
}
