// Calls methods of basic-ftp's Client, which come as JSON on standard input, and answers each as
// JSON; see library.py. The argument is the folder in which the package is installed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Client, enterPassiveModeIPv4 } = createRequire(`${process.argv[2]}/`)("basic-ftp");
const { operations, ...task } = JSON.parse(readFileSync(0, "utf8"));

const client = new Client(20_000);
client.ftp.log = (message) => console.error(message);
if (task.passive === "PASV") {
  client.prepareTransfer = enterPassiveModeIPv4;
}
const answers = [];
try {
  await client.access({
    host: "127.0.0.1",
    port: task.port,
    user: task.user,
    password: task.password,
    secure: task.tls && (task.implicit ? "implicit" : true),
    secureOptions: task.tls && {
      ca: readFileSync(task.certificate),
      minVersion: `TLSv${task.tls}`,
      maxVersion: `TLSv${task.tls}`,
    },
  });
  if (task.listing) {
    client.availableListCommands = [task.listing];
  }
  for (const [method, ...values] of operations) {
    try {
      answers.push({ value: await client[method](...values) });
    } catch (error) {
      answers.push({ error: error.message, code: error.code });
    }
  }
  client.close();
  console.log(JSON.stringify(answers));
} catch (error) {
  client.close();
  console.error(error.message);
  process.exitCode = 1;
}
