//! Makes what workloads need on the server, as far as it is not there.

use crate::bench::{SMALL, SMALL_FILES};
use crate::client::{Client, FOLDER};
use crate::control::{Result, Server};
use crate::workload::Workload;

/// Makes the folder, and the files that these workloads need.
pub(crate) fn prepare(workloads: &[Workload], server: &Server, size: u64) -> Result<()> {
    let mut client = Client::open(server)?;
    // It may be there already; whether it is, CWD says.
    client.control.command(&format!("MKD {FOLDER}"))?;
    client.control.expect(&format!("CWD {FOLDER}"), &[250, 200])?;
    for workload in workloads {
        match workload {
            Workload::Retr(_) => store(&mut client, "big", size)?,
            Workload::SmallRetr(_) | Workload::Idle(_) => {
                for number in 0..SMALL_FILES {
                    store(&mut client, &format!("small-{number}"), SMALL)?;
                }
            }
            Workload::List(count) | Workload::Mlsd(count) => list(&mut client, *count)?,
            _ => {}
        }
    }
    Ok(())
}

/// Stores a file, unless there is one of this size.
fn store(client: &mut Client, name: &str, size: u64) -> Result<()> {
    if !is_there(client, name, size)? {
        client.store(&format!("STOR {name}"), size)?;
    }
    Ok(())
}

/// Makes a folder of so many empty files. The last one is made last, and says that all are there.
fn list(client: &mut Client, count: u32) -> Result<()> {
    let folder = format!("list-{count}");
    let name = |number: u32| format!("{folder}/file-{number}");
    if is_there(client, &name(count - 1), 0)? {
        return Ok(());
    }
    client.control.command(&format!("MKD {folder}"))?;
    for number in 0..count {
        client.store(&format!("STOR {}", name(number)), 0)?;
    }
    Ok(())
}

fn is_there(client: &mut Client, name: &str, size: u64) -> Result<bool> {
    let code = client.control.command(&format!("SIZE {name}"))?;
    Ok(code == 213 && client.control.text().get(4..).map(str::trim) == Some(&size.to_string()))
}
