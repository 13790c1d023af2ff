//! Carries out operations of suppaftp, which come as JSON on standard input, and answers each as
//! JSON; see library.py.

mod operations;

use std::error::Error;
use std::fs;
use std::io::{self, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore, version};
use serde_json::{Value, json};
use suppaftp::types::FileType;
use suppaftp::{FtpError, Mode, RustlsConnector, RustlsFtpStream, Status};

type Fault = Box<dyn Error>;

/// Without `into_secure` it is a stream in clear.
type Client = RustlsFtpStream;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{fault}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Fault> {
    let mut text = String::new();
    io::stdin().read_to_string(&mut text)?;
    let task: Value = serde_json::from_str(&text)?;
    let mut client = log_in(&task)?;
    let mut answers = Vec::new();
    for operation in task["operations"].as_array().ok_or("no operations")? {
        answers.push(match operations::perform(&mut client, operation) {
            Ok(value) => json!({ "value": value }),
            Err(fault) => json!({ "error": fault.to_string(), "code": code(&*fault) }),
        });
    }
    client.quit()?;
    println!("{}", Value::from(answers));
    Ok(())
}

fn log_in(task: &Value) -> Result<Client, Fault> {
    let port = u16::try_from(task["port"].as_u64().ok_or("no port")?)?;
    let address = ("127.0.0.1", port);
    let mut client = match task["tls"].as_str() {
        None => Client::connect(address)?,
        Some(version) if task["implicit"] == true => {
            let mut client =
                Client::connect_secure_implicit(address, tls(task, version)?, "localhost")?;
            // It protects data connections there, too, but does not say so to the server.
            client.custom_command("PBSZ 0", &[Status::CommandOk])?;
            client.custom_command("PROT P", &[Status::CommandOk])?;
            client
        }
        Some(version) => Client::connect(address)?.into_secure(tls(task, version)?, "localhost")?,
    };
    client.login(text(&task["user"])?, text(&task["password"])?)?;
    client.transfer_type(FileType::Binary)?;
    Ok(match task["mode"].as_str() {
        Some("active") => client.active_mode(Duration::from_secs(10)),
        Some("extended") => {
            client.set_mode(Mode::ExtendedPassive);
            client
        }
        _ => client,
    })
}

fn tls(task: &Value, version: &str) -> Result<RustlsConnector, Fault> {
    let mut roots = RootCertStore::empty();
    let certificate = fs::read(text(&task["certificate"])?)?;
    roots.add(CertificateDer::from_pem_slice(&certificate)?)?;
    let only = if version == "1.2" { &version::TLS12 } else { &version::TLS13 };
    let config = ClientConfig::builder_with_protocol_versions(&[only])
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config).into())
}

/// Returns the code of the reply that an operation came to grief by.
fn code(fault: &(dyn Error + 'static)) -> Option<u32> {
    match fault.downcast_ref() {
        Some(FtpError::UnexpectedResponse(reply)) => {
            str::from_utf8(reply.body.get(..3)?).ok()?.parse().ok()
        }
        _ => None,
    }
}

fn text(value: &Value) -> Result<&str, Fault> {
    value.as_str().ok_or_else(|| format!("no text: {value}").into())
}
