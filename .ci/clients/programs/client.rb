# Carries out operations by Ruby's Net::FTP, which come as JSON on standard input, and answers each
# as JSON; see library.py.
require "json"
require "net/ftp"

TASK = JSON.parse($stdin.read)

def log_in
  options = { port: TASK["port"], passive: TASK["mode"] != "active", open_timeout: 20, read_timeout: 20 }
  unless TASK["tls"].to_s.empty?
    version = TASK["tls"] == "1.2" ? OpenSSL::SSL::TLS1_2_VERSION : OpenSSL::SSL::TLS1_3_VERSION
    options[:ssl] = { ca_file: TASK["certificate"], min_version: version, max_version: version }
  end
  Net::FTP.open("127.0.0.1", **options).tap { |ftp| ftp.login(TASK["user"], TASK["password"]) }
end

def text(name)
  name.dup.force_encoding("UTF-8")
end

def resumed(ftp)
  ftp.resume = true
  yield
ensure
  ftp.resume = false
end

def perform(ftp, what, one = nil, two = nil, offset = nil)
  case what
  when "get"
    offset ? resumed(ftp) { ftp.getbinaryfile(one, two) } : ftp.getbinaryfile(one, two)
  when "put"
    offset ? resumed(ftp) { ftp.putbinaryfile(one, two) } : ftp.putbinaryfile(one, two)
  when "append"
    File.open(one, "rb") { |file| ftp.storbinary("APPE #{two}", file, Net::FTP::DEFAULT_BLOCKSIZE) }
  when "get text" then ftp.gettextfile(one, two)
  when "put text" then ftp.puttextfile(one, two)
  when "list"
    entries = ftp.mlsd(one).map do |entry|
      { name: text(entry.pathname), folder: !entry.file?, size: entry.facts["size"] }
    end
    return entries
  when "lines" then return ftp.list(one).map { |line| text(line) }
  when "names" then return ftp.nlst(one).map { |name| text(name) }
  when "size" then return ftp.size(one)
  when "time" then return ftp.mtime(one).to_i
  when "where" then return text(ftp.pwd)
  when "enter" then ftp.chdir(one)
  when "make" then ftp.mkdir(one)
  when "rename" then ftp.rename(one, two)
  when "remove" then ftp.delete(one)
  when "remove folder" then ftp.rmdir(one)
  when "status" then return ftp.status
  else raise ArgumentError, "no such operation: #{what}"
  end
  nil
end

begin
  ftp = log_in
  answers = TASK["operations"].map do |operation|
    { value: perform(ftp, *operation) }
  rescue Net::FTPError => error
    { error: error.message, code: error.message[0, 3].to_i }
  rescue StandardError => error
    { error: "#{error.class}: #{error.message}" }
  end
  ftp.quit
  ftp.close
  puts JSON.generate(answers)
rescue StandardError => error
  warn "#{error.class}: #{error.message}"
  exit 1
end
