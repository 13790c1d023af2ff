//! Where the documents say what a requirement says.

use crate::requirements::Requirement;

/// Returns the sections that a requirement rests on.
pub fn citation(row: &Requirement) -> &str {
    let found = CITATIONS.iter().find(|(id, _)| *id == row.id);
    found.map_or(row.section.as_str(), |(_, sections)| sections)
}

const CITATIONS: &[(&str, &str)] = &[
    ("rfc959.user", "RFC 959 sections 4.1.1 and 5.4, RFC 2577 section 7"),
    ("rfc959.pass", "RFC 959 sections 4.1.1 and 5.4, RFC 2577 section 7"),
    ("rfc959.acct", "RFC 959 sections 4.1.1 and 5.4"),
    ("rfc959.cwd", "RFC 959 sections 4.1.1 and 5.4"),
    ("rfc959.cdup", "RFC 959 sections 4.1.1 and 5.4"),
    ("rfc959.smnt", "RFC 959 sections 4.1.1 and 5.4"),
    ("rfc959.rein", "RFC 959 sections 4.1.1 and 5.4"),
    ("rfc959.quit", "RFC 959 sections 4.1.1 and 5.4"),
    ("rfc959.quit-unread", "RFC 959 section 4.1.1"),
    ("rfc959.half-close", "RFC 959 sections 4.1.1 and 5.4, RFC 9293 section 3.6"),
    ("rfc959.port", "RFC 959 sections 3.3, 4.1.2 and 5.4"),
    ("rfc959.pasv", "RFC 959 sections 3.3, 4.1.2 and 5.4, RFC 1123 section 4.1.2.6"),
    ("rfc959.type", "RFC 959 sections 3.1.1, 4.1.2 and 5.4"),
    ("rfc959.stru", "RFC 959 sections 3.1.2, 4.1.2 and 5.4"),
    ("rfc959.mode", "RFC 959 sections 3.4, 4.1.2 and 5.4"),
    ("rfc959.retr", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.stor", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.stou", "RFC 959 section 4.1.3, RFC 1123 section 4.1.2.9"),
    ("rfc959.appe", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.no-data", "RFC 959 sections 3.2, 4.1.3 and 5.4"),
    ("rfc959.allo", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.rest", "RFC 959 sections 3.5 and 4.1.3, RFC 3659 section 5"),
    ("rfc959.rnfr", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.rnto", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.abor", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.dele", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.rmd", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.mkd", "RFC 959 sections 4.1.3, 5.4 and appendix II"),
    ("rfc959.pwd", "RFC 959 sections 4.1.3, 5.4 and appendix II"),
    ("rfc959.list", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.nlst", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.site", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.syst", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.stat", "RFC 959 sections 4.1.3, 4.2 and 5.4"),
    ("rfc959.help", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc959.noop", "RFC 959 sections 4.1.3 and 5.4"),
    ("rfc1123.type-l8", "RFC 1123 section 4.1.2.1"),
    ("rfc1123.pasv-per-transfer", "RFC 1123 section 4.1.2.6"),
    ("rfc1123.list-type", "RFC 1123 section 4.1.2.7"),
    ("rfc1123.stou-format", "RFC 1123 section 4.1.2.9"),
    ("rfc1123.stou-no-250", "RFC 1123 section 4.1.2.9"),
    ("rfc1123.x-commands", "RFC 1123 section 4.1.3.1"),
    ("rfc1123.idle-timeout", "RFC 1123 section 4.1.3.2"),
    ("rfc1123.concurrency", "RFC 1123 section 4.1.3.3"),
    ("rfc1123.rest-554", "RFC 1123 section 4.1.3.4"),
    ("rfc1123.telnet", "RFC 1123 section 4.1.2.12, RFC 854"),
    ("rfc2228.auth", "RFC 2228 section 3, RFC 4217 section 4"),
    ("rfc2228.adat", "RFC 2228 section 3"),
    ("rfc2228.pbsz", "RFC 2228 section 3, RFC 4217 section 9"),
    ("rfc2228.prot", "RFC 2228 section 3, RFC 4217 section 9"),
    ("rfc2228.ccc", "RFC 2228 section 3, RFC 4217 section 5"),
    ("rfc2228.mic", "RFC 2228 section 3"),
    ("rfc2228.conf", "RFC 2228 section 3"),
    ("rfc2228.enc", "RFC 2228 section 3"),
    ("rfc2389.feat", "RFC 2389 section 3"),
    ("rfc2389.opts", "RFC 2389 section 4, RFC 3659 section 7.9"),
    ("rfc2428.eprt", "RFC 2428 section 2"),
    ("rfc2428.epsv", "RFC 2428 sections 3 and 4"),
    ("rfc2577.bounce", "RFC 2577 sections 2 to 4 and 8"),
    ("rfc2577.privileged", "RFC 2577 section 3"),
    ("rfc2577.attempts", "RFC 2577 section 5"),
    ("rfc2577.delay", "RFC 2577 section 5"),
    ("rfc2577.per-ip", "RFC 2577 section 5"),
    ("rfc2577.usernames", "RFC 2577 section 7"),
    ("rfc2577.port-stealing", "RFC 2577 section 8"),
    ("rfc2640.lang", "RFC 2640 section 4"),
    ("rfc2640.utf8", "RFC 2640 sections 2 and 3"),
    ("rfc3659.mdtm", "RFC 3659 sections 2.3 and 3"),
    ("rfc3659.size", "RFC 3659 section 4"),
    ("rfc3659.rest", "RFC 3659 section 5"),
    ("rfc3659.mlst", "RFC 3659 sections 7.1 to 7.3 and 7.8"),
    ("rfc3659.mlsd", "RFC 3659 sections 7.1 to 7.3"),
    ("rfc3659.tvfs", "RFC 3659 section 6"),
    ("rfc3659.facts", "RFC 3659 section 7.5"),
    ("rfc3659.gmt", "RFC 3659 section 2.3"),
    ("rfc4217.auth", "RFC 4217 sections 4, 6, 8 and 13"),
    ("rfc4217.pbsz", "RFC 4217 section 9"),
    ("rfc4217.prot", "RFC 4217 sections 7 and 9"),
    ("rfc4217.ccc", "RFC 4217 section 5"),
    ("rfc4217.early-handshake", "RFC 4217 sections 7 and 9"),
    ("rfc4217.reuse", "RFC 4217 section 10.2"),
    ("rfc4217.required", "RFC 4217 section 11"),
    ("rfc7151.host", "RFC 7151 section 3"),
    ("ext.implicit", "draft-murray-auth-ftp-ssl-07 (no RFC)"),
    ("ext.site-chmod", "ProFTPD and others (no RFC)"),
    ("ext.site-utime", "ProFTPD and others (no RFC)"),
    ("ext.mfmt", "draft-somers-ftp-mfxx-04 section 3"),
    ("ext.mff", "draft-somers-ftp-mfxx-04 section 5"),
    ("ext.hash", "draft-bryan-ftpext-hash-02 section 3"),
    ("ext.xhash", "Serv-U and others (no RFC)"),
    ("ext.rang", "draft-bryan-ftp-range-08 section 3"),
    ("ext.mode-z", "draft-preston-ftpext-deflate-04 section 3"),
    ("ext.clnt", "no document"),
    ("ext.avbl", "draft-peterson-streamlined-ftp-command-extensions-10 section 4"),
    ("ext.csid", "draft-peterson-streamlined-ftp-command-extensions-10 section 6"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requirements::requirements;

    #[test]
    fn every_row_is_cited_once() {
        let ids: Vec<_> = CITATIONS.iter().map(|(id, _)| *id).collect();
        let rows: Vec<_> = requirements().iter().map(|row| row.id.as_str()).collect();
        assert_eq!(ids.len(), rows.len());
        assert!(rows.iter().all(|id| ids.contains(id)));
    }
}
