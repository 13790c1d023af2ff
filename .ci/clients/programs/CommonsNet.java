// Carries out operations by Apache commons-net's FTPClient, which come as JSON on standard input,
// and answers each as JSON; see library.py.

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.io.RandomAccessFile;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.net.ssl.TrustManagerFactory;
import org.apache.commons.net.PrintCommandListener;
import org.apache.commons.net.ftp.FTP;
import org.apache.commons.net.ftp.FTPClient;
import org.apache.commons.net.ftp.FTPFile;
import org.apache.commons.net.ftp.FTPReply;
import org.apache.commons.net.ftp.FTPSClient;

public final class CommonsNet {
    private static final int PATIENCE_MS = 20_000;

    private final FTPClient client;

    private CommonsNet(FTPClient client) {
        this.client = client;
    }

    public static void main(String[] arguments) throws Exception {
        var input = new InputStreamReader(System.in, StandardCharsets.UTF_8);
        JsonObject task = JsonParser.parseReader(input).getAsJsonObject();
        FTPClient client = logIn(task);
        var program = new CommonsNet(client);
        List<Map<String, Object>> answers = new ArrayList<>();
        for (JsonElement operation : task.getAsJsonArray("operations")) {
            try {
                Object value = program.perform(operation.getAsJsonArray());
                answers.add(value == null ? Map.of() : Map.of("value", value));
            } catch (IOException error) {
                answers.add(Map.of("error", String.valueOf(error), "code", client.getReplyCode()));
            }
        }
        client.logout();
        client.disconnect();
        System.out.write(new Gson().toJson(answers).getBytes(StandardCharsets.UTF_8));
        System.out.println();
    }

    private static FTPClient logIn(JsonObject task) throws Exception {
        FTPClient client = new FTPClient();
        if (task.has("tls") && !task.get("tls").getAsString().isEmpty()) {
            var secure = new FTPSClient(task.get("implicit").getAsBoolean());
            secure.setEnabledProtocols(new String[] {"TLSv" + task.get("tls").getAsString()});
            secure.setTrustManager(trust(task.get("certificate").getAsString()).getTrustManagers()[0]);
            secure.setEndpointCheckingEnabled(true);
            client = secure;
        }
        client.addProtocolCommandListener(new PrintCommandListener(new PrintWriter(System.err), true));
        client.setControlEncoding("UTF-8");
        client.setConnectTimeout(PATIENCE_MS);
        client.setDefaultTimeout(PATIENCE_MS);
        client.setDataTimeout(java.time.Duration.ofMillis(PATIENCE_MS));
        client.connect("127.0.0.1", task.get("port").getAsInt());
        if (client instanceof FTPSClient) {
            ((FTPSClient) client).execPBSZ(0);
            ((FTPSClient) client).execPROT("P");
        }
        var done = client.login(task.get("user").getAsString(), task.get("password").getAsString());
        if (!done || !client.setFileType(FTP.BINARY_FILE_TYPE)) {
            throw new IOException(client.getReplyString());
        }
        var mode = task.has("mode") ? task.get("mode").getAsString() : "";
        if (!mode.equals("active")) {
            client.enterLocalPassiveMode();
        }
        client.setUseEPSVwithIPv4(mode.equals("extended"));
        return client;
    }

    private static TrustManagerFactory trust(String path) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        try (InputStream file = new FileInputStream(path)) {
            var certificate = CertificateFactory.getInstance("X.509").generateCertificate(file);
            store.setCertificateEntry("server", certificate);
        }
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        return factory;
    }

    private Object perform(JsonArray operation) throws IOException {
        String what = operation.get(0).getAsString();
        String one = operation.size() > 1 ? operation.get(1).getAsString() : null;
        String two = operation.size() > 2 ? operation.get(2).getAsString() : null;
        long offset = operation.size() > 3 ? operation.get(3).getAsLong() : 0;
        switch (what) {
            case "get":
                get(one, two, offset);
                return null;
            case "put":
                put(one, two, offset);
                return null;
            case "append":
                try (InputStream file = new FileInputStream(one)) {
                    check(client.appendFile(two, file));
                }
                return null;
            case "list":
                return describe(client.mlistDir(one));
            case "list (LIST)":
                return describe(client.listFiles(one));
            case "names":
                String[] names = client.listNames(one);
                check(names != null);
                return names;
            case "size":
                String size = client.getSize(one);
                check(size != null);
                return Long.parseLong(size);
            case "time":
                String time = client.getModificationTime(one);
                check(time != null);
                var format = DateTimeFormatter.ofPattern("yyyyMMddHHmmss");
                return LocalDateTime.parse(time, format).toEpochSecond(ZoneOffset.UTC);
            case "set time":
                check(client.setModificationTime(one, two));
                return null;
            case "where":
                return client.printWorkingDirectory();
            case "enter":
                check(client.changeWorkingDirectory(one));
                return null;
            case "make":
                check(client.makeDirectory(one));
                return null;
            case "rename":
                check(client.rename(one, two));
                return null;
            case "remove":
                check(client.deleteFile(one));
                return null;
            case "remove folder":
                check(client.removeDirectory(one));
                return null;
            case "put unique":
                try (InputStream file = new FileInputStream(one)) {
                    check(client.storeUniqueFile(file));
                }
                return client.getReplyString();
            default:
                throw new IOException("no such operation: " + what);
        }
    }

    private void check(boolean done) throws IOException {
        if (!done) {
            throw new IOException(client.getReplyString());
        }
    }

    private void get(String from, String to, long offset) throws IOException {
        try (RandomAccessFile file = new RandomAccessFile(to, "rw")) {
            file.setLength(offset);
            file.seek(offset);
            client.setRestartOffset(offset);
            OutputStream target = Channels.newOutputStream(file.getChannel());
            check(client.retrieveFile(from, target));
        }
    }

    private void put(String from, String to, long offset) throws IOException {
        try (InputStream file = new FileInputStream(from)) {
            file.skipNBytes(offset);
            client.setRestartOffset(offset);
            check(client.storeFile(to, file));
        }
    }

    private List<Map<String, Object>> describe(FTPFile[] files) throws IOException {
        check(FTPReply.isPositiveCompletion(client.getReplyCode()));
        List<Map<String, Object>> found = new ArrayList<>();
        for (FTPFile file : files) {
            boolean folder = file.isDirectory() || !file.isFile() && !file.isSymbolicLink();
            found.add(Map.of("name", file.getName(), "folder", folder, "size", file.getSize()));
        }
        return found;
    }
}
